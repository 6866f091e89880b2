/* After the handshake: messages, and an update's rectangles, each for its decoder. */
#include "client/monitor/rfb/machine.h"

#include <string.h>

/* ---- updates ------------------------------------------------------------------------------ */

int rfb_size(struct rfb *rfb, unsigned width, unsigned height)
{
    const uint64_t pixels = (uint64_t)width * height;
    if (pixels == 0 || pixels > rfb->config.pixels_max)
        return RFB_BAD_SIZE;
    if (width == rfb->picture.width && height == rfb->picture.height)
        return 0;
    memset(&rfb->picture, 0, sizeof rfb->picture);
    rfb->dirty.count = 0;
    return rfb->config.hooks->size(rfb->config.context, width, height, &rfb->picture)
               ? 0
               : RFB_NO_MEMORY;
}

static int rectangle(struct rfb *rfb, const uint8_t *data);

static int update_end(struct rfb *rfb)
{
    rfb->counts.updates++;
    rfb->config.hooks->updated(rfb->config.context, &rfb->dirty);
    return rfb_messages(rfb);
}

static int rectangle_next(struct rfb *rfb)
{
    if (rfb->left > 0) {
        rfb->left--;
        return rfb_expect(rfb, RFB_HEADER_BYTES, rectangle);
    }
    return rfb->announced == RECTANGLES_UNKNOWN ? RFB_ENDLESS : update_end(rfb);
}

int rfb_rectangle_done(struct rfb *rfb)
{
    damage_add(&rfb->dirty, rfb->box);
    return rectangle_next(rfb);
}

/* Bounds what an update can make us do, however its rectangles overlap. */
static int paint_count(struct rfb *rfb, uint64_t pixels)
{
    const uint64_t all = (uint64_t)rfb->picture.width * rfb->picture.height;
    rfb->painted += pixels;
    rfb->empty += pixels == 0;
    return rfb->painted > PAINT_TIMES_MAX * all || rfb->empty > EMPTY_MAX ? RFB_ENDLESS : 0;
}

static int resize(struct rfb *rfb)
{
    int fault = rfb_size(rfb, rfb->box.width, rfb->box.height);
    if (fault == 0)
        fault = paint_count(rfb, (uint64_t)rfb->box.width * rfb->box.height);
    return fault != 0 ? fault : rectangle_next(rfb);
}

static void rectangle_count(struct rfb *rfb, uint64_t pixels)
{
    static const int order[] = {RFB_RAW, RFB_COPYRECT, RFB_TIGHT, RFB_ZRLE};
    rfb->counts.rectangles++;
    rfb->counts.pixels += pixels;
    for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
        rfb->counts.by_encoding[i] += order[i] == rfb->decoder->encoding;
}

static int pixels_begin(struct rfb *rfb, int encoding)
{
    const uint64_t count = (uint64_t)rfb->box.width * rfb->box.height;
    unsigned index = 0;
    while ((rfb->decoder = decoder_list(index)) != NULL && rfb->decoder->encoding != encoding)
        index++;
    if (rfb->decoder == NULL)
        return RFB_BAD_ENCODING;
    if (!rfb_box_inside(rfb->box, &rfb->picture))
        return RFB_OUTSIDE;
    rfb->decoder_index = index;
    int fault = paint_count(rfb, count);
    if (fault == 0)
        fault = rfb->decoder->begin(rfb->states[index], &rfb->picture, rfb->box);
    if (fault != 0)
        return fault;
    rectangle_count(rfb, count);
    return rfb_expect_pixels(rfb);
}

static int rectangle(struct rfb *rfb, const uint8_t *data)
{
    const int encoding = (int)rfb_get32(data + 8);
    rfb->box = (struct rfb_box){rfb_get16(data), rfb_get16(data + 2), rfb_get16(data + 4),
                                rfb_get16(data + 6)};
    if (!rfb_asked_for(rfb, encoding))
        return RFB_BAD_ENCODING;
    if (encoding == RFB_LAST_RECT)
        return update_end(rfb);
    return encoding == RFB_DESKTOP_SIZE ? resize(rfb) : pixels_begin(rfb, encoding);
}

static int update(struct rfb *rfb, const uint8_t *data)
{
    rfb->announced = rfb->left = rfb_get16(data + 1);
    rfb->empty = 0;
    rfb->painted = 0;
    rfb->dirty.count = 0;
    return rfb->left == 0 ? update_end(rfb) : rectangle_next(rfb);
}

/* ---- other messages ----------------------------------------------------------------------- */

static int text_end(struct rfb *rfb)
{
    if (rfb->config.hooks->text != NULL)
        rfb->config.hooks->text(rfb->config.context, rfb->said, rfb->text_bytes);
    return rfb_messages(rfb);
}

static int text_length(struct rfb *rfb, const uint8_t *data)
{
    return rfb_expect_text(rfb, rfb_get32(data + 3), rfb->said, RFB_TEXT_MAX, text_end);
}

/* Our format has no colour map: read over. */
static int colours(struct rfb *rfb, const uint8_t *data)
{
    return rfb_expect_text(rfb, rfb_get16(data + 3) * 6u, rfb->said, 0, rfb_messages);
}

static int message(struct rfb *rfb, const uint8_t *data)
{
    switch (*data) {
    case RFB_UPDATE:
        return rfb_expect(rfb, 3, update);
    case RFB_COLOUR_MAP:
        return rfb_expect(rfb, 5, colours);
    case RFB_BELL:
        return rfb_messages(rfb);
    case RFB_SERVER_CUT_TEXT:
        return rfb_expect(rfb, 7, text_length);
    default:
        return RFB_BAD_MESSAGE;
    }
}

int rfb_messages(struct rfb *rfb)
{
    return rfb_expect(rfb, 1, message);
}

bool rfb_idle(const struct rfb *rfb)
{
    return rfb->next == message;
}
