/* Frames on their way, oldest first: a ring of bytes with a fixed size.
 *
 * A frame of at least 60 bytes takes no more room here than on the wire (16 bytes of head against
 * 24, rounded up), and a shorter one takes less than its 84. So a ring of shaper_held_bytes_max()
 * holds whatever a shaper carries. */
#ifndef FANIN_LAN_DELAY_QUEUE_H
#define FANIN_LAN_DELAY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queued_frame {
    uint64_t due_ns;
    uint32_t bytes : 11;
    /* Of a segment of a larger packet: */
    uint32_t is_segment : 1;
    uint32_t is_last : 1;                     /* of the packet */
    uint32_t follows : 1;                     /* the segment before it is next to it in the queue */
    uint32_t offset : 16;                     /* of its payload in the packet's */
    uint16_t checksum_start, checksum_offset; /* as in struct virtio_net_hdr; 0: it is complete */
    uint8_t data[];
};

struct delay_queue {
    uint8_t *ring;
    size_t ring_bytes;
    size_t first, end; /* offsets of the oldest frame and of the free room */
    size_t wrapped_at; /* end of the older frames when newer ones are at the ring's start; 0: all
                        * lie in one piece */
    uint32_t count;
};

/* delay_queue_open: 0 or -ENOMEM. Memory is touched only when it is needed. delay_queue_close
 * accepts a zeroed struct. */
int delay_queue_open(struct delay_queue *queue, uint64_t held_bytes_max);
void delay_queue_close(struct delay_queue *queue);

/* delay_queue_put: adds a frame of `bytes` that the caller fills in before the next call; NULL if
 * there is no room. */
struct queued_frame *delay_queue_put(struct delay_queue *queue, uint32_t bytes);

/* delay_queue_first: the oldest frame; delay_queue_next: the one behind `frame`; NULL: none. They
 * stay valid until they are removed. */
struct queued_frame *delay_queue_first(const struct delay_queue *queue);
struct queued_frame *delay_queue_next(const struct delay_queue *queue,
                                      const struct queued_frame *frame);

/* delay_queue_pop: removes the oldest frame. */
void delay_queue_pop(struct delay_queue *queue);

#endif
