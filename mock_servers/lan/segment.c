/* TCP segmentation offload, as the kernel's own: each frame has the packet's headers with its own
 * sequence number and length. CWR stays with the first frame, FIN and PSH with the last.
 *
 * Frames keep the packet's headers in the queue; only what leaves the queue gets its own. Checksums
 * of TCP stay unfinished (the wire cannot damage anything): the field holds the sum of the
 * pseudo-header, which contains the length. */
#include "mock_servers/lan/segment.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "mock_servers/lan/lan.h"

enum {
    IP_AT = ETHERNET_HEADER_BYTES,
    ETHERNET_TYPE_AT = 12,
    TCP_FLAGS_AT = 13,
    FLAGS_OF_LAST = TH_FIN | TH_PUSH,
    FLAG_CWR = 0x80,
};

/* Copies, because frames lie at any address. */
struct headers {
    struct iphdr ip;
    struct tcphdr tcp;
    uint32_t tcp_at, bytes; /* of all three headers */
};

/* False: not TCP over IPv4 with whole headers, or a fragment. */
static bool headers_read(struct headers *headers, const uint8_t *frame, uint32_t frame_bytes)
{
    uint16_t type;

    if (frame_bytes < IP_AT + sizeof headers->ip)
        return false;
    memcpy(&type, frame + ETHERNET_TYPE_AT, sizeof type);
    memcpy(&headers->ip, frame + IP_AT, sizeof headers->ip);
    headers->tcp_at = IP_AT + headers->ip.ihl * 4u;
    if (type != htons(0x0800) || headers->ip.version != 4 || headers->ip.protocol != IPPROTO_TCP ||
        headers->ip.ihl < 5 || headers->ip.frag_off & htons(IP_MF | IP_OFFMASK) ||
        frame_bytes < headers->tcp_at + sizeof headers->tcp)
        return false;
    memcpy(&headers->tcp, frame + headers->tcp_at, sizeof headers->tcp);
    headers->bytes = headers->tcp_at + headers->tcp.doff * 4u;
    return headers->tcp.doff >= 5 && frame_bytes >= headers->bytes;
}

/* ---- splitting ------------------------------------------------------------------------------ */

bool segment_split(struct segment_splitter *splitter, const struct virtio_net_hdr *header,
                   const uint8_t *packet, uint32_t packet_bytes)
{
    struct headers headers;

    *splitter = (struct segment_splitter){.packet = packet, .packet_bytes = packet_bytes};
    if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        splitter->checksum_start = header->csum_start;
        splitter->checksum_offset = header->csum_offset;
    }
    if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return packet_bytes >= ETHERNET_HEADER_BYTES && packet_bytes <= ETHERNET_FRAME_BYTES_MAX;
    if (header->gso_type != VIRTIO_NET_HDR_GSO_TCPV4 || header->gso_size == 0 ||
        !headers_read(&headers, packet, packet_bytes) || headers.bytes == packet_bytes)
        return false;
    splitter->headers_bytes = headers.bytes;
    splitter->payload_bytes_max = header->gso_size;
    return headers.bytes + header->gso_size <= ETHERNET_FRAME_BYTES_MAX;
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
    uint32_t headers_bytes = splitter->headers_bytes, bytes = segment_next_bytes(splitter);
    uint32_t payload_bytes = bytes - headers_bytes;
    const uint8_t *payload = splitter->packet + headers_bytes + splitter->offset;

    assert(bytes > 0);
    if (frame != NULL) {
        frame->is_segment = splitter->payload_bytes_max > 0;
        frame->is_last = payload + payload_bytes == splitter->packet + splitter->packet_bytes;
        frame->follows = splitter->queued;
        frame->offset = splitter->offset & UINT16_MAX;
        frame->checksum_start = splitter->checksum_start;
        frame->checksum_offset = splitter->checksum_offset;
        memcpy(frame->data, splitter->packet, headers_bytes);
        memcpy(frame->data + headers_bytes, payload, payload_bytes);
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

/* Turns the packet's headers into those of the frames from `first` to `last`. */
static void headers_write(struct headers *headers, uint8_t *to, const struct queued_frame *first,
                          const struct queued_frame *last, uint32_t payload_bytes)
{
    uint32_t tcp_before = ntohs(headers->ip.tot_len) + IP_AT - headers->tcp_at;
    uint32_t bytes = headers->bytes + payload_bytes;
    uint16_t length = htons((uint16_t)(bytes - IP_AT));

    headers->ip.check =
        (uint16_t)~sum_update((uint16_t)~headers->ip.check, headers->ip.tot_len, length);
    headers->ip.tot_len = length;
    memcpy(to + IP_AT, &headers->ip, sizeof headers->ip);

    headers->tcp.seq = htonl(ntohl(headers->tcp.seq) + first->offset);
    headers->tcp.check = sum_update(headers->tcp.check, htons((uint16_t)tcp_before),
                                    htons((uint16_t)(bytes - headers->tcp_at)));
    memcpy(to + headers->tcp_at, &headers->tcp, sizeof headers->tcp);
    if (!last->is_last)
        to[headers->tcp_at + TCP_FLAGS_AT] &= (uint8_t)~FLAGS_OF_LAST;
    if (first->offset > 0)
        to[headers->tcp_at + TCP_FLAGS_AT] &= (uint8_t)~FLAG_CWR;
}

static void piece_add(struct segment_packet *packet, void *data, size_t bytes)
{
    packet->pieces[packet->piece_count++] = (struct iovec){data, bytes};
}

static void segments_merge(struct segment_packet *packet, const struct delay_queue *queue,
                           struct queued_frame *first, uint64_t now_ns)
{
    struct queued_frame *last = first, *next = first;
    struct headers headers;
    bool read = headers_read(&headers, first->data, first->bytes);
    assert(read); /* segment_split has read them too */
    (void)read;
    uint32_t payload_bytes = 0;

    memcpy(packet->headers, first->data, headers.bytes);
    piece_add(packet, packet->headers, headers.bytes);
    do {
        last = next;
        piece_add(packet, last->data + headers.bytes, last->bytes - headers.bytes);
        payload_bytes += last->bytes - headers.bytes;
        packet->frame_bytes += last->bytes;
        packet->frames++;
        next = delay_queue_next(queue, last);
    } while (packet->frames < SEGMENT_MERGED_MAX && next != NULL && next->follows &&
             next->due_ns <= now_ns);
    headers_write(&headers, packet->headers, first, last, payload_bytes);
    if (packet->frames > 1) {
        packet->header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        packet->header.gso_size = (uint16_t)(first->bytes - headers.bytes);
        packet->header.hdr_len = (uint16_t)headers.bytes;
    }
}

void segment_merge(struct segment_packet *packet, const struct delay_queue *queue, uint64_t now_ns)
{
    struct queued_frame *first = delay_queue_first(queue);

    assert(first != NULL);
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
    if (first->is_segment) {
        segments_merge(packet, queue, first, now_ns);
        return;
    }
    piece_add(packet, first->data, first->bytes);
    packet->frames = 1;
    packet->frame_bytes = first->bytes;
}
