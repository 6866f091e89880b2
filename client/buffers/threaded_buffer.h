/* One connection's buffer with a thread of its own behind it: what `fixed` and `ring` have in
 * common. The worker's side puts received bytes in, looks for frames and says how long each is; the
 * thread copies whole frames out of the buffer and processes them, while the worker goes on behind
 * it. */
#ifndef FANIN_THREADED_BUFFER_H
#define FANIN_THREADED_BUFFER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/roster.h"
#include "client/buffers/scheme.h"
#include "client/buffers/wait_list.h"
#include "base/os.h"

enum {
    CHANNEL_FRAMES_MAX = 1024, /* found and not yet taken up by the thread */
};

/* How a scheme shapes its channels. */
struct threaded_shape {
    bool circular;        /* bytes wrap around; else what is unfinished is moved to the front */
    size_t buffer_bytes;  /* more than a frame by a receive at least */
    size_t receive_bytes; /* the most that one receive brings: room for so much before each */
    size_t state_bytes;   /* of a stream; starts with a struct threaded_buffer */
};

struct threaded_run {
    struct scheme_config config;
    struct threaded_shape shape;
    struct budget budget;
    struct roster roster;
    struct wait_list waiters; /* for buffers */
    _Atomic uint64_t turn_waits;
};

struct threaded_buffer {
    struct stream stream;
    struct waiter waiting;
    struct threaded_run *run;
    pthread_t thread;
    struct os_parker parker; /* the thread's */
    bool started;

    pthread_mutex_t lock; /* over what follows, but for the bytes themselves */
    pthread_cond_t frames_taken;
    uint8_t *buffer; /* NULL: none at present */
    /* Positions count bytes; base is the one that lies at the buffer's begin (mod buffer_bytes). */
    uint64_t base, head, tail; /* head: first not processed; tail: behind the last received */
    uint32_t frames[CHANNEL_FRAMES_MAX]; /* bytes of whole frames from head on */
    unsigned frame_count;
    bool busy;        /* the thread is at work on frames it has taken up */
    bool receiving;   /* between offer and received or retract */
    bool room_wanted; /* offer answered 0 because the thread is behind */
    bool detached, ending;

    struct processor processor;          /* the thread's; its buffer comes and goes with `buffer` */
    uint64_t moved_bytes, scanned_bytes; /* the worker's side */
};

/* threaded_buffer_buffer_bytes: room for a frame of the largest size and a receive behind it, in
 * whole
 * pages. */
size_t threaded_buffer_buffer_bytes(const struct scheme_config *config, size_t receive_bytes);

/* threaded_buffer_memory: what one channel's buffers cost the budget. */
uint64_t threaded_buffer_memory(const struct scheme_config *config,
                                const struct threaded_shape *shape);

/* threaded_run_open: 0, or -1 without memory. Config's cap was checked. */
int threaded_run_open(struct threaded_run *run, const struct scheme_config *config,
                      const struct threaded_shape *shape);

/* threaded_run_finish: ends all threads after what they have been handed; blocks. Fills in the
 * figures. */
void threaded_run_finish(struct threaded_run *run, struct scheme_figures *figures);
void threaded_run_close(struct threaded_run *run);

struct threaded_buffer *threaded_buffer_attach(struct threaded_run *run, void *owner,
                                               uint64_t frames_expected, uint64_t bytes_expected);
void threaded_buffer_detach(struct threaded_buffer *channel);

/* threaded_buffer_rewind: the unfinished frame is no more. */
void threaded_buffer_rewind(struct threaded_buffer *channel);

/* threaded_buffer_ready: there is room for a receive from now until threaded_buffer_received or
 * threaded_buffer_retract.
 * False: not now, a resume will come. */
bool threaded_buffer_ready(struct threaded_buffer *channel);

/* threaded_buffer_room: the free part of the buffer as one or two pieces, of receive_bytes
 * together. */
unsigned threaded_buffer_room(const struct threaded_buffer *channel, struct cp_block pieces[2]);

/* threaded_buffer_received: `bytes` were put into the room. */
enum frame_error threaded_buffer_received(struct threaded_buffer *channel, size_t bytes);
void threaded_buffer_retract(struct threaded_buffer *channel);

#endif
