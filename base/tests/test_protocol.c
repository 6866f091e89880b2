/* The protocol: every line reads back as it was written and nothing else is taken for one; in
 * every frame the first end marker is its end. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/protocol.h"
#include "base/tests/test.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct protocol_marker marker_of(const char *bytes, unsigned count)
{
    struct protocol_marker marker = {.count = count};
    memcpy(marker.bytes, bytes, count);
    return marker;
}

static const struct protocol_marker markers[] = {
    {"\r\n", 2},
    {"\n", 1},
    {"\0", 1},
    {"\xff", 1},
    {"0", 1},
    {"f", 1},
    {"a", 1},
    {"g", 1},
    {"aa", 2},
    {"abab", 4},
    {"\r\r\n", 3},
    {"ggg", 3},
    {"0123456789abcdef", 16},
    {"fedcba9876543210", 16},
    {"\0\0\0\0", 4},
    {"aaaaaaaaaaaaaaaa", 16},
    {"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f", 16}};

static const uint8_t *first_marker(const uint8_t *frame, size_t bytes,
                                   const struct protocol_marker *marker)
{
    return memmem(frame, bytes, marker->bytes, marker->count);
}

/* ---- frames ---- */

static void frame_check_all(const struct protocol_marker *marker, uint32_t length, uint32_t seq)
{
    static uint8_t frame[200000];
    struct protocol_header header;
    assert_true(length <= sizeof frame);
    protocol_frame_write(frame, length, seq, 0x0123456789abcdefu + seq, 42, marker);
    assert_ptr_equal(first_marker(frame, length, marker), frame + length - marker->count);
    assert_int_equal(protocol_header_read(frame, marker, &header), 0);
    assert_int_equal(header.seq, seq);
    assert_int_equal(header.length, length);
    assert_true(header.sent_ns == 0x0123456789abcdefu + seq);
    assert_true(header.check == protocol_frame_check(frame, length, marker));
}

TEST(test_first_marker_is_the_end)
{
    for (size_t m = 0; m < COUNT(markers); m++) {
        for (uint32_t length = PROTOCOL_FRAME_BYTES_MIN; length < 600; length++)
            frame_check_all(&markers[m], length, length * 7);
        frame_check_all(&markers[m], 100000, 0);
        frame_check_all(&markers[m], 65536 + 66, UINT32_MAX);
        frame_check_all(&markers[m], 200000, 99);
    }
}

/* Markers cut out of the very noise that the payload is copied from, so that there is always
 * something to mend, wherever it lies and however long it is; also such that would straddle the
 * payload's end. */
TEST(test_markers_cut_from_the_payload)
{
    uint8_t raw[500], frame[500];
    struct protocol_marker outside = marker_of("\0", 1);
    unsigned mended = 0;
    for (unsigned count = 1; count <= PROTOCOL_MARKER_BYTES_MAX; count++) {
        for (size_t at = PROTOCOL_HEADER_BYTES; at + 1 < sizeof raw; at++) {
            protocol_frame_write(raw, sizeof raw, 8, 0, 3, &outside);
            size_t left = sizeof raw - at;
            struct protocol_marker marker =
                marker_of((char *)raw + at, left < count ? left : count);
            protocol_frame_write(frame, sizeof frame, 8, 0, 3, &marker);
            assert_ptr_equal(first_marker(frame, sizeof frame, &marker),
                             frame + sizeof frame - marker.count);
            mended += at < sizeof raw - 2 * PROTOCOL_MARKER_BYTES_MAX &&
                      memcmp(raw + at, frame + at, marker.count) != 0;
        }
    }
    assert_true(mended > 5000);
}

TEST(test_payload_holds_all_values)
{
    static uint8_t frame[100000];
    struct protocol_marker marker = marker_of("\r\n", 2);
    bool seen[256] = {false};
    protocol_frame_write(frame, sizeof frame, 1, 0, 5, &marker);
    for (size_t i = PROTOCOL_HEADER_BYTES; i < sizeof frame - 2; i++)
        seen[frame[i]] = true;
    for (unsigned value = 0; value < 256; value++)
        assert_true(seen[value]);
}

TEST(test_check_is_xxh3_of_both_parts)
{
    uint8_t frame[777], joined[777];
    struct protocol_marker marker = marker_of("end!", 4);
    struct protocol_header header;
    protocol_frame_write(frame, sizeof frame, 3, 77, 1, &marker);
    memcpy(joined, frame, 32);
    memcpy(joined + 32, frame + 48, sizeof frame - 48 - 4);
    assert_int_equal(protocol_header_read(frame, &marker, &header), 0);
    assert_true(header.check == XXH3_64bits(joined, sizeof frame - 16 - 4));
}

TEST(test_check_sees_every_byte)
{
    uint8_t frame[256];
    struct protocol_marker marker = marker_of("\r\n", 2);
    protocol_frame_write(frame, sizeof frame, 3, 77, 1, &marker);
    uint64_t check = protocol_frame_check(frame, sizeof frame, &marker);
    for (size_t i = 0; i < sizeof frame - marker.count; i++) {
        if (i >= 32 && i < PROTOCOL_HEADER_BYTES)
            continue;
        frame[i] ^= 1;
        assert_true(protocol_frame_check(frame, sizeof frame, &marker) != check);
        frame[i] ^= 1;
    }
}

TEST(test_frames_differ_by_seed_and_seq)
{
    uint8_t one[300], other[300];
    struct protocol_marker marker = marker_of("\r\n", 2);
    protocol_frame_write(one, sizeof one, 0, 0, 1, &marker);
    protocol_frame_write(other, sizeof other, 0, 0, 1, &marker);
    assert_memory_equal(one, other, sizeof one);
    protocol_frame_write(other, sizeof other, 0, 0, 2, &marker);
    assert_memory_not_equal(one + 48, other + 48, 250);
    protocol_frame_write(other, sizeof other, 1, 0, 1, &marker);
    assert_memory_not_equal(one + 48, other + 48, 250);
}

TEST(test_bad_headers)
{
    struct protocol_marker crlf = marker_of("\r\n", 2), digit = marker_of("7", 1);
    struct protocol_header header;
    uint8_t frame[100];
    protocol_frame_write(frame, sizeof frame, 0x77, 0, 1, &digit);
    assert_int_equal(protocol_header_read(frame, &digit, &header), 0);
    assert_int_equal(header.seq, 0x77);
    assert_int_equal(protocol_header_read(frame, &crlf, &header), -1); /* 'g' stands for nothing */
    for (size_t i = 0; i < PROTOCOL_HEADER_BYTES; i++) {
        protocol_frame_write(frame, sizeof frame, 0, 0, 1, &crlf);
        for (unsigned byte = 0; byte < 256; byte++) {
            const bool is_digit = byte != 0 && strchr("0123456789abcdef", (int)byte) != NULL;
            frame[i] = (uint8_t)byte;
            assert_int_equal(protocol_header_read(frame, &crlf, &header), is_digit ? 0 : -1);
        }
        protocol_frame_write(frame, sizeof frame, 0, 0, 1, &digit);
        frame[i] = '7';
        assert_int_equal(protocol_header_read(frame, &digit, &header), -1);
    }
}

/* ---- lengths ---- */

TEST(test_lengths_are_uniform)
{
    enum { DRAWS = 200000, BINS = 20 };
    unsigned bins[BINS] = {0};
    double sum = 0;
    for (uint64_t seq = 0; seq < DRAWS; seq++) {
        uint32_t length = protocol_frame_length(7, seq, 256, 100000);
        assert_in_range(length, 256, 100000);
        sum += length;
        bins[(uint64_t)(length - 256) * BINS / (100000 - 256 + 1)]++;
    }
    assert_true(sum / DRAWS > 50128 - 300 && sum / DRAWS < 50128 + 300);
    double chi_square = 0, expected = (double)DRAWS / BINS;
    for (unsigned i = 0; i < BINS; i++)
        chi_square += (bins[i] - expected) * (bins[i] - expected) / expected;
    assert_true(chi_square < 50); /* 19 degrees of freedom: above 50 once in 8000 seeds */
}

TEST(test_lengths_reach_both_ends)
{
    bool seen[4] = {false};
    for (uint64_t seq = 0; seq < 100; seq++)
        seen[protocol_frame_length(1, seq, 100, 103) - 100] = true;
    for (unsigned i = 0; i < 4; i++)
        assert_true(seen[i]);
    assert_int_equal(protocol_frame_length(9, 9, 1250000, 1250000), 1250000);
    assert_in_range(protocol_frame_length(9, 9, PROTOCOL_FRAME_BYTES_MIN, PROTOCOL_FRAME_BYTES_MAX),
                    PROTOCOL_FRAME_BYTES_MIN, PROTOCOL_FRAME_BYTES_MAX);
}

TEST(test_lengths_differ_by_seed)
{
    unsigned same = 0;
    for (uint64_t seq = 0; seq < 1000; seq++)
        same += protocol_frame_length(1, seq, 256, 100000) ==
                protocol_frame_length(2, seq, 256, 100000);
    assert_true(same < 5);
}

/* ---- lines ---- */

static void cut_line_end(char *line, int bytes)
{
    assert_true(bytes > 2);
    assert_int_equal((int)strlen(line), bytes);
    assert_string_equal(line + bytes - 2, "\r\n");
    line[bytes - 2] = '\0';
}

TEST(test_go_reads_back)
{
    const double rates[] = {0, 0.001, 1.0 / 3, 2.5, 500, 1234567.0 / 8, 1e6};
    char line[PROTOCOL_LINE_BYTES_MAX];
    for (size_t i = 0; i < COUNT(rates) * 2; i++) {
        struct protocol_go go = {
            .run = 0xfeed000000000000u + i,
            .frames = i % 2 ? PROTOCOL_FRAMES_MAX : 1,
            .size_min = PROTOCOL_FRAME_BYTES_MIN,
            .size_max = PROTOCOL_FRAME_BYTES_MAX,
            .rate = rates[i / 2],
            .seed = UINT64_MAX - i,
            .source = i % 2 ? PROTOCOL_LIVE : PROTOCOL_TAPE,
            .marker = marker_of("\0\r\n\xff", i % 4 + 1),
            .from = i % 4 == 1 ? PROTOCOL_FRAMES_MAX - 1 : 0,
            .ago_ns = i % 3 == 1 ? PROTOCOL_AGO_NS_MAX : 0,
            .hold = i % 3 == 1,
        };
        struct protocol_request request;
        cut_line_end(line, protocol_write_go(&go, line, sizeof line));
        assert_null(protocol_read_request(line, &request));
        assert_int_equal(request.kind, PROTOCOL_GO);
        assert_true(request.go.run == go.run && request.go.seed == go.seed);
        assert_true(request.go.frames == go.frames && request.go.rate == go.rate);
        assert_int_equal(request.go.size_min, go.size_min);
        assert_int_equal(request.go.size_max, go.size_max);
        assert_int_equal(request.go.source, go.source);
        assert_true(request.go.from == go.from && request.go.ago_ns == go.ago_ns);
        assert_int_equal(request.go.hold, go.hold);
        assert_int_equal(request.go.marker.count, go.marker.count);
        assert_memory_equal(request.go.marker.bytes, go.marker.bytes, go.marker.count);
    }
}

#define GO_LINE                                                                                    \
    "FANIN/1 GO run=00000000000000ff frames=10 size=256..1000 rate=5 seed=1 source=tape "          \
    "marker=0d0a"

TEST(test_go_fields_in_any_order)
{
    struct protocol_request request;
    assert_null(protocol_read_request(GO_LINE, &request));
    assert_null(
        protocol_read_request("FANIN/1 GO marker=0d0a source=live rate=1e3 seed=1 frames=10 "
                              "size=256..256 run=00000000000000ff",
                              &request));
    assert_true(request.go.rate == 1000);
}

/* Each line is GO_LINE with one thing replaced. */
static const struct {
    const char *old, *new[19];
} spoilt[] = {
    {"FANIN/1", {"FANIN/2"}},
    {"FANIN/1 GO", {"FANIN/1 go", "FANIN/1  GO"}},
    {"GO run", {"GO  run"}},
    {"run=00000000000000ff", {"run=ff", "run=00000000000000fg", "run=00000000000000FF"}},
    {"run=00000000000000ff ", {""}},
    {"frames=10",
     {"frames=0", "frames=100000001", "frames=-1", "frames=+1", "frames=1x",
      "frames=", "frames=99999999999999999999", "frames=10 frames=10", "frames=10 more=1",
      "frames=0000000000000000000000000000000000000000000000000000000000000000000001",
      "frames=10 from=10", "frames=10 from=-1", "frames=10 from=1 from=1",
      "frames=10 from=", "frames=10 ago=1000000000000000001", "frames=10 hold=2",
      "frames=10 hold=", "frames=10 hold=01", "frames=10 hold=1 hold=1"}},
    {"size=256..1000",
     {"size=256", "size=1000..256", "size=64..1000", "size=256..67108865", "size=256...1000",
      "size=..1000", "size=00000000000000000000000000256..1000"}},
    {"rate=5",
     {"rate=-5", "rate=nan", "rate=inf", "rate=0x5", "rate=", "rate=5e", "rate=0.0001",
      "rate=1000001", "rate=1e999"}},
    {"seed=1", {"seed=18446744073709551616", "seed= 1"}},
    {"source=tape", {"source=disk", "source="}},
    {"marker=0d0a",
     {"marker=", "marker=0", "marker=0D0A", "marker=000102030405060708090a0b0c0d0e0f10",
      "marker=0d0a "}},
    {" marker=0d0a", {""}},
};

TEST(test_bad_go_lines)
{
    for (size_t i = 0; i < COUNT(spoilt); i++)
        for (size_t k = 0; k < COUNT(spoilt[i].new) && spoilt[i].new[k] != NULL; k++) {
            char line[PROTOCOL_LINE_BYTES_MAX];
            struct protocol_request request;
            const char *at = strstr(GO_LINE, spoilt[i].old);
            assert_non_null(at);
            snprintf(line, sizeof line, "%.*s%s%s", (int)(at - GO_LINE), GO_LINE, spoilt[i].new[k],
                     at + strlen(spoilt[i].old));
            if (protocol_read_request(line, &request) == NULL)
                fail_msg("taken for a good line: %s", line);
        }
}

TEST(test_login)
{
    struct protocol_request request;
    char line[PROTOCOL_LINE_BYTES_MAX], name[PROTOCOL_NAME_BYTES_MAX + 2];
    memset(name, 'x', sizeof name);
    name[PROTOCOL_NAME_BYTES_MAX + 1] = '\0';
    assert_int_equal(protocol_write_login(name, "secret", line, sizeof line), -1);
    name[PROTOCOL_NAME_BYTES_MAX] = '\0';
    cut_line_end(line, protocol_write_login(name, "s:~!", line, sizeof line));
    assert_null(protocol_read_request(line, &request));
    assert_int_equal(request.kind, PROTOCOL_LOGIN);
    assert_string_equal(request.user, name);
    assert_string_equal(request.password, "s:~!");
    assert_int_equal(protocol_write_login("", "secret", line, sizeof line), -1);
    assert_int_equal(protocol_write_login("two words", "secret", line, sizeof line), -1);
    assert_int_equal(protocol_write_login("user", "line\n", line, sizeof line), -1);
    const char *bad[] = {"FANIN/1 LOGIN ",          "FANIN/1 LOGIN user",  "FANIN/1 LOGIN user ",
                         "FANIN/1 LOGIN  password", "FANIN/1 LOGIN a b c", "FANIN/1 LOGIN a\tb c"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(protocol_read_request(bad[i], &request));
}

TEST(test_start)
{
    const uint64_t times_ns[] = {0, 1, PROTOCOL_IN_NS_MAX};
    struct protocol_request request;
    char line[PROTOCOL_LINE_BYTES_MAX];
    for (size_t i = 0; i < COUNT(times_ns); i++) {
        cut_line_end(line, protocol_write_start(0xabc + i, times_ns[i], line, sizeof line));
        assert_null(protocol_read_request(line, &request));
        assert_int_equal(request.kind, PROTOCOL_START);
        assert_true(request.go.run == 0xabc + i && request.in_ns == times_ns[i]);
    }
    assert_null(protocol_read_request("FANIN/1 START in=5 run=00000000000000ff", &request));
    const char *bad[] = {"FANIN/1 START run=00000000000000ff",
                         "FANIN/1 START in=5",
                         "FANIN/1 START run=00000000000000ff in=60000000001",
                         "FANIN/1 START run=00000000000000ff in=-1",
                         "FANIN/1 START run=ff in=5",
                         "FANIN/1 START run=00000000000000ff in=5 in=5",
                         "FANIN/1 START run=00000000000000ff in=5 hold=1"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(protocol_read_request(bad[i], &request));
}

TEST(test_stats)
{
    struct protocol_stats stats = {1, 2, 200, 3, UINT64_MAX, 5, 6, UINT64_MAX, 8}, back;
    struct protocol_request request;
    char line[PROTOCOL_LINE_BYTES_MAX];
    cut_line_end(line, protocol_write_stats_request(0xabc, line, sizeof line));
    assert_null(protocol_read_request(line, &request));
    assert_int_equal(request.kind, PROTOCOL_STATS);
    assert_true(request.go.run == 0xabc);
    assert_non_null(protocol_read_request("FANIN/1 STATS run=0", &request));
    assert_non_null(protocol_read_request("FANIN/1 STATS run=0000000000000000 frames=1", &request));
    cut_line_end(line, protocol_write_stats(&stats, line, sizeof line));
    assert_null(protocol_read_stats(line, &back));
    assert_memory_equal(&back, &stats, sizeof stats);
    assert_non_null(protocol_read_stats("STATS run=0000000000000001", &back));
    assert_non_null(protocol_read_stats("NO idea", &back));
}

TEST(test_time)
{
    struct protocol_request request;
    uint64_t wall_ns = 0;
    char line[PROTOCOL_LINE_BYTES_MAX];
    cut_line_end(line, protocol_write_time_request(line, sizeof line));
    assert_string_equal(line, "FANIN/1 TIME");
    assert_null(protocol_read_request(line, &request));
    assert_int_equal(request.kind, PROTOCOL_TIME);
    assert_non_null(protocol_read_request("FANIN/1 TIME ", &request));
    assert_non_null(protocol_read_request("FANIN/1 TIMES", &request));
    cut_line_end(line, protocol_write_time(UINT64_MAX, line, sizeof line));
    assert_null(protocol_read_time(line, &wall_ns));
    assert_true(wall_ns == UINT64_MAX);
    assert_non_null(protocol_read_time("TIME", &wall_ns));
    assert_non_null(protocol_read_time("TIME wall_ns=-1", &wall_ns));
    assert_non_null(protocol_read_time("TIME wall_ns=1 wall_ns=2", &wall_ns));
    assert_non_null(protocol_read_time("NO idea", &wall_ns));
}

TEST(test_lines_that_do_not_fit)
{
    struct protocol_go go = {.frames = 1, .size_min = 256, .size_max = 256};
    struct protocol_stats stats = {0};
    char line[PROTOCOL_LINE_BYTES_MAX];
    go.marker = marker_of("\r\n", 2);
    int bytes = protocol_write_go(&go, line, sizeof line);
    assert_int_equal(protocol_write_go(&go, line, (size_t)bytes + 1), bytes);
    assert_int_equal(protocol_write_go(&go, line, (size_t)bytes), -1);
    assert_int_equal(protocol_write_login("user", "password", line, 10), -1);
    assert_int_equal(protocol_write_start(1, 1, line, 10), -1);
    assert_int_equal(protocol_write_stats_request(1, line, 10), -1);
    assert_int_equal(protocol_write_stats(&stats, line, 10), -1);
    assert_int_equal(protocol_write_time_request(line, 10), -1);
    assert_int_equal(protocol_write_time(1, line, 10), -1);
}

TEST(test_other_lines)
{
    struct protocol_request request;
    const char *bad[] = {"", "FANIN/1", "FANIN/1 ", "GET / HTTP/1.1", "FANIN/1 GO", "FANIN/1 STOP"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_non_null(protocol_read_request(bad[i], &request));
}
