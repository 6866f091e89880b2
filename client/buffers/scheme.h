/* A receive-buffer scheme: where received bytes lie until a frame is whole, how the frame gets to
 * the thread that processes it, and how many such threads there are. One const table a scheme, one
 * file each; schemes.c lists them.
 *
 * The life of one receive, on whichever worker has it (at most one receive per stream is out at a
 * time, so the hooks of one stream never run at once, `resume` and the processing threads apart):
 *
 *      offer ----> [the port fills the blocks] ----> received ----> offer ...
 *        |  0: at the cap                 \ failed, cancelled, ended
 *        v                                 `-> retract ----> detach
 *      (wait for events.resume,                     \
 *       then offer again)                            `--> rewind ----> offer ... (reconnected)
 *
 * A stream is what one server sends, over one connection or, where lost ones are made again, over
 * several: frames go on counting, and nothing of the processing side is begun anew.
 *
 * Early binding calls offer before it posts a receive; late binding calls it from the port when
 * data is there. The scheme cannot tell and need not.
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
#include "cport/cport.h" /* struct cp_block: what the port fills; nothing else of it */

/* Per connection. A scheme's own state starts with this one. */
struct stream {
    void *owner;              /* the collector's */
    uint32_t id;              /* dense, 0.. */
    uint64_t frames_expected; /* UINT64_MAX: not known */
    uint64_t bytes_expected;  /* the sum of their lengths; UINT64_MAX: not known */

    /* The receiving side's, touched inside offer, received and retract only. */
    struct marker_state marker;
    uint64_t received_bytes; /* but for what was rewound */
    uint64_t partial_bytes;  /* of a frame whose end has not come yet: 0 at a frame's border */
    uint64_t found_frames;   /* markers seen */

    /* The processing side's, touched by the one thread that processes this stream. */
    uint64_t processed_frames, processed_bytes;
    uint32_t next_seq;
    enum frame_error error; /* the first one; later frames of the stream are dropped, uncounted */
};

/* What a scheme tells the collector. Called from any thread, with no lock of the scheme held; must
 * not block. */
struct scheme_events {
    /* resume: offer returned 0 for this stream (or is about to), and it is worth calling again.
     * Once per such 0; may still come when the stream was detached meanwhile. Never from inside
     * offer. */
    void (*resume)(void *context, struct stream *stream);
    /* finished: processed_frames has reached frames_expected (a scheme that counts bytes only:
     * received_bytes has reached bytes_expected). Once per stream, from the thread that found it
     * so. */
    void (*finished)(void *context, struct stream *stream);
    /* failed: stream->error was set by the processing side. Once per stream, from its processing
     * thread. */
    void (*failed)(void *context, struct stream *stream);
    void *context;
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
    unsigned streams_max;
    struct marker marker;
    struct process_config process;
    struct scheme_events events;
};

/* What a scheme has to say at the end. */
struct scheme_figures {
    uint64_t buffer_peak_bytes; /* the budget's peak: all that lies between port and processing */
    uint64_t buffer_cap_waits;  /* how often offer answered 0 because of the cap */
    uint64_t buffer_turn_waits; /* and how often because the connection's own thread was behind */
    uint64_t copied_bytes;      /* of payload, by user code, all steps together */
    uint64_t scanned_bytes;     /* looked at for the marker */
    uint64_t frames, bytes;     /* processed */
    uint64_t hand_overs;        /* publications to a processing thread: an atomic exchange each */
    uint64_t pool_blocks;       /* allocated, 0 for schemes without a pool */
    uint64_t blocks_lost;       /* never came back: 0 is the only good answer */
    struct latency latency;
};

struct scheme_run; /* a scheme's state for one run, its own */

struct scheme {
    const char *name;
    const char *summary; /* one line for --help and tables */

    /* memory: bytes the scheme will need at its peak for `streams` connections that each hold
     * `frame_bytes` of an unfinished frame: the formula is the scheme's claim about itself. */
    uint64_t (*memory)(const struct scheme_config *config, uint64_t streams, uint64_t frame_bytes);

    /* open: checks the config (0, or -1 with `why`, in words: a cap that could deadlock is refused
     * with the smallest that cannot) and takes what does not depend on streams. Starts the
     * processing thread, if one. */
    int (*open)(const struct scheme_config *config, struct scheme_run **run, char *why,
                size_t why_bytes);

    /* close: every stream is detached. Ends the scheme's threads after all handed-over frames are
     * processed, blocking until then, fills in the figures, frees everything. */
    void (*close)(struct scheme_run *run, struct scheme_figures *figures);

    /* attach: state for one more connection, and its thread where the scheme has one each (role
     * OS_ROLE_BUFFER). Both expectations > 0; or both 0: nothing is to come, and finished never
     * does. NULL: no memory, no thread, or streams_max reached. The stream lives until close. */
    struct stream *(*attach)(struct scheme_run *run, void *owner, uint64_t frames_expected,
                             uint64_t bytes_expected);

    /* detach: no receive is out, none will come. Drops the unfinished frame's memory; frames handed
     * over before are still processed. Does not block. */
    void (*detach)(struct scheme_run *run, struct stream *stream);

    /* rewind: no receive is out and no resume is owed; the connection is lost, and the next offer
     * will be for another one that brings the stream's frames again from the first unfinished one
     * on. Takes back the last `bytes` received: the unfinished frame (all of partial_bytes; of a
     * scheme that counts bytes only, what the collector says). Keeps no memory that others wait
     * for; frames handed over before are still processed. Does not block. NULL: the scheme cannot,
     * and lost connections are not made again. */
    void (*rewind)(struct scheme_run *run, struct stream *stream, uint64_t bytes);

    /* offer: up to `max` blocks for the stream's next receive. 0: none now, events.resume will
     * come. */
    unsigned (*offer)(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                      unsigned max);

    /* received: `bytes` (> 0) have arrived in the `count` blocks of the last offer, filled in
     * order. Takes all the blocks back, finds frames, hands whole ones over. FRAME_OK or why the
     * connection has to end: nothing more may be offered then. It waits for the processing side
     * where that is far behind; so no lock may be held that the events take. */
    enum frame_error (*received)(struct scheme_run *run, struct stream *stream,
                                 struct cp_block *blocks, unsigned count, size_t bytes);

    /* retract: the blocks of the last offer come back unused. */
    void (*retract)(struct scheme_run *run, struct stream *stream, struct cp_block *blocks,
                    unsigned count);
};

/* scheme_find: by name, NULL if there is none. scheme_list: by index, NULL after the last. */
const struct scheme *scheme_find(const char *name);
const struct scheme *scheme_list(unsigned index);

#endif
