/* The Windows programs on a display of the test's own: a monitor on a real completion port shows
 * screens in windows of GDI, and keys go back. .ci/windows runs it: WINDOWS says where the programs
 * are, WINE what runs them. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rfb/stamp.h"
#include "base/tests/find.h"
#include "base/tests/ports.h"
#include "base/tests/test.h"
#include "client/monitor/glass/tests/xvfb_linux.h"

enum { SCREENS = 4, WIDTH = 560, HEIGHT = 240, ACROSS = 1400, DOWN = 900, WAIT_S = 180 };

static struct xvfb xvfb;
static char folder[128];

static void start(struct os_process *process, const char *name, const char *const *options)
{
    char program[512], log[256];
    char *arguments[16] = {getenv("WINE"), program};
    snprintf(program, sizeof program, "%s/%s.exe", getenv("WINDOWS"), name);
    snprintf(log, sizeof log, "%s/%s.log", folder, name);
    for (unsigned i = 0; options[i] != NULL; i++)
        arguments[2 + i] = (char *)(uintptr_t)options[i];
    assert_int_equal(os_process_start(process, arguments, log, log), 0);
}

/* Frames of windows are of the system's taste, so the stamp is looked for. */
static bool find_stamp(const uint32_t *display, unsigned x, unsigned y, enum stamp_line line,
                       uint64_t *number)
{
    struct rfb_picture picture = {(uint32_t *)(uintptr_t)display + (size_t)y * ACROSS + x, WIDTH,
                                  HEIGHT, ACROSS};
    return stamp_read(&picture, line, number);
}

/* A cell is 8 pixels wide and high: a stamp is read at each of its neighbours, too. */
static bool is_neighbour(const struct rfb_box *found, unsigned count, unsigned x, unsigned y)
{
    for (unsigned i = 0; i < count; i++) {
        if (abs((int)found[i].x - (int)x) < STAMP_CELL &&
            abs((int)found[i].y - (int)y) < STAMP_CELL)
            return true;
    }
    return false;
}

/* How many windows of the display show a stamp, and the sum of their numbers. */
static unsigned read_stamps(enum stamp_line line, uint64_t *sum)
{
    struct rfb_box found[SCREENS];
    unsigned count = 0;
    uint32_t *display = xvfb_pixels(&xvfb, (struct rfb_box){0, 0, ACROSS, DOWN});
    assert_non_null(display);
    *sum = 0;
    for (unsigned y = 0; y + HEIGHT <= DOWN; y++)
        for (unsigned x = 0; x + WIDTH <= ACROSS && count < SCREENS; x++) {
            uint64_t number;
            if (!find_stamp(display, x, y, line, &number) || is_neighbour(found, count, x, y))
                continue;
            found[count++] = (struct rfb_box){.x = x, .y = y};
            *sum += number;
        }
    free(display);
    return count;
}

static void wait_for_stamps(enum stamp_line line, uint64_t more_than, uint64_t *sum)
{
    uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    unsigned count;
    while ((count = read_stamps(line, sum)) < SCREENS || *sum <= more_than) {
        assert_true(os_now_ns() < end_ns);
        os_sleep_ns(50 * (uint64_t)OS_NS_PER_MS);
    }
}

/* Until one has come: a click gives the window the keyboard some time later. */
static void press_keys(void)
{
    const uint64_t end_ns = os_deadline_ns(WAIT_S * (uint64_t)OS_NS_PER_S);
    uint64_t seen = 0;
    do {
        assert_true(os_now_ns() < end_ns);
        xvfb_pointer(&xvfb, 100, 100); /* in the first window */
        xvfb_button(&xvfb, 1, true);
        xvfb_button(&xvfb, 1, false);
        xvfb_key(&xvfb, 'a', true);
        xvfb_key(&xvfb, 'a', false);
        os_sleep_ns(300 * (uint64_t)OS_NS_PER_MS);
        read_stamps(STAMP_KEYS, &seen);
    } while (seen == 0);
}

static void assert_row(const char *path)
{
    char row[8192];
    file_read(path, row, sizeof row);
    assert_non_null(strstr(row, "\"os\":\"Wine "));
    assert_non_null(strstr(row, "\"engine\":\"iocp\",\"gate\":\"user\""));
    assert_non_null(strstr(row, "\"screens_connected\":4"));
    assert_non_null(strstr(row, "\"worker_threads\":4"));
    assert_non_null(strstr(row, "\"audit\":\"pass\""));
    assert_non_null(strstr(row, "\"status\":\"ok\""));
}

TEST(a_monitor_on_windows_shows_screens_and_keys_go_back)
{
    if (getenv("WINDOWS") == NULL || getenv("WINE") == NULL) {
        print_message("skipped: .ci/windows runs it, after make windows\n");
        skip();
    }
    os_writes_fail();
    if (!xvfb_start(&xvfb, ACROSS, DOWN, NULL, NULL)) {
        print_message("skipped: no Xvfb here; install xvfb\n");
        skip();
    }
    assert_true(temporary_directory(folder, sizeof folder));
    setenv("DISPLAY", xvfb.display, 1);
    char listen[64], call[64], row[160], json[192];
    unsigned port = ports_free(4);
    snprintf(listen, sizeof listen, "--listen=127.0.0.1:%u", port);
    snprintf(call, sizeof call, "--connect=127.0.0.1:%u", port);
    snprintf(row, sizeof row, "%s/row.json", folder);
    snprintf(json, sizeof json, "--json=%s", row);
    struct os_process screens, monitor;
    start(&screens, "fanin-screens",
          (const char *const[]){call, "--count=4", "--scene=type", "--size=560x240", "--quiet",
                                NULL});
    start(&monitor, "fanin-monitor",
          (const char *const[]){listen, "--screens=4", "--for=20s", "--view=windows", "--control",
                                "--workers=4", json, "--quiet", NULL});
    uint64_t times, later;
    wait_for_stamps(STAMP_TIME, 0, &times);
    wait_for_stamps(STAMP_TIME, times, &later);
    press_keys();
    int code = -1;
    assert_int_equal(os_process_wait(&monitor, WAIT_S * (uint64_t)OS_NS_PER_S, &code), 1);
    assert_int_equal(code, 0);
    assert_row(row);
    os_process_stop(&screens, OS_NS_PER_S);
    xvfb_stop(&xvfb);
}
