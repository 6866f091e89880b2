/* What of a picture a viewer does not have yet: a few boxes, and perhaps a box that it has to move
 * first. Pure: no clock, no socket. Boxes may grow when there are too many: they then hold more
 * than was damaged, never less. */
#ifndef FANIN_UNSEEN_H
#define FANIN_UNSEEN_H

#include "base/rfb/protocol.h"

enum { UNSEEN_BOXES = 16 };

/* Zeroed: nothing. */
struct unseen {
    struct rfb_box boxes[UNSEEN_BOXES];
    unsigned count;
    struct rfb_box moved; /* up by `lines`, before the boxes; without area: nothing */
    unsigned lines;
};

static inline bool box_is_empty(struct rfb_box box)
{
    return box.width == 0 || box.height == 0;
}

struct rfb_box box_intersect(struct rfb_box one, struct rfb_box other);

/* unseen_add: one without area adds nothing. */
void unseen_add(struct unseen *unseen, struct rfb_box box);

/* unseen_move: what is in the box has moved up by `lines`; its lowest lines are as they were,
 * unless the caller adds them. Moves of one box add up, and take with them what was damaged in
 * it. */
void unseen_move(struct unseen *unseen, struct rfb_box box, unsigned lines);

/* unseen_flatten: nothing moves: what would have is damaged instead. */
void unseen_flatten(struct unseen *unseen);

/* unseen_take: takes what lies in `box` out, into `taken`; false: nothing does. Of a damage that
 * moves nothing. */
bool unseen_take(struct unseen *unseen, struct rfb_box box, struct unseen *taken);

static inline bool unseen_is_empty(const struct unseen *unseen)
{
    return unseen->count == 0 && box_is_empty(unseen->moved);
}

#endif
