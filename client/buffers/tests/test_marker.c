/* The marker search against a naive one that compares at every position. */
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/tests/test.h"
#include "client/buffers/marker.h"

enum { STREAM_BYTES = 2000, ENDS_MAX = STREAM_BYTES, SKIPPED_BYTES = 600 };

struct ends {
    size_t at[ENDS_MAX];
    unsigned count;
};

static struct marker marker_of(const char *bytes, unsigned count)
{
    struct marker marker;
    marker_init(&marker, (const uint8_t *)bytes, count);
    return marker;
}

/* Markers that do not overlap, from the left. */
static void find_naively(const struct marker *marker, const uint8_t *data, size_t bytes,
                         struct ends *ends)
{
    ends->count = 0;
    for (size_t at = 0; at + marker->count <= bytes;) {
        if (memcmp(data + at, marker->bytes, marker->count) == 0) {
            at += marker->count;
            ends->at[ends->count++] = at;
        } else {
            at++;
        }
    }
}

/* Feeds data[from..to) as one piece, in memory of its own, so that a read beyond it is caught. */
static void feed(const struct marker *marker, struct marker_state *state, const uint8_t *data,
                 size_t from, size_t to, struct ends *ends)
{
    if (from == to)
        return;
    uint8_t *piece = malloc(to - from);
    assert_non_null(piece);
    memcpy(piece, data + from, to - from);
    for (size_t at = from; at < to;) {
        const size_t end = marker_find(marker, state, piece + (at - from), to - at);
        if (end == 0)
            break;
        assert_true(end <= to - at);
        at += end;
        ends->at[ends->count++] = at;
    }
    free(piece);
}

/* The ends that were found are those of a naive search. */
static void check_ends(const struct ends *is, const struct marker *marker, const uint8_t *data,
                       size_t bytes)
{
    static struct ends should;
    find_naively(marker, data, bytes, &should);
    assert_int_equal(is->count, should.count);
    assert_memory_equal(is->at, should.at, should.count * sizeof should.at[0]);
}

TEST(test_every_position_and_split)
{
    static const char letters[] = "MARKER-BY-LETTER";
    for (unsigned count = 1; count <= MARKER_BYTES_MAX; count++) {
        const struct marker marker = marker_of(letters, count);
        for (size_t before = 0; before < 24; before++) {
            uint8_t data[64];
            const size_t bytes = before + count + 5;
            memset(data, '.', bytes);
            memcpy(data + before, letters, count);
            for (size_t split = 0; split <= bytes; split++) {
                for (size_t second = split; second <= bytes; second++) {
                    struct marker_state at = {0};
                    struct ends is = {.count = 0};
                    feed(&marker, &at, data, 0, split, &is);
                    feed(&marker, &at, data, split, second, &is);
                    feed(&marker, &at, data, second, bytes, &is);
                    assert_int_equal(is.count, 1);
                    assert_int_equal(is.at[0], before + count);
                }
            }
        }
    }
}

TEST(test_one_byte_at_a_time)
{
    static const char text[] = "one\r\ntwo\r\r\nthree\n\r\n\r\n";
    const struct marker marker = marker_of("\r\n", 2);
    struct marker_state at = {0};
    struct ends is = {.count = 0};
    for (size_t i = 0; i < sizeof text - 1; i++)
        feed(&marker, &at, (const uint8_t *)text, i, i + 1, &is);
    assert_int_equal(is.count, 4);
    check_ends(&is, &marker, (const uint8_t *)text, sizeof text - 1);
}

/* Few different bytes, so that markers, beginnings of markers and overlaps come thick. */
TEST(test_random_chunks_against_naive)
{
    static const struct {
        const char *bytes;
        unsigned count;
    } markers[] = {{"a", 1},
                   {"ab", 2},
                   {"aa", 2},
                   {"aab", 3},
                   {"aaa", 3},
                   {"abab", 4},
                   {"abaab", 5},
                   {"aaaab", 5},
                   {"\0a", 2},
                   {"bb\0b", 4},
                   {"abcabcab", 8},
                   {"aaaaaaaaaaaaaaab", 16},
                   {"ababababababababab", 16}};
    const unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    for (unsigned m = 0; m < sizeof markers / sizeof markers[0]; m++) {
        struct marker marker = marker_of(markers[m].bytes, markers[m].count);
        for (unsigned round = 0; round < 200; round++) {
            if (round % 50 == 0 && !marker_use(&marker, round / 50))
                break;
            static uint8_t data[STREAM_BYTES];
            static struct ends is;
            struct marker_state at = {0};
            const int letters = 1 + rand() % 4, longest = 1 + rand() % 300;
            is.count = 0;
            for (size_t i = 0; i < sizeof data; i++)
                data[i] = (uint8_t) "ab\0c"[rand() % letters];
            for (size_t from = 0; from < sizeof data;) {
                size_t to = from + 1 + (size_t)(rand() % longest);
                if (to > sizeof data)
                    to = sizeof data;
                feed(&marker, &at, data, from, to, &is);
                from = to;
            }
            check_ends(&is, &marker, data, sizeof data);
        }
    }
}

/* After enough false hits the search goes by pairs: the marker is put everywhere behind them. */
TEST(test_where_the_rarest_byte_is_common)
{
    enum { BYTES = 1200, FROM = 400 };
    static const char *const markers[] = {"\r\n", "\n\r", "x\rx\n", "\r0123456789\n"};
    for (unsigned m = 0; m < sizeof markers / sizeof markers[0]; m++) {
        const struct marker marker = marker_of(markers[m], (unsigned)strlen(markers[m]));
        for (size_t before = FROM; before + marker.count <= BYTES; before++) {
            uint8_t data[BYTES];
            struct marker_state at = {0};
            struct ends is = {.count = 0};
            memset(data, marker.bytes[marker.rarest], sizeof data);
            data[before - 1] = '-';
            memcpy(data + before, marker.bytes, marker.count);
            feed(&marker, &at, data, 0, before + marker.count, &is);
            assert_int_equal(is.count, 1);
            assert_int_equal(is.at[0], before + marker.count);
        }
    }
}

/* How many of `starts` positions are skipped where the marker's first byte is everywhere and the
 * marker at `before` only; SIZE_MAX: nowhere. */
static size_t skipped(const struct marker *marker, size_t starts, size_t before)
{
    uint8_t data[SKIPPED_BYTES];
    memset(data, '\r', sizeof data);
    if (before < sizeof data - 1)
        data[before + 1] = '\n';
    return marker->skip_ahead(marker, data, starts);
}

TEST(test_skips_to_the_first_pair)
{
    struct marker marker = marker_of("\r\n", 2);
    const size_t most = SKIPPED_BYTES - 1;
    unsigned codes = 0;
    for (; marker_use(&marker, codes); codes++) {
        for (size_t starts = 1; starts <= most; starts++)
            assert_int_equal(skipped(&marker, starts, (starts + 1) * 7 % starts),
                             (starts + 1) * 7 % starts);
        for (size_t before = 0; before < most; before++)
            assert_int_equal(skipped(&marker, most, before), before);
        for (size_t starts = 1; starts <= most; starts++)
            assert_int_equal(skipped(&marker, starts, SIZE_MAX), starts);
    }
    assert_true(codes >= 1);
}

/* Pieces that end at the last byte of mapped memory, and begin at the first. */
TEST(test_never_reads_beyond_a_piece)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *pages = mmap(NULL, 3 * page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *middle = pages + page_bytes;
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(middle, page_bytes, PROT_READ | PROT_WRITE), 0);
    for (unsigned count = 1; count <= MARKER_BYTES_MAX; count++) {
        const struct marker marker = marker_of("\r\nabcdefghijklmn", count);
        for (size_t bytes = 1; bytes < 700; bytes++) {
            struct marker_state at = {.crowded = bytes % 2 != 0};
            uint8_t *piece = middle + page_bytes - bytes;
            memset(middle, '\r', page_bytes);
            if (count > 1)
                assert_int_equal(marker_find(&marker, &at, piece, bytes), 0);
            assert_int_equal(at.begun, count > 1);
            at = (struct marker_state){0};
            if (bytes >= count)
                memcpy(middle + bytes - count, marker.bytes, count);
            assert_int_equal(marker_find(&marker, &at, middle, bytes) != 0,
                             bytes >= count || count == 1);
        }
    }
    munmap(pages, 3 * page_bytes);
}

TEST(test_goes_by_the_rarest_byte)
{
    assert_int_equal(marker_of("\r\n", 2).rarest, 0);
    assert_int_equal(marker_of("\n\r", 2).rarest, 1);
    assert_int_equal(marker_of("end\x1f", 4).rarest, 3);
    assert_int_equal(marker_of("\0\0\x9c\0", 4).rarest, 2);
    assert_int_equal(marker_of(" e;", 3).rarest, 2);
    assert_int_equal(marker_of("aab", 3).companion, 0);
    assert_int_equal(marker_of("x", 1).companion, 0);
}
