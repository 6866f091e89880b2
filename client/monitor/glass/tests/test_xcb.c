/* Windows of X11 on a display of the test's own: their pictures, and how they end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"
#include "client/monitor/glass/tests/xcb_stage_linux.h"

/* ---- pictures ------------------------------------------------------------------------------ */

TEST(seven_windows_show_their_pictures_side_by_side)
{
    stage_set_up(NULL, NULL);
    for (unsigned i = 0; i < SCREENS; i++)
        stage_show_painted(i);
    for (unsigned i = 0; i < SCREENS; i++) {
        stage_assert_shown(i);
        struct rfb_box box = stage_window(i);
        assert_true(box.x + box.width <= 1280 && box.y + box.height <= 800);
    }
    stage_tear_down();
}

TEST(without_shared_memory_pictures_go_through_the_socket)
{
    stage_set_up("-extension", "MIT-SHM");
    stage_show_sized(0, 1200, 700);
    stage_window(0);
    stage_paint(0, rfb_box_all(&stage.pictures[0]), 5);
    stage_assert_shown(0);
    stage_tear_down();
}

/* More puts than the server can answer: the last picture comes. */
TEST(the_newest_picture_comes_when_puts_crowd)
{
    stage_set_up(NULL, NULL);
    stage_show(0);
    for (unsigned i = 0; i < 3000; i++)
        stage_paint(0, (struct rfb_box){i * 7 % 300, i * 11 % 190, 20, 10}, i);
    stage_assert_shown(0);
    stage_tear_down();
}

TEST(a_box_outside_of_the_picture_is_not_put)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    glass_windows.put(stage.glass, 0, &(struct damage){1, {{WIDTH - 1, 0, 2, 1}}});
    glass_windows.put(stage.glass, 0, &(struct damage){1, {{0, UINT32_MAX, 1, 2}}});
    glass_windows.put(stage.glass, 1, &(struct damage){1, {{0, 0, 1, 1}}});
    stage_assert_shown(0);
    stage_tear_down();
}

static void wait_for_last_pixel(uint32_t colour)
{
    const struct rfb_box window = stage_window(0),
                         last = {window.x + WIDTH - 1, window.y + HEIGHT - 1, 1, 1};
    uint64_t end_ns = os_deadline_ns(60 * (uint64_t)OS_NS_PER_S);
    for (uint32_t seen = ~colour; seen != colour; os_sleep_ns(OS_NS_PER_MS)) {
        uint32_t *pixels = xvfb_pixels(&stage.xvfb, last);
        assert_non_null(pixels);
        seen = *pixels;
        free(pixels);
        assert_true(os_now_ns() < end_ns);
    }
}

/* What lies between two boxes costs nothing: the server reads only what is new. */
TEST(only_what_was_painted_is_put)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    stage_assert_shown(0);
    uint32_t *pixels = stage.pictures[0].pixels, *between = pixels + HEIGHT / 2 * WIDTH + WIDTH / 2;
    const uint32_t shown = *between;
    *between = ~shown & 0xffffff; /* and nobody says so */
    pixels[0] = pixels[WIDTH * HEIGHT - 1] = 0x123456;
    const struct damage dirty = {2, {{0, 0, 1, 1}, {WIDTH - 1, HEIGHT - 1, 1, 1}}};
    glass_windows.put(stage.glass, 0, &dirty);
    wait_for_last_pixel(0x123456);
    *between = shown;
    stage_assert_shown(0);
    stage_tear_down();
}

TEST(what_was_covered_is_put_again)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    stage_assert_shown(0);
    xcb_connection_t *connection = stage.xvfb.connection;
    xcb_window_t cover = xcb_generate_id(connection);
    xcb_create_window(connection, XCB_COPY_FROM_PARENT, cover, stage.xvfb.screen->root, 0, 0, 100,
                      100, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL, &stage.xvfb.screen->white_pixel);
    xcb_map_window(connection, cover);
    assert_false(stage_is_shown(0));
    xcb_destroy_window(connection, cover);
    stage_assert_shown(0);
    stage_tear_down();
}

TEST(a_screen_of_another_size_keeps_its_window)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    struct rfb_box box;
    xcb_window_t before = xvfb_window(&stage.xvfb, stage_title(0), &box);
    for (unsigned i = 0; i < 20; i++) {
        stage_show_sized(0, 100 + i % 3 * 77, 90 + i);
        stage_paint(0, rfb_box_all(&stage.pictures[0]), i);
    }
    stage_assert_shown(0);
    assert_int_equal(xvfb_window(&stage.xvfb, stage_title(0), &box), before);
    stage_tear_down();
}

TEST(a_hidden_screen_comes_again_at_its_place)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    stage_show_painted(1);
    struct rfb_box before = stage_window(0), box;
    for (unsigned i = 0; i < 10; i++) {
        glass_windows.hide(stage.glass, 0);
        WAIT_FOR("hidden 0");
        assert_int_equal(xvfb_window(&stage.xvfb, stage_title(0), &box), XCB_NONE);
        stage_show_painted(0);
        stage_assert_shown(0);
        WAIT_FOR("visible 0");
    }
    struct rfb_box after = stage_window(0);
    assert_memory_equal(&before, &after, sizeof after);
    stage_assert_shown(1);
    stage_tear_down();
    assert_int_equal(stage.events.closed, 0);
}

TEST(a_picture_that_no_window_can_hold_is_refused)
{
    stage_set_up(NULL, NULL);
    struct rfb_picture picture;
    assert_int_equal(glass_windows.show(stage.glass, 0, 40000, 10, "wide", &picture), -EFBIG);
    assert_null(picture.pixels);
    stage_show_painted(0);
    stage_assert_shown(0);
    stage_tear_down();
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
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    stage_show_painted(1);
    struct rfb_box box;
    ask_to_close(xvfb_window(&stage.xvfb, stage_title(0), &box));
    WAIT_FOR("closed 0");
    glass_windows.hide(stage.glass, 0);
    WAIT_FOR("hidden 0");
    assert_int_equal(xvfb_window(&stage.xvfb, stage_title(0), &box), XCB_NONE);
    stage_show_painted(0);
    stage_assert_shown(0);
    xcb_destroy_window(stage.xvfb.connection, xvfb_window(&stage.xvfb, stage_title(0), &box));
    xcb_flush(stage.xvfb.connection);
    WAIT_FOR("closed 0");
    stage_paint(0, rfb_box_all(&stage.pictures[0]), 9);
    glass_windows.hide(stage.glass, 0);
    stage_show_painted(0);
    stage_assert_shown(0);
    stage_assert_shown(1);
    stage_tear_down();
}

TEST(an_x_server_that_goes_away_is_told)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    stage_assert_shown(0);
    assert_int_equal(kill((pid_t)stage.xvfb.process.handle, SIGKILL), 0);
    WAIT_FOR("lost: the X server has gone");
    for (unsigned i = 0; i < 100; i++)
        stage_paint(0, rfb_box_all(&stage.pictures[0]), i);
    struct rfb_picture picture;
    assert_int_equal(glass_windows.show(stage.glass, 1, 10, 10, "late", &picture), -EIO);
    assert_null(picture.pixels);
    stage_tear_down();
}

TEST(a_stopped_glass_is_not_a_lost_one)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    stage_tear_down();
    for (unsigned i = 0; i < stage.events.count; i++)
        assert_null(strstr(stage.events.lines[i], "lost"));
}

TEST(a_server_that_hangs_does_not_keep_the_glass)
{
    stage_set_up(NULL, NULL);
    stage_show_painted(0);
    stage_assert_shown(0);
    assert_int_equal(kill((pid_t)stage.xvfb.process.handle, SIGSTOP), 0);
    for (unsigned i = 0; i < 1000; i++)
        stage_paint(0, rfb_box_all(&stage.pictures[0]), i);
    stage_end_glass();
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
