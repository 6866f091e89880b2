/* One connection's buffer with a thread of its own behind it: what `fixed` and `ring` share. The
 * worker puts received bytes in, looks for frames and queues their lengths; the thread copies whole
 * frames out of the buffer and processes them, while the worker goes on behind them. */
#ifndef FANIN_THREADED_BUFFER_H
#define FANIN_THREADED_BUFFER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/scheme_base.h"
#include "base/os.h"

enum {
    QUEUED_FRAMES_MAX = 1024, /* found, and not yet taken by the thread */
};

struct scheme_run {
    struct scheme_base base;
    bool circular;        /* bytes wrap around; else the unfinished frame is moved to the front */
    size_t buffer_bytes;  /* room for the largest frame and one receive, in pages */
    size_t receive_bytes; /* room before each receive, and the most that it brings */
    struct wait_list buffer_waiters;
    _Atomic uint64_t turn_waits;
};

/* The state of a stream starts with this one. */
struct threaded_buffer {
    struct stream stream;
    struct scheme_run *run;
    struct waiter waiter; /* for the buffer */
    pthread_t thread;
    struct os_parker parker; /* the thread's */
    bool started;
    uint64_t copied_bytes; /* by the worker */

    pthread_mutex_t lock; /* over what follows, but for the bytes themselves */
    pthread_cond_t frames_taken;
    uint8_t *bytes; /* NULL: none at present */
    /* Positions count bytes; base lies at the start of the buffer (mod buffer_bytes). */
    uint64_t base, head, tail; /* head: first not processed; tail: behind the last received */
    uint32_t frames[QUEUED_FRAMES_MAX]; /* bytes of whole frames from head on */
    unsigned frame_count;
    bool busy;        /* the thread processes frames that it has taken */
    bool receiving;   /* between offer and received or retract */
    bool room_wanted; /* offer returned 0 because the thread is behind */
    bool detached, ending;

    struct processor processor; /* the thread's; its buffer comes and goes with `bytes` */
};

/* threaded_need: a scheme's need. `name`: what its buffer is called in messages; `block_charge`:
 * of a receive block that it takes besides, 0: none. */
void threaded_need(const struct scheme_config *config, uint64_t streams, const char *name,
                   uint64_t block_charge, struct scheme_need *need);

/* threaded_open: the run's part of a scheme's open. The others are hooks, as scheme.h has them. */
void threaded_open(struct scheme_run *run, bool circular);
void threaded_close(struct scheme_run *run, struct scheme_figures *figures);
bool threaded_attach(struct scheme_run *run, struct stream *stream);
void threaded_release(struct scheme_run *run, struct stream *stream, bool ended, uint64_t bytes);
enum frame_error threaded_received(struct scheme_run *run, struct stream *stream,
                                   struct cp_block *blocks, unsigned count, size_t bytes);
void threaded_retract(struct scheme_run *run, struct stream *stream);
void threaded_finish(struct scheme_run *run, struct stream *stream, size_t bytes);

/* threaded_buffer_ready: there is room for a receive, until threaded_received or threaded_retract.
 * False: not now, a resume will come. */
bool threaded_buffer_ready(struct stream *stream);

/* threaded_buffer_room: the free part as one or two pieces, `max` at most, receive_bytes together;
 * returns how many. */
unsigned threaded_buffer_room(const struct stream *stream, struct cp_block *pieces, unsigned max);

#endif
