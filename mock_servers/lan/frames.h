/* Frames on their way: how the large TCP packets of a kernel become frames of the wire's size, wait
 * in a queue until they are due, and become packets again.
 *
 * Kernels leave segmentation to network cards (TSO), and cards merge what they receive (GRO). Here
 * both are done, IPv4 only; everything else passes unchanged. In between each frame is on its own,
 * as on a real wire. It pays: with it TCP takes both ways of a link of 1 Gbit/s at 999 Mbit/s each
 * and a quarter of a processor, without it at 820 and 522 Mbit/s and three quarters. */
#ifndef FANIN_LAN_FRAMES_H
#define FANIN_LAN_FRAMES_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* ---- the queue ------------------------------------------------------------------------------ */
/* Oldest first: a ring of bytes with a fixed size. A frame of at least 60 bytes takes no more room
 * here than on the wire (16 bytes of head against 24, rounded up), and a shorter one takes less
 * than its 84. So a ring of shaper_held_bytes_max() holds whatever a shaper carries. */

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
    uint8_t *ring; /* appears twice in a row, so that all frames lie in one piece */
    size_t ring_bytes;
    size_t first, end; /* offsets of the oldest frame and of the free room */
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

/* ---- splitting ------------------------------------------------------------------------------ */

enum {
    SEGMENT_HEADERS_BYTES_MAX = 14 + 60 + 60, /* Ethernet, IPv4 and TCP with all their options */
    SEGMENT_MERGED_MAX = 64,                  /* frames of a packet */
};

struct segment_splitter {
    const uint8_t *packet;
    uint32_t packet_bytes, headers_bytes;
    uint32_t payload_bytes_max; /* of each frame; 0: the packet is one frame */
    uint32_t offset;            /* of the next frame's payload */
    uint16_t checksum_start, checksum_offset;
    bool queued; /* the frame before was */
};

/* segment_split: starts with a packet as the kernel gave it. False if its kind cannot be carried;
 * then it must be dropped. */
bool segment_split(struct segment_splitter *splitter, const struct virtio_net_hdr *header,
                   const uint8_t *packet, uint32_t packet_bytes);

/* segment_next_bytes: length of the next frame; 0: there is none. */
uint32_t segment_next_bytes(const struct segment_splitter *splitter);

/* segment_next: fills in `frame`, which has room for segment_next_bytes; NULL: skips a frame. */
void segment_next(struct segment_splitter *splitter, struct queued_frame *frame);

/* ---- merging -------------------------------------------------------------------------------- */

struct segment_packet {
    struct virtio_net_hdr header;
    uint8_t headers[SEGMENT_HEADERS_BYTES_MAX];
    struct iovec pieces[2 + SEGMENT_MERGED_MAX]; /* point here and into the queue */
    int piece_count;
    uint32_t frames;
    uint64_t frame_bytes; /* of all frames, each with its headers */
};

/* segment_merge: makes a packet of the oldest frame and of those that follow it and are due by
 * now_ns. The queue must not be empty; the packet is valid until its frames are removed. */
void segment_merge(struct segment_packet *packet, const struct delay_queue *queue, uint64_t now_ns);

#endif
