/* Frames: their lengths, their making, their check. The lines are in protocol_lines.c.
 *
 * Why the first marker in a frame is its end, for every marker:
 *   - the header's alphabet leaves out the marker's first byte, so no marker begins in the header;
 *   - a marker inside the payload is mended with a byte that no marker holds, so none remains and
 *     the mending makes no new one;
 *   - the payload's last byte is not in the marker, so no marker crosses the payload's end.
 *
 * The payload is copied from a table of noise at an offset that (seed, seq) picks: a live fleet
 * makes tens of thousands of frames a second on the client's own machine, and a generator would
 * cost more than the checksum. */
#include "base/protocol.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>
#ifdef __x86_64__
#include <emmintrin.h>
#endif

#include "base/random.h"

enum {
    SEQ_AT = 0,
    LENGTH_AT = 8,
    SENT_AT = 16,
    CHECK_AT = 32,
    CHECKED_BYTES = CHECK_AT, /* the part of the header that the check covers */
    NOISE_PIECE_BYTES = 1 << 16,
};

_Static_assert(CHECK_AT + 16 == PROTOCOL_HEADER_BYTES, "four fields fill the header");

static uint8_t noise[2 * NOISE_PIECE_BYTES]; /* any piece may start anywhere in the first half */
static pthread_once_t noise_once = PTHREAD_ONCE_INIT;

static uint64_t mix_two(uint64_t seed, uint64_t seq)
{
    return random_mix(random_mix(seed) ^ seq);
}

static void noise_make(void)
{
    for (size_t at = 0; at < sizeof noise; at += sizeof(uint64_t)) {
        uint64_t word = random_mix(at);
        memcpy(noise + at, &word, sizeof word);
    }
}

uint32_t protocol_frame_length(uint64_t seed, uint64_t seq, uint32_t size_min, uint32_t size_max)
{
    assert(size_min <= size_max);
    uint64_t lengths = (uint64_t)size_max - size_min + 1;
    unsigned __int128 product = (unsigned __int128)mix_two(seed, seq) * lengths;
    return size_min + (uint32_t)(product >> 64);
}

uint64_t protocol_frames_bytes(const struct protocol_go *go, uint64_t frames, uint64_t limit)
{
    uint64_t bytes = frames * go->size_min;
    if (bytes > limit || go->size_min == go->size_max)
        return bytes;
    bytes = 0;
    for (uint64_t seq = 0; seq < frames && bytes <= limit; seq++)
        bytes += protocol_frame_length(go->seed, seq, go->size_min, go->size_max);
    return bytes;
}

static void alphabet_make(char alphabet[16], const struct protocol_marker *marker)
{
    memcpy(alphabet, "0123456789abcdef", 16);
    char *taken = memchr(alphabet, marker->bytes[0], 16);
    if (taken != NULL)
        *taken = 'g';
}

static void field_write(uint8_t *field, unsigned digits, uint64_t value, const char alphabet[16])
{
    for (unsigned i = digits; i-- > 0; value >>= 4)
        field[i] = (uint8_t)alphabet[value & 15];
    assert(value == 0);
}

static uint8_t byte_outside(const struct protocol_marker *marker, uint8_t wish)
{
    while (memchr(marker->bytes, wish, marker->count) != NULL)
        wish++;
    return wish;
}

static void payload_mend(uint8_t *payload, size_t bytes, const struct protocol_marker *marker)
{
    const uint8_t *end = payload + bytes;
    uint8_t filler = byte_outside(marker, payload[0]);
    while ((size_t)(end - payload) >= marker->count) {
        size_t starts = (size_t)(end - payload) - marker->count + 1;
        payload = memchr(payload, marker->bytes[0], starts);
        if (payload == NULL)
            break;
        if (memcmp(payload, marker->bytes, marker->count) == 0)
            *payload = filler;
        payload++;
    }
}

static void payload_write(uint8_t *payload, size_t bytes, uint64_t stream,
                          const struct protocol_marker *marker)
{
    pthread_once(&noise_once, noise_make);
    for (size_t at = 0; at < bytes; at += NOISE_PIECE_BYTES) {
        size_t piece = bytes - at < NOISE_PIECE_BYTES ? bytes - at : NOISE_PIECE_BYTES;
        memcpy(payload + at, noise + random_mix(stream + at) % NOISE_PIECE_BYTES, piece);
    }
    payload_mend(payload, bytes, marker);
    payload[bytes - 1] = byte_outside(marker, payload[bytes - 1]);
}

uint64_t protocol_frame_check(const uint8_t *frame, uint32_t length,
                              const struct protocol_marker *marker)
{
    assert(length > PROTOCOL_HEADER_BYTES + marker->count);
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, frame, CHECKED_BYTES);
    XXH3_64bits_update(&state, frame + PROTOCOL_HEADER_BYTES,
                       length - PROTOCOL_HEADER_BYTES - marker->count);
    return XXH3_64bits_digest(&state);
}

/* The library's own state under another name: it wants an alignment that malloc does not give. */
static XXH3_state_t *state_of(struct protocol_check *check)
{
    return (XXH3_state_t *)(void *)check;
}

_Static_assert(sizeof(XXH3_state_t) + 64 <= PROTOCOL_CHECK_BYTES, "PROTOCOL_CHECK_BYTES covers it");

struct protocol_check *protocol_check_open(void)
{
    return (struct protocol_check *)(void *)XXH3_createState();
}

void protocol_check_close(struct protocol_check *check)
{
    XXH3_freeState(state_of(check));
}

void protocol_check_begin(struct protocol_check *check, const uint8_t *header)
{
    XXH3_64bits_reset(state_of(check));
    XXH3_64bits_update(state_of(check), header, CHECKED_BYTES);
}

void protocol_check_add(struct protocol_check *check, const uint8_t *payload, size_t bytes)
{
    XXH3_64bits_update(state_of(check), payload, bytes);
}

uint64_t protocol_check_value(const struct protocol_check *check)
{
    return XXH3_64bits_digest((const XXH3_state_t *)(const void *)check);
}

void protocol_frame_write(uint8_t *frame, uint32_t length, uint32_t seq, uint64_t sent_ns,
                          uint64_t seed, const struct protocol_marker *marker)
{
    assert(marker->count >= 1 && marker->count <= PROTOCOL_MARKER_BYTES_MAX);
    assert(length > PROTOCOL_HEADER_BYTES + marker->count);
    assert(length <= PROTOCOL_FRAME_BYTES_MAX);
    char alphabet[16];
    alphabet_make(alphabet, marker);
    field_write(frame + SEQ_AT, 8, seq, alphabet);
    field_write(frame + LENGTH_AT, 8, length, alphabet);
    field_write(frame + SENT_AT, 16, sent_ns, alphabet);
    payload_write(frame + PROTOCOL_HEADER_BYTES, length - PROTOCOL_HEADER_BYTES - marker->count,
                  mix_two(seed, seq), marker);
    memcpy(frame + length - marker->count, marker->bytes, marker->count);
    field_write(frame + CHECK_AT, 16, protocol_frame_check(frame, length, marker), alphabet);
}

/* Eight digits 0-9a-f at once, a byte of a word each; false: they are not. */
static bool eight_read(const uint8_t *field, uint64_t *value)
{
    const uint64_t each = 0x0101010101010101u;
    uint64_t text;
    memcpy(&text, field, sizeof text);
    const uint64_t letters = text >> 6 & each;
    uint64_t digits = (text & 0x0f * each) + 9 * letters;
    const uint64_t tens = (digits + 6 * each) >> 4 & each; /* 10 and more */
    if (tens != letters || (digits & 0xf0 * each) != 0 ||
        digits + '0' * each + ('a' - 10 - '0') * letters != text)
        return false;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    digits = __builtin_bswap64(digits);
#endif
    digits = (digits | digits >> 4) & 0x00ff00ff00ff00ffu;
    digits = (digits | digits >> 8) & 0x0000ffff0000ffffu;
    *value = *value << 32 | ((digits | digits >> 16) & 0xffffffffu);
    return true;
}

/* Where the marker's first byte is a digit, 'g' stands in for it. */
static bool is_digit(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

static int field_read(const uint8_t *field, unsigned digits, uint8_t taken, uint64_t *value)
{
    uint8_t mended[16];
    *value = 0;
    if (is_digit(taken)) {
        for (unsigned i = 0; i < digits; i++) {
            if (field[i] == taken)
                return -1;
            mended[i] = field[i] == 'g' ? taken : field[i];
        }
        field = mended;
    }
    for (unsigned at = 0; at < digits; at += 8)
        if (!eight_read(field + at, value))
            return -1;
    return 0;
}

#ifdef __x86_64__
/* The values of 16 digits 0-9a-f, a byte each. A byte of *right becomes 0 where there is none. */
static __m128i digits_read(const uint8_t *text, __m128i *right)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);
    const __m128i number = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i letter = _mm_sub_epi8(bytes, _mm_set1_epi8('a'));
    const __m128i is_number = _mm_cmpeq_epi8(_mm_min_epu8(number, _mm_set1_epi8(9)), number);
    const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(5)), letter);
    *right = _mm_and_si128(*right, _mm_or_si128(is_number, is_letter));
    return _mm_or_si128(_mm_and_si128(is_number, number),
                        _mm_and_si128(is_letter, _mm_add_epi8(letter, _mm_set1_epi8(10))));
}

/* Eight bytes of two digits each, in the low halves of eight words. */
static __m128i pairs_join(__m128i digits)
{
    return _mm_and_si128(_mm_or_si128(_mm_slli_epi16(digits, 4), _mm_srli_epi16(digits, 8)),
                         _mm_set1_epi16(0xff));
}

/* All four fields at once, where no 'g' stands in for a digit: a frame of 256 bytes costs its
 * client little else. False: they are not digits. */
static bool fields_read(const uint8_t *frame, struct protocol_header *header)
{
    __m128i right = _mm_set1_epi8(-1);
    const __m128i first = pairs_join(digits_read(frame + SEQ_AT, &right));
    const __m128i sent = pairs_join(digits_read(frame + SENT_AT, &right));
    const __m128i check = pairs_join(digits_read(frame + CHECK_AT, &right));
    const __m128i both = _mm_packus_epi16(first, sent);
    if (_mm_movemask_epi8(right) != 0xffff)
        return false;
    const uint64_t seq_length = __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(both));
    header->seq = (uint32_t)(seq_length >> 32);
    header->length = (uint32_t)seq_length;
    header->sent_ns =
        __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(both, both)));
    header->check = __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(check, check)));
    return true;
}
#endif

int protocol_header_read(const uint8_t *frame, const struct protocol_marker *marker,
                         struct protocol_header *header)
{
    uint8_t taken = marker->bytes[0];
    uint64_t seq, length;
#ifdef __x86_64__
    if (!is_digit(taken))
        return fields_read(frame, header) ? 0 : -1;
#endif
    if (field_read(frame + SEQ_AT, 8, taken, &seq) < 0 ||
        field_read(frame + LENGTH_AT, 8, taken, &length) < 0 ||
        field_read(frame + SENT_AT, 16, taken, &header->sent_ns) < 0 ||
        field_read(frame + CHECK_AT, 16, taken, &header->check) < 0)
        return -1;
    header->seq = (uint32_t)seq;
    header->length = (uint32_t)length;
    return 0;
}
