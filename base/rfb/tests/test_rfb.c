/* Boxes, damage, digests, stamps and JPEGs: what both sides of a screen share. */
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/rfb/damage.h"
#include "base/rfb/jpeg.h"
#include "base/rfb/stamp.h"
#include "base/tests/test.h"

static struct rfb_picture picture_new(unsigned width, unsigned height)
{
    struct rfb_picture picture = {calloc((size_t)(width + 3) * height, sizeof(uint32_t)), width,
                                  height, width + 3};
    assert_non_null(picture.pixels);
    return picture;
}

TEST(a_box_is_inside_only_with_all_of_it)
{
    const struct rfb_picture picture = {NULL, 100, 50, 100};
    assert_true(rfb_box_inside((struct rfb_box){0, 0, 100, 50}, &picture));
    assert_true(rfb_box_inside((struct rfb_box){100, 50, 0, 0}, &picture));
    assert_false(rfb_box_inside((struct rfb_box){1, 0, 100, 50}, &picture));
    assert_false(rfb_box_inside((struct rfb_box){0, 1, 100, 50}, &picture));
    assert_false(rfb_box_inside((struct rfb_box){101, 0, 0, 0}, &picture));
    assert_false(rfb_box_inside((struct rfb_box){UINT32_MAX, 0, 2, 1}, &picture));
    assert_false(rfb_box_inside((struct rfb_box){2, 0, UINT32_MAX, 1}, &picture));
    assert_false(rfb_box_inside((struct rfb_box){0, UINT32_MAX, 1, 2}, &picture));
}

static void assert_box(struct rfb_box box, unsigned x, unsigned y, unsigned width, unsigned height)
{
    assert_true(box.x == x && box.y == y && box.width == width && box.height == height);
}

TEST(joined_boxes_hold_both)
{
    const struct rfb_box one = {10, 20, 5, 6}, other = {2, 30, 3, 4}, none = {99, 99, 0, 7};
    assert_box(rfb_box_join(one, other), 2, 20, 13, 14);
    assert_box(rfb_box_join(other, one), 2, 20, 13, 14);
    assert_box(rfb_box_join(one, none), 10, 20, 5, 6);
    assert_box(rfb_box_join(none, one), 10, 20, 5, 6);
}

TEST(a_digest_is_of_colours_and_places_alone)
{
    struct rfb_picture picture = picture_new(700, 3), wide = picture_new(700, 3);
    uint64_t random = 1;
    for (size_t i = 0; i < (size_t)picture.stride * 3; i++) {
        const uint32_t colour = (uint32_t)random_next(&random);
        picture.pixels[i] = colour;
        wide.pixels[i] = colour ^ 0xff000000;
    }
    const uint64_t digest = rfb_picture_digest(&picture);
    assert_int_equal(digest, rfb_picture_digest(&wide));
    picture.pixels[700] ^= 1; /* between the rows */
    assert_int_equal(digest, rfb_picture_digest(&picture));
    picture.pixels[699] ^= 1;
    assert_int_not_equal(digest, rfb_picture_digest(&picture));
    free(picture.pixels), free(wide.pixels);
}

static const uint64_t numbers[] = {0, 1, 255, UINT64_C(0x123456789abc), STAMP_MAX};

TEST(a_stamp_is_read_as_it_was_painted)
{
    struct rfb_picture picture = picture_new(600, 100);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint64_t time, keys;
        stamp_paint(&picture, STAMP_TIME, numbers[i]);
        stamp_paint(&picture, STAMP_KEYS, i);
        assert_true(stamp_read(&picture, STAMP_TIME, &time));
        assert_true(stamp_read(&picture, STAMP_KEYS, &keys));
        assert_int_equal(time, numbers[i]);
        assert_int_equal(keys, i);
    }
    uint64_t number;
    stamp_paint(&picture, STAMP_TIME, STAMP_MAX + 8);
    assert_true(stamp_read(&picture, STAMP_TIME, &number));
    assert_int_equal(number, 7);
    free(picture.pixels);
}

static void invert_cell(struct rfb_picture *picture, struct rfb_box box, unsigned cell)
{
    for (unsigned y = box.y; y < box.y + STAMP_CELL; y++)
        for (unsigned x = 0; x < STAMP_CELL; x++)
            picture->pixels[(size_t)y * picture->stride + box.x + cell * STAMP_CELL + x] ^=
                0xffffff;
}

TEST(a_stamp_with_a_wrong_cell_is_none)
{
    struct rfb_picture picture = picture_new(STAMP_WIDTH, 2 * STAMP_HEIGHT);
    const struct rfb_box box = stamp_box(&picture, STAMP_TIME);
    uint64_t number;
    assert_false(stamp_read(&picture, STAMP_TIME, &number));
    stamp_paint(&picture, STAMP_TIME, UINT64_C(0x5a5a12345678));
    for (unsigned cell = 0; cell < STAMP_CELLS; cell++) {
        invert_cell(&picture, box, cell);
        assert_false(stamp_read(&picture, STAMP_TIME, &number));
        invert_cell(&picture, box, cell);
    }
    assert_true(stamp_read(&picture, STAMP_TIME, &number));
    free(picture.pixels);
}

TEST(a_small_picture_has_no_stamps)
{
    static const unsigned sizes[][2] = {{STAMP_WIDTH - 1, 800}, {1280, 2 * STAMP_HEIGHT - 1}};
    for (unsigned i = 0; i < 2; i++) {
        struct rfb_picture picture = picture_new(sizes[i][0], sizes[i][1]);
        const uint64_t before = rfb_picture_digest(&picture);
        uint64_t number;
        assert_int_equal(stamp_box(&picture, STAMP_KEYS).width, 0);
        stamp_paint(&picture, STAMP_TIME, 0xffff);
        assert_int_equal(rfb_picture_digest(&picture), before);
        assert_false(stamp_read(&picture, STAMP_TIME, &number));
        free(picture.pixels);
    }
}

/* Around the stamp is what a film has: the worst for a JPEG's blocks. */
TEST(a_stamp_survives_jpeg)
{
    struct rfb_picture picture = picture_new(640, 100), seen = picture_new(640, 100);
    struct jpeg *jpeg = jpeg_open();
    uint64_t random = 3;
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int quality = 30; quality <= 95; quality += 5) {
            for (size_t pixel = 0; pixel < (size_t)picture.stride * 100; pixel++)
                picture.pixels[pixel] = (uint32_t)random_next(&random) & 0xffffff;
            stamp_paint(&picture, STAMP_TIME, numbers[i]);
            stamp_paint(&picture, STAMP_KEYS, ~numbers[i]);
            size_t bytes;
            const struct rfb_box box = {0, 61, 640, 39};
            const uint8_t *data = jpeg_encode(jpeg, &picture, box, quality, &bytes);
            assert_true(jpeg_decode(jpeg, data, bytes, &seen, box));
            uint64_t number;
            assert_true(stamp_read(&seen, STAMP_TIME, &number));
            assert_int_equal(number, numbers[i]);
            assert_true(stamp_read(&seen, STAMP_KEYS, &number));
            assert_int_equal(number, ~numbers[i] & STAMP_MAX);
        }
    jpeg_close(jpeg);
    free(picture.pixels), free(seen.pixels);
}

TEST(a_jpeg_of_another_size_or_none_at_all_is_not_decoded)
{
    struct rfb_picture picture = picture_new(64, 64), seen = picture_new(64, 64);
    struct jpeg *jpeg = jpeg_open();
    size_t bytes;
    const uint8_t *data = jpeg_encode(jpeg, &picture, (struct rfb_box){0, 0, 32, 16}, 80, &bytes);
    assert_non_null(data);
    const uint64_t before = rfb_picture_digest(&seen);
    assert_false(jpeg_decode(jpeg, data, bytes, &seen, (struct rfb_box){0, 0, 16, 32}));
    assert_false(jpeg_decode(jpeg, data, bytes, &seen, (struct rfb_box){0, 0, 32, 15}));
    assert_false(
        jpeg_decode(jpeg, (const uint8_t *)"not one", 7, &seen, (struct rfb_box){0, 0, 32, 16}));
    assert_int_equal(rfb_picture_digest(&seen), before);
    assert_true(jpeg_decode(jpeg, data, bytes, &seen, (struct rfb_box){8, 40, 32, 16}));
    jpeg_close(jpeg);
    jpeg_close(NULL);
    free(picture.pixels), free(seen.pixels);
}

/* ---- damage -------------------------------------------------------------------------------- */

static bool holds(struct rfb_box box, struct rfb_box other)
{
    const struct rfb_box joined = rfb_box_join(box, other);
    return memcmp(&joined, &box, sizeof box) == 0;
}

/* Whatever is added, each of its pixels is in one of at most DAMAGE_BOXES boxes. */
TEST(damage_holds_all_that_was_added)
{
    struct damage damage = {0};
    enum { ADDED = 200 };
    struct rfb_box added[ADDED];
    srand(7);
    for (unsigned i = 0; i < ADDED; i++) {
        added[i] = (struct rfb_box){(unsigned)rand() % 500, (unsigned)rand() % 500,
                                    1 + (unsigned)rand() % 40, 1 + (unsigned)rand() % 40};
        damage_add(&damage, added[i]);
        assert_true(damage.count <= DAMAGE_BOXES);
        for (unsigned past = 0; past <= i; past++) {
            bool held = false;
            for (unsigned box = 0; box < damage.count && !held; box++)
                held = holds(damage.boxes[box], added[past]);
            assert_true(held);
        }
    }
    damage_add(&damage, (struct rfb_box){3, 3, 0, 5});
    assert_true(damage.count > 0);
}

TEST(boxes_that_are_one_become_one)
{
    struct damage damage = {0};
    damage_add(&damage, (struct rfb_box){10, 10, 20, 20});
    damage_add(&damage, (struct rfb_box){10, 10, 20, 20});
    damage_add(&damage, (struct rfb_box){30, 10, 20, 20});
    assert_int_equal(damage.count, 1);
    assert_int_equal(damage.boxes[0].width, 40);
}
