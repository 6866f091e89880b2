/* ZRLE rectangles: each kind of tile, cut anywhere; and what contradicts itself ends the connection
 * by the fault's name. */
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "client/monitor/rfb/tests/wire.h"

enum { TILE = 64, PIXELS = WIRE_WIDTH * WIRE_HEIGHT, RUNS = 128 };

static struct wire wire;
static struct viewer viewer;
static z_stream stream;
static uint32_t wanted[PIXELS];
static uint8_t tiles[PIXELS * 8], deflated[PIXELS * 8];
static size_t tiles_bytes;

static int begin(void **state)
{
    wire_begin(&wire);
    stream = (z_stream){0};
    tiles_bytes = 0;
    memset(wanted, 0, sizeof wanted);
    return deflateInit(&stream, 6) == Z_OK ? 0 : -1;
}

static int end(void **state)
{
    deflateEnd(&stream);
    viewer_close(&viewer);
    return 0;
}

/* ---- coding ------------------------------------------------------------------------------- */

static void put(unsigned byte)
{
    tiles[tiles_bytes++] = (uint8_t)byte;
}

static void put_colour(uint32_t colour)
{
    put(colour & 0xff);
    put(colour >> 8 & 0xff);
    put(colour >> 16);
}

static uint32_t colour_of(unsigned index)
{
    return (index * 0x071305 + 0x203040) & 0xffffff;
}

static void put_length(unsigned count)
{
    for (count--; count >= 255; count -= 255)
        put(255);
    put(count);
}

static void put_palette(unsigned colours)
{
    for (unsigned i = 0; i < colours; i++)
        put_colour(colour_of(i));
}

/* Runs that grow: 1, 2, 3... pixels, so that some cross rows and some have long lengths. */
struct shape {
    unsigned width, height, colours;
};

static unsigned index_at(const struct shape *shape, unsigned at)
{
    unsigned run = 0;
    for (unsigned begins = 0; begins + run + 1 <= at; begins += ++run)
        continue;
    return run % shape->colours;
}

static void put_packed(const struct shape *shape)
{
    const unsigned bits = shape->colours == 2 ? 1 : shape->colours <= 4 ? 2 : 4;
    put(shape->colours);
    put_palette(shape->colours);
    for (unsigned y = 0; y < shape->height; y++) {
        unsigned byte = 0, used = 0;
        for (unsigned x = 0; x < shape->width; x++) {
            byte |= index_at(shape, y * shape->width + x) << (8 - bits - used);
            used += bits;
            if (used == 8 || x + 1 == shape->width) {
                put(byte);
                byte = used = 0;
            }
        }
    }
}

static void put_runs(const struct shape *shape, bool palette)
{
    const unsigned all = shape->width * shape->height;
    put(palette ? RUNS + shape->colours : RUNS);
    if (palette)
        put_palette(shape->colours);
    for (unsigned at = 0, count; at < all; at += count) {
        const unsigned index = index_at(shape, at);
        for (count = 1; at + count < all && index_at(shape, at + count) == index;)
            count++;
        if (!palette) {
            put_colour(colour_of(index));
            put_length(count);
        } else if (count == 1) {
            put(index);
        } else {
            put(index | 0x80);
            put_length(count);
        }
    }
}

static void put_raw(const struct shape *shape)
{
    put(0);
    for (unsigned i = 0; i < shape->width * shape->height; i++)
        put_colour(colour_of(index_at(shape, i)));
}

/* Subencodings by the number of the wire. */
static void put_tile(unsigned code, unsigned width, unsigned height)
{
    struct shape shape = {width, height, code > RUNS ? code - RUNS : code > 1 ? code : 99};
    if (code == 1) {
        put(1);
        put_colour(colour_of(0));
    } else if (code == 0) {
        put_raw(&shape);
    } else if (code < RUNS) {
        put_packed(&shape);
    } else {
        put_runs(&shape, code > RUNS);
    }
}

static void want(unsigned code, struct rfb_box box)
{
    const struct shape shape = {box.width, box.height,
                                code == 1                 ? 1
                                : code > RUNS             ? code - RUNS
                                : code > 1 && code < RUNS ? code
                                                          : 99};
    for (unsigned i = 0; i < box.width * box.height; i++)
        wanted[(box.y + i / box.width) * WIRE_WIDTH + box.x + i % box.width] =
            colour_of(index_at(&shape, i));
}

static void rectangle(struct rfb_box box)
{
    wire_update(&wire, 1);
    wire_rectangle(&wire, box.x, box.y, box.width, box.height, RFB_ZRLE);
    const size_t length = wire_deflate(&stream, tiles, tiles_bytes, deflated, sizeof deflated);
    wire_32(&wire, (uint32_t)length);
    wire_put(&wire, deflated, length);
    tiles_bytes = 0;
}

static void rectangle_of(unsigned code, struct rfb_box box)
{
    for (unsigned y = 0; y < box.height; y += TILE)
        for (unsigned x = 0; x < box.width; x += TILE) {
            const unsigned width = box.width - x < TILE ? box.width - x : TILE;
            const unsigned height = box.height - y < TILE ? box.height - y : TILE;
            put_tile(code, width, height);
            want(code, (struct rfb_box){box.x + x, box.y + y, width, height});
        }
    rectangle(box);
}

/* ---- what is painted ---------------------------------------------------------------------- */

TEST(tiles_of_each_kind_are_painted, begin, end)
{
    static const unsigned codes[] = {0, 1, 2, 3, 4, 5, 13, 16, RUNS, 130, 131, 140, 200, 254, 255};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        rectangle_of(codes[i], (struct rfb_box){0, 0, WIRE_WIDTH, WIRE_HEIGHT});
        rectangle_of(codes[i], (struct rfb_box){(unsigned)i, 3, 21, 17});
        assert_true(viewer_open(&viewer, NULL));
        assert_int_equal(viewer_feed(&viewer, wire.data, wire.bytes, 0), 0);
        assert_true(rfb_idle(viewer.rfb));
        assert_memory_equal(viewer.picture.pixels, wanted, sizeof wanted);
        viewer_close(&viewer);
    }
    wire_check_cuts(&wire);
}

TEST(runs_of_one_pixel_each_are_painted, begin, end)
{
    put(RUNS);
    for (unsigned i = 0; i < TILE * TILE; i++) {
        put_colour(i & 1 ? 0xffffff : 0x010203);
        put_length(1);
        wanted[i / TILE * WIRE_WIDTH + i % TILE] = i & 1 ? 0xffffff : 0x010203;
    }
    rectangle((struct rfb_box){0, 0, TILE, TILE});
    assert_true(viewer_open(&viewer, NULL));
    assert_int_equal(viewer_feed(&viewer, wire.data, wire.bytes, 0), 0);
    assert_memory_equal(viewer.picture.pixels, wanted, sizeof wanted);
    wire_check_cuts(&wire);
}

TEST(a_rectangle_without_area_has_a_length, begin, end)
{
    wire_update(&wire, 1);
    wire_rectangle(&wire, 0, 0, 0, 10, RFB_ZRLE);
    wire_32(&wire, 0);
    wire_check_cuts(&wire);
}

/* ---- what contradicts itself -------------------------------------------------------------- */

static const char *fault_of(const uint8_t *data, size_t bytes)
{
    deflateReset(&stream);
    wire_begin(&wire);
    memcpy(tiles, data, bytes);
    tiles_bytes = bytes;
    rectangle((struct rfb_box){0, 0, 8, 8});
    return rfb_fault_name(wire_fault(&wire));
}

TEST(kinds_of_tiles_that_are_not_known_are_a_fault, begin, end)
{
    for (unsigned code = 17; code < 128; code += 10)
        assert_string_equal(fault_of((uint8_t[]){(uint8_t)code, 1, 2, 3}, 4), "bad-zrle");
    assert_string_equal(fault_of((uint8_t[]){129, 1, 2, 3}, 4), "bad-zrle");
}

TEST(a_run_beyond_its_tile_is_a_fault, begin, end)
{
    static uint8_t long_run[5000] = {RUNS, 1, 2, 3};
    assert_string_equal(fault_of((uint8_t[]){RUNS, 1, 2, 3, 63}, 5), "");
    assert_string_equal(fault_of((uint8_t[]){RUNS, 1, 2, 3, 64}, 5), "bad-zrle");
    memset(long_run + 4, 255, sizeof long_run - 4);
    assert_string_equal(fault_of(long_run, sizeof long_run), "bad-zrle");
    assert_string_equal(fault_of((uint8_t[]){130, 1, 2, 3, 4, 5, 6, 0x80, 64}, 9), "bad-zrle");
}

TEST(a_colour_beyond_its_palette_is_a_fault, begin, end)
{
    static uint8_t packed[1 + 9 + 16] = {3};
    packed[25] = 0xff;
    assert_string_equal(fault_of(packed, sizeof packed), "bad-palette");
    assert_string_equal(fault_of((uint8_t[]){130, 1, 2, 3, 4, 5, 6, 2}, 8), "bad-palette");
    assert_string_equal(fault_of((uint8_t[]){130, 1, 2, 3, 4, 5, 6, 0xff}, 8), "bad-palette");
}

TEST(too_few_or_too_many_tiles_are_a_fault, begin, end)
{
    assert_string_equal(fault_of((uint8_t[]){1, 2, 3}, 3), "bad-zlib");
    assert_string_equal(fault_of((uint8_t[]){1, 2, 3, 4}, 4), "");
    assert_string_equal(fault_of((uint8_t[]){1, 2, 3, 4, 5}, 5), "bad-zlib");
}

TEST(a_bomb_is_not_inflated, begin, end)
{
    static uint8_t zeros[8 << 20], bomb[16384];
    deflateReset(&stream);
    const size_t length = wire_deflate(&stream, zeros, sizeof zeros, bomb, sizeof bomb);
    wire_update(&wire, 1);
    wire_rectangle(&wire, 0, 0, 8, 8, RFB_ZRLE);
    wire_32(&wire, (uint32_t)length);
    wire_put(&wire, bomb, length);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "bad-zlib");
}

TEST(a_length_over_the_limit_and_none_are_a_fault, begin, end)
{
    wire_update(&wire, 1);
    wire_rectangle(&wire, 0, 0, 8, 8, RFB_ZRLE);
    wire_32(&wire, 0xffffffff);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "too-long");
    wire.bytes -= 4;
    wire_32(&wire, 0);
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "bad-zlib");
}

TEST(bytes_that_are_not_zlib_are_a_fault, begin, end)
{
    wire_update(&wire, 1);
    wire_rectangle(&wire, 0, 0, 8, 8, RFB_ZRLE);
    wire_32(&wire, 20);
    wire_text(&wire, "these are not zlib's");
    assert_string_equal(rfb_fault_name(wire_fault(&wire)), "bad-zlib");
}
