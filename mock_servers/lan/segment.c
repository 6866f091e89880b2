/* Frames are parted and joined as RFC 9293's and the kernel's own offloads do it: of a large
 * packet every frame has the headers, with the sequence number, the IP length and the
 * identification moved on; CWR stays with the first frame, FIN and PSH with the last. Checksums
 * of TCP are left for whoever receives to take as good (the wire cannot damage them); only their
 * pseudo-header sum, which contains the length, is kept right. */
#include "mock_servers/lan/segment.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

#include "mock_servers/lan/address.h"

enum {
    IP_AT = ETHERNET_HEADER_BYTES,
    ETHERNET_TYPE_AT = 12,
    IP_PACKET_BYTES_MAX = 65535,
    TCP_SUM_AT = offsetof(struct tcphdr, check),
    TCP_FLAGS_AT = 13,
    FLAGS_OF_LAST = TH_FIN | TH_PUSH,
    FLAG_CWR = 0x80,
};

/* The headers are copied out and in, for frames lie at any address. */
struct headers {
    struct iphdr ip;
    struct tcphdr tcp;
    uint32_t tcp_at, bytes; /* of all three headers */
    uint8_t flags;
};

static uint16_t sum_fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static uint32_t sum_words(const uint8_t *data, uint32_t bytes)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i + 1 < bytes; i += 2) {
        uint16_t word;
        memcpy(&word, data + i, sizeof word);
        sum += word;
    }
    return sum;
}

/* False: no TCP over IPv4 with whole headers, or a fragment. */
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
    headers->flags = frame[headers->tcp_at + TCP_FLAGS_AT];
    headers->bytes = headers->tcp_at + headers->tcp.doff * 4u;
    return headers->tcp.doff >= 5 && frame_bytes >= headers->bytes;
}

/* Writes what differs between the frames of a packet into its headers at `frame`. */
static void headers_write(const struct headers *headers, uint8_t *frame, uint32_t frame_bytes,
                          uint32_t sequence, uint16_t identification, uint8_t flags)
{
    struct iphdr ip = headers->ip;
    uint32_t tcp_bytes = frame_bytes - headers->tcp_at;

    ip.tot_len = htons((uint16_t)(frame_bytes - IP_AT));
    ip.id = htons(identification);
    ip.check = 0;
    memcpy(frame + IP_AT, &ip, sizeof ip);
    ip.check = (uint16_t)~sum_fold(sum_words(frame + IP_AT, headers->tcp_at - IP_AT));
    memcpy(frame + IP_AT, &ip, sizeof ip);

    sequence = htonl(sequence);
    memcpy(frame + headers->tcp_at + offsetof(struct tcphdr, seq), &sequence, sizeof sequence);
    frame[headers->tcp_at + TCP_FLAGS_AT] = flags;
    uint32_t sum = htons((uint16_t)tcp_bytes) + (uint32_t)htons(IPPROTO_TCP);
    sum += sum_words((const uint8_t *)&ip.saddr, sizeof ip.saddr);
    sum += sum_words((const uint8_t *)&ip.daddr, sizeof ip.daddr);
    uint16_t folded = sum_fold(sum);
    memcpy(frame + headers->tcp_at + TCP_SUM_AT, &folded, sizeof folded);
}

/* ---- parting -------------------------------------------------------------------------------- */

bool segment_part(struct segment_parter *parter, const struct virtio_net_hdr *header,
                  const uint8_t *packet, uint32_t packet_bytes)
{
    struct headers headers;

    *parter = (struct segment_parter){.packet = packet, .packet_bytes = packet_bytes};
    if (header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        parter->checksum = (struct frame_checksum){header->csum_start, header->csum_offset};
    if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return packet_bytes >= ETHERNET_HEADER_BYTES && packet_bytes <= ETHERNET_FRAME_BYTES_MAX;
    if (header->gso_type != VIRTIO_NET_HDR_GSO_TCPV4 || header->gso_size == 0 ||
        !headers_read(&headers, packet, packet_bytes) || headers.bytes == packet_bytes)
        return false;
    parter->headers_bytes = headers.bytes;
    parter->piece_bytes = header->gso_size;
    return headers.bytes + header->gso_size <= ETHERNET_FRAME_BYTES_MAX;
}

uint32_t segment_next_bytes(const struct segment_parter *parter)
{
    uint32_t left = parter->packet_bytes - parter->headers_bytes - parter->at;

    if (left == 0)
        return 0;
    if (parter->piece_bytes > 0 && left > parter->piece_bytes)
        left = parter->piece_bytes;
    return parter->headers_bytes + left;
}

static void piece_write(const struct segment_parter *parter, struct flight_frame *frame,
                        uint32_t payload_bytes)
{
    struct headers headers;
    bool whole = headers_read(&headers, parter->packet, parter->packet_bytes);
    assert(whole);
    (void)whole;
    bool last = parter->headers_bytes + parter->at + payload_bytes == parter->packet_bytes;
    uint8_t flags = headers.flags;

    if (!last)
        flags &= (uint8_t)~FLAGS_OF_LAST;
    if (parter->at > 0)
        flags &= (uint8_t)~FLAG_CWR;
    memcpy(frame->data, parter->packet, parter->headers_bytes);
    memcpy(frame->data + parter->headers_bytes, parter->packet + parter->headers_bytes + parter->at,
           payload_bytes);
    headers_write(&headers, frame->data, parter->headers_bytes + payload_bytes,
                  ntohl(headers.tcp.seq) + parter->at,
                  (uint16_t)(ntohs(headers.ip.id) + parter->at / parter->piece_bytes), flags);
}

void segment_next(struct segment_parter *parter, struct flight_frame *frame)
{
    uint32_t bytes = segment_next_bytes(parter);
    uint32_t payload_bytes = bytes - parter->headers_bytes;

    assert(bytes > 0);
    if (frame != NULL) {
        assert(frame->bytes == bytes);
        frame->checksum = parter->checksum;
        if (parter->piece_bytes > 0)
            piece_write(parter, frame, payload_bytes);
        else
            memcpy(frame->data, parter->packet, bytes);
    }
    parter->at += payload_bytes;
}

/* ---- joining -------------------------------------------------------------------------------- */

/* A frame of data whose checksum is still to be made, and not one with a meaning of its own. */
static bool joinable(struct headers *headers, const struct flight_frame *frame)
{
    return frame->checksum.start > 0 && headers_read(headers, frame->data, frame->bytes) &&
           headers->bytes < frame->bytes &&
           frame->bytes == IP_AT + (uint32_t)ntohs(headers->ip.tot_len) &&
           (headers->flags & (uint8_t)~FLAGS_OF_LAST) == TH_ACK;
}

/* All of the headers must be the same but for what headers_write writes. */
static bool same_stream(const struct headers *a, const uint8_t *a_frame, const struct headers *b,
                        const uint8_t *b_frame)
{
    struct iphdr ip_a = a->ip, ip_b = b->ip;
    struct tcphdr tcp_a = a->tcp, tcp_b = b->tcp;
    uint32_t ip_end = IP_AT + sizeof ip_a, tcp_end = a->tcp_at + sizeof tcp_a;

    if (a->bytes != b->bytes || a->tcp_at != b->tcp_at)
        return false;
    ip_a.tot_len = ip_a.id = ip_a.check = ip_b.tot_len = ip_b.id = ip_b.check = 0;
    tcp_a.seq = tcp_b.seq = 0;
    tcp_a.check = tcp_b.check = 0;
    tcp_a.th_flags = tcp_b.th_flags = 0;
    return memcmp(&ip_a, &ip_b, sizeof ip_a) == 0 && memcmp(&tcp_a, &tcp_b, sizeof tcp_a) == 0 &&
           memcmp(a_frame, b_frame, IP_AT) == 0 &&
           memcmp(a_frame + ip_end, b_frame + ip_end, a->tcp_at - ip_end) == 0 &&
           memcmp(a_frame + tcp_end, b_frame + tcp_end, a->bytes - tcp_end) == 0;
}

static void piece_add(struct segment_packet *packet, void *data, uint32_t bytes)
{
    packet->pieces[packet->piece_count++] = (struct iovec){data, bytes};
    packet->bytes += bytes;
}

static void start_with(struct segment_packet *packet, struct flight_frame *first)
{
    packet->header = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (first->checksum.start > 0) {
        packet->header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        packet->header.csum_start = first->checksum.start;
        packet->header.csum_offset = first->checksum.offset;
    }
    packet->pieces[0] = (struct iovec){&packet->header, sizeof packet->header};
    packet->piece_count = 1;
    packet->bytes = 0;
    packet->frames = 1;
}

/* Frames of one length follow each other, the last of them may be shorter, and what has a FIN or
 * PSH ends the packet, so that both are where the sender had them. */
static uint8_t frames_add(struct segment_packet *packet, const struct flight *flight,
                          struct flight_frame *first, const struct headers *head, uint64_t now_ns)
{
    uint32_t piece_bytes = first->bytes - head->bytes;
    uint32_t sequence = ntohl(head->tcp.seq) + piece_bytes;
    struct flight_frame *last = first, *next;
    uint8_t flags = head->flags;
    struct headers headers;

    while (packet->frames < SEGMENT_JOINED_MAX && !(flags & FLAGS_OF_LAST) &&
           last->bytes == first->bytes && (next = flight_next(flight, last)) != NULL &&
           next->due_ns <= now_ns && next->bytes <= first->bytes && joinable(&headers, next) &&
           ntohl(headers.tcp.seq) == sequence &&
           same_stream(head, first->data, &headers, next->data) &&
           packet->bytes + next->bytes - head->bytes <= IP_AT + IP_PACKET_BYTES_MAX) {
        piece_add(packet, next->data + head->bytes, next->bytes - head->bytes);
        sequence += next->bytes - head->bytes;
        flags = headers.flags;
        packet->frames++;
        last = next;
    }
    return flags;
}

void segment_join(struct segment_packet *packet, const struct flight *flight, uint64_t now_ns)
{
    struct flight_frame *first = flight_first(flight);
    struct headers head;

    assert(first != NULL);
    start_with(packet, first);
    if (!joinable(&head, first)) {
        piece_add(packet, first->data, first->bytes);
        return;
    }
    piece_add(packet, packet->headers, head.bytes);
    piece_add(packet, first->data + head.bytes, first->bytes - head.bytes);
    uint8_t flags = frames_add(packet, flight, first, &head, now_ns);
    memcpy(packet->headers, first->data, head.bytes);
    if (packet->frames == 1)
        return;
    headers_write(&head, packet->headers, packet->bytes, ntohl(head.tcp.seq), ntohs(head.ip.id),
                  flags);
    packet->header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    packet->header.gso_size = (uint16_t)(first->bytes - head.bytes);
    packet->header.hdr_len = (uint16_t)head.bytes;
}
