/* Frames on their way: in order, unchanged, and never more than there is room for. They are what a
 * network card would have sent; merged they are the packet again. */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "mock_servers/lan/frames.h"
#include "mock_servers/lan/shaper.h"

enum {
    FRAME_MAX = 1514,
    STEPS = 200000,
    OPTIONS_BYTES = 12,
    HEADERS = 14 + 20 + 20 + OPTIONS_BYTES,
    PIECE = 1448,
    PACKET_MAX = 65535 + 14,
    SEQUENCE = 0xfffff000, /* wraps within the packet */
    FIN = 1,
    PSH = 8,
    ACK = 16,
    CWR = 0x80,
};

/* ---- the queue ------------------------------------------------------------------------------ */

static void frame_fill(struct queued_frame *frame, uint64_t number)
{
    frame->due_ns = number;
    memset(frame->data, (int)(number & 0xff), frame->bytes);
}

static void frame_check(const struct queued_frame *frame, uint64_t number, uint32_t bytes)
{
    assert_int_equal(frame->due_ns, number);
    assert_int_equal(frame->bytes, bytes);
    assert_int_equal(frame->data[0], number & 0xff);
    assert_int_equal(frame->data[bytes - 1], number & 0xff);
}

static uint32_t bytes_of(uint64_t number)
{
    return 1 + (uint32_t)(number * 2654435761u >> 7) % FRAME_MAX;
}

/* Random puts and takes, so that the ring wraps at every alignment and is empty and full often. */
TEST(test_frames_come_out_as_they_went_in)
{
    struct delay_queue queue;
    uint64_t put = 0, taken = 0, full = 0, empty = 0;
    unsigned seed = 1;
    assert_int_equal(delay_queue_open(&queue, 20000), 0);
    for (int step = 0; step < STEPS; step++) {
        bool putting = (step / 100) % 2 ? rand_r(&seed) % 4 > 0 : rand_r(&seed) % 4 == 0;
        struct queued_frame *frame;
        if (putting) {
            frame = delay_queue_put(&queue, bytes_of(put));
            full += frame == NULL;
            if (frame != NULL)
                frame_fill(frame, put++);
        } else if ((frame = delay_queue_first(&queue)) != NULL) {
            frame_check(frame, taken, bytes_of(taken));
            delay_queue_pop(&queue);
            taken++;
        } else {
            empty++;
            assert_int_equal(put, taken);
        }
        assert_int_equal(queue.count, put - taken);
    }
    assert_true(full > 0 && empty > 0 && taken > STEPS / 10);
    delay_queue_close(&queue);
}

TEST(test_next_walks_over_all)
{
    struct delay_queue queue;
    uint64_t put = 0, taken = 0;
    assert_int_equal(delay_queue_open(&queue, 10000), 0);
    for (int round = 0; round < 1000; round++) {
        struct queued_frame *frame;
        while ((frame = delay_queue_put(&queue, bytes_of(put))) != NULL)
            frame_fill(frame, put++);
        uint64_t seen = taken;
        for (frame = delay_queue_first(&queue); frame != NULL;
             frame = delay_queue_next(&queue, frame)) {
            frame_check(frame, seen, bytes_of(seen));
            seen++;
        }
        assert_int_equal(seen, put);
        for (int i = 0; i < 3; i++, taken++)
            delay_queue_pop(&queue);
    }
    delay_queue_close(&queue);
}

/* A ring of the size that a shaper says holds whatever it carries, whatever the frames' lengths. */
TEST(test_a_shaper_never_finds_it_full)
{
    static const uint32_t lengths[] = {1, 59, 60, 61, 64, 65, 66, 1000, 1513, 1514};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct shaper_config config = {.rate_bits_per_s = 100000000,
                                       .delay_ns = 5000000,
                                       .jitter_ns = 1000000,
                                       .queue_bytes = 20000,
                                       .seed = 1};
        struct shaper shaper;
        struct delay_queue queue;
        uint64_t due_ns = 0, overflowed = 0;
        shaper_start(&shaper, &config);
        assert_int_equal(delay_queue_open(&queue, shaper_held_bytes_max(&config)), 0);
        for (uint64_t now_ns = 0; now_ns < 50000000; now_ns += 5000) {
            while (queue.count > 0 && delay_queue_first(&queue)->due_ns <= now_ns)
                delay_queue_pop(&queue);
            if (shaper_take(&shaper, now_ns, lengths[i], &due_ns) != SHAPER_CARRIED) {
                overflowed++;
                continue;
            }
            struct queued_frame *frame = delay_queue_put(&queue, lengths[i]);
            assert_non_null(frame);
            frame->due_ns = due_ns;
        }
        assert_true(overflowed > 0);
        delay_queue_close(&queue);
    }
}

TEST(test_no_memory_is_said)
{
    struct delay_queue queue;
    assert_true(delay_queue_open(&queue, (uint64_t)1 << 60) < 0);
    delay_queue_close(&queue);
}

/* ---- segments ------------------------------------------------------------------------------- */

static uint8_t packet[PACKET_MAX], merged_bytes[PACKET_MAX];
static struct delay_queue queue;
static struct segment_packet merged;

static uint16_t sum_of(const void *data, size_t bytes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < bytes; i += 2)
        sum += (uint32_t)((const uint8_t *)data)[i] << 8 | ((const uint8_t *)data)[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Sum of the pseudo-header, which a kernel leaves in the place of a TCP checksum. */
static uint16_t pseudo_sum(const uint8_t *frame, uint32_t frame_bytes)
{
    uint8_t pseudo[12] = {[9] = IPPROTO_TCP};
    uint16_t tcp_bytes = htons((uint16_t)(frame_bytes - 34));
    memcpy(pseudo, frame + 26, 8);
    memcpy(pseudo + 10, &tcp_bytes, sizeof tcp_bytes);
    return sum_of(pseudo, sizeof pseudo);
}

/* A packet of TCP with a timestamp option, as a kernel that leaves segmentation to others makes it.
 */
static struct virtio_net_hdr packet_make(uint32_t payload_bytes, uint8_t flags)
{
    struct iphdr ip = {.version = 4,
                       .ihl = 5,
                       .ttl = 64,
                       .protocol = IPPROTO_TCP,
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
    uint16_t sum = htons(pseudo_sum(packet, HEADERS + payload_bytes));
    memcpy(packet + 34 + 16, &sum, sizeof sum);
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

/* Splits the packet into the queue; the frames are due one nanosecond after the other. `skipped`:
 * index of a frame that is not queued. Returns how many frames there are. */
static uint32_t split(const struct virtio_net_hdr *header, uint32_t bytes, uint32_t skipped)
{
    struct segment_splitter splitter;
    uint32_t frames = 0, next;
    assert_true(segment_split(&splitter, header, packet, bytes));
    for (; (next = segment_next_bytes(&splitter)) > 0; frames++) {
        struct queued_frame *frame = frames == skipped ? NULL : delay_queue_put(&queue, next);
        assert_true(frame != NULL || frames == skipped);
        if (frame != NULL)
            frame->due_ns = frames;
        segment_next(&splitter, frame);
    }
    return frames;
}

/* Merges what is due, checks its headers, and removes it; returns how many frames it has. */
static uint32_t merge(uint64_t now_ns)
{
    uint32_t bytes = 0;
    uint16_t ip_bytes, sum;
    segment_merge(&merged, &queue, now_ns);
    for (int i = 1; i < merged.piece_count; i++) {
        memcpy(merged_bytes + bytes, merged.pieces[i].iov_base, merged.pieces[i].iov_len);
        bytes += (uint32_t)merged.pieces[i].iov_len;
    }
    memcpy(&ip_bytes, merged_bytes + 16, sizeof ip_bytes);
    memcpy(&sum, merged_bytes + 34 + 16, sizeof sum);
    assert_int_equal(ntohs(ip_bytes), bytes - 14);
    assert_int_equal(sum_of(merged_bytes + 14, 20), 0xffff);
    assert_int_equal(ntohs(sum), pseudo_sum(merged_bytes, bytes));
    assert_int_equal(merged.header.gso_type, merged.frames > 1 ? VIRTIO_NET_HDR_GSO_TCPV4 : 0);
    assert_int_equal(merged.header.gso_size, merged.frames > 1 ? PIECE : 0);
    assert_int_equal(merged.header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(merged.header.csum_start, 34);
    assert_int_equal(merged.header.csum_offset, 16);
    for (uint32_t i = 0; i < merged.frames; i++)
        delay_queue_pop(&queue);
    return merged.frames;
}

/* The merged packet holds `payload` bytes from `offset` on, with these flags. */
static void assert_merged(uint32_t offset, uint32_t payload, uint8_t flags)
{
    uint32_t sequence;
    memcpy(&sequence, merged_bytes + 34 + 4, sizeof sequence);
    assert_int_equal(ntohl(sequence), (uint32_t)(SEQUENCE + offset));
    assert_int_equal(merged_bytes[34 + 13], flags);
    assert_memory_equal(merged_bytes, packet, 14);
    assert_memory_equal(merged_bytes + 54, packet + 54, OPTIONS_BYTES);
    assert_memory_equal(merged_bytes + HEADERS, packet + HEADERS + offset, payload);
}

static int queue_open(void **state)
{
    return delay_queue_open(&queue, 200000);
}

static int queue_close(void **state)
{
    delay_queue_close(&queue);
    return 0;
}

TEST(test_frames_due_one_by_one_leave_alone)
{
    enum { PAYLOAD = 10 * PIECE + 100, NONE_SKIPPED = 99 };
    struct virtio_net_hdr header = packet_make(PAYLOAD, ACK | PSH | FIN | CWR);
    assert_int_equal(split(&header, HEADERS + PAYLOAD, NONE_SKIPPED), 11);
    for (uint32_t i = 0; i < 11; i++) {
        uint8_t flags = (uint8_t)(ACK | (i == 10 ? PSH | FIN : 0) | (i == 0 ? CWR : 0));
        assert_int_equal(merge(i), 1);
        assert_merged(i * PIECE, i < 10 ? PIECE : 100, flags);
        assert_int_equal(merged.frame_bytes, HEADERS + (i < 10 ? PIECE : 100));
    }
    assert_int_equal(queue.count, 0);
}

TEST(test_frames_due_together_are_the_packet_again)
{
    static const uint32_t payloads[] = {1,         2,         PIECE - 1, PIECE,
                                        PIECE + 1, 2 * PIECE, 5000,      40 * PIECE};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct virtio_net_hdr header = packet_make(payloads[i], ACK | PSH);
        uint32_t frames = split(&header, HEADERS + payloads[i], UINT32_MAX);
        assert_int_equal(merge(UINT64_MAX), frames);
        assert_memory_equal(merged_bytes, packet, HEADERS + payloads[i]);
        assert_int_equal(merged.frame_bytes, payloads[i] + frames * HEADERS);
    }
}

/* A lost frame ends a packet, and so does the next packet. */
TEST(test_only_neighbours_are_merged)
{
    struct virtio_net_hdr header = packet_make(5 * PIECE, ACK | PSH);
    split(&header, HEADERS + 5 * PIECE, 2);
    split(&header, HEADERS + 5 * PIECE, 0);
    assert_int_equal(merge(UINT64_MAX), 2);
    assert_merged(0, 2 * PIECE, ACK);
    assert_int_equal(merge(UINT64_MAX), 2);
    assert_merged(3 * PIECE, 2 * PIECE, ACK | PSH);
    assert_int_equal(merge(2), 2); /* two more are not due */
    assert_merged(PIECE, 2 * PIECE, ACK);
    assert_int_equal(merge(UINT64_MAX), 2);
    assert_int_equal(queue.count, 0);
}

TEST(test_many_small_segments_are_several_packets)
{
    struct virtio_net_hdr header = packet_make(100 * PIECE / 4, ACK);
    uint32_t frames = 0;
    header.gso_size = PIECE / 4;
    assert_int_equal(split(&header, HEADERS + 100 * PIECE / 4, UINT32_MAX), 100);
    while (queue.count > 0) {
        segment_merge(&merged, &queue, UINT64_MAX);
        assert_in_range(merged.frames, 1, SEGMENT_MERGED_MAX);
        frames += merged.frames;
        for (uint32_t i = 0; i < merged.frames; i++)
            delay_queue_pop(&queue);
    }
    assert_int_equal(frames, 100);
}

TEST(test_single_frames_pass_unchanged)
{
    static const uint32_t payloads[] = {0, 1, 100, PIECE};
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct virtio_net_hdr header = frame_make(payloads[i], ACK);
        assert_int_equal(split(&header, HEADERS + payloads[i], UINT32_MAX), 1);
        assert_int_equal(split(&header, HEADERS + payloads[i], UINT32_MAX), 1);
        for (int copy = 0; copy < 2; copy++) {
            assert_int_equal(merge(UINT64_MAX), 1);
            assert_memory_equal(merged_bytes, packet, HEADERS + payloads[i]);
        }
    }
}

TEST(test_what_cannot_be_split_is_refused)
{
    struct segment_splitter splitter;
    struct virtio_net_hdr good = packet_make(5000, ACK);
    static const struct {
        uint8_t type;
        uint16_t size;
    } wrong[] = {{VIRTIO_NET_HDR_GSO_TCPV4, 0},
                 {VIRTIO_NET_HDR_GSO_TCPV4, 1600}, /* frames over the MTU */
                 {VIRTIO_NET_HDR_GSO_UDP, PIECE},
                 {VIRTIO_NET_HDR_GSO_NONE, PIECE}}; /* one frame, too long */
    assert_true(segment_split(&splitter, &good, packet, HEADERS + 5000));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct virtio_net_hdr bad = good;
        bad.gso_type = wrong[i].type, bad.gso_size = wrong[i].size;
        assert_false(segment_split(&splitter, &bad, packet, HEADERS + 5000));
    }
    for (uint32_t bytes = 0; bytes <= HEADERS; bytes++) /* cut within its headers, or no payload */
        assert_false(segment_split(&splitter, &good, packet, bytes));
    static const struct {
        uint32_t at;
        uint8_t value;
    } damages[] = {{12, 9}, {14, 0x55}, {14, 0x44}, {14 + 9, 17}, {14 + 6, 0x20}, {34 + 12, 0x40}};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        uint8_t kept = packet[damages[i].at];
        packet[damages[i].at] = damages[i].value;
        assert_false(segment_split(&splitter, &good, packet, HEADERS + 5000));
        packet[damages[i].at] = kept;
    }
}

int main(void)
{
    return tests_run(queue_open, queue_close);
}
