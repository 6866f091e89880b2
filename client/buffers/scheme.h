/* A receive-buffer scheme: where received bytes lie until a frame is whole, how the frame gets to
 * the thread that processes it, and how many such threads there are. One const table and one file
 * for each scheme; schemes.c lists them.
 *
 * The life of one receive, on whichever worker has it. At most one receive of a stream is out at a
 * time, so the hooks of one stream never run at the same time; resume and the processing threads
 * are the exception.
 *
 *      offer ----> [the port fills the blocks] ----> received ----> offer ...
 *        |  0: at the cap                 \ failed, cancelled, ended
 *        v                                 `-> retract (--> finish) --> detach
 *      (wait for events.resume,                                \
 *       then offer again)                                       `--> rewind --> offer ... (again)
 *
 * A stream is what one server sends. It may outlive its connection: over the next one, frames go on
 * counting.
 *
 * Early binding calls offer before it posts a receive. Late binding calls offer from the port when
 * data is there. Schemes work the same under both.
 *
 * Indirect calls are per receive, never per byte or frame. Every copy of payload bytes in user
 * space is counted. */
#ifndef FANIN_SCHEME_H
#define FANIN_SCHEME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffers/marker.h"
#include "client/buffers/pool.h"
#include "client/buffers/process.h"
#include <cport.h> /* struct cp_block: what the port fills; nothing else of it */

/* A stream's entry in a wait list (wait_list.h). */
struct waiter {
    struct waiter *next;
    struct stream *stream;
    bool listed;
};

/* What a stream will bring. Both > 0; or both 0: nothing. */
struct stream_goal {
    uint64_t frames; /* UINT64_MAX: not known */
    uint64_t bytes;  /* sum of their lengths; UINT64_MAX: not known */
    /* By how much the server's clock is ahead of this computer's: latencies are corrected by it.
     * Set before the first frame comes. */
    int64_t clock_ahead_ns;
};

/* One server's stream. A scheme's own state of a stream starts with this one. There may be very
 * many that wait, so it has nothing that is needed only while a frame is under way. */
struct stream {
    const struct stream_goal *goal; /* the collector's, shared by many */

    /* The receiving side's: touched inside offer, received and retract only. */
    struct block *blocks;    /* offered, or under early binding kept for the next offer */
    uint64_t received_bytes; /* without what was rewound */
    uint64_t found_frames;   /* markers seen */
    uint64_t found_bytes;    /* sum of their frames' lengths */
    uint32_t partial_bytes;  /* of the unfinished frame: 0 between frames */
    struct marker_state marker;

    /* The processing side's: touched by the one thread that processes this stream. */
    enum frame_error error : 8; /* the first one; later frames are dropped and not counted */
    bool notified;              /* the collector knows that it has finished or failed */
    uint64_t processed_frames;  /* and the number that the next one bears */
};

/* What a scheme tells the collector. Called from any thread, with no lock of the scheme held; must
 * not block. */
struct scheme_events {
    /* resume: offer returned 0 for this stream (or is about to), and may succeed now. Comes once
     * for each such 0, perhaps after the stream was detached; never from inside offer. */
    void (*resume)(void *context, struct stream *stream);
    /* finished: processed_frames has reached the goal's (a scheme that counts bytes only:
     * received_bytes has done so). Once per stream, from the thread that found it. */
    void (*finished)(void *context, struct stream *stream);
    /* failed: the processing side has set stream->error. Once per stream, from its thread. */
    void (*failed)(void *context, struct stream *stream);
    void *context;
};

/* When chain's thread looks at the common buffer, and what it takes out of it. */
struct look_config {
    uint64_t every_ns; /* 0: it is woken when there are frames; else on a timer */
    bool one;          /* one frame a look; else all that wait */
};

/* Buffer options carry the names that they have in a row. */
struct scheme_config {
    size_t block_bytes;          /* of a receive block; fixed and ring: see their files */
    unsigned blocks_per_receive; /* 1..CP_BLOCKS_MAX */
    unsigned pool_batch;         /* blocks allocated together when a pool is empty */
    uint64_t pool_cap_bytes;     /* limit for all buffers of the scheme; UINT64_MAX: none */
    bool early;          /* blocks are bound before data is there: each waiting stream has some */
    unsigned workers;    /* threads that receive, at least 1 */
    unsigned batch;      /* receives that one worker may have in hand at once, at least 1 */
    unsigned processors; /* threads that process, where the scheme leaves the number open */
    struct look_config look;
    unsigned streams_max;
    struct marker marker;
    struct process_config process;
    struct scheme_events events;
};

/* What a scheme reports at the end. */
struct scheme_figures {
    uint64_t buffer_peak_bytes; /* the budget's peak: all memory between port and processing */
    uint64_t buffer_cap_waits;  /* how often offer returned 0 because of the cap */
    uint64_t buffer_turn_waits; /* and how often because the stream's own thread was behind */
    uint64_t copied_bytes;      /* of payload, by user code, all steps together */
    uint64_t scanned_bytes;     /* searched for the marker */
    uint64_t frames, bytes;     /* processed */
    uint64_t hand_overs;        /* publications to a processing thread: an atomic exchange each */
    uint64_t looks;             /* at the common buffer; 0: the scheme has none */
    double work_ns;             /* CPU time of the work with frames, of all threads */
    bool work_given_up;         /* not all of it was done, as the process was interrupted */
    uint64_t pool_blocks;       /* allocated, 0 for schemes without a pool */
    uint64_t blocks_lost;       /* never came back: 0 is the only good answer */
    struct latency latency;
};

/* A scheme's claim about its memory. */
struct scheme_need {
    uint64_t peak_bytes;  /* expected peak, without regard to the cap; UINT64_MAX: no bound */
    uint64_t least_bytes; /* the smallest cap that cannot deadlock */
    char parts[300];      /* what makes up least_bytes, for the error message */
};

struct scheme_run; /* one run of a scheme; each scheme has its own, which starts with its base */

struct scheme {
    const char *name;
    const char *summary;            /* one line for --help and tables */
    size_t run_bytes, stream_bytes; /* of its struct scheme_run and its state of a stream */
    bool common_buffer;             /* its thread looks at one: config.look */

    /* need: fills in *need, for `streams` streams that each hold `frame_bytes` of an unfinished
     * frame. least_bytes depends on the config only. */
    void (*need)(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes,
                 struct scheme_need *need);

    /* open: `run` is zeroed but for its base. Takes what does not depend on streams and starts
     * threads. 0; -EINVAL: no machine could run this config; another negative errno value: this
     * one cannot. `why` says "no memory" unless open writes something else. close follows either
     * way. */
    int (*open)(struct scheme_run *run, char *why, size_t why_bytes);

    /* close: every stream is detached. Ends the scheme's threads after they have processed what
     * was handed over, adds to the figures what the base does not know, gives everything back.
     * Accepts a run that open has left half-built. */
    void (*close)(struct scheme_run *run, struct scheme_figures *figures);

    /* attach: prepares the zeroed state of a new stream and starts its thread, if the scheme has
     * one for each (role OS_ROLE_BUFFER). False: no memory or no thread; release follows. NULL:
     * nothing to do. */
    bool (*attach)(struct scheme_run *run, struct stream *stream);

    /* release: drops the memory of the stream's unfinished frame and of the last offer, so that
     * other streams can have it. Frames handed over before are still processed. `ended`: no
     * receive will follow; otherwise the connection is lost, and the next one repeats the stream
     * from the unfinished frame on, `bytes` back. Does not block. */
    void (*release)(struct scheme_run *run, struct stream *stream, bool ended, uint64_t bytes);

    /* offer: up to `max` blocks for the stream's next receive. 0: none now, events.resume will
     * come. */
    unsigned (*offer)(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                      unsigned max);

    /* received: `bytes` (> 0) have arrived in the `count` blocks of the last offer, filled in
     * order. Takes all the blocks back, finds frames, hands whole ones over. FRAME_OK, or why the
     * connection has to end; nothing may be offered after that. FRAME_SURPLUS: every frame asked
     * for is handed over, and what follows is dropped. Waits for the processing side
     * where that is far behind, so the caller may hold no lock that the events take. */
    enum frame_error (*received)(struct scheme_run *run, struct stream *stream,
                                 struct cp_block *blocks, unsigned count, size_t bytes);

    /* retract: the blocks of the last offer come back unused. */
    void (*retract)(struct scheme_run *run, struct stream *stream);

    /* finish: no receive is out, and release follows. The server has closed, and that ends its
     * unfinished frame of `bytes`: hands it over as it is. NULL: the scheme does not look for
     * frames. */
    void (*finish)(struct scheme_run *run, struct stream *stream, size_t bytes);
};

/* scheme_find: by name, NULL if there is none. scheme_list: by index, NULL after the last. */
const struct scheme *scheme_find(const char *name);
const struct scheme *scheme_list(unsigned index);

/* scheme_memory: the peak in bytes that `need` expects, at most the cap. */
uint64_t scheme_memory(const struct scheme *scheme, const struct scheme_config *config,
                       uint64_t streams, uint64_t frame_bytes);

/* scheme_open: 0, or as open says, with the reason in `why`. A cap that could deadlock is refused
 * (-EINVAL) with the smallest one that cannot. scheme_close: every stream is detached. Blocks until
 * all frames that were handed over are processed, fills in the figures, frees everything. */
int scheme_open(const struct scheme *scheme, const struct scheme_config *config,
                struct scheme_run **run, char *why, size_t why_bytes);
void scheme_close(struct scheme_run *run, struct scheme_figures *figures);

/* scheme_hurry: the run is to end: what was received is processed without waiting for looks on a
 * timer. Any thread; does not block. */
void scheme_hurry(struct scheme_run *run);

/* scheme_attach: a new stream, which lives until scheme_close, as the goal does; each `index` below
 * streams_max once. Of a goal of 0 finished is never called. NULL: the scheme has no memory or no
 * thread for it.
 * scheme_index: the index of a stream. */
struct stream *scheme_attach(struct scheme_run *run, uint32_t index,
                             const struct stream_goal *goal);
uint32_t scheme_index(const struct scheme_run *run, const struct stream *stream);

/* scheme_finish: the server has closed within a frame (partial_bytes > 0), and its close ends it.
 * It is processed when the scheme is closed, at the latest; scheme_detach or scheme_rewind
 * follows. */
void scheme_finish(struct scheme_run *run, struct stream *stream);

/* scheme_detach: no receive is out, none will come. scheme_rewind: no receive is out and no resume
 * is owed; the connection is lost, and the next offer is for another one, which repeats the
 * stream's frames from the first unfinished one on. Takes back the last `bytes` received: all of
 * partial_bytes; of a scheme that counts bytes only, what the collector says. */
void scheme_detach(struct scheme_run *run, struct stream *stream);
void scheme_rewind(struct scheme_run *run, struct stream *stream, uint64_t bytes);

#endif
