/* A ring of frames, and TCP segmentation offload, as the kernel's own: each frame has the packet's
 * headers with its own sequence number and length. CWR stays with the first frame, FIN and PSH with
 * the last.
 *
 * Frames keep the packet's headers in the queue; only what leaves the queue gets its own. Checksums
 * of TCP stay unfinished (the wire cannot damage anything): the field holds the sum of the
 * pseudo-header, which contains the length. */
#include "mock_servers/lan/frames.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/lan/lan.h"

enum { ALIGNMENT = 8, FRAME_BYTES_MASK = 0x7ff, FLAG_CWR = 0x80 };

/* ---- the queue ------------------------------------------------------------------------------ */

_Static_assert(sizeof(struct queued_frame) + ALIGNMENT <= ETHERNET_WIRE_EXTRA_BYTES,
               "a frame takes no more room than wire");

static size_t room_bytes(uint32_t frame_bytes)
{
    return sizeof(struct queued_frame) +
           ((size_t)frame_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

int delay_queue_open(struct delay_queue *queue, uint64_t held_bytes_max)
{
    size_t step = os_mirror_step();
    *queue = (struct delay_queue){.ring_bytes = (held_bytes_max / step + 1) * step};
    queue->ring = os_mirror_map(queue->ring_bytes);
    return queue->ring == NULL ? -ENOMEM : 0;
}

void delay_queue_close(struct delay_queue *queue)
{
    if (queue->ring != NULL)
        os_mirror_unmap(queue->ring, queue->ring_bytes);
    *queue = (struct delay_queue){0};
}

/* NULL at the end of the frames. */
static struct queued_frame *frame_at(const struct delay_queue *queue, size_t offset)
{
    return offset == queue->end ? NULL : (struct queued_frame *)(queue->ring + offset);
}

struct queued_frame *delay_queue_put(struct delay_queue *queue, uint32_t bytes)
{
    assert(bytes > 0 && bytes <= ETHERNET_FRAME_BYTES_MAX);
    size_t end = queue->end + room_bytes(bytes);

    if (end - queue->first > queue->ring_bytes)
        return NULL;
    struct queued_frame *frame = (struct queued_frame *)(queue->ring + queue->end);
    *frame = (struct queued_frame){.bytes = bytes & FRAME_BYTES_MASK};
    queue->end = end;
    queue->count++;
    return frame;
}

struct queued_frame *delay_queue_first(const struct delay_queue *queue)
{
    return frame_at(queue, queue->first);
}

struct queued_frame *delay_queue_next(const struct delay_queue *queue,
                                      const struct queued_frame *frame)
{
    return frame_at(queue,
                    (size_t)((const uint8_t *)frame - queue->ring) + room_bytes(frame->bytes));
}

void delay_queue_pop(struct delay_queue *queue)
{
    assert(queue->count > 0);
    queue->first += room_bytes(delay_queue_first(queue)->bytes);
    queue->count--;
    if (queue->count == 0) { /* start again where the cache is warm */
        queue->first = queue->end = 0;
    } else if (queue->first >= queue->ring_bytes) {
        queue->first -= queue->ring_bytes;
        queue->end -= queue->ring_bytes;
    }
}

/* ---- headers -------------------------------------------------------------------------------- */

/* Packed, because frames lie at any address. */
struct ip_headers {
    uint8_t ethernet[12];
    uint16_t type;
    struct iphdr ip;
} __attribute__((packed));

struct tcp_header {
    struct tcphdr tcp;
} __attribute__((packed));

static uint32_t tcp_at(const uint8_t *frame)
{
    return ETHERNET_HEADER_BYTES + ((const struct ip_headers *)frame)->ip.ihl * 4u;
}

/* Bytes of all three headers; 0: not TCP over IPv4 with whole headers, or a fragment. */
static uint32_t headers_bytes(const uint8_t *frame, uint32_t frame_bytes)
{
    const struct ip_headers *headers = (const struct ip_headers *)frame;
    if (frame_bytes < sizeof *headers || headers->type != htons(0x0800) ||
        headers->ip.version != 4 || headers->ip.protocol != IPPROTO_TCP || headers->ip.ihl < 5 ||
        headers->ip.frag_off & htons(IP_MF | IP_OFFMASK) ||
        frame_bytes < tcp_at(frame) + sizeof(struct tcp_header))
        return 0;
    uint32_t tcp_words = ((const struct tcp_header *)(frame + tcp_at(frame)))->tcp.doff;
    uint32_t bytes = tcp_at(frame) + tcp_words * 4;
    return tcp_words >= 5 && bytes <= frame_bytes ? bytes : 0;
}

/* ---- splitting ------------------------------------------------------------------------------ */

bool segment_split(struct segment_splitter *splitter, const struct virtio_net_hdr *header,
                   const uint8_t *packet, uint32_t packet_bytes)
{
    *splitter = (struct segment_splitter){.packet = packet, .packet_bytes = packet_bytes};
    if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        splitter->checksum_start = header->csum_start;
        splitter->checksum_offset = header->csum_offset;
    }
    if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return packet_bytes >= ETHERNET_HEADER_BYTES && packet_bytes <= ETHERNET_FRAME_BYTES_MAX;
    if (header->gso_type != VIRTIO_NET_HDR_GSO_TCPV4 || header->gso_size == 0)
        return false;
    uint32_t bytes = headers_bytes(packet, packet_bytes);
    splitter->headers_bytes = bytes;
    splitter->payload_bytes_max = header->gso_size;
    return bytes > 0 && bytes < packet_bytes &&
           bytes + header->gso_size <= ETHERNET_FRAME_BYTES_MAX;
}

uint32_t segment_next_bytes(const struct segment_splitter *splitter)
{
    uint32_t left = splitter->packet_bytes - splitter->headers_bytes - splitter->offset;
    if (left == 0)
        return 0;
    if (splitter->payload_bytes_max > 0 && left > splitter->payload_bytes_max)
        left = splitter->payload_bytes_max;
    return splitter->headers_bytes + left;
}

void segment_next(struct segment_splitter *splitter, struct queued_frame *frame)
{
    uint32_t bytes = splitter->headers_bytes;
    uint32_t payload_bytes = segment_next_bytes(splitter) - bytes;
    const uint8_t *payload = splitter->packet + bytes + splitter->offset;
    if (frame != NULL) {
        frame->is_segment = splitter->payload_bytes_max > 0;
        frame->is_last = payload + payload_bytes == splitter->packet + splitter->packet_bytes;
        frame->follows = splitter->queued;
        frame->offset = splitter->offset & UINT16_MAX;
        frame->checksum_start = splitter->checksum_start;
        frame->checksum_offset = splitter->checksum_offset;
        memcpy(frame->data, splitter->packet, bytes);
        memcpy(frame->data + bytes, payload, payload_bytes);
    }
    splitter->queued = frame != NULL;
    splitter->offset += payload_bytes;
}

/* ---- merging -------------------------------------------------------------------------------- */

/* The sum of 16-bit words after one of them has changed (RFC 1624). */
static uint16_t sum_update(uint16_t sum, uint16_t before, uint16_t after)
{
    uint32_t updated = sum + (uint32_t)(uint16_t)~before + after;
    updated = (updated & 0xffff) + (updated >> 16);
    return (uint16_t)(updated + (updated >> 16));
}

/* Turns the packet's headers into those of the frames from `first` to `last`, together `bytes`. The
 * length in TCP's pseudo-header changes by as much as IP's. */
static void headers_adapt(uint8_t *frame, uint32_t bytes, const struct queued_frame *first,
                          const struct queued_frame *last)
{
    struct iphdr ip = ((struct ip_headers *)frame)->ip;
    struct tcphdr tcp = ((struct tcp_header *)(frame + tcp_at(frame)))->tcp;
    uint16_t before = ip.tot_len;
    ip.tot_len = htons((uint16_t)(bytes - ETHERNET_HEADER_BYTES));
    ip.check = (uint16_t)~sum_update((uint16_t)~ip.check, before, ip.tot_len);
    tcp.check = sum_update(tcp.check, before, ip.tot_len);
    tcp.seq = htonl(ntohl(tcp.seq) + first->offset);
    if (!last->is_last)
        tcp.th_flags &= (uint8_t) ~(TH_FIN | TH_PUSH);
    if (first->offset > 0)
        tcp.th_flags &= (uint8_t)~FLAG_CWR;
    ((struct ip_headers *)frame)->ip = ip;
    ((struct tcp_header *)(frame + tcp_at(frame)))->tcp = tcp;
}

static void piece_add(struct segment_packet *packet, void *data, size_t bytes)
{
    packet->pieces[packet->piece_count++] = (struct iovec){data, bytes};
}

void segment_merge(struct segment_packet *packet, const struct delay_queue *queue, uint64_t now_ns)
{
    struct queued_frame *first = delay_queue_first(queue), *last, *next = first;
    uint32_t header_bytes = first->is_segment ? headers_bytes(first->data, first->bytes) : 0;
    uint32_t bytes = header_bytes;
    packet->header = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (first->checksum_start > 0) {
        packet->header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        packet->header.csum_start = first->checksum_start;
        packet->header.csum_offset = first->checksum_offset;
    }
    packet->piece_count = 0;
    packet->frames = 0;
    packet->frame_bytes = 0;
    piece_add(packet, &packet->header, sizeof packet->header);
    piece_add(packet, packet->headers, header_bytes);
    do {
        last = next;
        piece_add(packet, last->data + header_bytes, last->bytes - header_bytes);
        bytes += last->bytes - header_bytes;
        packet->frame_bytes += last->bytes;
        packet->frames++;
        next = delay_queue_next(queue, last);
    } while (packet->frames < SEGMENT_MERGED_MAX && next != NULL && next->follows &&
             next->due_ns <= now_ns);
    if (first->is_segment) {
        memcpy(packet->headers, first->data, header_bytes);
        headers_adapt(packet->headers, bytes, first, last);
    }
    if (packet->frames > 1) {
        packet->header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        packet->header.gso_size = (uint16_t)(first->bytes - header_bytes);
        packet->header.hdr_len = (uint16_t)header_bytes;
    }
}
