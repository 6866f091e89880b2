/* Boxes of damage: adding, moving, taking out. */
#include "mock_servers/screens/unseen.h"

#include <assert.h>

static unsigned least(unsigned one, unsigned other)
{
    return one < other ? one : other;
}

static unsigned most(unsigned one, unsigned other)
{
    return one > other ? one : other;
}

static bool is_same(struct rfb_box one, struct rfb_box other)
{
    return one.x == other.x && one.y == other.y && one.width == other.width &&
           one.height == other.height;
}

struct rfb_box box_intersect(struct rfb_box one, struct rfb_box other)
{
    unsigned left = most(one.x, other.x), top = most(one.y, other.y);
    unsigned right = least(one.x + one.width, other.x + other.width);
    unsigned bottom = least(one.y + one.height, other.y + other.height);
    if (left >= right || top >= bottom)
        return (struct rfb_box){0};
    return (struct rfb_box){left, top, right - left, bottom - top};
}

/* What of `box` is not in `hole`, in up to 4 boxes; returns how many. */
static unsigned box_subtract(struct rfb_box box, struct rfb_box hole, struct rfb_box rest[4])
{
    unsigned count = 0;
    hole = box_intersect(box, hole);
    if (box_is_empty(hole)) {
        rest[0] = box;
        return box_is_empty(box) ? 0 : 1;
    }
    const unsigned below = hole.y + hole.height, right = hole.x + hole.width;
    const struct rfb_box sides[4] = {
        {box.x, box.y, box.width, hole.y - box.y},
        {box.x, hole.y, hole.x - box.x, hole.height},
        {right, hole.y, box.x + box.width - right, hole.height},
        {box.x, below, box.width, box.y + box.height - below},
    };
    for (unsigned i = 0; i < 4; i++)
        if (!box_is_empty(sides[i]))
            rest[count++] = sides[i];
    return count;
}

static void drop(struct unseen *unseen, unsigned index)
{
    unseen->boxes[index] = unseen->boxes[--unseen->count];
}

/* What a box around both would hold that neither does. */
static uint64_t waste(struct rfb_box one, struct rfb_box other)
{
    return rfb_box_area(rfb_box_join(one, other)) + rfb_box_area(box_intersect(one, other)) -
           rfb_box_area(one) - rfb_box_area(other);
}

static unsigned cheapest(const struct unseen *unseen, struct rfb_box box)
{
    unsigned best = 0;
    for (unsigned i = 1; i < unseen->count; i++)
        if (waste(unseen->boxes[i], box) < waste(unseen->boxes[best], box))
            best = i;
    return best;
}

/* A box that another one holds, or that another one continues without a gap, is not kept apart. */
void unseen_add(struct unseen *unseen, struct rfb_box box)
{
    if (box_is_empty(box))
        return;
    for (unsigned near; unseen->count > 0; drop(unseen, near)) {
        near = cheapest(unseen, box);
        if (waste(unseen->boxes[near], box) > 0 && unseen->count < UNSEEN_BOXES)
            break;
        box = rfb_box_join(unseen->boxes[near], box);
    }
    unseen->boxes[unseen->count++] = box;
}

void unseen_flatten(struct unseen *unseen)
{
    struct rfb_box moved = unseen->moved;
    unseen->moved = (struct rfb_box){0};
    unseen->lines = 0;
    unseen_add(unseen, moved);
}

static struct rfb_box lowest(struct rfb_box box, unsigned lines)
{
    return (struct rfb_box){box.x, box.y + box.height - lines, box.width, lines};
}

/* What the viewer lacks inside of the box moves with it, also out at its upper edge; what it lacks
 * of the lowest lines stays there, too. */
static void move_boxes(struct unseen *unseen, struct rfb_box box, unsigned lines)
{
    const struct unseen before = *unseen;
    unseen->count = 0;
    for (unsigned i = 0; i < before.count; i++) {
        struct rfb_box part = box_intersect(before.boxes[i], box);
        if (box_is_empty(part) || !is_same(part, before.boxes[i]))
            unseen_add(unseen, before.boxes[i]);
        unseen_add(unseen, box_intersect(part, lowest(box, lines)));
        if (box_is_empty(part) || part.y + part.height <= box.y + lines)
            continue;
        unsigned top = most(part.y, box.y + lines);
        part.height = part.y + part.height - top;
        part.y = top - lines;
        unseen_add(unseen, part);
    }
}

void unseen_move(struct unseen *unseen, struct rfb_box box, unsigned lines)
{
    if (box_is_empty(box) || lines == 0)
        return;
    if (!box_is_empty(unseen->moved) && !is_same(unseen->moved, box))
        unseen_flatten(unseen);
    if (lines + unseen->lines >= box.height) {
        unseen_flatten(unseen);
        unseen_add(unseen, box);
        return;
    }
    move_boxes(unseen, box, lines);
    if (unseen->lines > 0)
        unseen_add(unseen, lowest(box, unseen->lines + lines)); /* one move does not reach them */
    unseen->moved = box;
    unseen->lines += lines;
}

bool unseen_take(struct unseen *unseen, struct rfb_box box, struct unseen *taken)
{
    const struct unseen before = *unseen;
    struct rfb_box rest[4];
    bool any = false;
    assert(box_is_empty(unseen->moved));
    unseen->count = 0;
    for (unsigned i = 0; i < before.count; i++) {
        struct rfb_box part = box_intersect(before.boxes[i], box);
        unsigned left = box_subtract(before.boxes[i], box, rest);
        any = any || !box_is_empty(part);
        unseen_add(taken, part);
        for (unsigned j = 0; j < left; j++)
            unseen_add(unseen, rest[j]);
    }
    return any;
}
