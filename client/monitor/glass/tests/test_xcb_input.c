/* Keys, pointer and focus of X11's windows, and the grid that they choose in. */
#include <stdlib.h>

#include "base/tests/test.h"
#include "client/monitor/glass/layout.h"
#include "client/monitor/glass/tests/xcb_stage_linux.h"

enum { WAIT_S = 120 };

/* ---- keys and pointer ---------------------------------------------------------------------- */

static void enter(unsigned screen, unsigned x, unsigned y)
{
    struct rfb_box box = stage_window(screen);
    xvfb_pointer(&stage.xvfb, box.x + x, box.y + y);
}

enum { KEY_A_SMALL = 'a', KEY_SHIFT = 0xffe1, KEY_RETURN = 0xff0d, KEY_CAPS = 0xffe5 };

TEST(keys_go_to_the_window_under_the_pointer)
{
    stage_set_up(NULL, NULL);
    stage_show(0);
    stage_show(1);
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
    stage_tear_down();
}

TEST(a_key_goes_up_as_what_it_went_down_as)
{
    stage_set_up(NULL, NULL);
    stage_show(0);
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
    stage_tear_down();
}

TEST(a_key_that_is_down_when_the_keyboard_leaves_is_told)
{
    stage_set_up(NULL, NULL);
    stage_show(0);
    stage_show(1);
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
    stage_tear_down();
}

TEST(a_click_takes_the_keyboard_and_keeps_it)
{
    stage_set_up(NULL, NULL);
    stage_show(0);
    stage_show(1);
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
    stage_tear_down();
}

TEST(the_pointer_tells_pixels_and_buttons)
{
    stage_set_up(NULL, NULL);
    stage_show(0);
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
    stage_tear_down();
}

/* ---- the grid ------------------------------------------------------------------------------ */

static void show_in_grid(unsigned screen, uint32_t colour)
{
    struct rfb_picture *picture = &stage.pictures[screen];
    assert_int_equal(
        glass_windows.show(stage.glass, screen, WIDTH, HEIGHT, stage_title(screen), picture), 0);
    for (size_t i = 0; i < (size_t)WIDTH * HEIGHT; i++)
        picture->pixels[i] = colour;
    glass_windows.put(stage.glass, screen, &(struct damage){1, {rfb_box_all(picture)}});
}

static uint32_t pixel_at(unsigned x, unsigned y)
{
    uint32_t *pixels = xvfb_pixels(&stage.xvfb, (struct rfb_box){x, y, 1, 1}), pixel;
    assert_non_null(pixels);
    pixel = *pixels;
    free(pixels);
    return pixel;
}

static void wait_for_pixel(unsigned x, unsigned y, uint32_t colour)
{
    uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    while (pixel_at(x, y) != colour && os_now_ns() < end_ns)
        os_sleep_ns(OS_NS_PER_MS);
    assert_int_equal(pixel_at(x, y), colour);
}

static void click(unsigned x, unsigned y, unsigned button)
{
    xvfb_pointer(&stage.xvfb, x, y);
    xvfb_button(&stage.xvfb, button, true);
    xvfb_button(&stage.xvfb, button, false);
}

static void middle_of(int chosen, unsigned screen, unsigned *x, unsigned *y)
{
    struct rfb_box cell = grid_cell(1280, 800, SCREENS, chosen, screen);
    *x = cell.x + cell.width / 2;
    *y = cell.y + cell.height / 2;
}

static void assert_grid(int chosen)
{
    for (unsigned i = 0, x, y; i < SCREENS; i++) {
        middle_of(chosen, i, &x, &y);
        wait_for_pixel(x, y, 0x101010 * (i + 1));
    }
}

TEST(a_grid_shows_all_and_a_click_chooses_one)
{
    stage_set_up_view(true, NULL, NULL);
    for (unsigned i = 0; i < SCREENS; i++)
        show_in_grid(i, 0x101010 * (i + 1));
    assert_grid(GRID_ALL);
    unsigned x, y;
    middle_of(GRID_ALL, 5, &x, &y);
    click(x, y, 1);
    WAIT_FOR("focused 5");
    assert_grid(5);
    xvfb_pointer(&stage.xvfb, 480, 400); /* the middle of the large one */
    WAIT_FOR("pointer 5 160 100 buttons 0");
    click(480, 400, 1);
    WAIT_FOR("pointer 5 160 100 buttons 1");
    WAIT_FOR("pointer 5 160 100 buttons 0");
    xvfb_key(&stage.xvfb, KEY_A_SMALL, true);
    xvfb_key(&stage.xvfb, KEY_A_SMALL, false);
    WAIT_FOR("key 5 0x61 down");
    middle_of(5, 2, &x, &y);
    click(x, y, 3);
    WAIT_FOR("unfocused 5");
    assert_grid(GRID_ALL);
    stage_tear_down();
}

TEST(a_grid_paints_what_is_new_and_what_goes)
{
    stage_set_up_view(true, NULL, NULL);
    for (unsigned i = 0; i < SCREENS; i++)
        show_in_grid(i, 0x101010 * (i + 1));
    unsigned x, y;
    middle_of(GRID_ALL, 3, &x, &y);
    struct rfb_box box = {WIDTH / 2 - 20, HEIGHT / 2 - 20, 40, 40};
    for (unsigned i = 0; i < 40 * 40; i++)
        stage.pictures[3].pixels[(box.y + i / 40) * WIDTH + box.x + i % 40] = 0xabcdef;
    glass_windows.put(stage.glass, 3, &(struct damage){1, {box}});
    wait_for_pixel(x, y, 0xabcdef);
    glass_windows.hide(stage.glass, 3);
    wait_for_pixel(x, y, 0);
    show_in_grid(3, 0x404040);
    assert_grid(GRID_ALL);
    stage_tear_down();
}

TEST(a_grid_follows_its_windows_size)
{
    stage_set_up_view(true, NULL, NULL);
    for (unsigned i = 0; i < SCREENS; i++)
        show_in_grid(i, 0x101010 * (i + 1));
    assert_grid(GRID_ALL);
    struct rfb_box box;
    const uint32_t size[] = {640, 400};
    xcb_window_t window = xvfb_window(&stage.xvfb, "fanin-monitor", &box);
    xcb_configure_window(stage.xvfb.connection, window,
                         XCB_CONFIG_WINDOW_WIDTH | XCB_CONFIG_WINDOW_HEIGHT, size);
    xcb_flush(stage.xvfb.connection);
    for (unsigned i = 0; i < SCREENS; i++) {
        struct rfb_box cell = grid_cell(640, 400, SCREENS, GRID_ALL, i);
        wait_for_pixel(cell.x + cell.width / 2, cell.y + cell.height / 2, 0x101010 * (i + 1));
    }
    stage_tear_down();
}
