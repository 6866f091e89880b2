/* Tight's filters: bytes, cut anywhere, to pixels of a box. */
#ifndef FANIN_RFB_TIGHT_FILTERS_H
#define FANIN_RFB_TIGHT_FILTERS_H

#include <stddef.h>

#include "client/monitor/rfb/paint.h"

enum { TIGHT_PIXEL_BYTES = 3, TIGHT_COLOURS_MAX = 256 };
enum { TIGHT_COPY = 0, TIGHT_PALETTE = 1, TIGHT_GRADIENT = 2 }; /* on the wire */

struct tight_filter {
    /* run: whole pixels of one row, as many as there are. Returns the bytes taken. */
    size_t (*run)(struct tight_filter *filter, const uint8_t *data, size_t bytes);
    struct paint paint;
    size_t unit; /* bytes that are not looked at singly */
    uint8_t cut[TIGHT_PIXEL_BYTES];
    size_t held;
    unsigned colours, colours_read;
    uint32_t beyond; /* not 0: a pixel was beyond the palette */
    uint32_t palette[TIGHT_COLOURS_MAX];
};

static inline uint32_t tight_pixel(const uint8_t *at)
{
    return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

void tight_filter_copy(struct tight_filter *filter, struct paint paint); /* the first; then: */
void tight_filter_gradient(struct tight_filter *filter);
void tight_filter_palette(struct tight_filter *filter, unsigned colours);
/* tight_filter_colour: the palette's next; true: that was its last. */
bool tight_filter_colour(struct tight_filter *filter, uint32_t colour);

/* tight_filter_bytes: that the whole box takes. */
size_t tight_filter_bytes(const struct tight_filter *filter);

/* tight_filter_paint: no more bytes than the box still takes. 0 or RFB_BAD_PALETTE. */
int tight_filter_paint(struct tight_filter *filter, const uint8_t *data, size_t bytes);

#endif
