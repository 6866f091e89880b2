/* Scenes: the same numbers give the same pictures, and what a change says is all that changed. */
#include <stdlib.h>
#include <string.h>

#include "base/rfb/stamp.h"
#include "base/tests/test.h"
#include "mock_servers/screens/scene.h"

enum { PAD = 3, FRAMES = 90 };

static struct scene scene_of(unsigned width, unsigned height, uint64_t seed)
{
    struct scene scene = {.seed = seed, .picture = {NULL, width, height, width + PAD}};
    scene.picture.pixels = calloc((size_t)scene.picture.stride * height, sizeof(uint32_t));
    assert_non_null(scene.picture.pixels);
    return scene;
}

static size_t bytes_of(const struct rfb_picture *picture)
{
    return (size_t)picture->stride * picture->height * sizeof *picture->pixels;
}

static void copy_box(const struct rfb_picture *to, const struct rfb_picture *from,
                     struct rfb_box box, unsigned lines)
{
    assert_true(rfb_box_inside(box, to));
    assert_true(box.y + box.height + lines <= from->height);
    for (unsigned y = box.y; y < box.y + box.height; y++)
        memmove(to->pixels + (size_t)y * to->stride + box.x,
                from->pixels + (size_t)(y + lines) * from->stride + box.x,
                box.width * sizeof *to->pixels);
}

/* Does with the viewer's picture what an update that says this change would do. */
static void apply(const struct scene *scene, const struct scene_change *change,
                  const struct rfb_picture *seen)
{
    copy_box(seen, seen, change->scrolled, change->lines);
    assert_true(change->part_count <= SCENE_PARTS);
    for (unsigned i = 0; i < change->part_count; i++)
        copy_box(seen, &scene->picture, change->parts[i], 0);
    copy_box(seen, &scene->picture, stamp_box(seen, STAMP_KEYS), 0);
    copy_box(seen, &scene->picture, stamp_box(seen, STAMP_TIME), 0);
}

static void assert_seen(const struct scene *scene, const struct rfb_picture *seen)
{
    assert_memory_equal(scene->picture.pixels, seen->pixels, bytes_of(seen));
}

static void assert_time(const struct scene *scene, uint64_t due_us)
{
    uint64_t number = 0;
    assert_true(stamp_read(&scene->picture, STAMP_TIME, &number));
    assert_int_equal(number, due_us);
}

static struct rfb_picture copy_of(const struct rfb_picture *picture)
{
    struct rfb_picture copy = *picture;
    copy.pixels = malloc(bytes_of(picture));
    assert_non_null(copy.pixels);
    memcpy(copy.pixels, picture->pixels, bytes_of(picture));
    return copy;
}

static void changes_are_complete(const struct scene_kind *kind, unsigned width, unsigned height)
{
    struct scene scene = scene_of(width, height, 7);
    scene_begin(kind, &scene, 1);
    struct rfb_picture seen = copy_of(&scene.picture);
    struct scene_change change;
    for (unsigned i = 1; i <= FRAMES; i++) {
        scene_step(kind, &scene, 1000 + i, &change);
        apply(&scene, &change, &seen);
        assert_seen(&scene, &seen);
        if (i % 7 == 0) {
            scene_pointer(&scene, i * 31 % width, i * 17 % height, i % 2, i, &change);
            apply(&scene, &change, &seen);
            assert_seen(&scene, &seen);
        }
        if (i % 5 == 0) {
            scene_key(&scene, 'a' + i % 26, i, &change);
            apply(&scene, &change, &seen);
            assert_seen(&scene, &seen);
        }
    }
    assert_int_equal(scene.frame, FRAMES);
    free(seen.pixels);
    free(scene.picture.pixels);
}

TEST(a_change_says_all_that_a_frame_a_key_or_the_pointer_has_changed)
{
    static const struct rfb_box sizes[] = {
        {0, 0, 1280, 800}, {0, 0, 640, 480}, {0, 0, 512, 16}, {0, 0, 519, 33},
        {0, 0, 100, 70},   {0, 0, 7, 5},     {0, 0, 1, 1},
    };
    const struct scene_kind *kind;
    for (unsigned i = 0; (kind = scene_list(i)) != NULL; i++)
        for (unsigned size = 0; size < sizeof sizes / sizeof *sizes; size++)
            changes_are_complete(kind, sizes[size].width, sizes[size].height);
}

TEST(the_same_numbers_give_the_same_pictures)
{
    const struct scene_kind *kind;
    for (unsigned i = 0; (kind = scene_list(i)) != NULL; i++) {
        struct scene one = scene_of(800, 600, 3), two = scene_of(800, 600, 3);
        struct scene other = scene_of(800, 600, 4);
        struct scene_change change;
        scene_begin(kind, &one, 1), scene_begin(kind, &two, 1), scene_begin(kind, &other, 1);
        for (unsigned frame = 0; frame < 5; frame++) {
            scene_step(kind, &one, frame, &change);
            scene_step(kind, &two, frame, &change);
            scene_step(kind, &other, frame, &change);
        }
        assert_int_equal(rfb_picture_digest(&one.picture), rfb_picture_digest(&two.picture));
        assert_int_not_equal(rfb_picture_digest(&one.picture), rfb_picture_digest(&other.picture));
        free(one.picture.pixels), free(two.picture.pixels), free(other.picture.pixels);
    }
}

TEST(each_frame_differs_and_has_the_stamp_of_its_time)
{
    const struct scene_kind *kind;
    for (unsigned i = 0; (kind = scene_list(i)) != NULL; i++) {
        struct scene scene = scene_of(1280, 800, 1);
        struct scene_change change;
        scene_begin(kind, &scene, 5);
        assert_time(&scene, 5);
        for (unsigned frame = 1; frame < 4; frame++) {
            stamp_paint(&scene.picture, STAMP_TIME, 0);
            const uint64_t before = rfb_picture_digest(&scene.picture);
            scene_step(kind, &scene, 0, &change);
            assert_int_not_equal(before, rfb_picture_digest(&scene.picture));
            scene_step(kind, &scene, 1000 * frame, &change);
            assert_time(&scene, 1000 * frame);
        }
        free(scene.picture.pixels);
    }
}

TEST(a_key_is_counted_by_its_stamp_and_leaves_its_letter)
{
    struct scene scene = scene_of(1280, 800, 1);
    struct scene_change change;
    scene_begin(scene_named("idle"), &scene, 1);
    for (unsigned keys = 1; keys < 200; keys++) {
        uint64_t number = 0;
        scene_key(&scene, keys % 2 ? 'x' : 0xffff, 100 + keys, &change);
        assert_true(stamp_read(&scene.picture, STAMP_KEYS, &number));
        assert_int_equal(number, keys);
        assert_time(&scene, 100 + keys);
        assert_int_equal(change.part_count, 1);
    }
    free(scene.picture.pixels);
}

TEST(the_pointer_leaves_no_trace_where_it_was)
{
    struct scene scene = scene_of(640, 480, 1);
    struct scene_change change;
    scene_begin(scene_named("idle"), &scene, 1);
    scene_pointer(&scene, 639, 479, 0, 1, &change); /* on the stamps' lines: no cross */
    struct rfb_picture before = copy_of(&scene.picture);
    scene_pointer(&scene, 20, 30, 1, 1, &change);
    assert_int_not_equal(rfb_picture_digest(&before), rfb_picture_digest(&scene.picture));
    scene_pointer(&scene, 65535, 65535, 0, 1, &change);
    assert_seen(&scene, &before);
    assert_int_equal(scene.pointers, 3);
    free(before.pixels);
    free(scene.picture.pixels);
}

TEST(scenes_have_names_and_rates)
{
    static const char *const names[] = {"idle", "type", "scroll", "video", "flip-all"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        assert_ptr_equal(scene_named(names[i]), scene_list(i));
        assert_string_equal(scene_list(i)->name, names[i]);
        assert_true(scene_list(i)->rate > 0);
    }
    assert_null(scene_list(sizeof names / sizeof *names));
    assert_null(scene_named("film"));
}
