/* What streams carry: first the stream's key, then bytes that depend on key and position, so that a
 * byte that is lost, doubled, moved or of another stream shows. */
#include "cport/tests/stress/stress.h"

enum {
    CONTENT_PERIOD = 65521, /* prime: no block size divides it */
};

static uint8_t pattern[CONTENT_PERIOD + (1 << RUN_BITS)];

void content_init(void)
{
    struct rng rng = {1};
    for (size_t index = 0; index < sizeof pattern; index++)
        pattern[index] =
            index < CONTENT_PERIOD ? (uint8_t)rng_next(&rng) : pattern[index - CONTENT_PERIOD];
}

static const uint8_t *content_at(uint64_t key, uint64_t position)
{
    return pattern + (key + position) % CONTENT_PERIOD;
}

void content_write(uint64_t key, uint64_t position, uint8_t *data, size_t bytes)
{
    for (; bytes > 0 && position < KEY_BYTES; bytes--)
        *data++ = (uint8_t)(key >> 8 * position++);
    memcpy(data, content_at(key, position), bytes);
}

size_t content_right(uint64_t key, uint64_t position, const uint8_t *data, size_t bytes)
{
    const uint8_t *expected = content_at(key, position);
    if (memcmp(data, expected, bytes) == 0)
        return bytes;
    size_t right = 0;
    while (data[right] == expected[right])
        right++;
    return right;
}
