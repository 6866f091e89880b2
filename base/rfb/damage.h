/* What is new of a picture, as a few boxes. */
#ifndef FANIN_RFB_DAMAGE_H
#define FANIN_RFB_DAMAGE_H

#include "base/rfb/protocol.h"

enum { DAMAGE_BOXES = 16 };

/* Zeroed is empty. */
struct damage {
    unsigned count;
    struct rfb_box boxes[DAMAGE_BOXES];
};

/* damage_add: one more box; where there are too many, those that lie closest become one. */
void damage_add(struct damage *damage, struct rfb_box box);

#endif
