/* Tight: one colour, a JPEG, or pixels behind a filter (copied, of a palette, by their gradient),
 * deflated in one of four streams. */
#include "client/monitor/rfb/decoders.h"

#include <stdlib.h>
#include <string.h>

#include "base/rfb/jpeg.h"
#include "client/monitor/rfb/inflater.h"
#include "client/monitor/rfb/tight_filters.h"

enum {
    STREAMS = 4,
    FILL = 8,
    JPEG = 9,
    FILTER_FOLLOWS = 4,
    PLAIN_MAX = 11,        /* fewer bytes than 12 are not deflated */
    JPEG_HEAD_MAX = 16384, /* with four bytes a pixel, more than any JPEG of the box has */
    SCRATCH_BYTES = 65536  /* inflated at once, on the stack */
};

struct tight {
    struct rfb_picture picture;
    struct rfb_box box;
    int (*next)(struct tight *tight, const uint8_t *data); /* of `need` bytes */
    size_t need, held;
    uint8_t hold[TIGHT_PIXEL_BYTES];
    unsigned length_bytes;
    struct tight_filter filter;
    struct inflater *stream, streams[STREAMS];
    struct jpeg *jpeg;
    size_t left;     /* bytes on the wire: deflated, plain, or a JPEG's */
    size_t inflated; /* bytes of pixels that are still to come */
    bool is_jpeg, done;
    uint8_t *block; /* a JPEG that was cut */
    size_t block_bytes, block_room;
};

static void expect(struct tight *tight, size_t bytes, int (*next)(struct tight *, const uint8_t *))
{
    tight->need = bytes;
    tight->next = next;
    tight->held = 0;
}

/* ---- the head ----------------------------------------------------------------------------- */

static int fill(struct tight *tight, const uint8_t *data)
{
    const uint32_t colour = tight_pixel(data);
    for (unsigned y = 0; y < tight->box.height; y++) {
        uint32_t *row = tight->picture.pixels + (size_t)(tight->box.y + y) * tight->picture.stride +
                        tight->box.x;
        for (unsigned x = 0; x < tight->box.width; x++)
            row[x] = colour;
    }
    tight->done = true;
    return 0;
}

/* One to three bytes of seven, seven and eight bits, the lowest first. */
static int length(struct tight *tight, const uint8_t *data)
{
    const unsigned at = tight->length_bytes++;
    tight->left |= (size_t)(at < 2 ? *data & 0x7f : *data) << 7 * at;
    if (at < 2 && *data & 0x80)
        return 0;
    expect(tight, 0, NULL);
    if (tight->left == 0)
        return tight->is_jpeg ? RFB_BAD_JPEG : RFB_BAD_ZLIB;
    const size_t pixels = (size_t)tight->box.width * tight->box.height;
    return tight->is_jpeg && tight->left > JPEG_HEAD_MAX + 4 * pixels ? RFB_TOO_LONG : 0;
}

static void expect_length(struct tight *tight)
{
    tight->left = 0;
    tight->length_bytes = 0;
    expect(tight, 1, length);
}

static void expect_pixels(struct tight *tight)
{
    tight->inflated = tight_filter_bytes(&tight->filter);
    if (tight->inflated > PLAIN_MAX) {
        expect_length(tight);
        return;
    }
    tight->stream = NULL;
    tight->left = tight->inflated;
    expect(tight, 0, NULL);
}

static int palette(struct tight *tight, const uint8_t *data)
{
    if (tight_filter_colour(&tight->filter, tight_pixel(data)))
        expect_pixels(tight);
    return 0;
}

static int palette_count(struct tight *tight, const uint8_t *data)
{
    if (*data == 0)
        return RFB_BAD_TIGHT;
    tight_filter_palette(&tight->filter, *data + 1u);
    expect(tight, TIGHT_PIXEL_BYTES, palette);
    return 0;
}

static int filter(struct tight *tight, const uint8_t *data)
{
    switch (*data) {
    case TIGHT_COPY:
        break;
    case TIGHT_PALETTE:
        expect(tight, 1, palette_count);
        return 0;
    case TIGHT_GRADIENT:
        tight_filter_gradient(&tight->filter);
        break;
    default:
        return RFB_BAD_TIGHT;
    }
    expect_pixels(tight);
    return 0;
}

static int control(struct tight *tight, const uint8_t *data)
{
    const unsigned kind = *data >> 4;
    for (unsigned i = 0; i < STREAMS; i++)
        if (*data & 1u << i)
            inflater_reset(&tight->streams[i]);
    if (kind > JPEG)
        return RFB_BAD_TIGHT;
    tight->is_jpeg = kind == JPEG;
    tight->stream = &tight->streams[kind % STREAMS];
    if (kind == FILL)
        expect(tight, TIGHT_PIXEL_BYTES, fill);
    else if (kind == JPEG)
        expect_length(tight);
    else if (kind & FILTER_FOLLOWS)
        expect(tight, 1, filter);
    else
        expect_pixels(tight);
    return 0;
}

static int begin(void *state, const struct rfb_picture *picture, struct rfb_box box)
{
    struct tight *tight = state;
    if (box.width == 0 || box.height == 0 || box.width > RFB_TIGHT_WIDTH_MAX)
        return RFB_BAD_TIGHT;
    tight->picture = *picture;
    tight->box = box;
    tight->done = false;
    tight_filter_copy(&tight->filter, paint_begin(picture, box));
    expect(tight, 1, control);
    return 0;
}

/* ---- the body ----------------------------------------------------------------------------- */

/* Room of one byte more than may come shows that more does. */
static int inflate_all(struct tight *tight, const uint8_t *data, size_t bytes)
{
    uint8_t scratch[SCRATCH_BYTES];
    for (size_t room = 0, got = 0; got == room; tight->inflated -= got) {
        room = tight->inflated < SCRATCH_BYTES ? tight->inflated + 1 : SCRATCH_BYTES;
        const int64_t result = inflater_run(tight->stream, &data, &bytes, scratch, room);
        if (result < 0)
            return (int)result;
        got = (size_t)result;
        if (got > tight->inflated)
            return RFB_BAD_ZLIB;
        const int fault = tight_filter_paint(&tight->filter, scratch, got);
        if (fault != 0)
            return fault;
    }
    return 0;
}

static int pixels(struct tight *tight, const uint8_t *data, size_t bytes)
{
    if (tight->stream == NULL)
        return tight_filter_paint(&tight->filter, data, bytes);
    const int fault = inflate_all(tight, data, bytes);
    return fault == 0 && tight->left == bytes && tight->inflated > 0 ? RFB_BAD_ZLIB : fault;
}

static bool block_keep(struct tight *tight, const uint8_t *data, size_t bytes)
{
    const size_t room = tight->block_bytes + tight->left;
    if (room > tight->block_room) {
        uint8_t *block = realloc(tight->block, room);
        if (block == NULL)
            return false;
        tight->block = block;
        tight->block_room = room;
    }
    memcpy(tight->block + tight->block_bytes, data, bytes);
    tight->block_bytes += bytes;
    return true;
}

static int jpeg(struct tight *tight, const uint8_t *data, size_t bytes)
{
    size_t all = bytes;
    if (tight->block_bytes > 0 || bytes < tight->left) {
        if (!block_keep(tight, data, bytes))
            return RFB_NO_MEMORY;
        if (bytes < tight->left)
            return 0;
        data = tight->block;
        all = tight->block_bytes;
        tight->block_bytes = 0;
    }
    if (tight->jpeg == NULL && (tight->jpeg = jpeg_open()) == NULL)
        return RFB_NO_MEMORY;
    return jpeg_decode(tight->jpeg, data, all, &tight->picture, tight->box) ? 0 : RFB_BAD_JPEG;
}

static int64_t body(struct tight *tight, const uint8_t *data, size_t bytes)
{
    const size_t part = bytes < tight->left ? bytes : tight->left;
    const int fault = tight->is_jpeg ? jpeg(tight, data, part) : pixels(tight, data, part);
    if (fault != 0)
        return fault;
    tight->left -= part;
    tight->done = tight->left == 0;
    return (int64_t)part;
}

static int64_t head(struct tight *tight, const uint8_t *data, size_t bytes)
{
    const size_t missing = tight->need - tight->held, part = bytes < missing ? bytes : missing;
    memcpy(tight->hold + tight->held, data, part);
    tight->held += part;
    if (tight->held < tight->need)
        return (int64_t)part;
    tight->held = 0;
    const int fault = tight->next(tight, tight->hold);
    return fault != 0 ? fault : (int64_t)part;
}

static int64_t feed(void *state, const uint8_t *data, size_t bytes, bool *done)
{
    struct tight *tight = state;
    const uint8_t *at = data, *end = data + bytes;
    while (at < end && !tight->done) {
        const size_t rest = (size_t)(end - at);
        const int64_t taken = tight->next != NULL ? head(tight, at, rest) : body(tight, at, rest);
        if (taken < 0)
            return taken;
        at += taken;
    }
    *done = tight->done;
    return at - data;
}

static void close_all(void *state)
{
    struct tight *tight = state;
    for (unsigned i = 0; i < STREAMS; i++)
        inflater_close(&tight->streams[i]);
    jpeg_close(tight->jpeg);
    free(tight->block);
}

const struct decoder decoder_tight = {
    .name = "tight",
    .encoding = RFB_TIGHT,
    .state_bytes = sizeof(struct tight),
    .close = close_all,
    .begin = begin,
    .feed = feed,
};
