/* Where a peer's connection receives when a receive goes into one buffer: whole frames are
 * processed where they lie, and what is left of the last one stays until the rest has come.
 *
 *   own:  | begin ... end |   room    |      a long frame gathers here, the next receive behind it
 *
 *   shared:  | carried |     room     |      short frames go by this buffer, which is warm: what is
 *                                            left is put aside in `own`, and carried in front of
 *                                            the connection's next receive
 *
 * With --scheme slices frames are not put together: what has come is searched and processed at once
 * (incremental_check.h), in the shared buffer if there is one, and nothing of it is kept. */
#ifndef FANIN_PEERS_FRAMER_H
#define FANIN_PEERS_FRAMER_H

#include "client/buffers/incremental_check.h"

enum {
    FRAMER_READ_BYTES = 64 << 10,  /* what a receive has room for, at least */
    FRAMER_CARRY_BYTES = 16 << 10, /* more than that is not copied to and fro */
    FRAMER_SHARED_BYTES = FRAMER_CARRY_BYTES + FRAMER_READ_BYTES,
};

/* A connection's. Zeroed is ready for use. */
struct framer {
    uint8_t *own; /* NULL: no memory was needed so far */
    size_t capacity_bytes, begin, end;
    size_t frame_bytes; /* of the last frame */
    bool carried;       /* the receive in flight goes into the shared buffer */
    uint64_t copied_bytes, scanned_bytes;
    struct incremental_check check; /* with slices */
};

struct peer_link;

/* framer_open: takes what slices need. 0, or -1 without memory. */
int framer_open(struct peer_link *link);

/* framer_room: where the link's next receive goes, with *room_bytes of room, at least
 * FRAMER_READ_BYTES. `shared` has FRAMER_SHARED_BYTES and is the link's alone until framer_take;
 * NULL: there is none. Returns NULL without memory. Called again instead of framer_take if nothing
 * came. */
uint8_t *framer_room(struct peer_link *link, uint8_t *shared, size_t *room_bytes);

/* framer_take: `bytes`, 1 or more, have come to `data`, which is what framer_room returned. Finds
 * and processes frames. FRAME_OK or why the link has to end. */
enum frame_error framer_take(struct peer_link *link, struct processor *processor, uint8_t *data,
                             size_t bytes);

/* framer_feed: what framer_take does with slices, for data received elsewhere: the link's next
 * `bytes` are searched and processed, and nothing of them is kept. */
enum frame_error framer_feed(struct peer_link *link, struct processor *processor,
                             const uint8_t *data, size_t bytes);

/* framer_close: frees, and adds to the peer's figures what was copied and searched. */
void framer_close(struct peer_link *link);

#endif
