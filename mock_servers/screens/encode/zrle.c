/* ZRLE: tiles of 64 x 64 pixels, each in the shortest of five forms, all of a rectangle compressed
 * as one. */
#include <string.h>

#include "mock_servers/screens/encode/palette.h"

enum {
    TILE_SIDE = 64,
    TILE_PIXELS = TILE_SIDE * TILE_SIDE,
    CPIXEL_BYTES = 3,
    PACKED_COLOURS_MAX = 16, /* their indices have 1, 2 or 4 bits */
    RLE_COLOURS_MAX = 127,
    RUN_PIECE = 255, /* of a run's length, a byte */

    FORM_RAW = 0,
    FORM_RLE = 128, /* and as many colours as its palette has */
    RUN_FLAG = 128, /* of an index: a length follows */
};

struct tile {
    struct rfb_box box;
    uint32_t pixels[TILE_PIXELS];
    unsigned count;
    struct palette palette;
    uint8_t bytes[1 + TILE_PIXELS * CPIXEL_BYTES];
    size_t used;
};

static void put_byte(struct tile *tile, unsigned byte)
{
    tile->bytes[tile->used++] = (uint8_t)byte;
}

/* A pixel without the byte that is in no colour: the highest, or the lowest. */
static void put_cpixel(struct tile *tile, const struct pixel_format *format, uint32_t colour)
{
    uint8_t pixel[4];
    const bool low_is_free =
        format->red_shift >= 8 && format->green_shift >= 8 && format->blue_shift >= 8;
    put_pixel(pixel, format, colour);
    memcpy(tile->bytes + tile->used, pixel + (low_is_free != format->big_endian), CPIXEL_BYTES);
    tile->used += CPIXEL_BYTES;
}

static void put_length(struct tile *tile, unsigned length)
{
    for (length--; length >= RUN_PIECE; length -= RUN_PIECE)
        put_byte(tile, RUN_PIECE);
    put_byte(tile, length);
}

static unsigned run_length(const struct tile *tile, unsigned at)
{
    unsigned end = at + 1;
    while (end < tile->count && tile->pixels[end] == tile->pixels[at])
        end++;
    return end - at;
}

static unsigned packed_bits(unsigned colours)
{
    return colours == 2 ? 1 : colours <= 4 ? 2 : 4;
}

/* ---- the forms ------------------------------------------------------------------------------- */

static void put_palette(struct tile *tile, const struct pixel_format *format)
{
    for (unsigned i = 0; i < tile->palette.count; i++)
        put_cpixel(tile, format, tile->palette.colours[i]);
}

static void put_raw(struct tile *tile, const struct pixel_format *format)
{
    put_byte(tile, FORM_RAW);
    for (unsigned i = 0; i < tile->count; i++)
        put_cpixel(tile, format, tile->pixels[i]);
}

static void put_packed(struct tile *tile, const struct pixel_format *format)
{
    const unsigned bits = packed_bits(tile->palette.count);
    const uint8_t *index = tile->palette.indices;
    put_byte(tile, tile->palette.count);
    put_palette(tile, format);
    for (unsigned y = 0; y < tile->box.height; y++) {
        unsigned byte = 0, used = 0;
        for (unsigned x = 0; x < tile->box.width; x++) {
            byte = byte << bits | *index++;
            used += bits;
            if (used == 8) {
                put_byte(tile, byte);
                byte = used = 0;
            }
        }
        if (used > 0)
            put_byte(tile, byte << (8 - used));
    }
}

static void put_runs(struct tile *tile, const struct pixel_format *format)
{
    put_byte(tile, FORM_RLE);
    for (unsigned at = 0, length; at < tile->count; at += length) {
        length = run_length(tile, at);
        put_cpixel(tile, format, tile->pixels[at]);
        put_length(tile, length);
    }
}

static void put_palette_runs(struct tile *tile, const struct pixel_format *format)
{
    put_byte(tile, FORM_RLE + tile->palette.count);
    put_palette(tile, format);
    for (unsigned at = 0, length; at < tile->count; at += length) {
        length = run_length(tile, at);
        put_byte(tile, tile->palette.indices[at] | (length > 1 ? RUN_FLAG : 0));
        if (length > 1)
            put_length(tile, length);
    }
}

/* ---- the shortest ---------------------------------------------------------------------------- */

static void put_tile(struct tile *tile, const struct pixel_format *format)
{
    const unsigned colours = tile->palette.count;
    unsigned runs_bytes = 0, palette_runs_bytes = CPIXEL_BYTES * colours;
    for (unsigned at = 0, length; at < tile->count; at += length) {
        length = run_length(tile, at);
        const unsigned length_bytes = (length - 1) / RUN_PIECE + 1;
        runs_bytes += CPIXEL_BYTES + length_bytes;
        palette_runs_bytes += length > 1 ? 1 + length_bytes : 1;
    }
    unsigned best = CPIXEL_BYTES * tile->count;
    void (*put)(struct tile *, const struct pixel_format *) = put_raw;
    if (colours <= PACKED_COLOURS_MAX) {
        const unsigned bytes = CPIXEL_BYTES * colours +
                               (tile->box.width * packed_bits(colours) + 7) / 8 * tile->box.height;
        if (bytes < best)
            best = bytes, put = put_packed;
    }
    if (runs_bytes < best)
        best = runs_bytes, put = put_runs;
    if (colours <= RLE_COLOURS_MAX && palette_runs_bytes < best)
        put = put_palette_runs;
    put(tile, format);
}

static void encode_tile(struct tile *tile, const struct pixel_format *format,
                        const struct rfb_picture *picture)
{
    const struct rfb_box box = tile->box;
    tile->used = 0, tile->count = 0;
    for (unsigned y = 0; y < box.height; y++) {
        const uint32_t *row = picture_row(picture, box, y);
        for (unsigned x = 0; x < box.width; x++)
            tile->pixels[tile->count++] = row[x] & 0xffffff;
    }
    palette_fill(&tile->palette, picture, box);
    if (tile->palette.count > 1) {
        put_tile(tile, format);
        return;
    }
    put_byte(tile, 1);
    put_palette(tile, format);
}

static int zrle_write(struct encoder *encoder, const struct encoder_config *config,
                      const struct rfb_picture *picture, struct rfb_box box, struct buffer *out)
{
    enum { LENGTH_BYTES = 4 };
    struct tile tile;
    const unsigned right = box.x + box.width, low = box.y + box.height;
    encode_header(box, RFB_ZRLE, out);
    const size_t at = out->bytes;
    buffer_put(out, (const uint8_t[LENGTH_BYTES]){0}, LENGTH_BYTES);
    for (unsigned y = box.y; y < low; y += TILE_SIDE)
        for (unsigned x = box.x; x < right; x += TILE_SIDE) {
            const bool last = low - y <= TILE_SIDE && right - x <= TILE_SIDE;
            tile.box = (struct rfb_box){x, y, right - x < TILE_SIDE ? right - x : TILE_SIDE,
                                        low - y < TILE_SIDE ? low - y : TILE_SIDE};
            encode_tile(&tile, &config->format, picture);
            if (!stream_put(&encoder->streams[STREAM_ZRLE], config->compression, tile.bytes,
                            tile.used, last, out))
                return -1;
        }
    rfb_put32(out->data + at, (uint32_t)(out->bytes - at - LENGTH_BYTES));
    return 1;
}

const struct encoding encoding_zrle = {"zrle", RFB_ZRLE, zrle_write};
