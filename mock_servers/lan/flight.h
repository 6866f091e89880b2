/* The frames between one end of a wire and the other, in order: a ring of bytes that never grows.
 *
 * A frame of at least 60 bytes takes no more room here than on the wire (16 bytes of head against
 * 24, rounded up), and a shorter one takes less than its 84: so a ring of shaper_held_bytes_max()
 * holds whatever a shaper carries. */
#ifndef FANIN_LAN_FLIGHT_H
#define FANIN_LAN_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As struct virtio_net_hdr has them; a frame whose checksum is yet to be made has the sum of its
 * pseudo-header in its place. */
struct frame_checksum {
    uint16_t start, offset; /* both 0: nothing is to be made */
};

struct flight_frame {
    uint64_t due_ns;
    uint32_t bytes;
    struct frame_checksum checksum;
    uint8_t data[];
};

struct flight {
    uint8_t *ring;
    size_t ring_bytes;
    size_t first, end; /* offsets of the oldest frame and of the free room */
    size_t wrapped_at; /* where the older frames stop, the others being at the ring's start; 0: all
                        * lie in one piece */
    uint32_t count;
};

/* flight_open: 0 or -ENOMEM. Memory is touched only as it is needed. flight_close takes a zeroed
 * struct too. */
int flight_open(struct flight *flight, uint64_t held_bytes_max);
void flight_close(struct flight *flight);

/* flight_put: room for a frame of `bytes` behind all others, to be filled in by the caller before
 * the next call; NULL when there is none. */
struct flight_frame *flight_put(struct flight *flight, uint32_t bytes);

/* flight_first: the oldest frame, flight_next: the one behind `frame`; NULL if there is none. They
 * stay valid until they are taken out. */
struct flight_frame *flight_first(const struct flight *flight);
struct flight_frame *flight_next(const struct flight *flight, const struct flight_frame *frame);

/* flight_take: the oldest frame goes. */
void flight_take(struct flight *flight);

#endif
