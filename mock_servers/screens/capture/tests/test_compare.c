/* What has changed between two pictures: scrolled content, tiles, stamps. */
#include "mock_servers/screens/capture/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/rfb/stamp.h"
#include "base/tests/test.h"

enum { WIDTH = 700, HEIGHT = 300, ROUNDS = 300 };

static struct rfb_picture picture_new(void)
{
    struct rfb_picture picture = {calloc(WIDTH * HEIGHT, sizeof(uint32_t)), WIDTH, HEIGHT, WIDTH};
    assert_non_null(picture.pixels);
    return picture;
}

static struct rfb_picture picture_copy(const struct rfb_picture *of)
{
    struct rfb_picture picture = picture_new();
    memcpy(picture.pixels, of->pixels, WIDTH * HEIGHT * sizeof(uint32_t));
    return picture;
}

static struct rfb_picture view(const struct rfb_picture *picture, struct rfb_box box)
{
    return (struct rfb_picture){picture->pixels + (size_t)box.y * picture->stride + box.x,
                                box.width, box.height, picture->stride};
}

/* Lines of something like text: few colours, blank rows between them, none like another. */
static void text_paint(const struct rfb_picture *picture, struct rfb_box box, uint64_t *random)
{
    for (unsigned y = 0; y < box.height; y++)
        for (unsigned x = 0; x < box.width; x++) {
            const bool ink = (box.y + y) % 12 < 8 && random_next(random) % 3 == 0;
            picture->pixels[(box.y + y) * picture->stride + box.x + x] = ink ? 0 : 0xf0f0f0;
        }
}

static void same_box(struct rfb_box one, struct rfb_box other)
{
    assert_int_equal(one.x, other.x);
    assert_int_equal(one.y, other.y);
    assert_int_equal(one.width, other.width);
    assert_int_equal(one.height, other.height);
}

static void same_pictures(const struct rfb_picture *one, const struct rfb_picture *other)
{
    assert_memory_equal(one->pixels, other->pixels, WIDTH * HEIGHT * sizeof(uint32_t));
}

/* Content of `box` moves up by `lines` and new text comes in. */
static struct rfb_picture scrolled(const struct rfb_picture *before, struct rfb_box box, int lines,
                                   uint64_t *random)
{
    struct rfb_picture now = picture_copy(before);
    const unsigned by = (unsigned)abs(lines);
    struct scroll scroll = {{box.x, box.y + (lines < 0 ? by : 0), box.width, box.height - by},
                            lines};
    scroll_apply(&now, &scroll);
    text_paint(&now,
               (struct rfb_box){box.x, lines < 0 ? box.y : box.y + box.height - by, box.width, by},
               random);
    return now;
}

TEST(text_that_moved_is_found_with_its_distance)
{
    uint64_t random = 1;
    struct rfb_picture before = picture_new();
    text_paint(&before, rfb_box_all(&before), &random);
    static const int distances[] = {1, 7, 24, 120, -1, -24, -130};
    for (unsigned i = 0; i < sizeof distances / sizeof *distances; i++) {
        const struct rfb_box all = rfb_box_all(&before);
        struct rfb_picture now = scrolled(&before, all, distances[i], &random);
        struct scroll scroll;
        assert_true(scroll_find(&before, all, &now, &scroll));
        assert_int_equal(scroll.lines, distances[i]);
        assert_int_equal(scroll.box.width, WIDTH);
        assert_true(scroll.box.height >= HEIGHT - (unsigned)abs(distances[i]) - 12);
        free(now.pixels);
    }
    free(before.pixels);
}

/* Letters of real text: rows that are like the next one, words that come again. */
TEST(a_page_of_text_that_scrolls_is_found)
{
    const struct scene_kind *kind = scene_named("scroll");
    struct rfb_picture before = picture_new();
    struct scene scene = {.picture = picture_new(), .seed = 5};
    scene_begin(kind, &scene, 1);
    for (unsigned frame = 1; frame < 20; frame++) {
        struct scene_change painted = {.part_count = 0}, change = {.part_count = 0};
        compare_take(&before, rfb_box_all(&before), &scene.picture, &change);
        change = painted;
        scene_step(kind, &scene, frame, &painted);
        compare_take(&before, rfb_box_all(&before), &scene.picture, &change);
        assert_int_equal(change.lines, painted.lines);
        assert_true(change.scrolled.height >= painted.scrolled.height);
    }
    free(before.pixels);
    free(scene.picture.pixels);
}

/* A window that scrolls beside one that stands still, and beside one that shows something new. */
TEST(a_scrolled_part_is_found_in_a_wider_box)
{
    uint64_t random = 2;
    struct rfb_picture before = picture_new();
    text_paint(&before, rfb_box_all(&before), &random);
    const struct rfb_box window = {128, 20, 256, 200}, all = rfb_box_all(&before);
    struct rfb_picture now = scrolled(&before, window, 24, &random);
    text_paint(&now, (struct rfb_box){512, 0, 188, HEIGHT}, &random);
    struct scroll scroll;
    assert_true(scroll_find(&before, all, &now, &scroll));
    assert_int_equal(scroll.lines, 24);
    assert_int_equal(scroll.box.x, 128);
    assert_int_equal(scroll.box.width, 256);
    free(now.pixels);
    free(before.pixels);
}

/* Short lines at the left of a wide window, as a log has. */
TEST(a_scroll_is_found_wherever_it_is)
{
    uint64_t random = 6;
    struct rfb_picture before = picture_new();
    const struct rfb_box all = rfb_box_all(&before);
    for (unsigned x = 0; x + 2 * 64 <= WIDTH; x += 64) {
        const struct rfb_box window = {x, 0, 64, HEIGHT};
        text_paint(&before, window, &random);
        struct rfb_picture now = scrolled(&before, window, 24, &random);
        struct scroll scroll;
        assert_true(scroll_find(&before, all, &now, &scroll));
        assert_int_equal(scroll.box.x, x);
        assert_int_equal(scroll.lines, 24);
        free(now.pixels);
    }
    free(before.pixels);
}

TEST(what_did_not_move_is_no_scroll)
{
    uint64_t random = 3;
    struct scroll scroll;
    struct rfb_picture before = picture_new(), now = picture_new();
    const struct rfb_box all = rfb_box_all(&before);
    assert_false(scroll_find(&before, all, &now, &scroll)); /* blank, and the same */
    text_paint(&before, all, &random);
    text_paint(&now, all, &random);
    assert_false(scroll_find(&before, all, &now, &scroll)); /* another page */
    assert_false(scroll_find(&before, all, &before, &scroll));
    free(now.pixels);
    free(before.pixels);
}

/* As a viewer does it. */
static void change_show(const struct rfb_picture *window, const struct rfb_picture *now,
                        const struct scene_change *change, unsigned stamps)
{
    struct scene_change all = *change;
    if (change->scrolled.width > 0) {
        struct scroll scroll = {change->scrolled, (int)change->lines};
        scroll_apply(window, &scroll);
    }
    for (unsigned i = 0; i < all.part_count + 2; i++) {
        if (i >= all.part_count && (stamps >> (i - all.part_count) & 1) == 0)
            continue;
        const struct rfb_box part = i < all.part_count
                                        ? all.parts[i]
                                        : stamp_box(now, (enum stamp_line)(i - all.part_count));
        assert_true(rfb_box_inside(part, now));
        for (unsigned y = part.y; y < part.y + part.height; y++)
            memcpy(window->pixels + y * WIDTH + part.x, now->pixels + y * WIDTH + part.x,
                   part.width * sizeof(uint32_t));
    }
}

static struct rfb_box box_random(uint64_t *random)
{
    const unsigned x = (unsigned)(random_next(random) % WIDTH),
                   y = (unsigned)(random_next(random) % HEIGHT);
    return (struct rfb_box){x, y, 1 + (unsigned)(random_next(random) % (WIDTH - x)),
                            1 + (unsigned)(random_next(random) % (HEIGHT - y))};
}

/* Whatever happens, picture and viewer have what is there now. */
TEST(a_viewer_that_follows_the_change_has_the_picture)
{
    uint64_t random = 4;
    struct rfb_picture picture = picture_new();
    text_paint(&picture, rfb_box_all(&picture), &random);
    struct rfb_picture window = picture_copy(&picture);
    unsigned scrolls = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const struct rfb_box box = box_random(&random);
        struct rfb_picture now = box.height > 80 ? scrolled(&picture, box, 1 + round % 40, &random)
                                                 : picture_copy(&picture);
        if (round % 3 == 0)
            text_paint(&now, (struct rfb_box){box.x, box.y, 1 + box.width / 9, 1}, &random);
        if (round % 4 == 0)
            stamp_paint(&now, STAMP_TIME, round);
        const struct rfb_box damage = round % 2 ? box : rfb_box_all(&now);
        struct rfb_picture of_box = view(&now, damage);
        struct scene_change change = {.part_count = 0};
        const unsigned stamps = compare_take(&picture, damage, &of_box, &change);
        const struct rfb_box rest = rfb_box_all(&now);
        const unsigned other = compare_take(&picture, rest, &now, &change);
        change_show(&window, &now, &change, stamps | other);
        same_pictures(&picture, &now);
        same_pictures(&window, &now);
        scrolls += change.scrolled.width > 0;
        free(now.pixels);
    }
    assert_true(scrolls > ROUNDS / 20);
    free(picture.pixels);
    free(window.pixels);
}

/* Else the viewer would move what was there before the part came. */
TEST(nothing_scrolls_behind_a_part)
{
    uint64_t random = 5;
    struct rfb_picture picture = picture_new();
    const struct rfb_box all = rfb_box_all(&picture);
    text_paint(&picture, all, &random);
    struct rfb_picture window = picture_copy(&picture), between = picture_copy(&picture);
    struct scene_change change = {.part_count = 0};
    between.pixels[200 * WIDTH + 5] = 0xff0000;
    compare_take(&picture, all, &between, &change);
    struct rfb_picture now = scrolled(&between, all, 30, &random);
    compare_take(&picture, all, &now, &change);
    change_show(&window, &now, &change, 3);
    same_pictures(&window, &now);
    free(picture.pixels);
    free(window.pixels);
    free(between.pixels);
    free(now.pixels);
}

/* A new line at its end is of the same frame. */
TEST(a_frame_ends_where_most_of_its_scroll_is_drawn_anew)
{
    const struct rfb_box all = {0, 0, WIDTH, HEIGHT};
    const struct scene_change line = {.parts = {{0, HEIGHT - 24, WIDTH, 24}}, .part_count = 1},
                              halves = {.parts = {{0, 0, WIDTH, 140}, {0, 150, WIDTH, 140}},
                                        .part_count = 2};
    struct scene_change change = {.part_count = 0};
    assert_false(change_is_over(&change, &halves)); /* nothing has moved */
    change.scrolled = all;
    assert_false(change_is_over(&change, &line));
    assert_true(change_is_over(&change, &halves));
}

TEST(stamps_are_told_apart_from_parts)
{
    struct rfb_picture picture = picture_new(), now = picture_new();
    struct scene_change change = {.part_count = 0};
    stamp_paint(&now, STAMP_TIME, 77);
    assert_int_equal(compare_take(&picture, rfb_box_all(&now), &now, &change), 1 << STAMP_TIME);
    assert_int_equal(change.part_count, 0);
    stamp_paint(&now, STAMP_KEYS, 78);
    assert_int_equal(compare_take(&picture, rfb_box_all(&now), &now, &change), 1 << STAMP_KEYS);
    assert_int_equal(change.part_count, 0);
    assert_false(compare_take(&picture, rfb_box_all(&now), &now, &change));
    now.pixels[(HEIGHT - 1) * WIDTH + 520] = 0xff; /* beside them */
    assert_false(compare_take(&picture, rfb_box_all(&now), &now, &change));
    assert_int_equal(change.part_count, 1);
    same_pictures(&picture, &now);
    free(picture.pixels);
    free(now.pixels);
}

TEST(a_letter_is_one_small_part)
{
    struct rfb_picture picture = picture_new(), now = picture_new();
    struct scene_change change = {.part_count = 0};
    for (unsigned y = 100; y < 140; y++)
        now.pixels[y * WIDTH + 70] = 0xffffff;
    compare_take(&picture, rfb_box_all(&now), &now, &change);
    assert_int_equal(change.part_count, 1);
    same_box(change.parts[0], (struct rfb_box){64, 100, 64, 40});
    free(picture.pixels);
    free(now.pixels);
}

TEST(the_ninth_part_joins_its_neighbour)
{
    struct scene_change change = {.part_count = 0};
    for (unsigned i = 0; i < SCENE_PARTS; i++)
        change_add(&change, (struct rfb_box){0, i * 100, 10, 10});
    change_add(&change, (struct rfb_box){12, 500, 10, 10});
    assert_int_equal(change.part_count, SCENE_PARTS);
    same_box(change.parts[5], (struct rfb_box){0, 500, 22, 10});
    same_box(change.parts[4], (struct rfb_box){0, 400, 10, 10});
}
