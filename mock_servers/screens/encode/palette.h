/* The colours of a block of pixels, as far as they are few. */
#ifndef FANIN_PALETTE_H
#define FANIN_PALETTE_H

#include "mock_servers/screens/encode/encoder.h"

enum { PALETTE_MAX = 128, PALETTE_PIXELS = 256 * 64 };

struct palette {
    uint32_t colours[PALETTE_MAX];
    unsigned count;                  /* more than PALETTE_MAX: too many */
    uint8_t slots[2 * PALETTE_MAX];  /* a hash table of indices + 1 */
    uint8_t indices[PALETTE_PIXELS]; /* of the block's pixels, row by row */
};

/* palette_fill: of a box of at most PALETTE_PIXELS; with too many colours the indices are not
 * complete. */
void palette_fill(struct palette *palette, const struct rfb_picture *picture, struct rfb_box box);

#endif
