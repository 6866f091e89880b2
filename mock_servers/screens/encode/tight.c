/* Tight: blocks of up to 256 x 64 pixels, each by the colours that it has: one is a fill, two are
 * bits, up to PALETTE_MAX a palette, more a JPEG or, losslessly, pixels; all but the first and JPEG
 * compressed. Blocks side by side or one below the other that are fills of one colour or JPEGs are
 * joined: a JPEG has 600 bytes of tables, whatever its size. */
#include <string.h>

#include "mock_servers/screens/encode/palette.h"

enum {
    BLOCK_WIDTH = 256,
    BLOCK_HEIGHT = 64,
    BLOCK_PIXELS = BLOCK_WIDTH * BLOCK_HEIGHT,
    PIXEL_BYTES = 3,           /* red, green, blue, whatever the format */
    COMPRESSED_MIN = 12,       /* less is not compressed */
    JPEG_PIXELS_MIN = 1024,    /* smaller ones cost more than they save */
    JPEG_PIXELS_MAX = 1 << 17, /* a viewer can show one while the next is on its way */

    CONTROL_STREAM_SHIFT = 4,
    CONTROL_FILTER = 0x40,
    CONTROL_FILL = 0x80,
    CONTROL_JPEG = 0x90,
    FILTER_PALETTE = 1,
};

/* ---- rectangles ------------------------------------------------------------------------------ */

enum pending_kind { PENDING_NONE, PENDING_FILL, PENDING_JPEG };

struct pending {
    enum pending_kind kind;
    struct rfb_box box;
    uint32_t colour;
};

/* One call of tight_write. */
struct tight {
    struct encoder *encoder;
    const struct encoder_config *config;
    const struct rfb_picture *picture;
    struct buffer *out;
    struct pending row, above; /* of this row of blocks; joined from rows above */
    struct palette palette;
    int count; /* rectangles */
    bool failed;
};

static void put_byte(struct buffer *out, unsigned byte)
{
    const uint8_t value = (uint8_t)byte;
    buffer_put(out, &value, 1);
}

static void put_colour(struct buffer *out, uint32_t colour)
{
    const uint8_t bytes[PIXEL_BYTES] = {(uint8_t)(colour >> 16), (uint8_t)(colour >> 8),
                                        (uint8_t)colour};
    buffer_put(out, bytes, sizeof bytes);
}

/* A length of up to 22 bits, 7 a byte, the lowest first. Returns its bytes. */
static unsigned compact_length(uint8_t *at, size_t length)
{
    at[0] = (uint8_t)(length & 0x7f);
    if (length < 1u << 7)
        return 1;
    at[0] |= 0x80;
    at[1] = (uint8_t)(length >> 7 & 0x7f);
    if (length < 1u << 14)
        return 2;
    at[1] |= 0x80;
    at[2] = (uint8_t)(length >> 14);
    return 3;
}

/* The length stands before the bytes, and is known only after them. */
static void put_compressed(struct tight *tight, enum encoder_stream_use use, const uint8_t *data,
                           size_t bytes)
{
    enum { LENGTH_MAX = 3 };
    struct buffer *out = tight->out;
    if (bytes < COMPRESSED_MIN) {
        buffer_put(out, data, bytes);
        return;
    }
    const size_t at = out->bytes;
    buffer_put(out, (const uint8_t[LENGTH_MAX]){0}, LENGTH_MAX);
    if (!stream_put(&tight->encoder->streams[use], tight->config->compression, data, bytes, true,
                    out)) {
        tight->failed = true;
        return;
    }
    const size_t length = out->bytes - at - LENGTH_MAX;
    const unsigned length_bytes = compact_length(out->data + at, length);
    memmove(out->data + at + length_bytes, out->data + at + LENGTH_MAX, length);
    out->bytes -= LENGTH_MAX - length_bytes;
}

static void begin_rectangle(struct tight *tight, struct rfb_box box, unsigned control)
{
    encode_header(box, RFB_TIGHT, tight->out);
    put_byte(tight->out, control);
    tight->count++;
}

static void write_fill(struct tight *tight, struct rfb_box box, uint32_t colour)
{
    begin_rectangle(tight, box, CONTROL_FILL);
    put_colour(tight->out, colour);
}

static void write_jpeg(struct tight *tight, struct rfb_box box)
{
    size_t bytes;
    const uint8_t *jpeg =
        jpeg_encode(tight->config->jpeg, tight->picture, box, tight->config->quality, &bytes);
    if (jpeg == NULL) {
        tight->failed = true;
        return;
    }
    uint8_t length[3];
    begin_rectangle(tight, box, CONTROL_JPEG);
    buffer_put(tight->out, length, compact_length(length, bytes));
    buffer_put(tight->out, jpeg, bytes);
}

static void write_full(struct tight *tight, struct rfb_box box)
{
    uint8_t pixels[BLOCK_PIXELS * PIXEL_BYTES], *at = pixels;
    for (unsigned y = 0; y < box.height; y++) {
        const uint32_t *row = picture_row(tight->picture, box, y);
        for (unsigned x = 0; x < box.width; x++) {
            *at++ = (uint8_t)(row[x] >> 16);
            *at++ = (uint8_t)(row[x] >> 8);
            *at++ = (uint8_t)row[x];
        }
    }
    begin_rectangle(tight, box, STREAM_FULL << CONTROL_STREAM_SHIFT);
    put_compressed(tight, STREAM_FULL, pixels, (size_t)(at - pixels));
}

/* Bits of a block of two colours, each row from a byte of its own on. Returns the bytes. */
static size_t pack_bits(const uint8_t *indices, struct rfb_box box, uint8_t *bits)
{
    const size_t row_bytes = (box.width + 7) / 8;
    memset(bits, 0, row_bytes * box.height);
    for (unsigned y = 0; y < box.height; y++, bits += row_bytes)
        for (unsigned x = 0; x < box.width; x++)
            bits[x / 8] |= (uint8_t)(*indices++ << (7 - x % 8));
    return row_bytes * box.height;
}

static void write_palette(struct tight *tight, struct rfb_box box)
{
    const struct palette *palette = &tight->palette;
    const bool mono = palette->count == 2;
    const enum encoder_stream_use use = mono ? STREAM_MONO : STREAM_PALETTE;
    begin_rectangle(tight, box, CONTROL_FILTER | (unsigned)use << CONTROL_STREAM_SHIFT);
    put_byte(tight->out, FILTER_PALETTE);
    put_byte(tight->out, palette->count - 1);
    for (unsigned i = 0; i < palette->count; i++)
        put_colour(tight->out, palette->colours[i]);
    if (mono) {
        uint8_t bits[BLOCK_PIXELS];
        put_compressed(tight, use, bits, pack_bits(palette->indices, box, bits));
    } else
        put_compressed(tight, use, palette->indices, (size_t)box.width * box.height);
}

/* ---- blocks that are joined ------------------------------------------------------------------ */

static void write_pending(struct tight *tight, struct pending *pending)
{
    if (pending->kind == PENDING_FILL)
        write_fill(tight, pending->box, pending->colour);
    else if (pending->kind == PENDING_JPEG)
        write_jpeg(tight, pending->box);
    pending->kind = PENDING_NONE;
}

/* Whether both may be one rectangle: of one kind and colour, and not too large together. */
static bool alike(const struct pending *one, const struct pending *other)
{
    if (one->kind != other->kind || one->kind == PENDING_NONE)
        return false;
    const struct rfb_box box = rfb_box_join(one->box, other->box);
    return one->kind == PENDING_FILL
               ? one->colour == other->colour && box.width <= RFB_TIGHT_WIDTH_MAX
               : box.width <= RFB_TIGHT_WIDTH_MAX && box.width * box.height <= JPEG_PIXELS_MAX;
}

/* What is joined from this row of blocks meets what the rows above it have left. */
static void settle_row(struct tight *tight)
{
    struct pending *row = &tight->row, *above = &tight->above;
    if (row->kind == PENDING_NONE)
        return;
    if (alike(row, above) && row->box.x == above->box.x && row->box.width == above->box.width &&
        row->box.y == above->box.y + above->box.height) {
        above->box.height += row->box.height;
    } else {
        write_pending(tight, above);
        *above = *row;
    }
    row->kind = PENDING_NONE;
}

static void add_pending(struct tight *tight, struct pending block)
{
    struct pending *row = &tight->row;
    if (alike(row, &block) && row->box.x + row->box.width == block.box.x) {
        row->box.width += block.box.width;
        return;
    }
    settle_row(tight);
    *row = block;
}

static void write_block(struct tight *tight, struct rfb_box box)
{
    const struct encoder_config *config = tight->config;
    struct palette *palette = &tight->palette;
    palette_fill(palette, tight->picture, box);
    if (palette->count == 1)
        add_pending(tight, (struct pending){PENDING_FILL, box, palette->colours[0]});
    else if (palette->count <= PALETTE_MAX)
        write_palette(tight, box);
    else if (config->quality > 0 && config->jpeg != NULL &&
             box.width * box.height >= JPEG_PIXELS_MIN)
        add_pending(tight, (struct pending){PENDING_JPEG, box, 0});
    else
        write_full(tight, box);
}

_Static_assert((int)BLOCK_PIXELS == (int)PALETTE_PIXELS, "indices have room");

static int tight_write(struct encoder *encoder, const struct encoder_config *config,
                       const struct rfb_picture *picture, struct rfb_box box, struct buffer *out)
{
    struct tight tight;
    tight.encoder = encoder, tight.config = config, tight.picture = picture, tight.out = out;
    tight.row.kind = tight.above.kind = PENDING_NONE;
    tight.count = 0, tight.failed = false;
    const unsigned right = box.x + box.width, low = box.y + box.height;
    for (unsigned y = box.y; y < low; y += BLOCK_HEIGHT) {
        for (unsigned x = box.x; x < right; x += BLOCK_WIDTH) {
            struct rfb_box block = {x, y, right - x, low - y};
            block.width = block.width < BLOCK_WIDTH ? block.width : BLOCK_WIDTH;
            block.height = block.height < BLOCK_HEIGHT ? block.height : BLOCK_HEIGHT;
            write_block(&tight, block);
        }
        settle_row(&tight);
    }
    write_pending(&tight, &tight.above);
    return tight.failed || out->failed ? -1 : tight.count;
}

const struct encoding encoding_tight = {"tight", RFB_TIGHT, tight_write};
