/* CopyRect: the box was elsewhere in the picture, at a place of four bytes. */
#include "client/monitor/rfb/decoders.h"

#include <string.h>

enum { PLACE_BYTES = 4 };

struct copyrect {
    struct rfb_picture picture;
    struct rfb_box box;
    uint8_t place[PLACE_BYTES];
    size_t held;
};

static int begin(void *state, const struct rfb_picture *picture, struct rfb_box box)
{
    struct copyrect *copyrect = state;
    *copyrect = (struct copyrect){.picture = *picture, .box = box};
    return 0;
}

/* Rows in the order in which none is overwritten before it is read. */
static void copy(const struct rfb_picture *picture, struct rfb_box from, struct rfb_box to)
{
    const bool down = to.y > from.y;
    for (unsigned i = 0; i < to.height; i++) {
        const unsigned row = down ? to.height - 1 - i : i;
        memmove(picture->pixels + (size_t)(to.y + row) * picture->stride + to.x,
                picture->pixels + (size_t)(from.y + row) * picture->stride + from.x,
                to.width * sizeof *picture->pixels);
    }
}

static int64_t feed(void *state, const uint8_t *data, size_t bytes, bool *done)
{
    struct copyrect *copyrect = state;
    const size_t missing = PLACE_BYTES - copyrect->held, part = bytes < missing ? bytes : missing;
    memcpy(copyrect->place + copyrect->held, data, part);
    copyrect->held += part;
    if (copyrect->held < PLACE_BYTES)
        return (int64_t)part;
    struct rfb_box from = copyrect->box;
    from.x = rfb_get16(copyrect->place);
    from.y = rfb_get16(copyrect->place + 2);
    if (!rfb_box_inside(from, &copyrect->picture))
        return RFB_COPY_OUTSIDE;
    copy(&copyrect->picture, from, copyrect->box);
    *done = true;
    return (int64_t)part;
}

const struct decoder decoder_copyrect = {
    .name = "copyrect",
    .encoding = RFB_COPYRECT,
    .state_bytes = sizeof(struct copyrect),
    .begin = begin,
    .feed = feed,
};
