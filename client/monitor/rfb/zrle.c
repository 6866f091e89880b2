/* ZRLE: tiles of 64 x 64, each coded in its own way, all deflated in one stream. */
#include "client/monitor/rfb/decoders.h"

#include <stdlib.h>
#include <string.h>

#include "client/monitor/rfb/inflater.h"
#include "client/monitor/rfb/paint.h"
#include "client/monitor/rfb/tile.h"

enum { SCRATCH_BYTES = 65536 };

struct zrle {
    struct rfb_picture picture;
    struct rfb_box box;
    struct inflater stream;
    unsigned x, y; /* of the next tile, in the box */
    uint8_t length[4];
    size_t length_held;
    uint64_t left; /* deflated bytes that are still to come */
    uint8_t *kept; /* TILE_BYTES_MAX: the begin of a tile */
    size_t kept_bytes;
};

static int begin(void *state, const struct rfb_picture *picture, struct rfb_box box)
{
    struct zrle *zrle = state;
    zrle->picture = *picture;
    zrle->box = box;
    zrle->x = zrle->y = 0;
    zrle->length_held = zrle->kept_bytes = 0;
    return 0;
}

static bool tiles_done(const struct zrle *zrle)
{
    return zrle->y >= zrle->box.height || zrle->box.width == 0;
}

/* More than all tiles need, not compressed at all. */
static uint64_t length_max(const struct zrle *zrle)
{
    const uint64_t across = (zrle->box.width + TILE_SIZE - 1) / TILE_SIZE;
    return 4096 + across * ((zrle->box.height + TILE_SIZE - 1) / TILE_SIZE) * 2 * TILE_BYTES_MAX;
}

static int64_t length(struct zrle *zrle, const uint8_t *data, size_t bytes)
{
    const size_t missing = sizeof zrle->length - zrle->length_held;
    const size_t part = bytes < missing ? bytes : missing;
    memcpy(zrle->length + zrle->length_held, data, part);
    zrle->length_held += part;
    if (zrle->length_held < sizeof zrle->length)
        return (int64_t)part;
    zrle->left = rfb_get32(zrle->length);
    if (zrle->left > length_max(zrle))
        return RFB_TOO_LONG;
    return zrle->left == 0 && !tiles_done(zrle) ? RFB_BAD_ZLIB : (int64_t)part;
}

static struct paint tile_next(const struct zrle *zrle)
{
    const unsigned right = zrle->box.width - zrle->x, low = zrle->box.height - zrle->y;
    return paint_begin(&zrle->picture, (struct rfb_box){
                                           zrle->box.x + zrle->x,
                                           zrle->box.y + zrle->y,
                                           right < TILE_SIZE ? right : TILE_SIZE,
                                           low < TILE_SIZE ? low : TILE_SIZE,
                                       });
}

/* As many tiles as are whole. Returns the bytes taken, or a fault. */
static int64_t tiles(struct zrle *zrle, const uint8_t *data, size_t bytes)
{
    size_t at = 0;
    while (at < bytes && !tiles_done(zrle)) {
        const int64_t taken = tile_paint(tile_next(zrle), data + at, bytes - at);
        if (taken < 0)
            return taken;
        if (taken == 0)
            break;
        at += (size_t)taken;
        zrle->x += TILE_SIZE;
        if (zrle->x >= zrle->box.width) {
            zrle->x = 0;
            zrle->y += TILE_SIZE;
        }
    }
    return at < bytes && tiles_done(zrle) ? RFB_BAD_ZLIB : (int64_t)at;
}

static int keep(struct zrle *zrle, const uint8_t *data, size_t bytes)
{
    if (bytes > 0 && zrle->kept == NULL && (zrle->kept = malloc(TILE_BYTES_MAX)) == NULL)
        return RFB_NO_MEMORY;
    if (bytes > TILE_BYTES_MAX)
        return RFB_BAD_ZRLE;
    if (bytes > 0)
        memcpy(zrle->kept, data, bytes);
    zrle->kept_bytes = bytes;
    return 0;
}

/* The begin of a tile stands before what is inflated next. */
static int inflate_all(struct zrle *zrle, const uint8_t *data, size_t bytes)
{
    uint8_t scratch[SCRATCH_BYTES];
    size_t held = zrle->kept_bytes, room = 0;
    int64_t got = 0;
    if (held > 0)
        memcpy(scratch, zrle->kept, held);
    while ((size_t)got == room) {
        room = SCRATCH_BYTES - held;
        got = inflater_run(&zrle->stream, &data, &bytes, scratch + held, room);
        if (got < 0)
            return (int)got;
        held += (size_t)got;
        const int64_t taken = tiles(zrle, scratch, held);
        if (taken < 0)
            return (int)taken;
        held -= (size_t)taken;
        memmove(scratch, scratch + taken, held);
    }
    return keep(zrle, scratch, held);
}

static int64_t body(struct zrle *zrle, const uint8_t *data, size_t bytes)
{
    const size_t part = bytes < zrle->left ? bytes : (size_t)zrle->left;
    const int fault = inflate_all(zrle, data, part);
    if (fault != 0)
        return fault;
    zrle->left -= part;
    return zrle->left == 0 && !tiles_done(zrle) ? RFB_BAD_ZLIB : (int64_t)part;
}

static int64_t feed(void *state, const uint8_t *data, size_t bytes, bool *done)
{
    struct zrle *zrle = state;
    size_t at = 0;
    if (zrle->length_held < sizeof zrle->length) {
        const int64_t taken = length(zrle, data, bytes);
        if (taken < 0)
            return taken;
        at = (size_t)taken;
    }
    if (at < bytes && zrle->left > 0) {
        const int64_t taken = body(zrle, data + at, bytes - at);
        if (taken < 0)
            return taken;
        at += (size_t)taken;
    }
    *done = zrle->length_held == sizeof zrle->length && zrle->left == 0;
    return (int64_t)at;
}

static void close_all(void *state)
{
    struct zrle *zrle = state;
    inflater_close(&zrle->stream);
    free(zrle->kept);
}

const struct decoder decoder_zrle = {
    .name = "zrle",
    .encoding = RFB_ZRLE,
    .state_bytes = sizeof(struct zrle),
    .close = close_all,
    .begin = begin,
    .feed = feed,
};
