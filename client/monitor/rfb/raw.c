/* Raw: pixels as they are, blue first, row by row. */
#include "client/monitor/rfb/decoders.h"

#include <string.h>

#include "client/monitor/rfb/paint.h"

enum { PIXEL_BYTES = 4 };

struct raw {
    struct paint paint;
    uint8_t cut[PIXEL_BYTES]; /* a pixel, of which `held` bytes are there */
    size_t held;
};

static int begin(void *state, const struct rfb_picture *picture, struct rfb_box box)
{
    struct raw *raw = state;
    raw->paint = paint_begin(picture, box);
    raw->held = 0;
    return 0;
}

/* The byte that is not a colour may be anything. */
static void run(struct paint *paint, const uint8_t *data, unsigned count)
{
    uint32_t *to = paint_at(paint);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, data, (size_t)count * PIXEL_BYTES);
#else
    for (unsigned i = 0; i < count; i++, data += PIXEL_BYTES)
        to[i] = (uint32_t)data[2] << 16 | (uint32_t)data[1] << 8 | data[0];
#endif
    paint_step(paint, count);
}

/* The rest of a pixel that was cut, or the begin of one. Returns the bytes taken. */
static size_t cut(struct raw *raw, const uint8_t *data, size_t bytes)
{
    const size_t missing = PIXEL_BYTES - raw->held, part = bytes < missing ? bytes : missing;
    memcpy(raw->cut + raw->held, data, part);
    raw->held += part;
    if (raw->held == PIXEL_BYTES) {
        run(&raw->paint, raw->cut, 1);
        raw->held = 0;
    }
    return part;
}

static int64_t feed(void *state, const uint8_t *data, size_t bytes, bool *done)
{
    struct raw *raw = state;
    const uint8_t *at = data, *end = data + bytes;
    while (at < end && !paint_done(&raw->paint)) {
        const size_t pixels = (size_t)(end - at) / PIXEL_BYTES;
        const unsigned room = paint_room(&raw->paint);
        if (raw->held > 0 || pixels == 0) {
            at += cut(raw, at, (size_t)(end - at));
        } else {
            const unsigned count = pixels < room ? (unsigned)pixels : room;
            run(&raw->paint, at, count);
            at += (size_t)count * PIXEL_BYTES;
        }
    }
    *done = paint_done(&raw->paint);
    return at - data;
}

const struct decoder decoder_raw = {
    .name = "raw",
    .encoding = RFB_RAW,
    .state_bytes = sizeof(struct raw),
    .begin = begin,
    .feed = feed,
};
