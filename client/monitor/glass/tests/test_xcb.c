/* Windows of X11 on a display of the test's own: pictures, keys, pointer, focus, and their ends. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "client/monitor/glass/glass.h"
#include "client/monitor/glass/tests/events.h"
#include "client/monitor/glass/tests/xvfb_linux.h"

enum { SCREENS = 7, WIDTH = 320, HEIGHT = 200, WAIT_S = 120 };

static struct stage {
    struct xvfb xvfb;
    struct events events;
    struct glass *glass;
    pthread_t thread;
    struct rfb_picture pictures[SCREENS];
} stage;

static void *run(void *glass)
{
    glass_windows.run(glass);
    return NULL;
}

/* A stage with an option of the X server: no shared memory, for example. */
static void set_up_with(char *option, char *value)
{
    os_writes_fail();
    if (!xvfb_start(&stage.xvfb, 1280, 800, option, value)) {
        print_message("skipped: no Xvfb here; install xvfb\n");
        skip();
    }
    events_init(&stage.events);
    struct glass_config config = {.hooks = &events_hooks,
                                  .context = &stage.events,
                                  .screens = SCREENS,
                                  .pixels_max = 1 << 24,
                                  .display = stage.xvfb.display};
    char why[256] = "";
    stage.glass = glass_windows.open(&config, why, sizeof why);
    assert_string_equal(why, "");
    assert_int_equal(os_thread_start(&stage.thread, "fanin-window", 0, run, stage.glass), 0);
}

static void end_glass(void)
{
    glass_windows.stop(stage.glass);
    pthread_join(stage.thread, NULL);
    glass_windows.close(stage.glass);
}

static void tear_down(void)
{
    end_glass();
    xvfb_stop(&stage.xvfb);
}

static const char *title_of(unsigned screen)
{
    static char title[32];
    snprintf(title, sizeof title, "screen %u", screen);
    return title;
}

static void show_sized(unsigned screen, unsigned width, unsigned height)
{
    struct rfb_picture *picture = &stage.pictures[screen];
    assert_int_equal(
        glass_windows.show(stage.glass, screen, width, height, title_of(screen), picture), 0);
    assert_int_equal(picture->width, width);
    assert_int_equal(picture->height, height);
    for (size_t i = 0; i < (size_t)picture->stride * height; i++)
        assert_int_equal(picture->pixels[i], 0);
}

static void paint(unsigned screen, struct rfb_box box, uint32_t seed)
{
    struct rfb_picture *picture = &stage.pictures[screen];
    for (unsigned y = box.y; y < box.y + box.height; y++)
        for (unsigned x = box.x; x < box.x + box.width; x++)
            picture->pixels[(size_t)y * picture->stride + x] =
                ((y * picture->stride + x + seed) * 2654435761u) & 0xffffff;
    glass_windows.put(stage.glass, screen, box);
}

static struct rfb_box wait_for_window(unsigned screen)
{
    struct rfb_box box = {0};
    uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    while (xvfb_window(&stage.xvfb, title_of(screen), &box) == XCB_NONE && os_now_ns() < end_ns)
        os_sleep_ns(OS_NS_PER_MS);
    assert_true(box.width > 0);
    return box;
}

static bool is_shown(unsigned screen)
{
    struct rfb_picture *picture = &stage.pictures[screen];
    struct rfb_box box;
    assert_true(xvfb_window(&stage.xvfb, title_of(screen), &box) != XCB_NONE);
    uint32_t *seen = xvfb_pixels(&stage.xvfb, box);
    assert_non_null(seen);
    bool same = box.width == picture->width && box.height == picture->height &&
                memcmp(seen, picture->pixels, (size_t)box.width * box.height * sizeof *seen) == 0;
    free(seen);
    return same;
}

/* The picture, pixel for pixel, at the window's corner. */
static void assert_shown(unsigned screen)
{
    uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    while (!is_shown(screen) && os_now_ns() < end_ns)
        os_sleep_ns(OS_NS_PER_MS);
    assert_true(is_shown(screen));
}

static void show(unsigned screen)
{
    show_sized(screen, WIDTH, HEIGHT);
    wait_for_window(screen);
}

static void show_painted(unsigned screen)
{
    show(screen);
    paint(screen, rfb_box_all(&stage.pictures[screen]), screen * 1000);
}

#define WAIT_FOR(line) assert_true(events_wait(&stage.events, line))

/* ---- pictures ------------------------------------------------------------------------------ */

TEST(seven_windows_show_their_pictures_side_by_side)
{
    set_up_with(NULL, NULL);
    for (unsigned i = 0; i < SCREENS; i++)
        show_painted(i);
    for (unsigned i = 0; i < SCREENS; i++) {
        assert_shown(i);
        struct rfb_box box = wait_for_window(i);
        assert_true(box.x + box.width <= 1280 && box.y + box.height <= 800);
    }
    tear_down();
}

TEST(without_shared_memory_pictures_go_through_the_socket)
{
    set_up_with("-extension", "MIT-SHM");
    show_sized(0, 1200, 700);
    wait_for_window(0);
    paint(0, rfb_box_all(&stage.pictures[0]), 5);
    assert_shown(0);
    tear_down();
}

/* More puts than the server can answer: the last picture comes. */
TEST(the_newest_picture_comes_when_puts_crowd)
{
    set_up_with(NULL, NULL);
    show(0);
    for (unsigned i = 0; i < 3000; i++)
        paint(0, (struct rfb_box){i * 7 % 300, i * 11 % 190, 20, 10}, i);
    assert_shown(0);
    tear_down();
}

TEST(a_box_outside_of_the_picture_is_not_put)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    glass_windows.put(stage.glass, 0, (struct rfb_box){WIDTH - 1, 0, 2, 1});
    glass_windows.put(stage.glass, 0, (struct rfb_box){0, UINT32_MAX, 1, 2});
    glass_windows.put(stage.glass, 1, (struct rfb_box){0, 0, 1, 1});
    assert_shown(0);
    tear_down();
}

TEST(what_was_covered_is_put_again)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    assert_shown(0);
    xcb_connection_t *connection = stage.xvfb.connection;
    xcb_window_t cover = xcb_generate_id(connection);
    xcb_create_window(connection, XCB_COPY_FROM_PARENT, cover, stage.xvfb.screen->root, 0, 0, 100,
                      100, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL, &stage.xvfb.screen->white_pixel);
    xcb_map_window(connection, cover);
    assert_false(is_shown(0));
    xcb_destroy_window(connection, cover);
    assert_shown(0);
    tear_down();
}

TEST(a_screen_of_another_size_keeps_its_window)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    struct rfb_box box;
    xcb_window_t before = xvfb_window(&stage.xvfb, title_of(0), &box);
    for (unsigned i = 0; i < 20; i++) {
        show_sized(0, 100 + i % 3 * 77, 90 + i);
        paint(0, rfb_box_all(&stage.pictures[0]), i);
    }
    assert_shown(0);
    assert_int_equal(xvfb_window(&stage.xvfb, title_of(0), &box), before);
    tear_down();
}

TEST(a_hidden_screen_comes_again_at_its_place)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    show_painted(1);
    struct rfb_box before = wait_for_window(0), box;
    for (unsigned i = 0; i < 10; i++) {
        glass_windows.hide(stage.glass, 0);
        WAIT_FOR("hidden 0");
        assert_int_equal(xvfb_window(&stage.xvfb, title_of(0), &box), XCB_NONE);
        show_painted(0);
        assert_shown(0);
        WAIT_FOR("visible 0");
    }
    struct rfb_box after = wait_for_window(0);
    assert_memory_equal(&before, &after, sizeof after);
    assert_false(events_has(&stage.events, "closed 0"));
    assert_shown(1);
    tear_down();
}

TEST(a_picture_that_no_window_can_hold_is_refused)
{
    set_up_with(NULL, NULL);
    struct rfb_picture picture;
    assert_int_equal(glass_windows.show(stage.glass, 0, 40000, 10, "wide", &picture), -EFBIG);
    assert_null(picture.pixels);
    show_painted(0);
    assert_shown(0);
    tear_down();
}

/* ---- keys and pointer ---------------------------------------------------------------------- */

static void enter(unsigned screen, unsigned x, unsigned y)
{
    struct rfb_box box = wait_for_window(screen);
    xvfb_pointer(&stage.xvfb, box.x + x, box.y + y);
}

enum { KEY_A_SMALL = 'a', KEY_SHIFT = 0xffe1, KEY_RETURN = 0xff0d, KEY_CAPS = 0xffe5 };

TEST(keys_go_to_the_window_under_the_pointer)
{
    set_up_with(NULL, NULL);
    show(0);
    show(1);
    enter(1, 10, 10);
    WAIT_FOR("focused 1");
    xvfb_key(&stage.xvfb, KEY_A_SMALL, true);
    xvfb_key(&stage.xvfb, KEY_A_SMALL, false);
    xvfb_key(&stage.xvfb, KEY_RETURN, true);
    xvfb_key(&stage.xvfb, KEY_RETURN, false);
    WAIT_FOR("key 1 0x61 down");
    WAIT_FOR("key 1 0x61 up");
    WAIT_FOR("key 1 0xff0d down");
    WAIT_FOR("key 1 0xff0d up");
    tear_down();
}

TEST(a_key_goes_up_as_what_it_went_down_as)
{
    set_up_with(NULL, NULL);
    show(0);
    enter(0, 10, 10);
    xvfb_key(&stage.xvfb, KEY_SHIFT, true);
    xvfb_key(&stage.xvfb, KEY_A_SMALL, true);
    xvfb_key(&stage.xvfb, KEY_SHIFT, false);
    xvfb_key(&stage.xvfb, KEY_A_SMALL, false);
    WAIT_FOR("key 0 0xffe1 down");
    WAIT_FOR("key 0 0x41 down");
    WAIT_FOR("key 0 0xffe1 up");
    WAIT_FOR("key 0 0x41 up");
    xvfb_key(&stage.xvfb, KEY_CAPS, true);
    xvfb_key(&stage.xvfb, KEY_CAPS, false);
    xvfb_key(&stage.xvfb, KEY_A_SMALL, true);
    xvfb_key(&stage.xvfb, KEY_A_SMALL, false);
    xvfb_key(&stage.xvfb, '1', true);
    xvfb_key(&stage.xvfb, '1', false);
    WAIT_FOR("key 0 0x41 down");
    WAIT_FOR("key 0 0x31 down");
    tear_down();
}

TEST(a_key_that_is_down_when_the_keyboard_leaves_is_told)
{
    set_up_with(NULL, NULL);
    show(0);
    show(1);
    enter(0, 10, 10);
    WAIT_FOR("focused 0");
    xvfb_key(&stage.xvfb, KEY_A_SMALL, true);
    WAIT_FOR("key 0 0x61 down");
    enter(1, 10, 10);
    WAIT_FOR("unfocused 0");
    WAIT_FOR("focused 1");
    xvfb_key(&stage.xvfb, KEY_A_SMALL, false);
    xvfb_key(&stage.xvfb, 'b', true);
    xvfb_key(&stage.xvfb, 'b', false);
    WAIT_FOR("key 1 0x62 down");
    assert_false(events_has(&stage.events, "key 1 0x61 up"));
    xvfb_pointer(&stage.xvfb, 1279, 799);
    WAIT_FOR("unfocused 1");
    tear_down();
}

TEST(a_click_takes_the_keyboard_and_keeps_it)
{
    set_up_with(NULL, NULL);
    show(0);
    show(1);
    enter(0, 10, 10);
    xvfb_button(&stage.xvfb, 1, true);
    xvfb_button(&stage.xvfb, 1, false);
    WAIT_FOR("pointer 0 10 10 buttons 1");
    WAIT_FOR("pointer 0 10 10 buttons 0");
    enter(1, 20, 20);
    WAIT_FOR("pointer 1 20 20 buttons 0");
    xvfb_key(&stage.xvfb, KEY_A_SMALL, true);
    xvfb_key(&stage.xvfb, KEY_A_SMALL, false);
    WAIT_FOR("key 0 0x61 down");
    tear_down();
}

TEST(the_pointer_tells_pixels_and_buttons)
{
    set_up_with(NULL, NULL);
    show(0);
    enter(0, 31, 42);
    WAIT_FOR("pointer 0 31 42 buttons 0");
    xvfb_button(&stage.xvfb, 1, true);
    WAIT_FOR("pointer 0 31 42 buttons 1");
    xvfb_button(&stage.xvfb, 3, true);
    WAIT_FOR("pointer 0 31 42 buttons 5");
    enter(0, WIDTH + 50, HEIGHT + 60);
    WAIT_FOR("pointer 0 319 199 buttons 5");
    xvfb_button(&stage.xvfb, 1, false);
    WAIT_FOR("pointer 0 319 199 buttons 4");
    xvfb_button(&stage.xvfb, 3, false);
    enter(0, 5, 6);
    xvfb_button(&stage.xvfb, 4, true);
    xvfb_button(&stage.xvfb, 4, false);
    WAIT_FOR("pointer 0 5 6 buttons 8");
    WAIT_FOR("pointer 0 5 6 buttons 0");
    tear_down();
}

/* ---- ends ---------------------------------------------------------------------------------- */

static void ask_to_close(xcb_window_t window)
{
    xcb_connection_t *connection = stage.xvfb.connection;
    xcb_atom_t atoms[2];
    const char *const names[] = {"WM_PROTOCOLS", "WM_DELETE_WINDOW"};
    for (unsigned i = 0; i < 2; i++) {
        xcb_intern_atom_reply_t *reply = xcb_intern_atom_reply(
            connection, xcb_intern_atom(connection, false, (uint16_t)strlen(names[i]), names[i]),
            NULL);
        assert_non_null(reply);
        atoms[i] = reply->atom;
        free(reply);
    }
    xcb_client_message_event_t event = {.response_type = XCB_CLIENT_MESSAGE,
                                        .format = 32,
                                        .window = window,
                                        .type = atoms[0],
                                        .data.data32 = {atoms[1]}};
    char bytes[32] = {0};
    memcpy(bytes, &event, sizeof event);
    xcb_send_event(connection, false, window, 0, bytes);
    xcb_flush(connection);
}

TEST(a_window_closed_by_hand_is_told_and_can_come_again)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    show_painted(1);
    struct rfb_box box;
    ask_to_close(xvfb_window(&stage.xvfb, title_of(0), &box));
    WAIT_FOR("closed 0");
    glass_windows.hide(stage.glass, 0);
    WAIT_FOR("hidden 0");
    assert_int_equal(xvfb_window(&stage.xvfb, title_of(0), &box), XCB_NONE);
    show_painted(0);
    assert_shown(0);
    xcb_destroy_window(stage.xvfb.connection, xvfb_window(&stage.xvfb, title_of(0), &box));
    xcb_flush(stage.xvfb.connection);
    WAIT_FOR("closed 0");
    paint(0, rfb_box_all(&stage.pictures[0]), 9);
    glass_windows.hide(stage.glass, 0);
    show_painted(0);
    assert_shown(0);
    assert_shown(1);
    tear_down();
}

TEST(an_x_server_that_goes_away_is_told)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    assert_shown(0);
    assert_int_equal(kill((pid_t)stage.xvfb.process.handle, SIGKILL), 0);
    WAIT_FOR("lost: the X server has gone");
    for (unsigned i = 0; i < 100; i++)
        paint(0, rfb_box_all(&stage.pictures[0]), i);
    struct rfb_picture picture;
    assert_int_equal(glass_windows.show(stage.glass, 1, 10, 10, "late", &picture), -EIO);
    assert_null(picture.pixels);
    tear_down();
}

TEST(a_stopped_glass_is_not_a_lost_one)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    tear_down();
    for (unsigned i = 0; i < stage.events.count; i++)
        assert_null(strstr(stage.events.lines[i], "lost"));
}

TEST(a_server_that_hangs_does_not_keep_the_glass)
{
    set_up_with(NULL, NULL);
    show_painted(0);
    assert_shown(0);
    assert_int_equal(kill((pid_t)stage.xvfb.process.handle, SIGSTOP), 0);
    for (unsigned i = 0; i < 1000; i++)
        paint(0, rfb_box_all(&stage.pictures[0]), i);
    end_glass();
    kill((pid_t)stage.xvfb.process.handle, SIGCONT);
    xvfb_stop(&stage.xvfb);
}

TEST(a_display_that_is_not_there_is_said)
{
    struct glass_config config = {
        .hooks = &events_hooks, .context = &stage.events, .screens = 1, .display = ":1"};
    config.display = "127.0.0.1:59999";
    char why[256] = "";
    assert_null(glass_windows.open(&config, why, sizeof why));
    assert_non_null(strstr(why, "cannot connect to the X server 127.0.0.1:59999"));
}
