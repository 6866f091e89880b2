/* Where a decoder paints: a box of the picture, from its upper left pixel on, row by row. */
#ifndef FANIN_RFB_PAINT_H
#define FANIN_RFB_PAINT_H

#include "base/rfb/protocol.h"

struct paint {
    uint32_t *row; /* of the box: its first pixel */
    size_t stride;
    unsigned x, y, width, height;
};

static inline struct paint paint_begin(const struct rfb_picture *picture, struct rfb_box box)
{
    return (struct paint){
        .row = picture->pixels + (size_t)box.y * picture->stride + box.x,
        .stride = picture->stride,
        .width = box.width,
        .height = box.height,
    };
}

static inline uint32_t *paint_at(const struct paint *paint)
{
    return paint->row + paint->x;
}

/* paint_room: pixels that are left in the row. */
static inline unsigned paint_room(const struct paint *paint)
{
    return paint->width - paint->x;
}

/* paint_step: `count` pixels, at most paint_room, are there. */
static inline void paint_step(struct paint *paint, unsigned count)
{
    paint->x += count;
    if (paint->x < paint->width)
        return;
    paint->x = 0;
    paint->y++;
    paint->row += paint->stride;
}

static inline bool paint_done(const struct paint *paint)
{
    return paint->y >= paint->height || paint->width == 0;
}

/* paint_eight: pixels of one colour from `to` on. The compiler makes two stores of it. */
static inline void paint_eight(uint32_t *to, uint32_t colour)
{
    typedef uint32_t four __attribute__((vector_size(16), aligned(4), may_alias));
    const four pixels = {colour, colour, colour, colour};
    *(four *)to = pixels;
    *(four *)(to + 4) = pixels;
}

#endif
