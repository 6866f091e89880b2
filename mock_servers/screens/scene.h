/* What a mock screen shows: a const table of scenes, each a function of the frame's number, painted
 * into the screen's picture. The same numbers give the same pictures. Text is drawn with a font of
 * our own, few colours; `video` is noise and gradients that move, as a film is for a coder. */
#ifndef FANIN_SCENE_H
#define FANIN_SCENE_H

#include "base/rfb/protocol.h"

struct scene {
    struct rfb_picture picture; /* from the caller */
    uint64_t seed;              /* so that not all screens look alike */
    uint64_t frame;             /* painted last; 0: the first picture */
    uint64_t keys, pointers;    /* events that it has seen */
    unsigned pointer_x, pointer_y;
    uint8_t buttons;
};

/* What a frame has changed. `scrolled`: this box now has what was `lines` below it: a CopyRect to
 * it from (x, y + lines); without area: nothing was scrolled. `parts`: then these were painted; the
 * stamps are not among them. */
enum { SCENE_PARTS = 8 };
struct scene_change {
    struct rfb_box scrolled;
    unsigned lines;
    struct rfb_box parts[SCENE_PARTS];
    unsigned part_count;
};

struct scene_kind {
    const char *name, *summary;
    double rate; /* frames a second, where --scene-rate says nothing */
    void (*paint)(struct scene *scene, struct scene_change *change); /* scene->frame */
};

const struct scene_kind *scene_list(unsigned index); /* NULL after the last: idle, type, scroll,
                                                        video, flip-all */
const struct scene_kind *scene_named(const char *name);

/* scene_begin: paints the first picture, whole, with stamps. */
void scene_begin(const struct scene_kind *kind, struct scene *scene, uint64_t now_us);

/* scene_step: the next frame, which was due at `due_us`, and its STAMP_TIME. */
void scene_step(const struct scene_kind *kind, struct scene *scene, uint64_t due_us,
                struct scene_change *change);

/* scene_key, scene_pointer: an event has come: paints its effect (STAMP_KEYS, the letter; a cross
 * where the pointer is) and STAMP_TIME. */
void scene_key(struct scene *scene, uint32_t keysym, uint64_t now_us, struct scene_change *change);
void scene_pointer(struct scene *scene, unsigned x, unsigned y, uint8_t buttons, uint64_t now_us,
                   struct scene_change *change);

#endif
