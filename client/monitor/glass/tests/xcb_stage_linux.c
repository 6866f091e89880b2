/* The stage of the tests of X11's windows. */
#include "client/monitor/glass/tests/xcb_stage_linux.h"

#include <stdlib.h>
#include <string.h>

#include "base/tests/test.h"

enum { WAIT_S = 120 };

struct stage stage;

static void *run(void *glass)
{
    glass_windows.run(glass);
    return NULL;
}

void stage_set_up_view(bool grid, char *option, char *value)
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
                                  .display = stage.xvfb.display,
                                  .grid = grid};
    char why[256] = "";
    stage.glass = glass_windows.open(&config, why, sizeof why);
    assert_string_equal(why, "");
    assert_int_equal(os_thread_start(&stage.thread, "fanin-window", 0, run, stage.glass), 0);
}

void stage_set_up(char *option, char *value)
{
    stage_set_up_view(false, option, value);
}

void stage_end_glass(void)
{
    glass_windows.stop(stage.glass);
    pthread_join(stage.thread, NULL);
    glass_windows.close(stage.glass);
}

void stage_tear_down(void)
{
    stage_end_glass();
    xvfb_stop(&stage.xvfb);
}

const char *stage_title(unsigned screen)
{
    static char title[32];
    snprintf(title, sizeof title, "screen %u", screen);
    return title;
}

void stage_show_sized(unsigned screen, unsigned width, unsigned height)
{
    struct rfb_picture *picture = &stage.pictures[screen];
    assert_int_equal(
        glass_windows.show(stage.glass, screen, width, height, stage_title(screen), picture), 0);
    assert_int_equal(picture->width, width);
    assert_int_equal(picture->height, height);
    for (size_t i = 0; i < (size_t)picture->stride * height; i++)
        assert_int_equal(picture->pixels[i], 0);
}

void stage_paint(unsigned screen, struct rfb_box box, uint32_t seed)
{
    struct rfb_picture *picture = &stage.pictures[screen];
    for (unsigned y = box.y; y < box.y + box.height; y++)
        for (unsigned x = box.x; x < box.x + box.width; x++)
            picture->pixels[(size_t)y * picture->stride + x] =
                ((y * picture->stride + x + seed) * 2654435761u) & 0xffffff;
    glass_windows.put(stage.glass, screen, &(struct damage){1, {box}});
}

struct rfb_box stage_window(unsigned screen)
{
    struct rfb_box box = {0};
    uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    while (xvfb_window(&stage.xvfb, stage_title(screen), &box) == XCB_NONE && os_now_ns() < end_ns)
        os_sleep_ns(OS_NS_PER_MS);
    assert_true(box.width > 0);
    return box;
}

bool stage_is_shown(unsigned screen)
{
    struct rfb_picture *picture = &stage.pictures[screen];
    struct rfb_box box;
    assert_true(xvfb_window(&stage.xvfb, stage_title(screen), &box) != XCB_NONE);
    uint32_t *seen = xvfb_pixels(&stage.xvfb, box);
    assert_non_null(seen);
    bool same = box.width == picture->width && box.height == picture->height &&
                memcmp(seen, picture->pixels, (size_t)box.width * box.height * sizeof *seen) == 0;
    free(seen);
    return same;
}

void stage_assert_shown(unsigned screen)
{
    uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    while (!stage_is_shown(screen) && os_now_ns() < end_ns)
        os_sleep_ns(OS_NS_PER_MS);
    assert_true(stage_is_shown(screen));
}

void stage_show(unsigned screen)
{
    stage_show_sized(screen, WIDTH, HEIGHT);
    stage_window(screen);
}

void stage_show_painted(unsigned screen)
{
    stage_show(screen);
    stage_paint(screen, rfb_box_all(&stage.pictures[screen]), screen * 1000);
}
