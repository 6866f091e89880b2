/* All that a screen of ours says to a viewer. */
#include "mock_servers/screens/tests/recording.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/rfb/stamp.h"
#include "mock_servers/screens/encode/encode.h"
#include "mock_servers/screens/scene.h"

enum { SIDE_MAX = 200 };

struct recorder {
    const struct encoding *encoding;
    struct encoder_config config;
    struct encoder *encoder;
    struct scene scene;
    struct buffer out;
    struct recording *recording;
    uint64_t seed;
    size_t update; /* where the update's head is */
    unsigned rectangles;
};

static void handshake_put(struct recorder *recorder)
{
    uint8_t init[28] = {0}, result[6] = {1, RFB_SECURITY_NONE};
    static const uint8_t format[] = RFB_FORMAT;
    buffer_put(&recorder->out, RFB_VERSION, RFB_VERSION_BYTES);
    buffer_put(&recorder->out, result, sizeof result);
    rfb_put16(init, recorder->scene.picture.width);
    rfb_put16(init + 2, recorder->scene.picture.height);
    memcpy(init + 4, format, sizeof format);
    rfb_put32(init + 20, 4);
    memcpy(init + 24, "mock", 4);
    buffer_put(&recorder->out, init, sizeof init);
}

static void update_begin(struct recorder *recorder)
{
    static const uint8_t head[4] = {RFB_UPDATE};
    recorder->update = recorder->out.bytes;
    recorder->rectangles = 0;
    buffer_put(&recorder->out, head, sizeof head);
}

static void update_end(struct recorder *recorder)
{
    rfb_put16(recorder->out.data + recorder->update + 2, recorder->rectangles);
    recorder->recording->updates++;
}

static bool box_put(struct recorder *recorder, struct rfb_box box)
{
    const int rectangles = recorder->encoding->write(recorder->encoder, &recorder->config,
                                                     &recorder->scene.picture, box, &recorder->out);
    recorder->rectangles += rectangles > 0 ? (unsigned)rectangles : 0;
    recorder->recording->pixels += (uint64_t)box.width * box.height;
    return rectangles > 0;
}

static void copy_put(struct recorder *recorder, struct rfb_box box, unsigned from_x,
                     unsigned from_y)
{
    encode_copy(box, from_x, from_y, &recorder->out);
    recorder->rectangles++;
    recorder->recording->pixels += (uint64_t)box.width * box.height;
}

/* ---- a scene's frame ---------------------------------------------------------------------- */

static bool frame_put(struct recorder *recorder, const struct scene_kind *kind, uint64_t due_us)
{
    struct scene_change change = {0};
    scene_step(kind, &recorder->scene, due_us, &change);
    update_begin(recorder);
    if (change.scrolled.width > 0)
        copy_put(recorder, change.scrolled, change.scrolled.x, change.scrolled.y + change.lines);
    for (unsigned i = 0; i < change.part_count; i++)
        if (!box_put(recorder, change.parts[i]))
            return false;
    const struct rfb_box stamp = stamp_box(&recorder->scene.picture, STAMP_TIME);
    if (stamp.width > 0 && !box_put(recorder, stamp))
        return false;
    update_end(recorder);
    return true;
}

/* ---- random pictures ---------------------------------------------------------------------- */

static uint64_t below(struct recorder *recorder, uint64_t limit)
{
    return random_next(&recorder->seed) % limit;
}

static struct rfb_box random_box(struct recorder *recorder)
{
    const struct rfb_picture *picture = &recorder->scene.picture;
    struct rfb_box box = {.x = (unsigned)below(recorder, picture->width),
                          .y = (unsigned)below(recorder, picture->height)};
    const unsigned right = picture->width - box.x, low = picture->height - box.y;
    box.width = 1 + (unsigned)below(recorder, right < SIDE_MAX ? right : SIDE_MAX);
    box.height = 1 + (unsigned)below(recorder, low < SIDE_MAX ? low : SIDE_MAX);
    return box;
}

/* One colour to very many, in runs or not. */
static void random_paint(struct recorder *recorder, struct rfb_box box)
{
    static const unsigned counts[] = {1, 2, 3, 16, 17, 100, 127, 200, 256, 1 << 24};
    const uint64_t colours = counts[below(recorder, sizeof counts / sizeof *counts)];
    const uint64_t run = 1 + below(recorder, 2) * below(recorder, 50);
    uint32_t colour = 0;
    for (unsigned i = 0; i < box.width * box.height; i++) {
        if (below(recorder, run) == 0)
            colour = (uint32_t)(below(recorder, colours) * 0x9e3779 & 0xffffff);
        recorder->scene.picture
            .pixels[(size_t)(box.y + i / box.width) * recorder->scene.picture.stride + box.x +
                    i % box.width] = colour;
    }
}

static void random_copy(struct recorder *recorder)
{
    const struct rfb_picture *picture = &recorder->scene.picture;
    const struct rfb_box box = random_box(recorder);
    const unsigned x = (unsigned)below(recorder, picture->width - box.width + 1);
    const unsigned y = (unsigned)below(recorder, picture->height - box.height + 1);
    for (unsigned i = 0; i < box.height; i++) {
        const unsigned row = y < box.y ? box.height - 1 - i : i;
        memmove(picture->pixels + (size_t)(box.y + row) * picture->stride + box.x,
                picture->pixels + (size_t)(y + row) * picture->stride + x,
                box.width * sizeof *picture->pixels);
    }
    copy_put(recorder, box, x, y);
}

static bool random_put(struct recorder *recorder)
{
    update_begin(recorder);
    if (below(recorder, 3) == 0)
        random_copy(recorder);
    const struct rfb_box box = random_box(recorder);
    random_paint(recorder, box);
    if (!box_put(recorder, box))
        return false;
    update_end(recorder);
    return true;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static bool record(struct recorder *recorder, const struct scene_kind *kind, unsigned frames)
{
    if (kind != NULL)
        scene_begin(kind, &recorder->scene, 1);
    handshake_put(recorder);
    update_begin(recorder);
    if (!box_put(recorder, rfb_box_all(&recorder->scene.picture)))
        return false;
    update_end(recorder);
    recorder->recording->first = recorder->out.bytes;
    for (unsigned i = 0; i < frames; i++)
        if (!(kind != NULL ? frame_put(recorder, kind, 2 + i) : random_put(recorder)))
            return false;
    return !recorder->out.failed;
}

bool recording_make(const char *scene, int encoding, unsigned width, unsigned height,
                    unsigned frames, int quality, struct recording *recording)
{
    const struct scene_kind *kind = scene_named(scene);
    struct recorder recorder = {
        .encoding = encoding_of(encoding),
        .config = {.format = {16, 8, 0, false}, .quality = quality, .compression = 1},
        .encoder = encoder_open(),
        .recording = recording,
        .seed = 1,
    };
    uint32_t *pixels = calloc((size_t)width * height, sizeof *pixels);
    recorder.scene.picture = (struct rfb_picture){pixels, width, height, width};
    recorder.config.jpeg = quality > 0 ? jpeg_open() : NULL;
    *recording = (struct recording){0};
    const bool done = recorder.encoding != NULL && recorder.encoder != NULL && pixels != NULL &&
                      (kind != NULL || strcmp(scene, "random") == 0) &&
                      record(&recorder, kind, frames);
    recording->digest = pixels != NULL ? rfb_picture_digest(&recorder.scene.picture) : 0;
    recording->data = recorder.out.data;
    recording->bytes = recorder.out.bytes;
    jpeg_close(recorder.config.jpeg);
    encoder_close(recorder.encoder);
    free(pixels);
    return done;
}
