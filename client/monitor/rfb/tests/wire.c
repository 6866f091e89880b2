/* What a screen sends, written by hand; and a viewer that is fed with it. */
#include "client/monitor/rfb/tests/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void wire_put(struct wire *wire, const void *data, size_t bytes)
{
    assert(bytes <= WIRE_BYTES - wire->bytes);
    memcpy(wire->data + wire->bytes, data, bytes);
    wire->bytes += bytes;
}

void wire_text(struct wire *wire, const char *text)
{
    wire_put(wire, text, strlen(text));
}

void wire_8(struct wire *wire, unsigned value)
{
    wire_put(wire, &(uint8_t){(uint8_t)value}, 1);
}

void wire_16(struct wire *wire, unsigned value)
{
    uint8_t number[2];
    rfb_put16(number, value);
    wire_put(wire, number, sizeof number);
}

void wire_32(struct wire *wire, uint32_t value)
{
    uint8_t number[4];
    rfb_put32(number, value);
    wire_put(wire, number, sizeof number);
}

void wire_init(struct wire *wire, unsigned width, unsigned height)
{
    static const uint8_t format[] = RFB_FORMAT;
    wire_16(wire, width);
    wire_16(wire, height);
    wire_put(wire, format, sizeof format);
    wire_32(wire, 6);
    wire_text(wire, "screen");
}

void wire_begin(struct wire *wire)
{
    wire->bytes = 0;
    wire_text(wire, RFB_VERSION);
    wire_8(wire, 1);
    wire_8(wire, RFB_SECURITY_NONE);
    wire_32(wire, 0);
    wire_init(wire, WIRE_WIDTH, WIRE_HEIGHT);
}

void wire_update(struct wire *wire, unsigned rectangles)
{
    wire_16(wire, RFB_UPDATE << 8);
    wire_16(wire, rectangles);
}

void wire_rectangle(struct wire *wire, unsigned x, unsigned y, unsigned width, unsigned height,
                    int encoding)
{
    wire_16(wire, x);
    wire_16(wire, y);
    wire_16(wire, width);
    wire_16(wire, height);
    wire_32(wire, (uint32_t)encoding);
}

void wire_compact(struct wire *wire, size_t length)
{
    wire_8(wire, (unsigned)(length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    if (length > 0x7f)
        wire_8(wire, (unsigned)(length >> 7 & 0x7f) | (length > 0x3fff ? 0x80 : 0));
    if (length > 0x3fff)
        wire_8(wire, (unsigned)(length >> 14));
}

size_t wire_deflate(z_stream *stream, const void *data, size_t bytes, uint8_t *into, size_t room)
{
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)bytes;
    stream->next_out = into;
    stream->avail_out = (uInt)room;
    const int result = deflate(stream, Z_SYNC_FLUSH);
    assert(result == Z_OK && stream->avail_out > 0);
    (void)result;
    return room - stream->avail_out;
}

/* ---- the viewer --------------------------------------------------------------------------- */

static void say(void *context, const void *data, size_t bytes)
{
    struct viewer *viewer = context;
    if (bytes > SAID_BYTES - viewer->said_bytes)
        bytes = SAID_BYTES - viewer->said_bytes;
    memcpy(viewer->said + viewer->said_bytes, data, bytes);
    viewer->said_bytes += bytes;
}

static bool size(void *context, unsigned width, unsigned height, struct rfb_picture *picture)
{
    struct viewer *viewer = context;
    free(viewer->picture.pixels);
    viewer->sizes++;
    viewer->picture = (struct rfb_picture){NULL, width, height, width};
    if (!viewer->no_picture)
        viewer->picture.pixels = calloc((size_t)width * height, sizeof *picture->pixels);
    *picture = viewer->picture;
    return picture->pixels != NULL;
}

static void updated(void *context, const struct damage *dirty)
{
    struct viewer *viewer = context;
    viewer->updates++;
    viewer->dirty = *dirty;
}

static void text(void *context, const char *said, size_t bytes)
{
    struct viewer *viewer = context;
    viewer->texts++;
    memcpy(viewer->text, said, bytes);
    viewer->text[bytes] = '\0';
}

static void secure(void *context)
{
    struct viewer *viewer = context;
    viewer->secured++;
}

const struct rfb_hooks viewer_hooks = {say, size, updated, text, secure};
const int viewer_encodings[] = {RFB_TIGHT,        RFB_ZRLE,      RFB_COPYRECT, RFB_RAW,
                                RFB_DESKTOP_SIZE, RFB_LAST_RECT, RFB_QUALITY_0};
const unsigned viewer_encoding_count = sizeof viewer_encodings / sizeof *viewer_encodings;

struct rfb_config viewer_config(struct viewer *viewer)
{
    return (struct rfb_config){
        .hooks = &viewer_hooks,
        .context = viewer,
        .pixels_max = 1 << 20,
        .encodings = viewer_encodings,
        .encoding_count = viewer_encoding_count,
        .shared = true,
    };
}

bool viewer_open(struct viewer *viewer, const struct rfb_config *config)
{
    *viewer = (struct viewer){0};
    const struct rfb_config usual = viewer_config(viewer);
    viewer->rfb = rfb_open(config != NULL ? config : &usual);
    return viewer->rfb != NULL;
}

void viewer_close(struct viewer *viewer)
{
    rfb_close(viewer->rfb);
    free(viewer->picture.pixels);
    *viewer = (struct viewer){0};
}

/* A copy of its own for each piece: the sanitizers see what is read beyond it. */
static int64_t piece_feed(struct viewer *viewer, const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc(bytes + (bytes == 0));
    assert(copy != NULL);
    memcpy(copy, data, bytes);
    const int64_t taken = rfb_feed(viewer->rfb, copy, bytes);
    free(copy);
    return taken;
}

int viewer_feed(struct viewer *viewer, const uint8_t *data, size_t bytes, size_t piece)
{
    for (size_t at = 0; at < bytes;) {
        const size_t part = piece == 0 || piece > bytes - at ? bytes - at : piece;
        const int64_t taken = piece_feed(viewer, data + at, part);
        if (taken < 0)
            return (int)taken;
        assert(taken > 0 && (size_t)taken <= part);
        at += (size_t)taken;
    }
    return 0;
}

uint64_t viewer_digest(const struct viewer *viewer)
{
    return viewer->picture.pixels != NULL ? rfb_picture_digest(&viewer->picture) : 0;
}

/* ---- cuts --------------------------------------------------------------------------------- */

struct outcome {
    int fault;
    uint64_t digest;
    unsigned updates, sizes, texts, secured;
    size_t said_bytes;
};

/* `cut` bytes at first, then pieces. */
static struct outcome run(const struct wire *wire, size_t cut, size_t piece)
{
    static struct viewer viewer;
    const bool opened = viewer_open(&viewer, NULL);
    assert(opened);
    (void)opened;
    int fault = viewer_feed(&viewer, wire->data, cut, 0);
    if (fault == 0)
        fault = viewer_feed(&viewer, wire->data + cut, wire->bytes - cut, piece);
    struct outcome outcome;
    memset(&outcome, 0, sizeof outcome);
    outcome.fault = fault;
    outcome.digest = fault == 0 ? viewer_digest(&viewer) : 0;
    outcome.updates = viewer.updates;
    outcome.sizes = viewer.sizes;
    outcome.texts = viewer.texts;
    outcome.secured = viewer.secured;
    outcome.said_bytes = viewer.said_bytes;
    viewer_close(&viewer);
    return outcome;
}

/* Long streams are cut at some hundred places. */
static bool cuts_agree(const struct wire *wire, const struct outcome *whole)
{
    const size_t step = wire->bytes / 400 + 1;
    for (size_t cut = 0; cut < wire->bytes; cut += step) {
        const struct outcome outcome = run(wire, cut, 0);
        if (memcmp(&outcome, whole, sizeof outcome) != 0)
            return false;
    }
    const struct outcome ones = run(wire, 0, 1), sevens = run(wire, 0, 7);
    return memcmp(&ones, whole, sizeof ones) == 0 && memcmp(&sevens, whole, sizeof sevens) == 0;
}

uint64_t wire_check_cuts(const struct wire *wire)
{
    const struct outcome whole = run(wire, 0, 0);
    if (whole.fault != 0 || !cuts_agree(wire, &whole))
        abort();
    return whole.digest;
}

int wire_fault(const struct wire *wire)
{
    const struct outcome whole = run(wire, 0, 0);
    return cuts_agree(wire, &whole) ? whole.fault : 1;
}
