/* What a captured picture has that the one before had not. Pure: pictures in memory. */
#ifndef FANIN_COMPARE_H
#define FANIN_COMPARE_H

#include "mock_servers/screens/scene.h"

/* Content that has moved: `box` now shows what lay `lines` rows lower (negative: higher). */
struct scroll {
    struct rfb_box box;
    int lines;
};

/* In all of these `now` is what the picture's `box` is to become, of the box's size. */

/* scroll_find: whether a good part of `now` is what the box had higher or lower. It is right pixel
 * for pixel. Rows of one colour tell nothing, so a blank page never scrolls. False also without
 * memory. */
bool scroll_find(const struct rfb_picture *picture, struct rfb_box box,
                 const struct rfb_picture *now, struct scroll *scroll);

/* scroll_apply: moves it in the picture, as the viewer of a CopyRect does. */
void scroll_apply(const struct rfb_picture *picture, const struct scroll *scroll);

/* compare_take: makes the picture's box `now` and adds to `change` how: what differs, in few boxes
 * that are as tight as tiles of 64 x 16. Content that moved up becomes `scrolled`, in the first
 * call of a change alone: the largest box comes first. Returns the stamps that may be new, 1 <<
 * STAMP_TIME and 1 << STAMP_KEYS: where they are belongs to no part. */
unsigned compare_take(const struct rfb_picture *picture, struct rfb_box box,
                      const struct rfb_picture *now, struct scene_change *change);

/* change_is_over: whether most of what it has scrolled is drawn anew, as `damage` has it. That is
 * the next frame, which belongs to the next change: a viewer can move nothing after the parts. */
bool change_is_over(const struct scene_change *change, const struct scene_change *damage);

/* change_add: one more part. The ninth is joined with the one that grows least by it. */
void change_add(struct scene_change *change, struct rfb_box part);

#endif
