/* The eye's floor: a thread paints stamps into a window of its own, by a connection of its own, as
 * a viewer that has nothing else to do. */
#include "client/eye/floor.h"

#include <string.h>

#include "base/options.h"
#include "base/rfb/stamp.h"
#include "client/eye/watch.h"

enum {
    STAMPS = 125,
    PERIOD_US = 4000,
    LEAST = STAMPS / 4, /* seen: else the figures say nothing */
    WAIT_MS = 10000,    /* for the window, and for its last stamp */
    NS_PER_US = 1000,
    HEIGHT = 2 * STAMP_HEIGHT,
};

struct painter {
    const char *display;
    _Atomic bool seen; /* the eye has found the window */
    _Atomic bool done, stop;
};

static void paint(xcb_connection_t *connection, xcb_window_t window, xcb_gcontext_t context,
                  uint8_t depth)
{
    static uint32_t pixels[STAMP_WIDTH * HEIGHT];
    const struct rfb_picture picture = {pixels, STAMP_WIDTH, HEIGHT, STAMP_WIDTH};
    stamp_paint(&picture, STAMP_KEYS, 0);
    stamp_paint(&picture, STAMP_TIME, os_now_ns() / NS_PER_US);
    xcb_put_image(connection, XCB_IMAGE_FORMAT_Z_PIXMAP, window, context, STAMP_WIDTH, HEIGHT, 0, 0,
                  0, depth, sizeof pixels, (const uint8_t *)pixels);
    xcb_flush(connection);
}

/* Above all others and out of any window manager's hands. */
static xcb_window_t make_window(xcb_connection_t *connection, const xcb_screen_t *screen,
                                xcb_gcontext_t *context)
{
    const uint32_t unmanaged = 1;
    const xcb_window_t window = xcb_generate_id(connection);
    *context = xcb_generate_id(connection);
    xcb_create_window(connection, XCB_COPY_FROM_PARENT, window, screen->root, 0, 0, STAMP_WIDTH,
                      HEIGHT, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_OVERRIDE_REDIRECT, &unmanaged);
    xcb_create_gc(connection, *context, window, 0, NULL);
    xcb_map_window(connection, window);
    return window;
}

static void *painter_run(void *argument)
{
    struct painter *painter = argument;
    int number = 0, painted = 0;
    xcb_connection_t *connection = xcb_connect(painter->display, &number);
    if (xcb_connection_has_error(connection) == 0) {
        xcb_screen_iterator_t screen = xcb_setup_roots_iterator(xcb_get_setup(connection));
        for (; number > 0 && screen.rem > 1; number--)
            xcb_screen_next(&screen);
        xcb_gcontext_t context;
        const xcb_window_t window = make_window(connection, screen.data, &context);
        while (painted < STAMPS && !painter->stop) {
            paint(connection, window, context, screen.data->root_depth);
            painted += painter->seen;
            os_sleep_ns((uint64_t)PERIOD_US * NS_PER_US);
        }
    }
    xcb_disconnect(connection);
    painter->done = true;
    return NULL;
}

static void look(struct watch *watch, struct painter *painter)
{
    enum { SLICE_MS = 10 };
    const uint64_t end_ns = os_deadline_ns((uint64_t)WAIT_MS * OS_NS_PER_MS);
    while (!painter->done && os_now_ns() < end_ns && !os_interrupted() &&
           watch_until(watch, os_deadline_ns((uint64_t)SLICE_MS * OS_NS_PER_MS)))
        if (!painter->seen && watch_found(watch) > 0) {
            watch_restart(watch);
            painter->seen = true;
        }
    painter->stop = true;
}

int floor_measure(struct x_server *server, double *p50_ms, double *p95_ms, char *why,
                  size_t why_bytes)
{
    struct painter painter = {.display = server->name};
    struct watch watch;
    pthread_t thread;
    if (watch_open(&watch, server, why, why_bytes) != 0)
        return -1;
    const int error = os_thread_start(&thread, "fanin-painter", 0, painter_run, &painter);
    if (error != 0)
        return why_write(why, why_bytes, "cannot start a thread: %s", strerror(-error));
    look(&watch, &painter);
    pthread_join(thread, NULL);
    const struct delay_figures figures = watch_delays(&watch);
    watch_close(&watch);
    *p50_ms = figures.p50_ms;
    *p95_ms = figures.p95_ms;
    if (figures.count < LEAST)
        return why_write(why, why_bytes,
                         "the eye saw %llu of %d changes of a window that it painted itself on %s",
                         (unsigned long long)figures.count, (int)STAMPS, server->name);
    return 0;
}
