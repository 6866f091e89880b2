/* One connection's buffer with a thread of its own behind it: what `fixed` and `ring` have in
 * common. The worker's side puts received bytes in, looks for frames and says how long each is; the
 * thread copies whole frames out of the buffer and processes them, while the worker goes on behind
 * it. */
#ifndef FANIN_CHANNEL_H
#define FANIN_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/roster.h"
#include "client/buffers/scheme.h"
#include "client/buffers/starving.h"
#include "base/os.h"

enum {
    CHANNEL_FRAMES_MAX = 1024, /* found and not yet taken up by the thread */
};

/* How a scheme shapes its channels. */
struct channel_shape {
    bool circular;        /* bytes wrap around; else what is unfinished is moved to the front */
    size_t buffer_bytes;  /* more than a frame by a receive at least */
    size_t receive_bytes; /* the most that one receive brings: room for so much before each */
    size_t state_bytes;   /* of a stream; starts with a struct channel */
};

struct channel_run {
    struct scheme_config config;
    struct channel_shape shape;
    struct budget budget;
    struct roster roster;
    struct starving starving; /* for buffers */
    _Atomic uint64_t turn_waits;
};

struct channel {
    struct stream stream;
    struct waiting waiting;
    struct channel_run *run;
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

/* channel_buffer_bytes: room for a frame of the largest size and a receive behind it, in whole
 * pages. */
size_t channel_buffer_bytes(const struct scheme_config *config, size_t receive_bytes);

/* channel_memory: what one channel's buffers cost the budget. */
uint64_t channel_memory(const struct scheme_config *config, const struct channel_shape *shape);

/* channel_run_open: 0, or -1 without memory. Config's cap was checked. */
int channel_run_open(struct channel_run *run, const struct scheme_config *config,
                     const struct channel_shape *shape);

/* channel_run_finish: ends all threads after what they have been handed; blocks. Fills in the
 * figures. */
void channel_run_finish(struct channel_run *run, struct scheme_figures *figures);
void channel_run_close(struct channel_run *run);

struct channel *channel_attach(struct channel_run *run, void *owner, uint64_t frames_expected,
                               uint64_t bytes_expected);
void channel_detach(struct channel *channel);

/* channel_rewind: the unfinished frame is no more. */
void channel_rewind(struct channel *channel);

/* channel_ready: there is room for a receive from now until channel_received or channel_retract.
 * False: not now, a resume will come. */
bool channel_ready(struct channel *channel);

/* channel_room: the free part of the buffer as one or two pieces, of receive_bytes together. */
unsigned channel_room(const struct channel *channel, struct cp_block pieces[2]);

/* channel_received: `bytes` were put into the room. */
enum frame_error channel_received(struct channel *channel, size_t bytes);
void channel_retract(struct channel *channel);

#endif
