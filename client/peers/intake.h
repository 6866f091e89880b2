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
#ifndef FANIN_PEERS_INTAKE_H
#define FANIN_PEERS_INTAKE_H

#include "client/buffers/incremental_check.h"
#include "client/peers/peer.h"

enum {
    INTAKE_READ_BYTES = 64 << 10,  /* what a receive has room for, at least */
    INTAKE_CARRY_BYTES = 16 << 10, /* more than that is not copied to and fro */
    INTAKE_SHARED_BYTES = INTAKE_CARRY_BYTES + INTAKE_READ_BYTES,
};

/* A connection's. Zeroed is ready for use. */
struct intake {
    uint8_t *own; /* NULL: no memory was needed so far */
    size_t capacity_bytes, begin, end;
    size_t frame_bytes; /* of the last frame */
    bool carried;       /* the receive that is out goes into the shared buffer */
    uint64_t copied_bytes;
    struct incremental_check check; /* with slices */
};

/* intake_open: takes what slices need. 0, or -1 without memory. */
int intake_open(struct intake *intake, const struct peer *peer);

/* intake_room: where the next receive goes, with *room_bytes of room, at least INTAKE_READ_BYTES.
 * `shared` has INTAKE_SHARED_BYTES and is nobody else's until intake_take; NULL: there is none.
 * Returns NULL without memory. Called again instead of intake_take if nothing came. */
uint8_t *intake_room(struct intake *intake, struct budget *budget, uint8_t *shared,
                     size_t *room_bytes);

/* intake_take: `bytes`, 1 or more, have come to `data`, which is what intake_room said. Finds and
 * processes frames. FRAME_OK or why the link has to end. */
enum frame_error intake_take(struct intake *intake, struct peer_link *link,
                             struct processor *processor, uint8_t *data, size_t bytes);

/* intake_see: what intake_take does with slices, for those that have received them elsewhere: the
 * link's next `bytes` are searched and processed, and nothing of them is kept. */
enum frame_error intake_see(struct incremental_check *check, struct peer_link *link,
                            struct processor *processor, const uint8_t *data, size_t bytes);

/* intake_end: frees, and adds to the peer's figures what was copied and searched. */
void intake_end(struct intake *intake, const struct peer_link *link);

#endif
