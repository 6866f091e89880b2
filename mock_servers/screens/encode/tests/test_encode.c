/* Encodings: what they write is read again by a small reader of this test's own, which checks every
 * length, and must be the picture. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/random.h"
#include "base/tests/test.h"
#include "mock_servers/screens/encode/encode.h"
#include "mock_servers/screens/scene.h"

enum { TIGHT_STREAMS = 4, PIXELS_MAX = 1 << 21 };

/* A viewer: its picture, its zlib streams, and what it has not read yet. */
struct viewer {
    struct rfb_picture picture;
    z_stream streams[TIGHT_STREAMS], zrle;
    bool open[TIGHT_STREAMS], zrle_open;
    struct jpeg *jpeg;
    struct pixel_format format;
    const uint8_t *at, *end;
    unsigned jpegs;
    bool forms[5]; /* of ZRLE's tiles, that have come: raw, fill, packed, runs, palette's runs */
};

static const uint8_t *take(struct viewer *viewer, size_t bytes)
{
    assert_true((size_t)(viewer->end - viewer->at) >= bytes);
    viewer->at += bytes;
    return viewer->at - bytes;
}

static uint32_t *pixel(struct viewer *viewer, struct rfb_box box, size_t index)
{
    return viewer->picture.pixels + (box.y + index / box.width) * viewer->picture.stride + box.x +
           index % box.width;
}

static uint32_t colour_of(const struct pixel_format *format, const uint8_t *at)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value |= (uint32_t)at[i] << 8 * (format->big_endian ? 3 - i : i);
    return (value >> format->red_shift & 0xff) << 16 | (value >> format->green_shift & 0xff) << 8 |
           (value >> format->blue_shift & 0xff);
}

static void read_raw(struct viewer *viewer, struct rfb_box box)
{
    for (size_t i = 0; i < (size_t)box.width * box.height; i++)
        *pixel(viewer, box, i) = colour_of(&viewer->format, take(viewer, 4));
}

/* ---- Tight ----------------------------------------------------------------------------------- */

static uint32_t rgb(const uint8_t *at)
{
    return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

static size_t compact(struct viewer *viewer)
{
    size_t length = 0;
    for (unsigned i = 0; i < 3; i++) {
        const uint8_t byte = *take(viewer, 1);
        length |= (size_t)(i < 2 ? byte & 0x7f : byte) << 7 * i;
        if (i == 2 || byte < 0x80)
            break;
    }
    return length;
}

/* Exactly `bytes` come out, and all that came in is used up. */
static void inflate_all(z_stream *stream, bool *open, const uint8_t *data, size_t length,
                        uint8_t *to, size_t bytes)
{
    if (!*open)
        assert_int_equal(inflateInit(stream), Z_OK);
    *open = true;
    uint8_t more;
    stream->next_in = (Bytef *)data, stream->avail_in = (uInt)length;
    stream->next_out = to, stream->avail_out = (uInt)bytes;
    const int result = inflate(stream, Z_SYNC_FLUSH);
    assert_true(result == Z_OK || result == Z_BUF_ERROR);
    assert_int_equal(stream->avail_out, 0);
    stream->next_out = &more, stream->avail_out = 1;
    inflate(stream, Z_SYNC_FLUSH);
    assert_int_equal(stream->avail_in, 0);
    assert_int_equal(stream->avail_out, 1);
}

static void read_tight_basic(struct viewer *viewer, struct rfb_box box, unsigned control)
{
    static uint8_t data[PIXELS_MAX * 3];
    const size_t pixels = (size_t)box.width * box.height;
    const uint8_t *palette = NULL;
    unsigned colours = 0;
    if (control & 4) {
        assert_int_equal(*take(viewer, 1), 1);
        colours = *take(viewer, 1) + 1u;
        palette = take(viewer, 3 * (size_t)colours);
    }
    const size_t row_bytes = colours == 2 ? (box.width + 7) / 8
                             : colours    ? box.width
                                          : 3 * box.width;
    const size_t bytes = row_bytes * box.height;
    if (bytes < 12)
        memcpy(data, take(viewer, bytes), bytes);
    else {
        const size_t length = compact(viewer);
        const unsigned stream = control & 3;
        inflate_all(&viewer->streams[stream], &viewer->open[stream], take(viewer, length), length,
                    data, bytes);
    }
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *row = data + i / box.width * row_bytes;
        const unsigned x = i % box.width;
        const unsigned index = colours == 2 ? row[x / 8] >> (7 - x % 8) & 1 : row[x];
        assert_true(colours == 0 || index < colours);
        *pixel(viewer, box, i) = rgb(colours ? palette + 3 * index : row + 3 * x);
    }
}

static void read_tight(struct viewer *viewer, struct rfb_box box)
{
    assert_true(box.width <= RFB_TIGHT_WIDTH_MAX);
    const unsigned control = *take(viewer, 1);
    assert_int_equal(control & 0xf, 0);
    if (control == 0x80) {
        const uint32_t colour = rgb(take(viewer, 3));
        for (size_t i = 0; i < (size_t)box.width * box.height; i++)
            *pixel(viewer, box, i) = colour;
    } else if (control == 0x90) {
        const size_t length = compact(viewer);
        viewer->jpegs++;
        assert_true(jpeg_decode(viewer->jpeg, take(viewer, length), length, &viewer->picture, box));
    } else {
        assert_true(control < 0x80);
        read_tight_basic(viewer, box, control >> 4);
    }
}

/* ---- ZRLE ------------------------------------------------------------------------------------ */

static uint32_t cpixel(struct viewer *viewer)
{
    const struct pixel_format *format = &viewer->format;
    const bool high = format->red_shift + format->green_shift + format->blue_shift > 24;
    uint8_t bytes[4] = {0};
    memcpy(bytes + (high != format->big_endian), take(viewer, 3), 3);
    return colour_of(format, bytes);
}

static unsigned run(struct viewer *viewer)
{
    unsigned length = 1, byte;
    do
        length += byte = *take(viewer, 1);
    while (byte == 255);
    return length;
}

static void read_runs(struct viewer *viewer, struct rfb_box tile, const uint32_t *palette,
                      unsigned colours)
{
    const size_t pixels = (size_t)tile.width * tile.height;
    for (size_t at = 0, length; at < pixels; at += length) {
        uint32_t colour;
        if (colours == 0) {
            colour = cpixel(viewer);
            length = run(viewer);
        } else {
            const unsigned index = *take(viewer, 1);
            assert_true((index & 127) < colours);
            colour = palette[index & 127];
            length = index & 128 ? run(viewer) : 1;
        }
        assert_true(length <= pixels - at);
        for (size_t i = 0; i < length; i++)
            *pixel(viewer, tile, at + i) = colour;
    }
}

static void read_packed(struct viewer *viewer, struct rfb_box tile, const uint32_t *palette,
                        unsigned colours)
{
    const unsigned bits = colours == 2 ? 1 : colours <= 4 ? 2 : 4;
    for (unsigned y = 0; y < tile.height; y++) {
        const uint8_t *row = take(viewer, (tile.width * bits + 7) / 8);
        for (unsigned x = 0; x < tile.width; x++) {
            const unsigned shift = 8 - bits - x * bits % 8;
            const unsigned index = row[x * bits / 8] >> shift & ((1u << bits) - 1);
            assert_true(index < colours);
            *pixel(viewer, tile, (size_t)y * tile.width + x) = palette[index];
        }
    }
}

static void read_tile(struct viewer *viewer, struct rfb_box tile)
{
    uint32_t palette[128];
    const unsigned form = *take(viewer, 1), colours = form & 127;
    viewer->forms[form > 128 ? 4 : form == 128 ? 3 : form > 1 ? 2 : form] = true;
    assert_true(form <= 16 || form == 128 || form >= 130);
    for (unsigned i = 0; i < colours; i++)
        palette[i] = cpixel(viewer);
    if (form >= 128)
        read_runs(viewer, tile, palette, colours);
    else if (form > 1)
        read_packed(viewer, tile, palette, colours);
    else
        for (size_t i = 0; i < (size_t)tile.width * tile.height; i++)
            *pixel(viewer, tile, i) = form == 1 ? palette[0] : cpixel(viewer);
}

/* What comes out is read as the wire is, and is over when its tiles are. */
static void read_zrle(struct viewer *viewer, struct rfb_box box)
{
    static uint8_t plain[PIXELS_MAX * 4];
    const size_t length = rfb_get32(take(viewer, 4));
    const uint8_t *data = take(viewer, length), *at = viewer->at, *end = viewer->end;
    if (!viewer->zrle_open)
        assert_int_equal(inflateInit(&viewer->zrle), Z_OK);
    viewer->zrle_open = true;
    viewer->zrle.next_in = (Bytef *)data, viewer->zrle.avail_in = (uInt)length;
    viewer->zrle.next_out = plain, viewer->zrle.avail_out = sizeof plain;
    assert_int_equal(inflate(&viewer->zrle, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(viewer->zrle.avail_in, 0);
    viewer->at = plain, viewer->end = viewer->zrle.next_out;
    for (unsigned y = 0; y < box.height; y += 64)
        for (unsigned x = 0; x < box.width; x += 64)
            read_tile(viewer, (struct rfb_box){box.x + x, box.y + y,
                                               box.width - x < 64 ? box.width - x : 64,
                                               box.height - y < 64 ? box.height - y : 64});
    assert_ptr_equal(viewer->at, viewer->end);
    viewer->at = at, viewer->end = end;
}

/* ---- what all tests share -------------------------------------------------------------------- */

static void read_rectangles(struct viewer *viewer, const struct buffer *out, int count)
{
    viewer->at = out->data, viewer->end = out->data + out->bytes;
    assert_true(count >= 0);
    for (; count > 0; count--) {
        const uint8_t *header = take(viewer, RFB_HEADER_BYTES);
        const struct rfb_box box = {rfb_get16(header), rfb_get16(header + 2), rfb_get16(header + 4),
                                    rfb_get16(header + 6)};
        assert_true(rfb_box_inside(box, &viewer->picture));
        assert_true(box.width > 0 && box.height > 0);
        switch ((int32_t)rfb_get32(header + 8)) {
        case RFB_RAW:
            read_raw(viewer, box);
            break;
        case RFB_TIGHT:
            read_tight(viewer, box);
            break;
        case RFB_ZRLE:
            read_zrle(viewer, box);
            break;
        default:
            fail_msg("encoding %d", (int)rfb_get32(header + 8));
        }
    }
    assert_ptr_equal(viewer->at, viewer->end);
}

static struct rfb_picture picture_new(unsigned width, unsigned height)
{
    struct rfb_picture picture = {calloc((size_t)(width + 5) * height, sizeof(uint32_t)), width,
                                  height, width + 5};
    assert_non_null(picture.pixels);
    return picture;
}

static struct viewer viewer_of(const struct rfb_picture *picture, struct pixel_format format)
{
    return (struct viewer){.picture = picture_new(picture->width, picture->height),
                           .format = format,
                           .jpeg = jpeg_open()};
}

static void viewer_close(struct viewer *viewer)
{
    for (unsigned i = 0; i < TIGHT_STREAMS; i++)
        if (viewer->open[i])
            inflateEnd(&viewer->streams[i]);
    if (viewer->zrle_open)
        inflateEnd(&viewer->zrle);
    jpeg_close(viewer->jpeg);
    free(viewer->picture.pixels);
}

/* Parts of one colour, of two, of a few, of many, in pieces that fit no block. */
static void paint_patchwork(const struct rfb_picture *picture, uint64_t seed)
{
    static const unsigned counts[] = {1, 2, 3, 16, 17, 100, 127, 128, 129, 5000, 1 << 24};
    for (unsigned y = 0; y < picture->height; y++)
        for (unsigned x = 0; x < picture->width; x++) {
            const unsigned patch = x / 90 + 31 * (y / 50);
            const uint64_t kind = random_mix(seed ^ patch);
            const unsigned count = counts[kind % (sizeof counts / sizeof *counts)];
            const uint64_t choice = random_mix(kind ^ x / (1 + kind % 3) ^ (uint64_t)y << 32);
            picture->pixels[(size_t)y * picture->stride + x] =
                random_mix(kind ^ choice % count) & 0xffffff;
        }
}

static const struct pixel_format native = {16, 8, 0, false};

static const struct encoder_config lossless = {.format = {16, 8, 0, false}, .compression = 1};

static void assert_same(const struct viewer *viewer, const struct rfb_picture *picture)
{
    assert_int_equal(rfb_picture_digest(&viewer->picture), rfb_picture_digest(picture));
}

/* The whole picture, by one encoder for all of it, in boxes of all sizes. */
static void survives(const struct encoding *encoding, struct pixel_format format)
{
    struct rfb_picture picture = picture_new(700, 333);
    struct viewer viewer = viewer_of(&picture, format);
    struct encoder *encoder = encoder_open();
    struct encoder_config config = lossless;
    config.format = format;
    uint64_t random = 5;
    for (unsigned round = 0; round < 20; round++) {
        paint_patchwork(&picture, random_next(&random) % 4);
        struct rfb_box box = rfb_box_all(&picture);
        if (round > 2) {
            box.x = random_next(&random) % picture.width;
            box.y = random_next(&random) % picture.height;
            box.width = 1 + random_next(&random) % (picture.width - box.x);
            box.height = 1 + random_next(&random) % (picture.height - box.y);
        }
        struct buffer out = {0};
        const int count = encoding->write(encoder, &config, &picture, box, &out);
        read_rectangles(&viewer, &out, count);
        buffer_free(&out);
        for (unsigned y = 0; y < box.height; y++)
            assert_memory_equal(viewer.picture.pixels + (box.y + y) * picture.stride + box.x,
                                picture.pixels + (box.y + y) * picture.stride + box.x,
                                box.width * 4);
    }
    for (unsigned i = 0; i < 5 && encoding->number == RFB_ZRLE; i++)
        assert_true(viewer.forms[i]);
    encoder_close(encoder);
    viewer_close(&viewer);
    free(picture.pixels);
}

TEST(every_encoding_gives_the_picture_again_in_every_format)
{
    static const struct pixel_format formats[] = {
        {16, 8, 0, false}, {0, 8, 16, false}, {24, 16, 8, false},
        {16, 8, 0, true},  {8, 16, 24, true},
    };
    const struct encoding *encoding;
    for (unsigned i = 0; (encoding = encoding_list(i)) != NULL; i++)
        for (unsigned j = 0; j < sizeof formats / sizeof *formats; j++)
            survives(encoding, formats[j]);
}

/* Lengths of runs have a byte more from 256 on. */
TEST(runs_of_every_length_survive_in_every_encoding)
{
    static const unsigned lengths[] = {1, 2, 254, 255, 256, 257, 510, 511, 512, 1000};
    struct rfb_picture picture = picture_new(64, 64);
    const struct encoding *encoding;
    for (unsigned i = 0; (encoding = encoding_list(i)) != NULL; i++)
        for (unsigned j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            struct viewer viewer = viewer_of(&picture, native);
            struct encoder *encoder = encoder_open();
            struct buffer out = {0};
            for (unsigned at = 0; at < 64 * 64; at++)
                picture.pixels[at / 64 * picture.stride + at % 64] = at / lengths[j] * 977;
            read_rectangles(
                &viewer, &out,
                encoding->write(encoder, &lossless, &picture, rfb_box_all(&picture), &out));
            assert_same(&viewer, &picture);
            buffer_free(&out);
            encoder_close(encoder);
            viewer_close(&viewer);
        }
    free(picture.pixels);
}

TEST(encodings_are_found_by_their_numbers)
{
    const struct encoding *encoding;
    unsigned count = 0;
    for (; (encoding = encoding_list(count)) != NULL; count++)
        assert_ptr_equal(encoding_of(encoding->number), encoding);
    assert_true(count > 0);
    assert_null(encoding_of(5));
    assert_null(encoding_of(-1));
}

/* The mean of the squares of the errors of all colours. */
static double error_of(const struct rfb_picture *one, const struct rfb_picture *other)
{
    double sum = 0;
    for (unsigned y = 0; y < one->height; y++)
        for (unsigned x = 0; x < one->width; x++)
            for (unsigned shift = 0; shift < 24; shift += 8) {
                const size_t at = (size_t)y * one->stride + x;
                const int difference = (int)(one->pixels[at] >> shift & 0xff) -
                                       (int)(other->pixels[at] >> shift & 0xff);
                sum += difference * difference;
            }
    return sum / (3.0 * one->width * one->height);
}

/* A film between letters: JPEGs that are joined, and the letters as they are. */
TEST(tight_sends_what_has_many_colours_as_few_jpegs)
{
    struct scene scene = {.picture = picture_new(1280, 800), .seed = 1};
    struct scene_change change;
    const struct scene_kind *video = scene_named("video");
    scene_begin(video, &scene, 1);
    scene_step(video, &scene, 2, &change);
    struct viewer viewer = viewer_of(&scene.picture, native);
    struct encoder *encoder = encoder_open();
    struct encoder_config config = lossless;
    config.quality = 80, config.jpeg = viewer.jpeg;
    struct buffer out = {0};
    const int count = encoding_of(RFB_TIGHT)->write(encoder, &config, &scene.picture,
                                                    rfb_box_all(&scene.picture), &out);
    read_rectangles(&viewer, &out, count);
    assert_true(viewer.jpegs > 0 && viewer.jpegs <= 8);
    assert_true(error_of(&viewer.picture, &scene.picture) < 255 * 255 / 1000.); /* 30 dB */
    out.bytes = 0, viewer.jpegs = 0;
    const int parts =
        encoding_of(RFB_TIGHT)->write(encoder, &config, &scene.picture, change.parts[0], &out);
    read_rectangles(&viewer, &out, parts);
    assert_int_equal(viewer.jpegs, parts);
    assert_true(parts <= 3);
    buffer_free(&out);
    encoder_close(encoder);
    viewer_close(&viewer);
    free(scene.picture.pixels);
}

TEST(tight_fills_a_screen_of_one_colour_with_one_rectangle)
{
    struct rfb_picture picture = picture_new(2048, 900);
    struct viewer viewer = viewer_of(&picture, native);
    for (size_t i = 0; i < (size_t)picture.stride * picture.height; i++)
        picture.pixels[i] = 0xff123456; /* the unused byte is no colour */
    struct encoder *encoder = encoder_open();
    struct buffer out = {0};
    assert_int_equal(
        encoding_of(RFB_TIGHT)->write(encoder, &lossless, &picture, rfb_box_all(&picture), &out),
        1);
    read_rectangles(&viewer, &out, 1);
    assert_same(&viewer, &picture);
    buffer_free(&out);
    encoder_close(encoder);
    viewer_close(&viewer);
    free(picture.pixels);
}

TEST(a_copy_names_where_it_comes_from)
{
    struct buffer out = {0};
    encode_copy((struct rfb_box){1, 2, 300, 400}, 5, 0x1234, &out);
    assert_int_equal(out.bytes, RFB_HEADER_BYTES + 4);
    assert_int_equal(rfb_get32(out.data + 8), RFB_COPYRECT);
    assert_int_equal(rfb_get16(out.data + 4), 300);
    assert_int_equal(rfb_get16(out.data + 12), 5);
    assert_int_equal(rfb_get16(out.data + 14), 0x1234);
    buffer_free(&out);
}

TEST(a_buffer_without_memory_says_so_and_stays_as_it_is)
{
    struct buffer out = {0};
    buffer_put(&out, "abc", 3);
    assert_null(buffer_room(&out, SIZE_MAX / 2 + 1));
    assert_true(out.failed);
    buffer_put(&out, "def", 3);
    assert_int_equal(out.bytes, 3);
    assert_memory_equal(out.data, "abc", 3);
    buffer_free(&out);
    assert_false(out.failed);
}
