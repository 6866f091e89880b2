/* TCP segmentation offload: splits the large TCP packets of a kernel into frames of the wire's
 * size, and merges those frames of a packet that are due together into one packet again.
 *
 * In between each frame is on its own, as on a real wire, where network cards do both. This saves
 * most of the system calls and of the receiver's work. Knows IPv4 only; everything else passes
 * unchanged. */
#ifndef FANIN_LAN_SEGMENT_H
#define FANIN_LAN_SEGMENT_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "mock_servers/lan/delay_queue.h"

enum {
    SEGMENT_HEADERS_BYTES_MAX = 14 + 60 + 60, /* Ethernet, IPv4 and TCP with all their options */
    SEGMENT_MERGED_MAX = 64,                  /* frames of a packet */
};

/* ---- splitting ------------------------------------------------------------------------------ */

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
