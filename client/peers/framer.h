/* Receive buffers of a peer's connections. Whole frames are processed in place; the part of an
 * unfinished frame is kept until the rest arrives.
 *
 *   own:  | begin ... end |   room    |      collects a long frame: the next receive appends to it
 *
 *   shared:  | carried |     room     |      receives short frames of all connections, so that it
 *                                            stays in the CPU's cache: an unfinished frame is saved
 *                                            in `own` and copied back before the next receive
 *
 * With --scheme slices frames are not put together: each piece is searched and processed at once
 * (struct incremental_check), and nothing is kept. */
#ifndef FANIN_PEERS_FRAMER_H
#define FANIN_PEERS_FRAMER_H

#include "client/buffers/process.h"

enum {
    FRAMER_READ_BYTES = 64 << 10,  /* least room of a receive */
    FRAMER_CARRY_BYTES = 16 << 10, /* most that is saved and copied back */
    FRAMER_SHARED_BYTES = FRAMER_CARRY_BYTES + FRAMER_READ_BYTES,
};

/* State of one connection; zeroed is ready for use. */
struct framer {
    uint8_t *own; /* NULL: not needed so far */
    size_t capacity_bytes, begin, end;
    size_t frame_bytes; /* of the last frame */
    bool carried;       /* the receive in flight goes into the shared buffer */
    uint64_t copied_bytes, scanned_bytes;
    struct incremental_check check; /* with slices */
};

struct peer_link;

/* framer_open: allocates what slices need. 0, or -1 without memory. */
int framer_open(struct peer_link *link);

/* framer_room: the buffer of the link's next receive; *room_bytes is at least FRAMER_READ_BYTES.
 * `shared` has FRAMER_SHARED_BYTES and is not used by another link before framer_take; NULL: there
 * is none. Returns NULL without memory. Call it again if the receive brought nothing. */
uint8_t *framer_room(struct peer_link *link, uint8_t *shared, size_t *room_bytes);

/* framer_take: finds and processes frames in the `bytes`, 1 or more, received at `data`, which
 * framer_room returned. FRAME_OK, or the error that ends the link. */
enum frame_error framer_take(struct peer_link *link, struct processor *processor, uint8_t *data,
                             size_t bytes);

/* framer_feed: framer_take for slices, with the link's next `bytes` in any buffer. */
enum frame_error framer_feed(struct peer_link *link, struct processor *processor,
                             const uint8_t *data, size_t bytes);

/* framer_close: frees, and adds the copied and searched bytes to the peer's figures. */
void framer_close(struct peer_link *link);

#endif
