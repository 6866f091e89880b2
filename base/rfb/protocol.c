/* Boxes and digests of pictures. */
#include "base/rfb/protocol.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct rfb_box rfb_box_join(struct rfb_box one, struct rfb_box other)
{
    if (one.width == 0 || one.height == 0)
        return other;
    if (other.width == 0 || other.height == 0)
        return one;
    const unsigned x = one.x < other.x ? one.x : other.x, y = one.y < other.y ? one.y : other.y;
    const unsigned right =
        one.x + one.width > other.x + other.width ? one.x + one.width : other.x + other.width;
    const unsigned low =
        one.y + one.height > other.y + other.height ? one.y + one.height : other.y + other.height;
    return (struct rfb_box){x, y, right - x, low - y};
}

uint64_t rfb_picture_digest(const struct rfb_picture *picture)
{
    enum { PIECE = 256 };
    uint32_t colours[PIECE];
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    for (unsigned y = 0; y < picture->height; y++) {
        const uint32_t *row = picture->pixels + (size_t)y * picture->stride;
        for (unsigned x = 0; x < picture->width; x += PIECE) {
            const unsigned count = picture->width - x < PIECE ? picture->width - x : PIECE;
            for (unsigned i = 0; i < count; i++)
                colours[i] = row[x + i] & 0xffffff;
            XXH64_update(&state, colours, count * sizeof *colours);
        }
    }
    return XXH64_digest(&state);
}
