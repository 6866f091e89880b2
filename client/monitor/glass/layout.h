/* Where pictures lie on a display: windows beside each other, and the cells of a grid. Plain
 * arithmetic, the same for each window system. */
#ifndef FANIN_LAYOUT_H
#define FANIN_LAYOUT_H

#include "base/rfb/protocol.h"

/* ---- windows ------------------------------------------------------------------------------- */

enum { SHELVES_MAX = 128 };

/* Windows stand side by side on shelves that are as high as the first of them. Zeroed but for the
 * display's size it is empty. */
struct shelves {
    unsigned width, height; /* of the display */
    unsigned count, top;    /* shelves; where the next one begins */
    unsigned crowded;       /* windows that found no room */
    struct shelf {
        unsigned y, height, used;
    } shelf[SHELVES_MAX];
};

/* shelves_place: the place of one more window. False: there is no room for it beside the others,
 * and it lies above them, each such window a little further. */
bool shelves_place(struct shelves *shelves, unsigned width, unsigned height, unsigned *x,
                   unsigned *y);

/* ---- grid ---------------------------------------------------------------------------------- */

enum { GRID_ALL = -1 };

/* grid_cell: where screen `index` of `count` lies in a grid of that size. `chosen`: the screen that
 * has the left three quarters, or GRID_ALL: all have the same. */
struct rfb_box grid_cell(unsigned width, unsigned height, unsigned count, int chosen,
                         unsigned index);

/* grid_fit: the middle of `cell` in the shape of a picture; without area: the cell is too small. */
struct rfb_box grid_fit(struct rfb_box cell, unsigned width, unsigned height);

/* grid_paint: scales what is new of `from` into its place `fit` in `to`; returns the part of `to`
 * that it has painted. Each pixel is the mean of those it stands for. */
struct rfb_box grid_paint(const struct rfb_picture *to, struct rfb_box fit,
                          const struct rfb_picture *from, struct rfb_box box);

/* grid_fill: paints a box black. */
void grid_fill(const struct rfb_picture *picture, struct rfb_box box);

/* grid_point: the pixel of a picture of `width` x `height` that is shown at x, y of its place. A
 * point beside the place is the nearest in it. */
void grid_point(struct rfb_box fit, unsigned width, unsigned height, int x, int y,
                unsigned *picture_x, unsigned *picture_y);

static inline bool box_holds(struct rfb_box box, int x, int y)
{
    return x >= 0 && y >= 0 && (unsigned)x >= box.x && (unsigned)x - box.x < box.width &&
           (unsigned)y >= box.y && (unsigned)y - box.y < box.height;
}

#endif
