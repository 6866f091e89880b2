/* The colours of a block. */
#include <string.h>

#include "mock_servers/screens/encode/palette.h"

/* The index of a colour; PALETTE_MAX: no room for it. */
static unsigned palette_index(struct palette *palette, uint32_t colour)
{
    enum { SLOTS = sizeof palette->slots };
    unsigned slot = colour * UINT32_C(0x9e3779b1) >> 24;
    for (; palette->slots[slot] != 0; slot = (slot + 1) % SLOTS)
        if (palette->colours[palette->slots[slot] - 1] == colour)
            return palette->slots[slot] - 1u;
    if (palette->count == PALETTE_MAX)
        return PALETTE_MAX;
    palette->colours[palette->count] = colour;
    palette->slots[slot] = (uint8_t)++palette->count;
    return palette->count - 1;
}

/* Pixels come in runs: the table is asked only where the colour changes. */
void palette_fill(struct palette *palette, const struct rfb_picture *picture, struct rfb_box box)
{
    palette->count = 0;
    memset(palette->slots, 0, sizeof palette->slots);
    uint8_t *index = palette->indices;
    uint32_t last = ~picture_row(picture, box, 0)[0] & 0xffffff;
    unsigned last_index = 0;
    for (unsigned y = 0; y < box.height; y++) {
        const uint32_t *row = picture_row(picture, box, y);
        for (unsigned x = 0; x < box.width; x++) {
            const uint32_t colour = row[x] & 0xffffff;
            if (colour != last) {
                last = colour;
                last_index = palette_index(palette, colour);
                if (last_index == PALETTE_MAX) {
                    palette->count = PALETTE_MAX + 1;
                    return;
                }
            }
            *index++ = (uint8_t)last_index;
        }
    }
}
