/* The speed of the marker search: each code that this processor runs, over frames of random bytes
 * and of text, beside libc's memmem. One run; each round measures all of them.
 *
 *     bench_marker        REQUIRE=1: exit code 1 when the target is missed
 *
 * Pieces are as large as a block, since that is what is searched while it is hot. In random bytes
 * every 256th is a false hit for a search by one byte. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/buffers/marker.h"
#include "base/os.h"
#include "base/tests/rounds.h"

enum {
    ROUNDS = 9,
    FRAME_BYTES = 100000,
    PIECE_BYTES = 16 << 10, /* a block */
    RUN_BYTES = 100 << 20,
    CODES_MAX = 4,
};

#define TARGET_GB 20 /* a second, in random frames: several times what a kernel's receive does */

struct text {
    const char *name, *marker;
    bool random;
    bool has_target;
};

static const struct text texts[] = {
    {"random, 2 bytes", "\r\n", true, true},
    {"random, 4 bytes", "\r\n\r\n", true, true},
    {"text, 2 bytes", "\r\n", false, false},
};

static void fill(uint8_t *frame, const struct text *text)
{
    static const char words[] = "the value of sensor 7 is 1.25 mm at 20 degrees; ";
    const size_t count = strlen(text->marker);
    uint64_t state = 88172645463325252;
    for (size_t i = 0; i < FRAME_BYTES; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        frame[i] = text->random ? (uint8_t)state : (uint8_t)words[i % (sizeof words - 1)];
    }
    for (uint8_t *hit = frame;
         (hit = memmem(hit, (size_t)(frame + FRAME_BYTES - hit), text->marker, count)) != NULL;)
        *hit = '-';
    memcpy(frame + FRAME_BYTES - count, text->marker, count);
}

/* The frame in pieces, as it is received. */
static bool find_in_pieces(const struct marker *marker, struct marker_state *state,
                           const uint8_t *frame)
{
    size_t at = 0, end = 0;
    while (at < FRAME_BYTES && end == 0) {
        const size_t left = FRAME_BYTES - at;
        end = marker_find(marker, state, frame + at, left < PIECE_BYTES ? left : PIECE_BYTES);
        at += PIECE_BYTES;
    }
    return end != 0 && at >= FRAME_BYTES;
}

static double gb_per_s(uint64_t began_ns)
{
    return RUN_BYTES / FRAME_BYTES * FRAME_BYTES / (double)(os_now_ns() - began_ns);
}

static double ours(const struct marker *marker, const uint8_t *frame)
{
    struct marker_state state = {0};
    const uint64_t began_ns = os_now_ns();
    for (unsigned i = 0; i < RUN_BYTES / FRAME_BYTES; i++)
        if (!find_in_pieces(marker, &state, frame))
            abort();
    return gb_per_s(began_ns);
}

/* Volatile: the compiler knows memmem's result to be the same every time. */
static void *(*volatile search)(const void *, size_t, const void *, size_t) = memmem;

static double by_memmem(const struct marker *marker, const uint8_t *frame)
{
    const uint64_t began_ns = os_now_ns();
    for (unsigned i = 0; i < RUN_BYTES / FRAME_BYTES; i++)
        if (search(frame, FRAME_BYTES, marker->bytes, marker->count) !=
            frame + FRAME_BYTES - marker->count)
            abort();
    return gb_per_s(began_ns);
}

static void print(const char *text, const char *way, const double *rates, const char *mark)
{
    const struct summary rate = summary_of(rates, ROUNDS);
    printf("%-16s %-22s %8.1f  %.1f..%.1f  %s\n", text, way, rate.median, rate.least, rate.most,
           mark);
}

/* True: the fastest code reaches the target, or there is none. */
static bool compare(const struct text *text, uint8_t *frame)
{
    static double rates[CODES_MAX + 1][ROUNDS];
    struct marker marker;
    unsigned codes = 0;
    fill(frame, text);
    marker_init(&marker, (const uint8_t *)text->marker, (unsigned)strlen(text->marker));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (codes = 0; codes < CODES_MAX && marker_use(&marker, codes); codes++)
            rates[codes][round] = ours(&marker, frame);
        rates[CODES_MAX][round] = by_memmem(&marker, frame);
    }
    const bool reached = summary_of(rates[0], ROUNDS).median >= TARGET_GB;
    for (unsigned code = 0; code < codes; code++) {
        char way[32];
        snprintf(way, sizeof way, "ours, code %u of %u", code + 1, codes);
        print(text->name, way, rates[code],
              code > 0 || !text->has_target ? ""
              : reached                     ? ">= 20  reached"
                                            : ">= 20  MISSED");
    }
    print(text->name, "memmem", rates[CODES_MAX], "");
    return reached || !text->has_target;
}

int main(void)
{
    uint8_t *frame = malloc(FRAME_BYTES);
    bool reached = true;
    if (frame == NULL)
        return 3;
    printf("%-16s %-22s %8s  %s\n", "frames of 100 kB", "way", "GB/s", "range");
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        reached &= compare(&texts[i], frame);
    free(frame);
    return reached || getenv("REQUIRE") == NULL ? 0 : 1;
}
