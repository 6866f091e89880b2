/* An X server as a source of pictures: what is drawn there comes, and input goes in. */
#include <stdlib.h>
#include <string.h>
#include <xcb/xtest.h>

#include "base/os.h"
#include "base/random.h"
#include "base/rfb/stamp.h"
#include "base/tests/test.h"
#include "base/xdisplay.h"
#include "mock_servers/screens/capture/capture.h"
#include "mock_servers/screens/capture/compare.h"
#include "mock_servers/screens/capture/xserver_linux.h"
#include "mock_servers/screens/child.h"
#include "mock_servers/screens/options.h"

enum { WIDTH = 640, HEIGHT = 400, PATIENCE_S = 120, WHY = 256, ROUNDS = 60 };

/* ---- an X server, somebody who draws, and a viewer that follows ------------------------------ */

static struct {
    struct os_process server;
    char name[XDISPLAY_BYTES];
    struct xserver pen; /* the drawing side */
    xcb_window_t window;
    xcb_gcontext_t context;
    struct loop loop;
    struct source *source;
    struct rfb_picture seen;           /* what a viewer has */
    unsigned changes, scrolls, stamps; /* `stamps`: a bit for each */
    bool is_stale, is_lost, is_resized;
    char why_lost[WHY];
} scene;

static void on_stale(struct source *source)
{
    scene.is_stale = true;
}

static void box_see(const struct rfb_picture *picture, struct rfb_box box)
{
    assert_true(rfb_box_inside(box, picture));
    for (unsigned y = box.y; y < box.y + box.height; y++)
        memcpy(scene.seen.pixels + (size_t)y * WIDTH + box.x,
               picture->pixels + (size_t)y * picture->stride + box.x, box.width * 4);
}

static void on_changed(struct source *source, const struct scene_change *change, unsigned stamps)
{
    const struct scroll scroll = {change->scrolled, (int)change->lines};
    scene.changes++;
    if (change->scrolled.width > 0) {
        scroll_apply(&scene.seen, &scroll);
        scene.scrolls++;
    }
    for (unsigned i = 0; i < change->part_count; i++)
        box_see(source->picture, change->parts[i]);
    for (unsigned line = STAMP_TIME; line <= STAMP_KEYS; line++)
        if (stamps >> line & 1)
            box_see(source->picture, stamp_box(source->picture, (enum stamp_line)line));
    scene.stamps |= stamps;
}

static void on_resized(struct source *source)
{
    scene.is_resized = true;
}

static void on_lost(struct source *source, const char *why)
{
    scene.is_lost = true;
    snprintf(scene.why_lost, sizeof scene.why_lost, "%s", why);
}

static const struct source_hooks hooks = {on_stale, on_changed, on_resized, on_lost};

static uint64_t patience(void)
{
    return os_deadline_ns((uint64_t)PATIENCE_S * OS_NS_PER_S);
}

/* An Xvfb, without one of its extensions. Skips the test where there is none. */
static void server_open(const char *without)
{
    char why[WHY];
    memset(&scene, 0, sizeof scene);
    if (xdisplay_xvfb(&scene.server, 640, 400, without == NULL ? NULL : "-extension", without,
                      scene.name, why, sizeof why) != 0) {
        print_message("skipped: %s\n", why);
        skip();
    }
}

static void pen_open(void)
{
    char why[WHY];
    const uint32_t values[] = {0x204060, XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_KEY_RELEASE |
                                             XCB_EVENT_MASK_BUTTON_PRESS};
    assert_int_equal(xserver_open(&scene.pen, scene.name, why, sizeof why), 0);
    scene.window = xcb_generate_id(scene.pen.connection);
    xcb_create_window(scene.pen.connection, XCB_COPY_FROM_PARENT, scene.window,
                      scene.pen.screen->root, 0, 0, WIDTH, HEIGHT, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT,
                      XCB_COPY_FROM_PARENT, XCB_CW_BACK_PIXEL | XCB_CW_EVENT_MASK, values);
    scene.context = xcb_generate_id(scene.pen.connection);
    xcb_create_gc(scene.pen.connection, scene.context, scene.window, 0, NULL);
    xcb_map_window(scene.pen.connection, scene.window);
    assert_true(xserver_settle(&scene.pen));
}

static void source_open(bool view_only)
{
    char why[WHY] = "";
    const struct screens_config config = {.display = scene.name, .view_only = view_only};
    assert_int_equal(loop_open(&scene.loop), 0);
    scene.source = capture_list(0)->open(&scene.loop, &config, 0, &hooks, NULL, why, sizeof why);
    if (scene.source == NULL)
        fail_msg("%s", why);
    scene.seen = *scene.source->picture;
    assert_int_equal(scene.seen.width, WIDTH);
    assert_int_equal(scene.seen.height, HEIGHT);
    scene.seen.pixels = malloc(WIDTH * HEIGHT * 4);
    scene.seen.stride = WIDTH;
    box_see(scene.source->picture, rfb_box_all(&scene.seen));
}

static void source_close(void)
{
    if (scene.source != NULL)
        capture_list(0)->close(scene.source);
    scene.source = NULL;
}

static int all_close(void **state)
{
    source_close();
    if (scene.loop.watch != NULL)
        loop_close(&scene.loop);
    xserver_close(&scene.pen);
    os_process_stop(&scene.server, OS_NS_PER_S);
    free(scene.seen.pixels);
    return 0;
}

static void all_open(void)
{
    server_open(NULL);
    pen_open();
    source_open(false);
}

/* ---- drawing and looking --------------------------------------------------------------------- */

static void draw_box(struct rfb_box box, uint32_t colour)
{
    const xcb_rectangle_t rectangle = {(int16_t)box.x, (int16_t)box.y, (uint16_t)box.width,
                                       (uint16_t)box.height};
    xcb_change_gc(scene.pen.connection, scene.context, XCB_GC_FOREGROUND, &colour);
    xcb_poly_fill_rectangle(scene.pen.connection, scene.window, scene.context, 1, &rectangle);
}

/* The X server's own picture, by a way that the source does not use. */
static uint32_t *truth(void)
{
    xcb_get_image_reply_t *reply =
        xcb_get_image_reply(scene.pen.connection,
                            xcb_get_image(scene.pen.connection, XCB_IMAGE_FORMAT_Z_PIXMAP,
                                          scene.pen.screen->root, 0, 0, WIDTH, HEIGHT, UINT32_MAX),
                            NULL);
    assert_non_null(reply);
    uint32_t *pixels = malloc(WIDTH * HEIGHT * 4);
    memcpy(pixels, xcb_get_image_data(reply), WIDTH * HEIGHT * 4);
    free(reply);
    return pixels;
}

static bool sees_the_truth(void)
{
    uint32_t *pixels = truth();
    const struct rfb_picture picture = {pixels, WIDTH, HEIGHT, WIDTH};
    const bool same = rfb_picture_digest(&picture) == rfb_picture_digest(&scene.seen) &&
                      rfb_picture_digest(&picture) == rfb_picture_digest(scene.source->picture);
    free(pixels);
    return same;
}

static void step(void)
{
    loop_round(&scene.loop, OS_NS_PER_MS);
    if (!scene.is_stale || scene.is_lost)
        return;
    scene.is_stale = false;
    capture_list(0)->refresh(scene.source);
}

static void follow_until(bool (*done)(void))
{
    const uint64_t deadline_ns = patience();
    while (!done()) {
        assert_true(os_now_ns() < deadline_ns);
        step();
    }
}

static void text_draw(uint64_t *random)
{
    for (unsigned y = 0; y < HEIGHT; y += 10)
        for (unsigned x = 0; x < WIDTH; x += 20)
            draw_box(
                (struct rfb_box){x, y, 1 + random_next(random) % 18, 1 + random_next(random) % 8},
                (uint32_t)random_next(random) & 0xffffff);
}

TEST(a_viewer_follows_what_is_drawn, NULL, all_close)
{
    uint64_t random = 7;
    all_open();
    assert_true(sees_the_truth());
    text_draw(&random);
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round % 4 == 0)
            xcb_copy_area(scene.pen.connection, scene.window, scene.window, scene.context, 0, 24, 0,
                          0, WIDTH, HEIGHT - 60);
        for (unsigned i = 0; i <= round % 12; i++)
            draw_box((struct rfb_box){random_next(&random) % WIDTH, random_next(&random) % HEIGHT,
                                      8, 30},
                     (uint32_t)random_next(&random) & 0xffffff);
        xcb_flush(scene.pen.connection);
        if (round % 3 == 0)
            follow_until(sees_the_truth);
    }
    follow_until(sees_the_truth);
    assert_true(scene.changes >= ROUNDS / 3);
}

TEST(text_that_an_application_scrolls_is_copied, NULL, all_close)
{
    uint64_t random = 8;
    all_open();
    text_draw(&random);
    follow_until(sees_the_truth);
    scene.scrolls = 0;
    xcb_copy_area(scene.pen.connection, scene.window, scene.window, scene.context, 0, 24, 0, 0,
                  WIDTH, HEIGHT - 24);
    draw_box((struct rfb_box){0, HEIGHT - 24, WIDTH, 24}, 0xffffff);
    xcb_flush(scene.pen.connection);
    follow_until(sees_the_truth);
    assert_true(scene.scrolls > 0);
}

TEST(a_change_of_the_stamp_says_so, NULL, all_close)
{
    all_open();
    draw_box((struct rfb_box){8, HEIGHT - 8, 8, 8}, 0xffffff);
    xcb_flush(scene.pen.connection);
    follow_until(sees_the_truth);
    assert_int_equal(scene.stamps, 1 << STAMP_TIME);
}

TEST(without_xdamage_the_screen_is_looked_at_again_and_again, NULL, all_close)
{
    server_open("DAMAGE");
    pen_open();
    source_open(false);
    draw_box((struct rfb_box){100, 100, 50, 50}, 0xff00ff);
    xcb_flush(scene.pen.connection);
    follow_until(sees_the_truth);
    assert_true(scene.changes > 0);
}

TEST(a_frozen_picture_stays, NULL, all_close)
{
    all_open();
    const uint64_t before = rfb_picture_digest(scene.source->picture);
    capture_list(0)->freeze(scene.source);
    draw_box((struct rfb_box){100, 100, 50, 50}, 0xff00ff);
    assert_true(xserver_settle(&scene.pen));
    for (unsigned i = 0; i < 50; i++)
        step();
    capture_list(0)->refresh(scene.source);
    assert_true(rfb_picture_digest(scene.source->picture) == before);
    assert_int_equal(scene.changes, 0);
}

/* ---- input ----------------------------------------------------------------------------------- */

static uint32_t key_await(uint8_t kind)
{
    const uint64_t deadline_ns = patience();
    for (;;) {
        xcb_generic_event_t *event = xcb_poll_for_event(scene.pen.connection);
        const uint8_t type = event == NULL ? 0 : event->response_type & 0x7f;
        const xcb_key_press_event_t *key = (const void *)event;
        uint32_t keysym = 0;
        if (type == XCB_MAPPING_NOTIFY)
            xserver_keys_changed(&scene.pen);
        if (type == kind)
            keysym = kind == XCB_BUTTON_PRESS
                         ? key->detail
                         : xserver_keysym(&scene.pen, key->detail, key->state & XCB_MOD_MASK_SHIFT);
        free(event);
        if (keysym != 0 && keysym != 0xffe1)
            return keysym;
        assert_true(os_now_ns() < deadline_ns);
        os_sleep_ns(event == NULL ? OS_NS_PER_MS : 0);
    }
}

TEST(keys_come_as_the_viewer_means_them, NULL, all_close)
{
    all_open();
    /* a plain one, capitals and signs without Shift being sent, and letters of no key here */
    static const uint32_t keysyms[] = {'a', 'A', '%', 0xff0d, 0x20ac, 0x1004e2d};
    for (unsigned i = 0; i < sizeof keysyms / sizeof *keysyms; i++) {
        capture_list(0)->key(scene.source, keysyms[i], true);
        assert_int_equal(key_await(XCB_KEY_PRESS), keysyms[i]);
        capture_list(0)->key(scene.source, keysyms[i], false);
        key_await(XCB_KEY_RELEASE);
    }
}

static unsigned keys_down(void)
{
    unsigned down = 0;
    xcb_query_keymap_reply_t *reply =
        xcb_query_keymap_reply(scene.pen.connection, xcb_query_keymap(scene.pen.connection), NULL);
    assert_non_null(reply);
    for (unsigned i = 0; i < sizeof reply->keys; i++)
        down += (unsigned)__builtin_popcount(reply->keys[i]);
    free(reply);
    return down;
}

static xcb_query_pointer_reply_t pointer(void)
{
    xcb_query_pointer_reply_t *reply = xcb_query_pointer_reply(
        scene.pen.connection, xcb_query_pointer(scene.pen.connection, scene.window), NULL);
    assert_non_null(reply);
    const xcb_query_pointer_reply_t result = *reply;
    free(reply);
    return result;
}

TEST(what_a_viewer_holds_is_released_when_it_goes, NULL, all_close)
{
    all_open();
    capture_list(0)->key(scene.source, 'x', true);
    capture_list(0)->key(scene.source, 0xffe3, true); /* Control */
    capture_list(0)->pointer(scene.source, 123, 45, 1 | 4);
    key_await(XCB_BUTTON_PRESS);
    assert_int_equal(keys_down(), 2);
    assert_int_equal(pointer().root_x, 123);
    assert_int_equal(pointer().root_y, 45);
    assert_int_equal(pointer().mask >> 8 & 0xff, 1 | 4);
    source_close();
    assert_int_equal(keys_down(), 0);
    assert_int_equal(pointer().mask >> 8 & 0xff, 0);
}

TEST(without_xtest_only_viewing_works, NULL, all_close)
{
    char why[WHY] = "";
    server_open("XTEST");
    pen_open();
    const struct screens_config config = {.display = scene.name};
    assert_int_equal(loop_open(&scene.loop), 0);
    assert_null(capture_list(0)->open(&scene.loop, &config, 0, &hooks, NULL, why, sizeof why));
    assert_non_null(strstr(why, "--view-only"));
    loop_close(&scene.loop);
    source_open(true);
    assert_true(sees_the_truth());
}

/* ---- another size ---------------------------------------------------------------------------- */

static bool is_resized(void)
{
    return scene.is_resized;
}

TEST(another_size_of_the_server_is_another_picture, NULL, all_close)
{
    char why[WHY];
    struct child xrandr;
    char *const argv[] = {"Xtigervnc", "-geometry", "640x400",  "-depth",     "24", "-rfbport=-1",
                          "-nolisten", "tcp",       "-noreset", "-displayfd", "1",  NULL};
    memset(&scene, 0, sizeof scene);
    if (xdisplay_start(&scene.server, argv, scene.name) != 0) {
        print_message("skipped: Xtigervnc does not start\n");
        skip();
    }
    pen_open();
    source_open(false);
    char *const size[] = {"xrandr", "-display", scene.name, "-s", "800x600", NULL};
    if (child_start(&xrandr, size, why, sizeof why) != 0) {
        print_message("skipped: %s\n", why);
        skip();
    }
    follow_until(is_resized);
    child_stop(&xrandr);
    assert_int_equal(scene.source->picture->width, 800);
    assert_int_equal(scene.source->picture->height, 600);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_lost(void)
{
    return scene.is_lost;
}

TEST(a_server_that_goes_is_said, NULL, all_close)
{
    all_open();
    os_process_stop(&scene.server, OS_NS_PER_S);
    follow_until(is_lost);
    assert_non_null(strstr(scene.why_lost, "X server"));
}

TEST(no_server_is_a_reason, NULL, all_close)
{
    char why[WHY] = "";
    memset(&scene, 0, sizeof scene);
    const struct screens_config config = {.display = ":64321"};
    assert_int_equal(loop_open(&scene.loop), 0);
    assert_null(capture_list(0)->open(&scene.loop, &config, 0, &hooks, NULL, why, sizeof why));
    assert_non_null(strstr(why, ":64321"));
}
