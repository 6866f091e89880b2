/* fanin-screens.exe captures a Windows desktop: under Wine on an Xvfb, where our painter paints.
 * .ci/windows runs it: WINDOWS says where the programs are, WINE what runs them. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/tests/find.h"
#include "base/tests/test.h"
#include "base/xdisplay.h"
#include "mock_servers/screens/child.h"
#include "mock_servers/screens/tests/raw_viewer.h"

enum { PATH_BYTES = 512, PATIENCE_S = 180, WHY_BYTES = 256 };

static struct os_process server;
static struct child painter, screens;
static char folder[PATH_BYTES], ready[PATH_BYTES + 16];
static uint64_t deadline_ns;

static void wait_on(struct child *child)
{
    if (child_ended(child))
        fail_msg("%s", child->last_line);
    assert_true(os_now_ns() < deadline_ns);
    os_sleep_ns(OS_NS_PER_MS);
}

/* Skips the test where there is no Xvfb. */
static void server_start(char display[XDISPLAY_BYTES])
{
    char why[WHY_BYTES];
    if (xdisplay_xvfb(&server, 640, 400, NULL, NULL, display, why, sizeof why) != 0) {
        print_message("skipped: %s\n", why);
        skip();
    }
}

static void programs_start(const char *display)
{
    char own[PATH_BYTES], exe[PATH_BYTES], paint[64], file[PATH_BYTES + 32], why[WHY_BYTES];
    assert_true(find_upwards(own, sizeof own, "fanin-screens"));
    snprintf(exe, sizeof exe, "%s/fanin-screens.exe", getenv("WINDOWS"));
    snprintf(paint, sizeof paint, "--paint=%s", display);
    snprintf(file, sizeof file, "--ready-file=%s", ready);
    char *const painting[] = {own, paint, "--scene=type", "--size=640x400", NULL};
    char *const capturing[] = {getenv("WINE"), exe, "--device=gdi", "--port=0", file, NULL};
    assert_int_equal(child_start(&painter, painting, why, sizeof why), 0);
    assert_int_equal(child_start(&screens, capturing, why, sizeof why), 0);
}

static unsigned port_await(void)
{
    char text[128], line[CHILD_LINE_BYTES];
    unsigned port = 0;
    for (;;) {
        file_read(ready, text, sizeof text);
        if (sscanf(text, "%*d %u", &port) == 1 && port > 0)
            return port;
        while (child_log(&screens, line))
            continue;
        wait_on(&screens);
    }
}

static int set_up(void **state)
{
    os_writes_fail();
    deadline_ns = os_deadline_ns((uint64_t)PATIENCE_S * OS_NS_PER_S);
    return temporary_directory(folder, sizeof folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    child_stop(&screens);
    child_stop(&painter);
    os_process_stop(&server, OS_NS_PER_S);
    unlink(ready);
    return rmdir(folder);
}

TEST(a_desktop_of_windows_is_a_screen, set_up, tear_down)
{
    char display[XDISPLAY_BYTES];
    struct raw_viewer viewer;
    if (getenv("WINDOWS") == NULL || getenv("WINE") == NULL) {
        print_message("skipped: .ci/windows runs it, after make windows\n");
        skip();
    }
    snprintf(ready, sizeof ready, "%s/ready", folder);
    server_start(display);
    setenv("DISPLAY", display, 1);
    programs_start(display);
    assert_true(raw_viewer_dial(&viewer, port_await()));
    assert_int_equal(viewer.picture.width, 640);
    assert_int_equal(viewer.picture.height, 400);
    const uint64_t first = raw_viewer_await(&viewer, STAMP_TIME, 1);
    assert_true(first > 0);
    assert_true(raw_viewer_await(&viewer, STAMP_TIME, first + 1) > first);
    raw_viewer_close(&viewer);
}
