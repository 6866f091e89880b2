/* Searches pieces of a stream for the end marker: two searches, one after the other, on each piece.
 *
 *  begun | piece        a marker that began in earlier pieces ends within the first count-1 bytes
 *   .....|.....         of this one: both sides of the border are laid side by side and compared
 *
 *          piece        a marker that lies whole in the piece: memchr for the rarest byte and a
 *        |...........|  comparison around each hit
 *
 * The first always ends before the second could, so the first hit found is the first in the stream.
 *
 * memchr runs at cache speed while its byte is rare, but every false hit costs a call. So the first
 * NEAR_BYTES, where a small frame ends, are searched for two of the marker's bytes at their
 * distance: slower than a memchr that never stops, twice as fast as one that stops often, and a
 * small frame costs one call. Where memchr has more than one false hit in FALSE_HIT_BYTES (random
 * data has one in 256), the rest is searched like that, too. Every search is linear in any data. */
#include "client/buffers/marker.h"

#include <assert.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

enum {
    STRETCH_BYTES = 64,    /* searched for two bytes before the result is tested */
    NEAR_BYTES = 512,      /* of each frame and piece, searched for two bytes in any data */
    FALSE_HITS_MIN = 4,    /* before the rate of false hits means anything */
    FALSE_HIT_BYTES = 512, /* what a false hit costs, in bytes skipped without one */
    NOT_FOUND_BYTES = 0,
};

typedef uint8_t lane __attribute__((vector_size(16)));
typedef uint64_t lane_words __attribute__((vector_size(16)));

/* How common a byte is in what devices send: binary numbers (many zeros, few high bytes, ones),
 * text (blanks, letters in the order of their frequency in English, digits, line ends). A line feed
 * comes without a carriage return more often than the other way round. Only the order matters. */
static unsigned commonness(uint8_t byte)
{
    static const char by_frequency[] = "etaoinsrhldcumfpgwybvkxjqz";
    const char *letter = memchr(by_frequency, byte, sizeof by_frequency - 1);
    if (byte == 0x00)
        return 255;
    if (byte == ' ')
        return 250;
    if (letter != NULL)
        return 240 - (unsigned)(letter - by_frequency);
    if (byte == 0xff)
        return 200;
    if (byte >= '0' && byte <= '9')
        return 190;
    if (byte == '\n')
        return 180;
    if (byte == '\r')
        return 170;
    if (byte >= 'A' && byte <= 'Z')
        return 120;
    if (byte < 8)
        return 100 - byte;
    if (byte > ' ' && byte < 0x7f)
        return 80;
    return byte >= 0x80 ? 60 : 20;
}

/* The byte that is compared besides the rarest: a different one if the marker has two, so that a
 * run of one byte does not match both. */
static unsigned companion(const struct marker *marker)
{
    unsigned best = marker->rarest == 0 ? marker->count - 1 : 0;
    for (unsigned i = 0; i < marker->count; i++)
        if (marker->bytes[i] != marker->bytes[marker->rarest] &&
            (marker->bytes[best] == marker->bytes[marker->rarest] ||
             commonness(marker->bytes[i]) < commonness(marker->bytes[best])))
            best = i;
    return best;
}

/* The lanes of 16 positions where both bytes match. */
static lane both_match(const uint8_t *first, lane first_byte, const uint8_t *second,
                       lane second_byte)
{
    lane here, there;
    memcpy(&here, first, sizeof here);
    memcpy(&there, second, sizeof there);
    return (lane)(here == first_byte) & (lane)(there == second_byte);
}

/* Position by position, where fewer are left than a register has. */
static size_t skip_few(const struct marker *marker, const uint8_t *at, size_t passed, size_t starts)
{
    const uint8_t a = marker->bytes[marker->rarest], b = marker->bytes[marker->companion];
    while (passed < starts &&
           (at[passed + marker->rarest] != a || at[passed + marker->companion] != b))
        passed++;
    return passed;
}

static size_t skip_any(const struct marker *marker, const uint8_t *at, size_t starts)
{
    const lane first_byte = (lane){0} + marker->bytes[marker->rarest];
    const lane second_byte = (lane){0} + marker->bytes[marker->companion];
    const uint8_t *first = at + marker->rarest, *second = at + marker->companion;
    size_t passed = 0;
    for (; starts - passed >= STRETCH_BYTES; passed += STRETCH_BYTES) {
        lane matches = both_match(first, first_byte, second, second_byte) |
                       both_match(first + 16, first_byte, second + 16, second_byte) |
                       both_match(first + 32, first_byte, second + 32, second_byte) |
                       both_match(first + 48, first_byte, second + 48, second_byte);
        lane_words words = (lane_words)matches;
        if ((words[0] | words[1]) != 0)
            break;
        first += STRETCH_BYTES;
        second += STRETCH_BYTES;
    }
    return skip_few(marker, at, passed, starts);
}

#ifdef __x86_64__
enum { AVX2_BYTES = 32 };

static inline __attribute__((target("avx2"), always_inline)) __m256i
both_match_avx2(const uint8_t *first, __m256i first_byte, const uint8_t *second,
                __m256i second_byte)
{
    __m256i here = _mm256_loadu_si256((const __m256i *)(const void *)first);
    __m256i there = _mm256_loadu_si256((const __m256i *)(const void *)second);
    return _mm256_and_si256(_mm256_cmpeq_epi8(here, first_byte),
                            _mm256_cmpeq_epi8(there, second_byte));
}

/* A bit for each of 64 positions, the first one lowest. */
static inline __attribute__((target("avx2"), always_inline)) uint64_t hits_avx2(__m256i low,
                                                                                __m256i high)
{
    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

/* The same, twice as wide: it searches every received byte when the payload is random. The rest is
 * searched too, its last part twice. */
__attribute__((target("avx2"))) static size_t skip_avx2(const struct marker *marker,
                                                        const uint8_t *at, size_t starts)
{
    const __m256i a = _mm256_set1_epi8((char)marker->bytes[marker->rarest]);
    const __m256i b = _mm256_set1_epi8((char)marker->bytes[marker->companion]);
    const uint8_t *first = at + marker->rarest, *second = at + marker->companion;
    size_t passed = 0;
    for (; starts - passed >= 4 * AVX2_BYTES; passed += 4 * AVX2_BYTES) {
        const uint8_t *here = first + passed, *there = second + passed;
        const __m256i one = both_match_avx2(here, a, there, b);
        const __m256i two = both_match_avx2(here + 32, a, there + 32, b);
        const __m256i three = both_match_avx2(here + 64, a, there + 64, b);
        const __m256i four = both_match_avx2(here + 96, a, there + 96, b);
        const __m256i any =
            _mm256_or_si256(_mm256_or_si256(one, two), _mm256_or_si256(three, four));
        if (_mm256_testz_si256(any, any))
            continue;
        const uint64_t low = hits_avx2(one, two);
        return low != 0 ? passed + (size_t)__builtin_ctzll(low)
                        : passed + 64 + (size_t)__builtin_ctzll(hits_avx2(three, four));
    }
    while (passed < starts && starts >= AVX2_BYTES) {
        if (starts - passed < AVX2_BYTES)
            passed = starts - AVX2_BYTES;
        const __m256i one = both_match_avx2(first + passed, a, second + passed, b);
        const uint32_t hits = (uint32_t)_mm256_movemask_epi8(one);
        if (hits != 0)
            return passed + (size_t)__builtin_ctz(hits);
        passed += AVX2_BYTES;
    }
    return skip_few(marker, at, passed, starts);
}

enum {
    WIDE_BYTES = 64,
    SOON_BYTES = 1024,
    EITHER_DIFFERS = 0xf6, /* of three bits a, b, c: a or (b exclusive-or c) */
};

/* Zero where both bytes match. */
static inline __attribute__((target("avx512bw"), always_inline)) __m512i
differ_avx512(const uint8_t *first, __m512i first_byte, const uint8_t *second, __m512i second_byte)
{
    __m512i here = _mm512_loadu_si512(first), there = _mm512_loadu_si512(second);
    return _mm512_ternarylogic_epi64(_mm512_xor_si512(here, first_byte), there, second_byte,
                                     EITHER_DIFFERS);
}

/* Wider still, and prefetches: received bytes lie in the second-level cache. The rest is searched
 * too, its last part twice. */
__attribute__((target("avx512bw"))) static size_t skip_avx512(const struct marker *marker,
                                                              const uint8_t *at, size_t starts)
{
    const __m512i a = _mm512_set1_epi8((char)marker->bytes[marker->rarest]);
    const __m512i b = _mm512_set1_epi8((char)marker->bytes[marker->companion]);
    const uint8_t *first = at + marker->rarest, *second = at + marker->companion;
    size_t passed = 0;
    for (; starts - passed >= 4 * WIDE_BYTES; passed += 4 * WIDE_BYTES) {
        const uint8_t *here = first + passed, *there = second + passed;
        for (unsigned line = 0; line < 4; line++)
            _mm_prefetch(here + SOON_BYTES + line * WIDE_BYTES, _MM_HINT_T0);
        __m512i one = _mm512_min_epu8(differ_avx512(here, a, there, b),
                                      differ_avx512(here + WIDE_BYTES, a, there + WIDE_BYTES, b));
        __m512i two =
            _mm512_min_epu8(differ_avx512(here + 2 * WIDE_BYTES, a, there + 2 * WIDE_BYTES, b),
                            differ_avx512(here + 3 * WIDE_BYTES, a, there + 3 * WIDE_BYTES, b));
        one = _mm512_min_epu8(one, two);
        if (_mm512_testn_epi8_mask(one, one) != 0)
            break;
    }
    while (passed < starts && starts >= WIDE_BYTES) {
        if (starts - passed < WIDE_BYTES)
            passed = starts - WIDE_BYTES;
        const __m512i one = differ_avx512(first + passed, a, second + passed, b);
        const uint64_t hits = _mm512_testn_epi8_mask(one, one);
        if (hits != 0)
            return passed + (size_t)__builtin_ctzll(hits);
        passed += WIDE_BYTES;
    }
    return skip_few(marker, at, passed, starts);
}
#endif

bool marker_use(struct marker *marker, unsigned index)
{
    unsigned count = 0;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512bw") && count++ == index)
        marker->skip_ahead = skip_avx512;
    if (__builtin_cpu_supports("avx2") && count++ == index)
        marker->skip_ahead = skip_avx2;
#endif
    if (count++ == index)
        marker->skip_ahead = skip_any;
    return index < count;
}

void marker_init(struct marker *marker, const uint8_t *bytes, unsigned count)
{
    assert(count >= 1 && count <= MARKER_BYTES_MAX);
    *marker = (struct marker){.count = count};
    memcpy(marker->bytes, bytes, count);
    for (unsigned i = 1; i < count; i++)
        if (commonness(bytes[i]) < commonness(bytes[marker->rarest]))
            marker->rarest = i;
    marker->companion = companion(marker);
    marker_use(marker, 0);
}

/* Markers are short and most places differ in the first byte: cheaper than a call. */
static bool is_at(const struct marker *marker, const uint8_t *at)
{
    for (unsigned i = 0; i < marker->count; i++)
        if (at[i] != marker->bytes[i])
            return false;
    return true;
}

/* The first of `starts` positions that holds the marker, or NULL. Reads count - 1 bytes more. */
static const uint8_t *search_pairs(const struct marker *marker, const uint8_t *at, size_t starts)
{
    const uint8_t *end = at + starts;
    while (at < end) {
        at += marker->skip_ahead(marker, at, (size_t)(end - at));
        if (at < end && is_at(marker, at))
            return at;
        at++;
    }
    return NULL;
}

/* The same where the rarest byte may be rare. After many false hits, in earlier pieces too, it goes
 * by pairs. */
static const uint8_t *search(const struct marker *marker, struct marker_state *state,
                             const uint8_t *at, size_t starts)
{
    const uint8_t rarest = marker->bytes[marker->rarest];
    const uint8_t *end = at + starts;
    const size_t near = starts <= NEAR_BYTES || state->crowded ? starts : NEAR_BYTES;
    const uint8_t *found = search_pairs(marker, at, near);
    const uint8_t *begin = at += near;
    size_t false_hits = 0;
    while (found == NULL && at < end) {
        const uint8_t *hit = memchr(at + marker->rarest, rarest, (size_t)(end - at));
        if (hit == NULL)
            return NULL;
        hit -= marker->rarest;
        if (is_at(marker, hit))
            return hit;
        at = hit + 1;
        state->crowded =
            ++false_hits >= FALSE_HITS_MIN && false_hits * FALSE_HIT_BYTES > (size_t)(at - begin);
        if (state->crowded)
            return search_pairs(marker, at, (size_t)(end - at));
    }
    return found;
}

/* A marker that began before the piece: after how many of the piece's bytes it ends. */
static size_t search_border(const struct marker *marker, const struct marker_state *state,
                            const uint8_t *piece, size_t bytes)
{
    uint8_t window[2 * MARKER_BYTES_MAX];
    const size_t before = state->begun;
    const size_t after = bytes < marker->count - 1 ? bytes : marker->count - 1;
    if (before + after < marker->count)
        return NOT_FOUND_BYTES;
    memcpy(window, marker->bytes, before);
    memcpy(window + before, piece, after);
    for (size_t start = 0; start < before && start + marker->count <= before + after; start++)
        if (is_at(marker, window + start))
            return start + marker->count - before;
    return NOT_FOUND_BYTES;
}

/* Keeps how much of a marker may have begun: the longest end of what has come that a marker starts
 * with. Anything before it cannot be part of one. */
static void remember(const struct marker *marker, struct marker_state *state, const uint8_t *piece,
                     size_t bytes)
{
    uint8_t window[2 * MARKER_BYTES_MAX];
    const size_t most = marker->count - 1;
    const uint8_t *end = piece + bytes;
    size_t begun = most;
    if (bytes < most) {
        memcpy(window, marker->bytes, state->begun);
        memcpy(window + state->begun, piece, bytes);
        end = window + state->begun + bytes;
        if (begun > state->begun + bytes)
            begun = state->begun + bytes;
    }
    while (begun > 0 && memcmp(end - begun, marker->bytes, begun) != 0)
        begun--;
    state->begun = (uint8_t)begun;
}

size_t marker_find(const struct marker *marker, struct marker_state *state, const uint8_t *piece,
                   size_t bytes)
{
    assert(marker->count >= 1 && marker->count <= MARKER_BYTES_MAX);
    assert(state->begun < marker->count);
    size_t end = NOT_FOUND_BYTES;
    if (state->begun > 0)
        end = search_border(marker, state, piece, bytes);
    if (end == NOT_FOUND_BYTES && bytes >= marker->count) {
        const uint8_t *found = search(marker, state, piece, bytes - marker->count + 1);
        if (found != NULL)
            end = (size_t)(found - piece) + marker->count;
    }
    if (end == NOT_FOUND_BYTES)
        remember(marker, state, piece, bytes);
    else
        state->begun = 0;
    return end;
}
