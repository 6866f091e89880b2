/* What a viewer lacks: whatever has happened to the picture, the moves and boxes bring it up to
 * date. */
#include "base/random.h"
#include "base/tests/test.h"
#include "mock_servers/screens/unseen.h"

#include <string.h>

enum { SIDE = 40, ROUNDS = 3000, STEPS_MAX = 9 };

struct pictures {
    uint32_t real[SIDE][SIDE], viewers[SIDE][SIDE];
    struct unseen unseen;
    uint64_t random;
};

static unsigned below(struct pictures *pictures, unsigned limit)
{
    return (unsigned)(random_next(&pictures->random) % limit);
}

static struct rfb_box any_box(struct pictures *pictures)
{
    struct rfb_box box = {.x = below(pictures, SIDE), .y = below(pictures, SIDE)};
    box.width = 1 + below(pictures, SIDE - box.x);
    box.height = 1 + below(pictures, SIDE - box.y);
    return box;
}

static void paint(struct pictures *pictures, struct rfb_box box)
{
    for (unsigned y = box.y; y < box.y + box.height; y++)
        for (unsigned x = box.x; x < box.x + box.width; x++)
            pictures->real[y][x] = (uint32_t)random_next(&pictures->random);
    unseen_add(&pictures->unseen, box);
}

static void move(uint32_t picture[SIDE][SIDE], struct rfb_box box, unsigned lines)
{
    for (unsigned y = box.y; y + lines < box.y + box.height; y++)
        memmove(&picture[y][box.x], &picture[y + lines][box.x], box.width * sizeof(uint32_t));
}

static void scroll(struct pictures *pictures, struct rfb_box box)
{
    unsigned lines = 1 + below(pictures, box.height);
    move(pictures->real, box, lines);
    unseen_move(&pictures->unseen, box, lines);
    if (below(pictures, 2) == 0)
        paint(pictures, (struct rfb_box){box.x, box.y + box.height - lines, box.width, lines});
}

static void copy(struct pictures *pictures, const struct unseen *taken)
{
    for (unsigned i = 0; i < taken->count; i++)
        for (unsigned y = 0; y < taken->boxes[i].height; y++) {
            struct rfb_box box = taken->boxes[i];
            memcpy(&pictures->viewers[box.y + y][box.x], &pictures->real[box.y + y][box.x],
                   box.width * sizeof(uint32_t));
        }
}

/* An update of two halves: the second has what the first left. */
static void update(struct pictures *pictures)
{
    struct unseen first = {0}, second = {0}, *unseen = &pictures->unseen;
    if (below(pictures, 4) == 0)
        unseen_flatten(unseen);
    if (!box_is_empty(unseen->moved))
        move(pictures->viewers, unseen->moved, unseen->lines);
    unseen->moved = (struct rfb_box){0};
    unseen->lines = 0;
    unseen_take(unseen, any_box(pictures), &first);
    copy(pictures, &first);
    unseen_take(unseen, (struct rfb_box){0, 0, SIDE, SIDE}, &second);
    copy(pictures, &second);
    assert_true(unseen_is_empty(unseen));
    assert_memory_equal(pictures->real, pictures->viewers, sizeof pictures->real);
}

TEST(a_viewer_gets_whatever_happened)
{
    static struct pictures pictures = {.random = 1};
    for (unsigned round = 0; round < ROUNDS; round++) {
        const struct rfb_box page = any_box(&pictures);
        for (unsigned step = below(&pictures, STEPS_MAX); step > 0; step--) {
            unsigned what = below(&pictures, 4);
            if (what == 0)
                scroll(&pictures, any_box(&pictures));
            else if (what == 1)
                scroll(&pictures, page);
            else
                paint(&pictures, any_box(&pictures));
        }
        update(&pictures);
    }
}

TEST(moves_of_one_box_add_up)
{
    struct unseen unseen = {0};
    const struct rfb_box page = {0, 0, 100, 100};
    for (unsigned i = 0; i < 3; i++) {
        unseen_move(&unseen, page, 10);
        unseen_add(&unseen, (struct rfb_box){0, 90, 100, 10});
    }
    assert_int_equal(unseen.lines, 30);
    assert_int_equal(unseen.count, 1);
    assert_int_equal(unseen.boxes[0].y, 70);
    assert_int_equal(unseen.boxes[0].height, 30);
}

TEST(what_is_moved_out_is_not_sent)
{
    struct unseen unseen = {0};
    unseen_add(&unseen, (struct rfb_box){10, 5, 20, 5});
    unseen_move(&unseen, (struct rfb_box){0, 0, 100, 100}, 10);
    assert_int_equal(unseen.count, 0);
}

TEST(a_move_of_everything_is_none)
{
    struct unseen unseen = {0};
    unseen_move(&unseen, (struct rfb_box){0, 0, 10, 10}, 10);
    assert_true(box_is_empty(unseen.moved));
    assert_int_equal(unseen.count, 1);
}
