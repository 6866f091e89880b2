/* One tile of ZRLE: raw, of one colour, of a packed palette, or in runs. */
#include "client/monitor/rfb/tile.h"

#include "client/monitor/rfb/rfb.h"

enum {
    CPIXEL_BYTES = 3, /* blue first */
    RAW = 0,
    SOLID = 1,
    PACKED_MAX = 16,
    RUNS = 128,
    PALETTE_RUNS = 130,
    COLOURS_MAX = 128
};

/* Of no colour: where a palette has none. */
#define BEYOND UINT32_C(0xff000000)

static uint32_t cpixel(const uint8_t *at)
{
    return (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static int64_t raw(struct paint paint, const uint8_t *data, size_t bytes)
{
    const size_t need = (size_t)paint.width * paint.height * CPIXEL_BYTES;
    if (bytes < need)
        return 0;
    for (; !paint_done(&paint); paint_step(&paint, paint.width))
        for (unsigned x = 0; x < paint.width; x++, data += CPIXEL_BYTES)
            paint.row[x] = cpixel(data);
    return (int64_t)need;
}

/* A run in one row. Up to seven pixels behind it are painted too, where the tile's row has them:
 * the next run paints them anew. */
static void fill_row(uint32_t *to, uint32_t colour, unsigned count, unsigned room)
{
    unsigned i = 0;
    for (; i < count && i + 8 <= room; i += 8)
        paint_eight(to + i, colour);
    for (; i < count; i++)
        to[i] = colour;
}

static inline void fill(struct paint *paint, uint32_t colour, unsigned count)
{
    while (count > 0) {
        const unsigned room = paint_room(paint), part = count < room ? count : room;
        fill_row(paint_at(paint), colour, part, room);
        paint_step(paint, part);
        count -= part;
    }
}

static int64_t solid(struct paint paint, const uint8_t *data, size_t bytes)
{
    if (bytes < CPIXEL_BYTES)
        return 0;
    fill(&paint, cpixel(data), paint.width * paint.height);
    return CPIXEL_BYTES;
}

static void palette_read(uint32_t *palette, const uint8_t *data, unsigned colours)
{
    for (unsigned i = 0; i < colours; i++)
        palette[i] = cpixel(data + (size_t)i * CPIXEL_BYTES);
}

/* Indices of so many bits, the left pixel's highest; each row begins with a byte. Returns all
 * colours of the palette that were used, together. Inlined: `bits` is a constant. */
static inline __attribute__((always_inline)) uint32_t
unpack(struct paint paint, const unsigned bits, const uint32_t *palette, const uint8_t *data)
{
    const unsigned each = 8 / bits, mask = (1u << bits) - 1;
    uint32_t seen = 0;
    for (; !paint_done(&paint); paint_step(&paint, paint.width)) {
        uint32_t *to = paint.row;
        unsigned x = 0;
        for (; x + each <= paint.width; x += each, data++)
            for (unsigned i = 0; i < each; i++)
                seen |= to[x + i] = palette[*data >> (8 - bits - i * bits) & mask];
        for (unsigned i = 0; x + i < paint.width; i++)
            seen |= to[x + i] = palette[*data >> (8 - bits - i * bits) & mask];
        data += x < paint.width;
    }
    return seen;
}

static int64_t packed(struct paint paint, unsigned colours, const uint8_t *data, size_t bytes)
{
    const unsigned bits = colours == 2 ? 1 : colours <= 4 ? 2 : 4;
    const size_t head = (size_t)colours * CPIXEL_BYTES;
    const size_t need = head + (size_t)((paint.width * bits + 7) / 8) * paint.height;
    uint32_t palette[PACKED_MAX], seen;
    if (bytes < need)
        return 0;
    palette_read(palette, data, colours);
    for (unsigned i = colours; i < PACKED_MAX; i++)
        palette[i] = BEYOND;
    if (bits == 1)
        seen = unpack(paint, 1, palette, data + head);
    else if (bits == 2)
        seen = unpack(paint, 2, palette, data + head);
    else
        seen = unpack(paint, 4, palette, data + head);
    return seen & BEYOND ? RFB_BAD_PALETTE : (int64_t)need;
}

/* A length: bytes of 255, then one less; their sum and one. Stops where it is over `most`. Returns
 * the bytes taken; 0: there are too few. */
static size_t run_length(const uint8_t *data, size_t bytes, unsigned most, unsigned *count)
{
    size_t at = 0;
    *count = 1;
    do {
        if (at == bytes)
            return 0;
        *count += data[at];
    } while (data[at++] == 255 && *count <= most);
    return at;
}

static int64_t runs(struct paint paint, const uint8_t *data, size_t bytes)
{
    size_t at = 0;
    for (unsigned left = paint.width * paint.height, count; left > 0; left -= count) {
        if (bytes - at <= CPIXEL_BYTES)
            return 0;
        const uint32_t colour = cpixel(data + at);
        at += CPIXEL_BYTES;
        const size_t taken = run_length(data + at, bytes - at, left, &count);
        if (count > left)
            return RFB_BAD_ZRLE;
        if (taken == 0)
            return 0;
        at += taken;
        fill(&paint, colour, count);
    }
    return (int64_t)at;
}

static int64_t palette_runs(struct paint paint, unsigned colours, const uint8_t *data, size_t bytes)
{
    uint32_t palette[COLOURS_MAX];
    size_t at = (size_t)colours * CPIXEL_BYTES;
    if (bytes < at)
        return 0;
    palette_read(palette, data, colours);
    for (unsigned left = paint.width * paint.height, count; left > 0; left -= count) {
        if (at == bytes)
            return 0;
        const uint8_t code = data[at++];
        if ((code & 0x7f) >= colours)
            return RFB_BAD_PALETTE;
        count = 1;
        if (code & 0x80) {
            const size_t taken = run_length(data + at, bytes - at, left, &count);
            if (count > left)
                return RFB_BAD_ZRLE;
            if (taken == 0)
                return 0;
            at += taken;
        }
        fill(&paint, palette[code & 0x7f], count);
    }
    return (int64_t)at;
}

static int64_t content(struct paint paint, unsigned code, const uint8_t *data, size_t bytes)
{
    if (code == RAW)
        return raw(paint, data, bytes);
    if (code == SOLID)
        return solid(paint, data, bytes);
    if (code <= PACKED_MAX)
        return packed(paint, code, data, bytes);
    if (code == RUNS)
        return runs(paint, data, bytes);
    if (code >= PALETTE_RUNS)
        return palette_runs(paint, code - RUNS, data, bytes);
    return RFB_BAD_ZRLE;
}

int64_t tile_paint(struct paint paint, const uint8_t *data, size_t bytes)
{
    const int64_t taken = content(paint, data[0], data + 1, bytes - 1);
    return taken <= 0 ? taken : taken + 1;
}
