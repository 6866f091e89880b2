/* What the encodings cost: each scene's changes, frame by frame, as an update has them: bits for
 * each pixel of the changes, kilobytes and milliseconds a frame; and a whole first picture.
 *
 *     bench_encode [FRAMES]
 *
 * One thread; each line is the median of its frames. */
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "mock_servers/screens/encode/encode.h"
#include "mock_servers/screens/scene.h"

enum { WIDTH = 1280, HEIGHT = 800, FRAMES = 60, FRAMES_MAX = 1000, QUALITY = 80 };

struct frame {
    double ms;
    size_t bytes, pixels;
};

static int by_ms(const void *one, const void *other)
{
    const double difference = ((const struct frame *)one)->ms - ((const struct frame *)other)->ms;
    return difference < 0 ? -1 : difference > 0;
}

struct bench {
    const struct encoding *encoding;
    struct encoder *encoder;
    struct encoder_config config;
    struct buffer out;
};

static void add_box(struct bench *bench, const struct rfb_picture *picture, struct rfb_box box,
                    struct frame *frame)
{
    const size_t before = bench->out.bytes;
    const uint64_t began_ns = os_now_ns();
    if (bench->encoding->write(bench->encoder, &bench->config, picture, box, &bench->out) < 0)
        abort();
    frame->ms += (double)(os_now_ns() - began_ns) / 1e6;
    frame->bytes += bench->out.bytes - before;
    frame->pixels += (size_t)box.width * box.height;
}

static struct frame frame_of(struct bench *bench, const struct rfb_picture *picture,
                             const struct scene_change *change)
{
    struct frame frame = {0};
    bench->out.bytes = 0;
    if (change->scrolled.width > 0) {
        encode_copy(change->scrolled, 0, change->lines, &bench->out);
        frame.pixels += (size_t)change->scrolled.width * change->scrolled.height;
        frame.bytes += bench->out.bytes;
    }
    for (unsigned i = 0; i < change->part_count; i++)
        add_box(bench, picture, change->parts[i], &frame);
    return frame;
}

static void print(const char *scene, const char *encoding, const char *what,
                  const struct frame *frame)
{
    printf("%-9s %-12s %-7s %9.3f %9.1f %9.3f\n", scene, encoding, what,
           8. * (double)frame->bytes / (double)frame->pixels, (double)frame->bytes / 1e3,
           frame->ms);
}

static void measure(const struct scene_kind *kind, const struct encoding *encoding,
                    struct jpeg *jpeg, unsigned frames)
{
    static uint32_t pixels[WIDTH * HEIGHT];
    static struct frame list[FRAMES_MAX];
    char name[32];
    struct scene scene = {.picture = {pixels, WIDTH, HEIGHT, WIDTH}, .seed = 1};
    struct bench bench = {.encoding = encoding,
                          .encoder = encoder_open(),
                          .config = {.format = {16, 8, 0, false},
                                     .quality = jpeg != NULL ? QUALITY : 0,
                                     .compression = 1,
                                     .jpeg = jpeg}};
    struct scene_change change;
    struct frame first = {0};
    snprintf(name, sizeof name, "%s%s", encoding->name, jpeg != NULL ? "+jpeg" : "");
    scene_begin(kind, &scene, 1);
    scene_step(kind, &scene, 1, &change);
    add_box(&bench, &scene.picture, rfb_box_all(&scene.picture), &first);
    print(kind->name, name, "whole", &first);
    for (unsigned i = 0; i < frames; i++) {
        scene_step(kind, &scene, i, &change);
        list[i] = frame_of(&bench, &scene.picture, &change);
    }
    qsort(list, frames, sizeof *list, by_ms);
    print(kind->name, name, "change", &list[frames / 2]);
    encoder_close(bench.encoder);
    buffer_free(&bench.out);
}

int main(int argc, char **argv)
{
    const unsigned asked = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : FRAMES;
    const unsigned frames = asked > 0 && asked <= FRAMES_MAX ? asked : FRAMES;
    struct jpeg *jpeg = jpeg_open();
    const struct scene_kind *kind;
    const struct encoding *encoding;
    printf("%-9s %-12s %-7s %9s %9s %9s\n", "scene", "encoding", "what", "bit/pixel", "kB", "ms");
    for (unsigned i = 0; (kind = scene_list(i)) != NULL; i++)
        for (unsigned j = 0; (encoding = encoding_list(j)) != NULL; j++) {
            measure(kind, encoding, NULL, frames);
            if (encoding->number == RFB_TIGHT)
                measure(kind, encoding, jpeg, frames);
        }
    jpeg_close(jpeg);
    return 0;
}
