/* Tight rectangles: each kind of content, in each stream, cut anywhere; and what contradicts itself
 * ends the connection by the fault's name. */
#include <stdlib.h>
#include <string.h>

#include "base/rfb/jpeg.h"
#include "base/tests/test.h"
#include "client/monitor/rfb/tests/wire.h"

enum { COPY, PALETTE, GRADIENT, PIXELS = WIRE_WIDTH * WIRE_HEIGHT };
enum { FILL_CODE = 0x80, JPEG_CODE = 0x90, FILTER_CODE = 0x40 };

static struct wire wire;
static struct viewer viewer;
static z_stream streams[4];
static uint32_t wanted[PIXELS];
static uint8_t coded[PIXELS * 3], deflated[PIXELS * 4];

static int begin(void **state)
{
    wire_begin(&wire);
    for (int i = 0; i < 4; i++) {
        streams[i] = (z_stream){0};
        deflateInit(&streams[i], 6);
    }
    for (unsigned i = 0; i < PIXELS; i++)
        wanted[i] = 0;
    return 0;
}

static int end(void **state)
{
    for (int i = 0; i < 4; i++)
        deflateEnd(&streams[i]);
    viewer_close(&viewer);
    return 0;
}

/* ---- coding ------------------------------------------------------------------------------- */

static uint32_t colour_of(unsigned x, unsigned y)
{
    return (x * 3) << 16 | (y * 3 & 0xff) << 8 | ((x * y) & 0xff);
}

static void rectangle(struct rfb_box box, unsigned control)
{
    wire_update(&wire, 1);
    wire_rectangle(&wire, box.x, box.y, box.width, box.height, RFB_TIGHT);
    wire_8(&wire, control);
}

static void body_put(const void *data, size_t bytes, unsigned stream)
{
    if (bytes < 12) {
        wire_put(&wire, data, bytes);
        return;
    }
    const size_t length = wire_deflate(&streams[stream], data, bytes, deflated, sizeof deflated);
    wire_compact(&wire, length);
    wire_put(&wire, deflated, length);
}

static uint32_t wanted_at(struct rfb_box box, int x, int y)
{
    if (x < 0 || y < 0)
        return 0;
    return wanted[(box.y + (unsigned)y) * WIRE_WIDTH + box.x + (unsigned)x];
}

static uint8_t error_of(struct rfb_box box, int x, int y, unsigned shift)
{
    int sum = (int)(wanted_at(box, x - 1, y) >> shift & 0xff) +
              (int)(wanted_at(box, x, y - 1) >> shift & 0xff) -
              (int)(wanted_at(box, x - 1, y - 1) >> shift & 0xff);
    sum = sum < 0 ? 0 : sum > 255 ? 255 : sum;
    return (uint8_t)((wanted_at(box, x, y) >> shift & 0xff) - (unsigned)sum);
}

static void want(struct rfb_box box, uint32_t (*colour)(unsigned x, unsigned y))
{
    for (unsigned y = 0; y < box.height; y++)
        for (unsigned x = 0; x < box.width; x++)
            wanted[(box.y + y) * WIRE_WIDTH + box.x + x] = colour(x, y);
}

static void copy_put(struct rfb_box box, unsigned stream)
{
    size_t bytes = 0;
    want(box, colour_of);
    rectangle(box, stream << 4);
    for (unsigned y = 0; y < box.height; y++)
        for (unsigned x = 0; x < box.width; x++)
            for (int shift = 16; shift >= 0; shift -= 8)
                coded[bytes++] = (uint8_t)(colour_of(x, y) >> shift);
    body_put(coded, bytes, stream);
}

static void gradient_put(struct rfb_box box, unsigned stream)
{
    size_t bytes = 0;
    want(box, colour_of);
    rectangle(box, FILTER_CODE | stream << 4);
    wire_8(&wire, GRADIENT);
    for (int y = 0; y < (int)box.height; y++)
        for (int x = 0; x < (int)box.width; x++)
            for (int shift = 16; shift >= 0; shift -= 8)
                coded[bytes++] = error_of(box, x, y, (unsigned)shift);
    body_put(coded, bytes, stream);
}

static uint32_t palette_colour(unsigned index)
{
    return (index * 0x030507 + 0x102030) & 0xffffff;
}

static unsigned colours;

static unsigned index_of(unsigned x, unsigned y)
{
    return (x * 7 + y * 11 + x * y / 3) % colours;
}

static uint32_t indexed_colour(unsigned x, unsigned y)
{
    return palette_colour(index_of(x, y));
}

static void palette_head(struct rfb_box box, unsigned stream, unsigned count)
{
    rectangle(box, FILTER_CODE | stream << 4);
    wire_8(&wire, PALETTE);
    wire_8(&wire, count - 1);
    for (unsigned i = 0; i < count; i++)
        for (int shift = 16; shift >= 0; shift -= 8)
            wire_8(&wire, palette_colour(i) >> shift & 0xff);
}

static void palette_put(struct rfb_box box, unsigned stream, unsigned count)
{
    const unsigned row_bytes = count == 2 ? (box.width + 7) / 8 : box.width;
    colours = count;
    want(box, indexed_colour);
    palette_head(box, stream, count);
    memset(coded, 0, sizeof coded);
    for (unsigned y = 0; y < box.height; y++)
        for (unsigned x = 0; x < box.width; x++)
            if (count == 2)
                coded[y * row_bytes + x / 8] |= (uint8_t)(index_of(x, y) << (7 - x % 8));
            else
                coded[y * row_bytes + x] = (uint8_t)index_of(x, y);
    body_put(coded, (size_t)row_bytes * box.height, stream);
}

static void check(void)
{
    assert_true(viewer_open(&viewer, NULL));
    assert_int_equal(viewer_feed(&viewer, wire.data, wire.bytes, 0), 0);
    assert_true(rfb_idle(viewer.rfb));
    assert_memory_equal(viewer.picture.pixels, wanted, sizeof wanted);
    assert_int_equal(wire_check_cuts(&wire), viewer_digest(&viewer));
}

/* ---- what is painted ---------------------------------------------------------------------- */

TEST(a_fill_is_one_colour, begin, end)
{
    rectangle((struct rfb_box){3, 4, 5, 6}, FILL_CODE);
    wire_put(&wire, "\x11\x22\x33", 3);
    for (unsigned y = 0; y < 6; y++)
        for (unsigned x = 0; x < 5; x++)
            wanted[(4 + y) * WIRE_WIDTH + 3 + x] = 0x112233;
    check();
}

TEST(pixels_are_copied, begin, end)
{
    copy_put((struct rfb_box){0, 0, WIRE_WIDTH, WIRE_HEIGHT}, 0);
    copy_put((struct rfb_box){5, 5, 17, 13}, 1);
    check();
}

TEST(fewer_than_twelve_bytes_are_not_deflated, begin, end)
{
    copy_put((struct rfb_box){0, 0, 3, 1}, 0);
    palette_put((struct rfb_box){10, 10, 11, 1}, 0, 5);
    palette_put((struct rfb_box){20, 20, 8, 11}, 0, 2);
    gradient_put((struct rfb_box){30, 30, 1, 3}, 0);
    copy_put((struct rfb_box){40, 40, 4, 1}, 0);
    check();
}

TEST(a_gradient_is_undone, begin, end)
{
    gradient_put((struct rfb_box){2, 3, 60, 50}, 2);
    gradient_put((struct rfb_box){0, 0, 1, 40}, 2);
    check();
}

TEST(palettes_of_all_sizes_are_read, begin, end)
{
    static const unsigned counts[] = {2, 3, 4, 16, 17, 255, 256};
    for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++)
        palette_put((struct rfb_box){i, i, 60 - i * 3, 40}, 3, counts[i]);
    check();
}

/* One stream goes on from rectangle to rectangle, each on its own; a reset begins it anew. */
TEST(streams_go_on_until_they_are_reset, begin, end)
{
    for (unsigned i = 0; i < 8; i++)
        copy_put((struct rfb_box){i, i, 40, 20}, i % 4);
    for (int i = 0; i < 4; i++)
        deflateReset(&streams[i]);
    copy_put((struct rfb_box){0, 0, 30, 30}, 0);
    const size_t control = 4 + RFB_HEADER_BYTES;
    for (size_t at = wire.bytes; at > control; at--)
        if (memcmp(wire.data + at - control, "\0\0\0\1\0\0\0\0\0\x1e\0\x1e\0\0\0\7", control) ==
            0) {
            wire.data[at] |= 0x0f;
            break;
        }
    for (unsigned i = 1; i < 4; i++)
        palette_put((struct rfb_box){i * 5, 0, 30, 20}, i, i + 1);
    check();
}

static const uint8_t *jpeg_of(struct jpeg *jpeg, unsigned width, unsigned height, size_t *bytes)
{
    static uint32_t pixels[PIXELS];
    for (unsigned i = 0; i < PIXELS; i++)
        pixels[i] = colour_of(i % WIRE_WIDTH, i / WIRE_WIDTH);
    const struct rfb_picture picture = {pixels, WIRE_WIDTH, WIRE_HEIGHT, WIRE_WIDTH};
    return jpeg_encode(jpeg, &picture, (struct rfb_box){0, 0, width, height}, 80, bytes);
}

static void jpeg_put(struct rfb_box box, unsigned width, unsigned height)
{
    size_t bytes;
    struct jpeg *jpeg = jpeg_open();
    const uint8_t *data = jpeg_of(jpeg, width, height, &bytes);
    rectangle(box, JPEG_CODE);
    wire_compact(&wire, bytes);
    wire_put(&wire, data, bytes);
    jpeg_close(jpeg);
}

TEST(a_jpeg_is_painted_into_its_box_alone, begin, end)
{
    struct jpeg *jpeg = jpeg_open();
    size_t bytes;
    const struct rfb_box box = {4, 5, 48, 32};
    const struct rfb_picture picture = {wanted, WIRE_WIDTH, WIRE_HEIGHT, WIRE_WIDTH};
    const uint8_t *data = jpeg_of(jpeg, 48, 32, &bytes);
    assert_true(jpeg_decode(jpeg, data, bytes, &picture, box));
    jpeg_close(jpeg);
    for (unsigned i = 0; i < PIXELS; i++)
        wanted[i] &= 0xffffff;
    jpeg_put(box, 48, 32);
    jpeg_put(box, 48, 32);
    assert_true(viewer_open(&viewer, NULL));
    assert_int_equal(viewer_feed(&viewer, wire.data, wire.bytes, 0), 0);
    assert_int_equal(viewer_digest(&viewer), rfb_picture_digest(&picture));
    assert_int_equal(wire_check_cuts(&wire), viewer_digest(&viewer));
}

/* ---- what contradicts itself -------------------------------------------------------------- */

static void check_fault(const char *name)
{
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), name);
}

TEST(a_tight_rectangle_wider_than_2048_is_a_fault, NULL, end)
{
    wire_begin(&wire);
    wire.bytes -= 30;
    wire_init(&wire, 4000, 10);
    rectangle((struct rfb_box){0, 0, 2049, 1}, FILL_CODE);
    wire_put(&wire, "123", 3);
    check_fault("bad-tight");
    rfb_put16(wire.data + wire.bytes - 12, 2048);
    check_fault("");
}

TEST(kinds_and_filters_that_are_not_known_are_a_fault)
{
    for (unsigned kind = 0xa0; kind <= 0xf0; kind += 0x10) {
        wire_begin(&wire);
        rectangle((struct rfb_box){0, 0, 8, 8}, kind);
        check_fault("bad-tight");
    }
    for (unsigned filter = 3; filter < 256; filter += 50) {
        wire_begin(&wire);
        rectangle((struct rfb_box){0, 0, 8, 8}, FILTER_CODE);
        wire_8(&wire, filter);
        check_fault("bad-tight");
    }
}

TEST(a_palette_of_one_colour_and_an_empty_rectangle_are_a_fault)
{
    wire_begin(&wire);
    palette_head((struct rfb_box){0, 0, 8, 8}, 0, 1);
    check_fault("bad-tight");
    wire_begin(&wire);
    rectangle((struct rfb_box){0, 0, 0, 8}, FILL_CODE);
    check_fault("bad-tight");
}

TEST(a_colour_beyond_the_palette_is_a_fault, begin, end)
{
    const struct rfb_box box = {0, 0, 20, 20};
    palette_head(box, 0, 5);
    memset(coded, 4, 400);
    coded[399] = 5;
    body_put(coded, 400, 0);
    check_fault("bad-palette");
    wire_begin(&wire);
    palette_head((struct rfb_box){0, 0, 2, 2}, 0, 5);
    wire_put(&wire, "\0\1\2\x09", 4);
    check_fault("bad-palette");
}

/* As many bytes are inflated as the box has, and one more is looked for. */
TEST(more_or_fewer_inflated_bytes_than_the_box_has_are_a_fault, begin, end)
{
    rectangle((struct rfb_box){0, 0, 20, 20}, 0);
    body_put(coded, 1199, 0);
    check_fault("bad-zlib");
    wire_begin(&wire);
    rectangle((struct rfb_box){0, 0, 20, 20}, 1);
    deflateReset(&streams[0]);
    body_put(coded, 1201, 0);
    check_fault("bad-zlib");
}

TEST(a_bomb_is_not_inflated, begin, end)
{
    static uint8_t zeros[8 << 20];
    rectangle((struct rfb_box){0, 0, 4, 4}, 0);
    body_put(zeros, sizeof zeros, 0);
    check_fault("bad-zlib");
}

TEST(bytes_that_are_not_zlib_are_a_fault)
{
    wire_begin(&wire);
    rectangle((struct rfb_box){0, 0, 20, 20}, 0);
    wire_compact(&wire, 20);
    wire_text(&wire, "these are not zlib's");
    check_fault("bad-zlib");
    wire_begin(&wire);
    rectangle((struct rfb_box){0, 0, 20, 20}, 0);
    wire_compact(&wire, 0);
    check_fault("bad-zlib");
}

TEST(a_jpeg_of_another_size_is_a_fault, begin, end)
{
    jpeg_put((struct rfb_box){0, 0, 48, 32}, 48, 31);
    check_fault("bad-jpeg");
    wire_begin(&wire);
    jpeg_put((struct rfb_box){0, 0, 20, 20}, 64, 64);
    check_fault("bad-jpeg");
}

TEST(what_is_not_a_jpeg_or_longer_than_one_is_a_fault)
{
    wire_begin(&wire);
    rectangle((struct rfb_box){0, 0, 8, 8}, JPEG_CODE);
    wire_compact(&wire, 10);
    wire_text(&wire, "not a jpeg");
    check_fault("bad-jpeg");
    wire_begin(&wire);
    rectangle((struct rfb_box){0, 0, 8, 8}, JPEG_CODE);
    wire_compact(&wire, 0);
    check_fault("bad-jpeg");
    wire_begin(&wire);
    rectangle((struct rfb_box){0, 0, 8, 8}, JPEG_CODE);
    wire_compact(&wire, (1 << 22) - 1);
    check_fault("too-long");
}
