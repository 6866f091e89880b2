/* Tight's filters. */
#include "client/monitor/rfb/tight_filters.h"

#include <string.h>

#include "client/monitor/rfb/rfb.h"

/* Of no colour: where a palette has none. */
#define BEYOND UINT32_C(0xff000000)

static unsigned pixels_of(const struct tight_filter *filter, size_t bytes)
{
    const size_t pixels = bytes / TIGHT_PIXEL_BYTES;
    const unsigned room = paint_room(&filter->paint);
    return pixels < room ? (unsigned)pixels : room;
}

static size_t copy(struct tight_filter *filter, const uint8_t *data, size_t bytes)
{
    const unsigned count = pixels_of(filter, bytes);
    uint32_t *to = paint_at(&filter->paint);
    for (unsigned i = 0; i < count; i++)
        to[i] = tight_pixel(data + (size_t)i * TIGHT_PIXEL_BYTES);
    paint_step(&filter->paint, count);
    return (size_t)count * TIGHT_PIXEL_BYTES;
}

/* ---- gradient ----------------------------------------------------------------------------- */

/* What the neighbours, left, above, and both, foretell of a colour. */
static unsigned foretold(uint32_t left, uint32_t above, uint32_t both, unsigned shift)
{
    const int sum =
        (int)(left >> shift & 0xff) + (int)(above >> shift & 0xff) - (int)(both >> shift & 0xff);
    return sum < 0 ? 0 : sum > 255 ? 255 : (unsigned)sum;
}

/* The rows above are in the picture; beyond the box all is black. */
static size_t gradient(struct tight_filter *filter, const uint8_t *data, size_t bytes)
{
    const unsigned count = pixels_of(filter, bytes), x = filter->paint.x;
    uint32_t *row = filter->paint.row;
    const uint32_t *above = filter->paint.y > 0 ? row - filter->paint.stride : NULL;
    for (unsigned i = x; i < x + count; i++, data += TIGHT_PIXEL_BYTES) {
        const uint32_t left = i > 0 ? row[i - 1] : 0, up = above != NULL ? above[i] : 0;
        const uint32_t both = above != NULL && i > 0 ? above[i - 1] : 0;
        const unsigned red = foretold(left, up, both, 16) + data[0];
        const unsigned green = foretold(left, up, both, 8) + data[1];
        const unsigned blue = foretold(left, up, both, 0) + data[2];
        row[i] = (red & 0xff) << 16 | (green & 0xff) << 8 | (blue & 0xff);
    }
    paint_step(&filter->paint, count);
    return (size_t)count * TIGHT_PIXEL_BYTES;
}

/* ---- palettes ----------------------------------------------------------------------------- */

/* Eight pixels. Returns their colours, together. */
static inline uint32_t look_up(uint32_t *to, const uint32_t *palette, const uint8_t *data)
{
    uint32_t seen = to[0] = palette[data[0]];
    seen |= to[1] = palette[data[1]];
    seen |= to[2] = palette[data[2]];
    seen |= to[3] = palette[data[3]];
    seen |= to[4] = palette[data[4]];
    seen |= to[5] = palette[data[5]];
    seen |= to[6] = palette[data[6]];
    return seen | (to[7] = palette[data[7]]);
}

/* Paper and margins are long runs: eight pixels of one colour are looked up once. */
static size_t indexed(struct tight_filter *filter, const uint8_t *data, size_t bytes)
{
    const unsigned room = paint_room(&filter->paint), count = bytes < room ? (unsigned)bytes : room;
    const uint32_t *palette = filter->palette;
    uint32_t *to = paint_at(&filter->paint), seen = 0;
    unsigned i = 0;
    for (; i + 8 <= count; i += 8) {
        uint64_t eight;
        memcpy(&eight, data + i, sizeof eight);
        if (eight == data[i] * UINT64_C(0x0101010101010101)) {
            seen |= palette[data[i]];
            paint_eight(to + i, palette[data[i]]);
        } else {
            seen |= look_up(to + i, palette, data + i);
        }
    }
    for (; i < count; i++)
        seen |= to[i] = palette[data[i]];
    filter->beyond |= seen & BEYOND;
    paint_step(&filter->paint, count);
    return count;
}

/* Eight pixels a byte, the left one highest; a row begins with a byte. */
static size_t two_colours(struct tight_filter *filter, const uint8_t *data, size_t bytes)
{
    const unsigned room = paint_room(&filter->paint);
    const unsigned count = bytes < (room + 7) / 8 ? (unsigned)bytes * 8 : room;
    const uint32_t zero = filter->palette[0], change = zero ^ filter->palette[1];
    uint32_t *to = paint_at(&filter->paint);
    unsigned i = 0;
    for (; i + 8 <= count; i += 8, to += 8) {
        const unsigned bits = data[i / 8];
        for (unsigned bit = 0; bit < 8; bit++)
            to[bit] = zero ^ (change & -(bits >> (7 - bit) & 1u));
    }
    for (unsigned bit = 0; i + bit < count; bit++)
        to[bit] = zero ^ (change & -((unsigned)data[i / 8] >> (7 - bit) & 1u));
    paint_step(&filter->paint, count);
    return (count + 7) / 8;
}

/* ---- all of them -------------------------------------------------------------------------- */

void tight_filter_copy(struct tight_filter *filter, struct paint paint)
{
    filter->run = copy;
    filter->paint = paint;
    filter->unit = TIGHT_PIXEL_BYTES;
    filter->held = 0;
    filter->beyond = 0;
}

void tight_filter_gradient(struct tight_filter *filter)
{
    filter->run = gradient;
}

void tight_filter_palette(struct tight_filter *filter, unsigned colours)
{
    filter->run = colours == 2 ? two_colours : indexed;
    filter->unit = 1;
    filter->colours = colours;
    filter->colours_read = 0;
    for (unsigned i = colours; i < TIGHT_COLOURS_MAX; i++)
        filter->palette[i] = BEYOND;
}

bool tight_filter_colour(struct tight_filter *filter, uint32_t colour)
{
    filter->palette[filter->colours_read++] = colour;
    return filter->colours_read == filter->colours;
}

size_t tight_filter_bytes(const struct tight_filter *filter)
{
    const size_t width = filter->paint.width, height = filter->paint.height;
    return height * (filter->run == two_colours ? (width + 7) / 8 : width * filter->unit);
}

/* The rest of a pixel that was cut, or the begin of one. */
static size_t cut(struct tight_filter *filter, const uint8_t *data, size_t bytes)
{
    const size_t missing = filter->unit - filter->held, part = bytes < missing ? bytes : missing;
    memcpy(filter->cut + filter->held, data, part);
    filter->held += part;
    if (filter->held == filter->unit) {
        filter->run(filter, filter->cut, filter->unit);
        filter->held = 0;
    }
    return part;
}

int tight_filter_paint(struct tight_filter *filter, const uint8_t *data, size_t bytes)
{
    for (const uint8_t *end = data + bytes; data < end;) {
        const size_t rest = (size_t)(end - data);
        data += filter->held > 0 || rest < filter->unit ? cut(filter, data, rest)
                                                        : filter->run(filter, data, rest);
    }
    return filter->beyond != 0 ? RFB_BAD_PALETTE : 0;
}
