/* What the peers of fanin-client share: programs that do the same job with the same options and
 * leave the same row, each with a receive path of its own. A peer brings a model of how it
 * receives; the rest is here: connect, log in, ask, notice silent servers and Ctrl-C, count, audit,
 * report. Connections are made and logged in before a model gets them: what is compared is the way
 * that frames take.
 *
 *   connect each server, log in     one after the other, blocking
 *   model.open                      its threads
 *   model.start, then the request   for each link
 *   model.collect                   until no link is living
 *   model.close
 *   the row */
#ifndef FANIN_PEERS_PEER_H
#define FANIN_PEERS_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/os.h"
#include "client/buffers/process.h"
#include "client/buffers/scheme.h"
#include "client/collector/program.h"

enum { PEER_TICK_MS = OS_SLICE_MS };

#define PEER_NOTHING INT64_MIN /* a receive that found nothing to receive */

enum {
    FRAMER_READ_BYTES = 64 << 10,  /* least room of a receive */
    FRAMER_CARRY_BYTES = 16 << 10, /* most that is saved and copied back */
    FRAMER_SHARED_BYTES = FRAMER_CARRY_BYTES + FRAMER_READ_BYTES,
};

/* Where a connection receives (see framer.c); zeroed is ready for use. */
struct framer {
    uint8_t *own; /* NULL: not needed so far */
    size_t capacity_bytes, begin, end;
    size_t frame_bytes; /* of the last frame */
    bool carried;       /* the receive in flight goes into the shared buffer */
    uint64_t copied_bytes, scanned_bytes;
    struct incremental_check *check; /* with slices; NULL: between frames */
};

struct peer;

/* One connection. Until it is over it is touched by one thread at a time, but for what is atomic
 * and for `handle`. */
struct peer_link {
    struct peer *peer;
    uint32_t index;
    cp_handle handle; /* CP_HANDLE_NONE: there is none, or the model has closed it */
    _Atomic bool over;
    bool heard;
    bool idle; /* its server is not asked, and owes nothing: cut when the others are over */
    const char *reason; /* why it failed; NULL: it did not */
    uint64_t ended_ns;
    _Atomic uint64_t heard_ns; /* by the tick's clock, and as exact as the tick */
    uint64_t silent_ns;        /* when it was cut as stalled */
    uint64_t receive_calls, receive_empty;
    struct refusal *refusal; /* of its request; NULL: it is not refused */
    struct stream stream;
    struct framer framer;
    struct net_watched watched; /* raw only */
    void *state;                /* the model's: link_state_bytes, zeroed */
};

struct peer_model {
    const char *name;    /* of the program */
    const char *about;   /* what it does, in a sentence without its full stop */
    const char *scheme;  /* in the row; "-slices" follows with --scheme slices */
    const char *copying; /* in the row with --processors 1; NULL: has no such thread */
    const char *engine;  /* in the row: what it waits with */
    const char *(*engine_version)(void); /* follows it; NULL: nothing */
    bool thread_per_link;
    bool counts_bytes;       /* does not look for frames, so --scheme slices makes no difference */
    size_t link_state_bytes; /* of peer_link.state; the rest of its state is static */

    /* open: the logged-in links get handles or threads of the model's. Returns NULL, or why this
     * machine cannot: then close comes next. */
    const char *(*open)(struct peer *peer);
    /* start: the model's handle of a link, which is asked next. 0, or a portable negative code: cut
     * comes next. NULL: collect asks with peer_link_ask. */
    int (*start)(struct peer_link *link);
    /* collect: receives until no link is living; calls peer_tick every PEER_TICK_MS. */
    void (*collect)(struct peer *peer);
    /* cut: makes a living link end soon, for `reason`; an idle one with NULL, after collect. */
    void (*cut)(struct peer_link *link, const char *reason);
    /* close: frees what open took; open may not have been called, for lack of memory. Links that
     * are not over are given up; the handles that are left are closed after it. */
    void (*close)(struct peer *peer);
};

struct peer {
    const struct peer_model *model;
    struct program program;
    struct scheme_config config; /* marker, limits and processing step, as the schemes have them */
    bool slices; /* frames are processed in pieces, as they come, and never put together */
    struct peer_link *links;
    uint32_t count;
    _Atomic uint32_t living; /* logged in, and not over */
    struct os_parker main;   /* unparked when living becomes 0 */
    _Atomic uint64_t now_ns; /* by the tick: os_active_ns of the main thread */
    uint64_t silence_max_ns;
    uint64_t stop_ns; /* by now_ns: when --for ends the collection; UINT64_MAX: it does not */

    struct budget budget;        /* of the model's buffers, as far as it knows them */
    struct processor processor;  /* the main thread's */
    char scheme[64], engine[64]; /* as the row names them */
    void *link_states;           /* the model's, link_state_bytes for each link, zeroed */
};

/* The program's own: libuv.c, libevent.c, blocking.c or raw.c defines it. */
extern const struct peer_model peer_model;

/* peer_main: the whole program. Blocks; returns the exit code. */
int peer_main(int argc, char **argv, const struct peer_model *model);

/* peer_tick: cuts links that have been silent for too long; all of them after Ctrl-C and, but for
 * idle ones, when --for is over. Main thread. */
void peer_tick(struct peer *peer);

bool peer_is_living(const struct peer_link *link); /* logged in, and not over */

/* peer_link_ask: sends the request; blocks for as long as the kernel does not take it. Silence
 * counts from then on. 0, or a portable negative code. peer_link_heard: a receive has brought
 * `bytes`, 1 or more. */
int peer_link_ask(struct peer_link *link);
void peer_link_heard(struct peer_link *link, size_t bytes);

/* peer_link_received: counts a receive and, with a processor, takes the frames out of `data`, which
 * is what framer_room returned. `result`: bytes, 0 when the server has closed, a portable negative
 * code, or PEER_NOTHING. False: the link is over, because of *reason or (NULL) because all is
 * done. */
bool peer_link_received(struct peer_link *link, struct processor *processor, uint8_t *data,
                        int64_t result, const char **reason);

/* peer_link_refused: looks for a refusal in the link's first data, as peer_link_received does.
 * False: it is data. True: it is none; with *reason the link is over. */
bool peer_link_refused(struct peer_link *link, const void *data, size_t bytes, const char **reason);

/* peer_link_ends_in_frame: the server's close ends an unfinished frame: it is to be processed. */
bool peer_link_ends_in_frame(const struct peer_link *link);

/* peer_link_continues: what became of received data. False: the link is over, and *reason as
 * above. */
bool peer_link_continues(const struct peer_link *link, enum frame_error error, const char **reason);

/* peer_link_end: the link is over, because of `reason` or (NULL) because all is done. Once, by the
 * thread that receives on it; its socket is closed or about to be. */
void peer_link_end(struct peer_link *link, const char *reason);

/* framer_close: frees, and adds the copied and searched bytes to the figures. */
void framer_close(struct peer_link *link);

/* framer_room: the buffer of the link's next receive; *room_bytes is at least FRAMER_READ_BYTES.
 * `shared` has FRAMER_SHARED_BYTES and is not used by another link before framer_take; NULL: there
 * is none. Returns NULL without memory. Call it again if the receive brought nothing. */
uint8_t *framer_room(struct peer_link *link, uint8_t *shared, size_t *room_bytes);

/* framer_take: finds and processes frames in the `bytes`, 1 or more, received at `data`, which
 * framer_room returned. FRAME_OK, or the error that ends the link. */
enum frame_error framer_take(struct peer_link *link, struct processor *processor, uint8_t *data,
                             size_t bytes);

/* framer_finish: the server's close ends the link's unfinished frame: processes it as it is. */
void framer_finish(struct peer_link *link, struct processor *processor);

/* framer_feed: framer_take for slices, with the link's next `bytes` in any buffer. */
enum frame_error framer_feed(struct peer_link *link, struct processor *processor,
                             const uint8_t *data, size_t bytes);

#endif
