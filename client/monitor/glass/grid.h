/* A grid: the pictures of all screens, scaled into one, the canvas. A click chooses the one that is
 * shown large. Of no window system; whoever has the window puts the boxes that these return. */
#ifndef FANIN_GRID_H
#define FANIN_GRID_H

#include <pthread.h>

#include "client/monitor/glass/layout.h"

struct grid_screen {
    struct rfb_picture picture;
    struct rfb_box cell, fit; /* the picture lies in the middle of its cell */
    uint8_t buttons;
};

struct grid {
    pthread_rwlock_t lock; /* painting reads the layout, and each screen has pixels of its own */
    unsigned count;
    struct grid_screen *screens;
    struct rfb_picture canvas;
    int chosen; /* or GRID_ALL */
};

/* grid_open: 0 or -ENOMEM. grid_close: the pictures, too. */
int grid_open(struct grid *grid, unsigned screens);
void grid_close(struct grid *grid);

/* grid_canvas: from here on it is painted there, all of it at once; one without pixels: nowhere. */
void grid_canvas(struct grid *grid, struct rfb_picture canvas);

/* grid_show: a black picture of that size. 0 or -ENOMEM with the picture empty. *box: what is new
 * of the canvas, as of the others. */
int grid_show(struct grid *grid, unsigned screen, unsigned width, unsigned height,
              struct rfb_picture *picture, struct rfb_box *box);
struct rfb_box grid_put(struct grid *grid, unsigned screen, struct rfb_box box);
struct rfb_box grid_hide(struct grid *grid, unsigned screen);

/* What a button or a move of the pointer means; `button` from 1 (the left one), 0: a move. */
enum grid_act {
    GRID_NOTHING,
    GRID_CHOSEN,  /* another screen is large now, or none: the canvas is new */
    GRID_POINTER, /* it is the chosen screen's */
};
enum grid_act grid_point_at(struct grid *grid, int x, int y, unsigned button, bool down,
                            unsigned *picture_x, unsigned *picture_y, uint8_t *buttons);

#endif
