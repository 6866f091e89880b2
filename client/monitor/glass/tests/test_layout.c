/* Layout without a display: places of windows, cells of a grid, scaled pictures. */
#include "client/monitor/glass/layout.h"

#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"

static bool overlap(struct rfb_box one, struct rfb_box other)
{
    return one.x < other.x + other.width && other.x < one.x + one.width &&
           one.y < other.y + other.height && other.y < one.y + one.height;
}

static struct rfb_box placed(struct shelves *shelves, unsigned width, unsigned height, bool *room)
{
    struct rfb_box box = {.width = width, .height = height};
    *room = shelves_place(shelves, width, height, &box.x, &box.y);
    return box;
}

TEST(windows_of_any_size_do_not_overlap_while_there_is_room)
{
    enum { COUNT = 40 };
    struct shelves shelves = {.width = 1920, .height = 1200};
    struct rfb_box boxes[COUNT];
    unsigned found = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        bool room;
        struct rfb_box box = placed(&shelves, 200 + i % 3 * 64, 120 + i % 5 * 16, &room);
        if (!room)
            continue;
        assert_true(box.x + box.width <= shelves.width && box.y + box.height <= shelves.height);
        for (unsigned other = 0; other < found; other++)
            assert_false(overlap(box, boxes[other]));
        boxes[found++] = box;
    }
    assert_true(found >= 32);
}

TEST(a_window_without_room_lies_on_the_display_all_the_same)
{
    struct shelves shelves = {.width = 640, .height = 480};
    bool room;
    placed(&shelves, 640, 480, &room);
    assert_true(room);
    struct rfb_box second = placed(&shelves, 600, 400, &room);
    assert_false(room);
    struct rfb_box third = placed(&shelves, 600, 400, &room);
    assert_false(room);
    assert_true(third.x != second.x || third.y != second.y);
    assert_true(third.x + 600 <= 640 && third.y + 400 <= 480);
    struct rfb_box larger = placed(&shelves, 2000, 2000, &room);
    assert_false(room);
    assert_true(larger.x == 0 && larger.y == 0);
}

TEST(cells_of_a_grid_lie_beside_each_other)
{
    for (unsigned count = 1; count <= 50; count++) {
        for (int chosen = GRID_ALL; chosen < (int)count; chosen++) {
            struct rfb_box all[50];
            for (unsigned i = 0; i < count; i++) {
                all[i] = grid_cell(1280, 800, count, chosen, i);
                assert_true(all[i].width > 0 && all[i].height > 0);
                assert_true(all[i].x + all[i].width <= 1280 && all[i].y + all[i].height <= 800);
                for (unsigned other = 0; other < i; other++)
                    assert_false(overlap(all[i], all[other]));
            }
        }
    }
}

TEST(the_chosen_cell_is_the_largest)
{
    struct rfb_box chosen = grid_cell(1280, 800, 7, 3, 3), other = grid_cell(1280, 800, 7, 3, 4);
    assert_int_equal(chosen.width, 960);
    assert_int_equal(chosen.height, 800);
    assert_true(other.width <= 320);
}

TEST(a_picture_keeps_its_shape_in_its_cell)
{
    struct rfb_box fit = grid_fit((struct rfb_box){100, 50, 400, 400}, 1280, 800);
    assert_int_equal(fit.width, 400);
    assert_int_equal(fit.height, 250);
    assert_int_equal(fit.x, 100);
    assert_int_equal(fit.y, 125);
    assert_int_equal(grid_fit((struct rfb_box){0, 0, 400, 400}, 0, 0).width, 0);
}

TEST(a_scaled_pixel_is_the_mean_of_those_it_stands_for)
{
    uint32_t source[16] = {0xff0000, 0x000000, 0x00ff00, 0x00ff00, //
                           0xff0000, 0x000000, 0x00ff00, 0x00ff00};
    uint32_t target[16] = {0};
    struct rfb_picture from = {source, 4, 2, 4}, to = {target, 4, 4, 4};
    struct rfb_box done = grid_paint(&to, (struct rfb_box){1, 2, 2, 1}, &from, rfb_box_all(&from));
    assert_memory_equal(&done, (&(struct rfb_box){1, 2, 2, 1}), sizeof done);
    assert_int_equal(target[2 * 4 + 1], 0x7f0000);
    assert_int_equal(target[2 * 4 + 2], 0x00ff00);
    assert_int_equal(target[2 * 4 + 3], 0);
    assert_int_equal(target[1 * 4 + 1], 0);
}

/* Parts leave what the whole leaves, at every ratio; nothing beside the place is painted. */
TEST(painting_by_parts_is_painting_the_whole)
{
    enum { WIDTH = 53, HEIGHT = 37, SIDE = 64 };
    static uint32_t source[WIDTH * HEIGHT], whole[SIDE * SIDE], parts[SIDE * SIDE];
    for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
        source[i] = i * 2654435761u & 0xffffff;
    struct rfb_picture from = {source, WIDTH, HEIGHT, WIDTH};
    struct rfb_picture one = {whole, SIDE, SIDE, SIDE}, other = {parts, SIDE, SIDE, SIDE};
    for (unsigned size = 1; size <= 60; size++) {
        struct rfb_box fit = {2, 2, size, (size + 1) / 2};
        memset(whole, 0, sizeof whole);
        memset(parts, 0, sizeof parts);
        grid_paint(&one, fit, &from, rfb_box_all(&from));
        for (unsigned y = 0; y < HEIGHT; y += 10)
            for (unsigned x = 0; x < WIDTH; x += 7) {
                struct rfb_box box = {x, y, WIDTH - x < 7 ? WIDTH - x : 7,
                                      HEIGHT - y < 10 ? HEIGHT - y : 10};
                struct rfb_box done = grid_paint(&other, fit, &from, box);
                assert_true(done.x >= 2 && done.x + done.width <= 2 + fit.width);
                assert_true(done.y >= 2 && done.y + done.height <= 2 + fit.height);
            }
        assert_memory_equal(whole, parts, sizeof whole);
    }
}

TEST(a_point_of_the_grid_is_a_pixel_of_the_picture)
{
    unsigned x, y;
    grid_point((struct rfb_box){100, 100, 200, 100}, 1000, 500, 150, 150, &x, &y);
    assert_int_equal(x, 250);
    assert_int_equal(y, 250);
    grid_point((struct rfb_box){100, 100, 200, 100}, 1000, 500, -5, 4000, &x, &y);
    assert_int_equal(x, 0);
    assert_int_equal(y, 499);
}
