/* Parts the large TCP packets that a kernel hands out into frames of the wire's size, and joins
 * frames that arrive together into one such packet again.
 *
 * Between the two every frame is on its own, as on a real wire, where the network card does both:
 * this saves the greater part of the system calls and of the receiver's work. Knows IPv4 only;
 * anything else passes as it is. */
#ifndef FANIN_LAN_SEGMENT_H
#define FANIN_LAN_SEGMENT_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "mock_servers/lan/flight.h"

enum {
    SEGMENT_HEADERS_BYTES_MAX = 14 + 60 + 60, /* Ethernet, IPv4 and TCP with all their options */
    SEGMENT_JOINED_MAX = 42,                  /* frames of a packet: 64 KB of IP at the most */
};

/* ---- parting -------------------------------------------------------------------------------- */

struct segment_parter {
    const uint8_t *packet;
    uint32_t packet_bytes;
    uint32_t headers_bytes, piece_bytes; /* of each frame; piece 0: the packet is one frame */
    uint32_t at;                         /* payload bytes that are done */
    struct frame_checksum checksum;
};

/* segment_part: begins with a packet as the kernel gave it. False if it is of no kind that can be
 * carried (then it must be dropped). */
bool segment_part(struct segment_parter *parter, const struct virtio_net_hdr *header,
                  const uint8_t *packet, uint32_t packet_bytes);

/* segment_next_bytes: how long the next frame is; 0: there is no other. */
uint32_t segment_next_bytes(const struct segment_parter *parter);

/* segment_next: writes it to frame->data, which has room for segment_next_bytes, and its checksum;
 * frame NULL: leaves it out. */
void segment_next(struct segment_parter *parter, struct flight_frame *frame);

/* ---- joining -------------------------------------------------------------------------------- */

struct segment_packet {
    struct virtio_net_hdr header;
    uint8_t headers[SEGMENT_HEADERS_BYTES_MAX];
    struct iovec pieces[2 + SEGMENT_JOINED_MAX]; /* points here and into the frames */
    int piece_count;
    uint32_t frames, bytes;
};

/* segment_join: makes a packet of the oldest frame and those that follow it, as long as they are
 * due by now_ns and continue it. The flight must not be empty; the packet is valid until its
 * frames are taken out. */
void segment_join(struct segment_packet *packet, const struct flight *flight, uint64_t now_ns);

#endif
