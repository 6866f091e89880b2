/* What is parted is what a network card would have sent; what is joined is what was parted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "mock_servers/lan/segment.h"

enum {
    OPTIONS_BYTES = 12,
    HEADERS = 14 + 20 + 20 + OPTIONS_BYTES,
    PIECE = 1448,
    PACKET_MAX = 65535 + 14,
    SEQUENCE = 0xfffff000, /* wraps within the packet */
    IDENTIFICATION = 0xfffe,
    FIN = 1,
    PSH = 8,
    ACK = 16,
    CWR = 0x80,
};

static uint8_t packet[PACKET_MAX];

static uint16_t sum_of(const void *data, size_t bytes)
{
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < bytes; i += 2)
        sum += (uint32_t)((const uint8_t *)data)[i] << 8 | ((const uint8_t *)data)[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* A packet of TCP with a timestamp option, as a kernel that leaves segmentation to us makes it. */
static struct virtio_net_hdr packet_make(uint32_t payload_bytes, uint8_t flags)
{
    struct iphdr ip = {.version = 4,
                       .ihl = 5,
                       .ttl = 64,
                       .protocol = IPPROTO_TCP,
                       .id = htons(IDENTIFICATION),
                       .frag_off = htons(IP_DF),
                       .tot_len = htons((uint16_t)(HEADERS - 14 + payload_bytes)),
                       .saddr = htonl(0xc6120001),
                       .daddr = htonl(0xc6130001)};
    struct tcphdr tcp = {.source = htons(1000),
                         .dest = htons(2000),
                         .seq = htonl(SEQUENCE),
                         .ack_seq = htonl(77),
                         .doff = 5 + OPTIONS_BYTES / 4,
                         .window = htons(500)};

    memset(packet, 0xee, 12);
    packet[12] = 8, packet[13] = 0;
    ip.check = htons((uint16_t)~sum_of(&ip, sizeof ip));
    memcpy(packet + 14, &ip, sizeof ip);
    memcpy(packet + 34, &tcp, sizeof tcp);
    packet[34 + 13] = flags;
    memset(packet + 54, 1, OPTIONS_BYTES);
    for (uint32_t i = 0; i < payload_bytes; i++)
        packet[HEADERS + i] = (uint8_t)(i * 7 + i / 1448);
    return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                   .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                   .gso_size = PIECE,
                                   .hdr_len = HEADERS,
                                   .csum_start = 34,
                                   .csum_offset = 16};
}

static struct virtio_net_hdr frame_make(uint32_t payload_bytes, uint8_t flags)
{
    struct virtio_net_hdr header = packet_make(payload_bytes, flags);

    header.gso_type = VIRTIO_NET_HDR_GSO_NONE;
    header.gso_size = 0;
    return header;
}

/* Parts into the flight; returns how many frames. */
static uint32_t part(struct flight *flight, const struct virtio_net_hdr *header, uint32_t bytes,
                     uint64_t due_ns)
{
    struct segment_parter parter;
    uint32_t frames = 0, next;

    assert_true(segment_part(&parter, header, packet, bytes));
    for (; (next = segment_next_bytes(&parter)) > 0; frames++) {
        struct flight_frame *frame = flight_put(flight, next);
        assert_non_null(frame);
        frame->due_ns = due_ns;
        segment_next(&parter, frame);
    }
    return frames;
}

static void headers_check(const struct flight_frame *frame, uint32_t index, uint32_t at,
                          uint8_t flags)
{
    struct iphdr ip;
    struct tcphdr tcp;
    struct {
        uint32_t from, to;
        uint16_t protocol, bytes;
    } pseudo;

    memcpy(&ip, frame->data + 14, sizeof ip);
    memcpy(&tcp, frame->data + 34, sizeof tcp);
    assert_int_equal(sum_of(&ip, sizeof ip), 0xffff);
    assert_int_equal(ntohs(ip.tot_len), frame->bytes - 14);
    assert_int_equal(ntohs(ip.id), (uint16_t)(IDENTIFICATION + index));
    assert_int_equal(ntohl(tcp.seq), (uint32_t)(SEQUENCE + at));
    assert_int_equal(ntohl(tcp.ack_seq), 77);
    assert_int_equal(frame->data[34 + 13], flags);
    pseudo.from = ip.saddr, pseudo.to = ip.daddr;
    pseudo.protocol = htons(IPPROTO_TCP), pseudo.bytes = htons((uint16_t)(frame->bytes - 34));
    assert_int_equal(ntohs(tcp.check), sum_of(&pseudo, sizeof pseudo));
    assert_int_equal(frame->checksum.start, 34);
    assert_int_equal(frame->checksum.offset, 16);
}

static void test_a_packet_is_parted_into_frames(void **state)
{
    (void)state;
    enum { PAYLOAD = 10 * PIECE + 100 };
    struct virtio_net_hdr header = packet_make(PAYLOAD, ACK | PSH | FIN | CWR);
    struct flight flight;
    uint32_t at = 0, index = 0;

    assert_int_equal(flight_open(&flight, 100000), 0);
    assert_int_equal(part(&flight, &header, HEADERS + PAYLOAD, 0), 11);
    for (struct flight_frame *frame = flight_first(&flight); frame != NULL;
         frame = flight_next(&flight, frame)) {
        uint32_t payload = index < 10 ? PIECE : 100;
        uint8_t flags = (uint8_t)(ACK | (index == 10 ? PSH | FIN : 0) | (index == 0 ? CWR : 0));
        assert_int_equal(frame->bytes, HEADERS + payload);
        headers_check(frame, index, at, flags);
        assert_memory_equal(frame->data + HEADERS, packet + HEADERS + at, payload);
        assert_memory_equal(frame->data + 54, packet + 54, OPTIONS_BYTES);
        at += payload;
        index++;
    }
    assert_int_equal(at, PAYLOAD);
    flight_close(&flight);
}

static void test_single_frames_pass_as_they_are(void **state)
{
    (void)state;
    struct virtio_net_hdr plain = {0}, header = frame_make(300, ACK);
    struct flight flight;

    assert_int_equal(flight_open(&flight, 100000), 0);
    assert_int_equal(part(&flight, &header, HEADERS + 300, 0), 1);
    assert_memory_equal(flight_first(&flight)->data, packet, HEADERS + 300);
    assert_int_equal(flight_first(&flight)->checksum.start, 34);
    flight_take(&flight);
    memset(packet, 0xab, 60); /* nothing that we know */
    assert_int_equal(part(&flight, &plain, 60, 0), 1);
    assert_memory_equal(flight_first(&flight)->data, packet, 60);
    assert_int_equal(flight_first(&flight)->checksum.start, 0);
    flight_close(&flight);
}

static void test_what_cannot_be_parted_is_refused(void **state)
{
    (void)state;
    struct segment_parter parter;
    struct virtio_net_hdr good = packet_make(5000, ACK), bad;
    uint8_t kept;

    assert_true(segment_part(&parter, &good, packet, HEADERS + 5000));
    bad = good, bad.gso_size = 0;
    assert_false(segment_part(&parter, &bad, packet, HEADERS + 5000));
    bad = good, bad.gso_size = 1600; /* frames over the MTU */
    assert_false(segment_part(&parter, &bad, packet, HEADERS + 5000));
    bad = good, bad.gso_type = VIRTIO_NET_HDR_GSO_UDP;
    assert_false(segment_part(&parter, &bad, packet, HEADERS + 5000));
    bad = good, bad.gso_type = VIRTIO_NET_HDR_GSO_NONE; /* one frame, too long */
    assert_false(segment_part(&parter, &bad, packet, HEADERS + 5000));
    for (uint32_t bytes = 0; bytes <= HEADERS; bytes++) /* cut within its headers, or no payload */
        assert_false(segment_part(&parter, &good, packet, bytes));
    static const struct {
        uint32_t at;
        uint8_t value;
    } damages[] = {{12, 9}, {14, 0x55}, {14, 0x44}, {14 + 9, 17}, {14 + 6, 0x20}, {34 + 12, 0x40}};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        kept = packet[damages[i].at];
        packet[damages[i].at] = damages[i].value;
        assert_false(segment_part(&parter, &good, packet, HEADERS + 5000));
        packet[damages[i].at] = kept;
    }
}

/* The bytes of a joined packet in a row. */
static uint32_t flatten(const struct segment_packet *joined, uint8_t *out)
{
    uint32_t bytes = 0;

    for (int i = 1; i < joined->piece_count; i++) {
        memcpy(out + bytes, joined->pieces[i].iov_base, joined->pieces[i].iov_len);
        bytes += (uint32_t)joined->pieces[i].iov_len;
    }
    assert_int_equal(bytes, joined->bytes);
    return bytes;
}

static void test_parted_and_joined_is_the_same(void **state)
{
    (void)state;
    static uint8_t again[PACKET_MAX];
    static const uint32_t payloads[] = {
        1, 2, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5000, SEGMENT_JOINED_MAX * PIECE};

    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct virtio_net_hdr header = packet_make(payloads[i], ACK | PSH);
        struct segment_packet joined;
        struct flight flight;
        assert_int_equal(flight_open(&flight, 100000), 0);
        uint32_t frames = part(&flight, &header, HEADERS + payloads[i], 5);
        segment_join(&joined, &flight, 5);
        assert_int_equal(joined.frames, frames);
        assert_int_equal(flatten(&joined, again), HEADERS + payloads[i]);
        memcpy(packet + 34 + 16, again + 34 + 16, 2); /* the pseudo-header's sum is ours */
        assert_memory_equal(again, packet, HEADERS + payloads[i]);
        assert_int_equal(joined.header.gso_type, frames > 1 ? VIRTIO_NET_HDR_GSO_TCPV4 : 0);
        assert_int_equal(joined.header.gso_size, frames > 1 ? PIECE : 0);
        assert_int_equal(joined.header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        assert_int_equal(joined.header.csum_start, 34);
        flight_close(&flight);
    }
}

/* Puts a packet of three frames, changes the second one, and says how many are joined. */
static uint32_t joined_with(uint32_t at, uint8_t value, uint64_t second_due_ns)
{
    struct virtio_net_hdr header = packet_make(3 * PIECE, ACK);
    struct segment_packet joined;
    struct flight flight;

    assert_int_equal(flight_open(&flight, 100000), 0);
    part(&flight, &header, HEADERS + 3 * PIECE, 5);
    struct flight_frame *second = flight_next(&flight, flight_first(&flight));
    second->due_ns = second_due_ns;
    if (at > 0)
        second->data[at] = value;
    segment_join(&joined, &flight, 5);
    flight_close(&flight);
    return joined.frames;
}

static void test_only_what_continues_is_joined(void **state)
{
    (void)state;

    assert_int_equal(joined_with(0, 0, 5), 3);
    assert_int_equal(joined_with(0, 0, 6), 1);               /* not due yet */
    assert_int_equal(joined_with(34 + 7, 0x55, 5), 1);       /* another sequence number */
    assert_int_equal(joined_with(34 + 11, 0x55, 5), 1);      /* another acknowledgement */
    assert_int_equal(joined_with(34 + 1, 0x55, 5), 1);       /* another port */
    assert_int_equal(joined_with(34 + 15, 0x55, 5), 1);      /* another window */
    assert_int_equal(joined_with(14 + 19, 0x55, 5), 1);      /* another address */
    assert_int_equal(joined_with(54, 0x55, 5), 1);           /* another option */
    assert_int_equal(joined_with(34 + 13, ACK | 4, 5), 1);   /* a reset */
    assert_int_equal(joined_with(34 + 13, ACK | PSH, 5), 2); /* pushed: the packet ends with it */
    assert_int_equal(joined_with(3, 0x55, 5), 1);            /* another Ethernet address */
}

static void test_frames_without_payload_stay_alone(void **state)
{
    (void)state;
    struct virtio_net_hdr header = frame_make(0, ACK);
    struct segment_packet joined;
    struct flight flight;

    assert_int_equal(flight_open(&flight, 100000), 0);
    part(&flight, &header, HEADERS, 5);
    part(&flight, &header, HEADERS, 5);
    segment_join(&joined, &flight, 5);
    assert_int_equal(joined.frames, 1);
    assert_int_equal(joined.bytes, HEADERS);
    assert_int_equal(joined.header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    flight_close(&flight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_packet_is_parted_into_frames),
        cmocka_unit_test(test_single_frames_pass_as_they_are),
        cmocka_unit_test(test_what_cannot_be_parted_is_refused),
        cmocka_unit_test(test_parted_and_joined_is_the_same),
        cmocka_unit_test(test_only_what_continues_is_joined),
        cmocka_unit_test(test_frames_without_payload_stay_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
