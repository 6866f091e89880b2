/* A viewer's side of RFB: bytes in, cut anywhere; what they are is decided in handshake.c and
 * messages.c. */
#include "client/monitor/rfb/machine.h"

#include <stdlib.h>
#include <string.h>

const char *rfb_fault_name(int fault)
{
    switch (fault) {
#define NAME(code, name, text)                                                                     \
    case code:                                                                                     \
        return name;
        RFB_FAULTS(NAME)
#undef NAME
    default:
        return "";
    }
}

const char *rfb_fault_text(int fault)
{
    switch (fault) {
#define TEXT(code, name, text)                                                                     \
    case code:                                                                                     \
        return text;
        RFB_FAULTS(TEXT)
#undef TEXT
    default:
        return "";
    }
}

/* ---- things of a fixed length, texts, pixels ---------------------------------------------- */

/* A whole thing is read where it lies; one that was cut is collected first. */
static int64_t gather(struct rfb *rfb, const uint8_t *data, size_t bytes)
{
    const size_t missing = rfb->need - rfb->held, part = bytes < missing ? bytes : missing;
    if (part < rfb->need) {
        memcpy(rfb->hold + rfb->held, data, part);
        rfb->held += part;
        if (rfb->held < rfb->need)
            return (int64_t)part;
        data = rfb->hold;
    }
    const int fault = rfb->next(rfb, data);
    return fault != 0 ? fault : (int64_t)part;
}

int rfb_expect(struct rfb *rfb, size_t bytes, int (*next)(struct rfb *, const uint8_t *))
{
    rfb->take = gather;
    rfb->next = next;
    rfb->need = bytes;
    rfb->held = 0;
    return 0;
}

static int64_t text(struct rfb *rfb, const uint8_t *data, size_t bytes)
{
    const size_t part = bytes < rfb->text_left ? bytes : (size_t)rfb->text_left;
    const size_t room = rfb->text_room - rfb->text_bytes, kept = part < room ? part : room;
    memcpy(rfb->text + rfb->text_bytes, data, kept);
    rfb->text_bytes += kept;
    rfb->text_left -= part;
    if (rfb->text_left > 0)
        return (int64_t)part;
    rfb->text[rfb->text_bytes] = '\0';
    const int fault = rfb->text_end(rfb);
    return fault != 0 ? fault : (int64_t)part;
}

int rfb_expect_text(struct rfb *rfb, uint32_t bytes, char *into, size_t room,
                    int (*end)(struct rfb *))
{
    if (bytes > TEXT_LENGTH_MAX)
        return RFB_TOO_LONG;
    rfb->take = text;
    rfb->text = into;
    rfb->text_room = room;
    rfb->text_bytes = 0;
    rfb->text_left = bytes;
    rfb->text_end = end;
    into[0] = '\0';
    return bytes == 0 ? end(rfb) : 0;
}

static int64_t pixels(struct rfb *rfb, const uint8_t *data, size_t bytes)
{
    bool done = false;
    const int64_t taken = rfb->decoder->feed(rfb->states[rfb->decoder_index], data, bytes, &done);
    if (taken < 0 || !done)
        return taken;
    const int fault = rfb_rectangle_done(rfb);
    return fault != 0 ? fault : taken;
}

int rfb_expect_pixels(struct rfb *rfb)
{
    rfb->take = pixels;
    if (rfb->box.width > 0 && rfb->box.height > 0)
        return 0;
    /* It may be over without a byte. */
    const int64_t taken = pixels(rfb, rfb->hold, 0);
    return taken < 0 ? (int)taken : 0;
}

int64_t rfb_feed(struct rfb *rfb, const void *data, size_t bytes)
{
    const uint8_t *at = data, *end = at + bytes;
    while (at < end && !rfb->secured) {
        const int64_t taken = rfb->take(rfb, at, (size_t)(end - at));
        if (taken < 0)
            return taken;
        at += taken;
    }
    rfb->secured = false;
    return (int64_t)bytes - (end - at);
}

/* ---- opening, closing, asking ------------------------------------------------------------- */

bool rfb_asked_for(const struct rfb *rfb, int encoding)
{
    for (unsigned i = 0; i < rfb->config.encoding_count; i++)
        if (rfb->config.encodings[i] == encoding)
            return true;
    return encoding == RFB_RAW;
}

static bool decoders_open(struct rfb *rfb)
{
    const struct decoder *decoder;
    for (unsigned i = 0; (decoder = decoder_list(i)) != NULL; i++) {
        if (!rfb_asked_for(rfb, decoder->encoding))
            continue;
        rfb->states[i] = calloc(1, decoder->state_bytes);
        if (rfb->states[i] == NULL)
            return false;
        if (decoder->open != NULL && !decoder->open(rfb->states[i])) {
            free(rfb->states[i]);
            rfb->states[i] = NULL;
            return false;
        }
    }
    return true;
}

struct rfb *rfb_open(const struct rfb_config *config)
{
    struct rfb *rfb = calloc(1, sizeof *rfb);
    if (rfb == NULL)
        return NULL;
    rfb->config = *config;
    if (decoders_open(rfb) && rfb_handshake(rfb) == 0)
        return rfb;
    rfb_close(rfb);
    return NULL;
}

void rfb_close(struct rfb *rfb)
{
    const struct decoder *decoder;
    for (unsigned i = 0; rfb != NULL && (decoder = decoder_list(i)) != NULL; i++) {
        if (rfb->states[i] != NULL && decoder->close != NULL)
            decoder->close(rfb->states[i]);
        free(rfb->states[i]);
    }
    free(rfb);
}

void rfb_say(struct rfb *rfb, const void *data, size_t bytes)
{
    rfb->config.hooks->say(rfb->config.context, data, bytes);
}

enum { REQUEST_BYTES = 10 };

static void put_request(uint8_t *request, struct rfb_box box, bool incremental)
{
    request[0] = RFB_UPDATE_REQUEST;
    request[1] = incremental;
    rfb_put16(request + 2, box.x);
    rfb_put16(request + 4, box.y);
    rfb_put16(request + 6, box.width);
    rfb_put16(request + 8, box.height);
}

void rfb_request(struct rfb *rfb, struct rfb_box box, bool incremental)
{
    uint8_t request[REQUEST_BYTES];
    put_request(request, box, incremental);
    rfb_say(rfb, request, sizeof request);
}

void rfb_request_certain(struct rfb *rfb, struct rfb_box box)
{
    uint8_t requests[2 * REQUEST_BYTES];
    put_request(requests, box, true);
    put_request(requests + REQUEST_BYTES, (struct rfb_box){0, 0, 1, 1}, false);
    rfb_say(rfb, requests, sizeof requests);
}

bool rfb_ready(const struct rfb *rfb)
{
    return rfb->ready;
}

const char *rfb_name(const struct rfb *rfb)
{
    return rfb->name;
}

const char *rfb_reason(const struct rfb *rfb)
{
    return rfb->reason;
}

const struct rfb_counts *rfb_counts(const struct rfb *rfb)
{
    return &rfb->counts;
}
