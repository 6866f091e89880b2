/* The painter, on an X server of this machine. */
#include "mock_servers/screens/capture/paint.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"
#include "base/random.h"
#include "base/rfb/stamp.h"
#include "mock_servers/screens/capture/xserver_linux.h"

struct painter {
    const struct paint_config *config;
    struct xserver server;
    struct scene scene;
    xcb_window_t window;
    xcb_gcontext_t context;
    uint64_t due_ns, period_ns; /* of the next frame; period 0: there is none */
    bool gone;                  /* the X server, or the window */
};

/* ---- the window ------------------------------------------------------------------------------ */

static void window_open(struct painter *painter)
{
    enum {
        EVENTS = XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_BUTTON_PRESS |
                 XCB_EVENT_MASK_BUTTON_RELEASE | XCB_EVENT_MASK_POINTER_MOTION |
                 XCB_EVENT_MASK_STRUCTURE_NOTIFY,
    };
    xcb_connection_t *connection = painter->server.connection;
    const uint32_t events[] = {EVENTS}, no_exposures[] = {0};
    painter->window = xcb_generate_id(connection);
    xcb_create_window(connection, XCB_COPY_FROM_PARENT, painter->window,
                      painter->server.screen->root, 0, 0, (uint16_t)painter->config->width,
                      (uint16_t)painter->config->height, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT,
                      XCB_COPY_FROM_PARENT, XCB_CW_EVENT_MASK, events);
    painter->context = xcb_generate_id(connection);
    xcb_create_gc(connection, painter->context, painter->window, XCB_GC_GRAPHICS_EXPOSURES,
                  no_exposures);
    xcb_map_window(connection, painter->window);
}

static void put(const struct painter *painter, struct rfb_box box)
{
    const struct rfb_picture *picture = &painter->scene.picture;
    if (box.width == 0 || box.height == 0)
        return;
    xcb_shm_put_image(painter->server.connection, painter->window, painter->context,
                      (uint16_t)picture->width, (uint16_t)picture->height, (uint16_t)box.x,
                      (uint16_t)box.y, (uint16_t)box.width, (uint16_t)box.height, (int16_t)box.x,
                      (int16_t)box.y, painter->server.screen->root_depth, XCB_IMAGE_FORMAT_Z_PIXMAP,
                      false, painter->server.segment, 0);
}

/* show: as an application does it: the server moves what scrolled, the rest is put; the stamps come
 * last. The picture may be painted again only when the server has read it. */
static void show(struct painter *painter, const struct scene_change *change)
{
    const struct rfb_box moved = change->scrolled;
    if (moved.width > 0 && moved.height > 0)
        xcb_copy_area(painter->server.connection, painter->window, painter->window,
                      painter->context, (int16_t)moved.x, (int16_t)(moved.y + change->lines),
                      (int16_t)moved.x, (int16_t)moved.y, (uint16_t)moved.width,
                      (uint16_t)moved.height);
    for (unsigned i = 0; i < change->part_count; i++)
        put(painter, change->parts[i]);
    put(painter, rfb_box_join(stamp_box(&painter->scene.picture, STAMP_TIME),
                              stamp_box(&painter->scene.picture, STAMP_KEYS)));
    painter->gone = painter->gone || !xserver_settle(&painter->server);
}

/* ---- events ---------------------------------------------------------------------------------- */

static uint64_t now_us(void)
{
    return os_now_ns() / 1000;
}

/* Keys that only change what others mean are no letters: Shift, Control, Alt, ... */
static bool is_modifier(uint32_t keysym)
{
    return (keysym >= 0xffe1 && keysym <= 0xffee) || keysym == 0xff7f ||
           (keysym >= 0xfe01 && keysym <= 0xfe13);
}

static void key_pressed(struct painter *painter, const xcb_key_press_event_t *event)
{
    struct scene_change change = {.part_count = 0};
    const uint32_t keysym =
        xserver_keysym(&painter->server, event->detail, event->state & XCB_MOD_MASK_SHIFT);
    if (keysym == 0 || is_modifier(keysym))
        return;
    scene_key(&painter->scene, keysym, now_us(), &change);
    show(painter, &change);
}

static void pointer_came(struct painter *painter, int x, int y, unsigned buttons)
{
    struct scene_change change = {.part_count = 0};
    if (x < 0 || y < 0)
        return;
    scene_pointer(&painter->scene, (unsigned)x, (unsigned)y, (uint8_t)buttons, now_us(), &change);
    show(painter, &change);
}

/* X's state has the buttons from before the event, at bit 8. */
static void button_came(struct painter *painter, const xcb_button_press_event_t *event, bool down)
{
    const unsigned button =
        event->detail >= 1 && event->detail <= 8 ? 1u << (event->detail - 1) : 0;
    const unsigned before = event->state >> 8 & 0xff;
    pointer_came(painter, event->event_x, event->event_y,
                 down ? before | button : before & ~button);
}

static void event_came(struct painter *painter, const xcb_generic_event_t *event)
{
    const xcb_expose_event_t *exposed = (const void *)event;
    const xcb_motion_notify_event_t *moved = (const void *)event;
    switch (event->response_type & 0x7f) {
    case XCB_EXPOSE:
        put(painter, (struct rfb_box){exposed->x, exposed->y, exposed->width, exposed->height});
        break;
    case XCB_KEY_PRESS:
        key_pressed(painter, (const void *)event);
        break;
    case XCB_BUTTON_PRESS:
    case XCB_BUTTON_RELEASE:
        button_came(painter, (const void *)event,
                    (event->response_type & 0x7f) == XCB_BUTTON_PRESS);
        break;
    case XCB_MOTION_NOTIFY:
        pointer_came(painter, moved->event_x, moved->event_y, moved->state >> 8 & 0xff);
        break;
    case XCB_MAPPING_NOTIFY:
        xserver_keys_changed(&painter->server);
        break;
    case XCB_DESTROY_NOTIFY:
        painter->gone = true;
        break;
    default:
        break;
    }
}

static void events_take(struct painter *painter)
{
    xcb_generic_event_t *event;
    while (!painter->gone && (event = xcb_poll_for_event(painter->server.connection)) != NULL) {
        event_came(painter, event);
        free(event);
    }
    xcb_flush(painter->server.connection);
    if (xcb_connection_has_error(painter->server.connection) != 0)
        painter->gone = true;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* One that is late is painted with the time for which it was scheduled; more than a second late,
 * the painter cannot keep the rate: what is missing is left out rather than made up for. */
static void frame_paint(struct painter *painter, uint64_t now_ns)
{
    struct scene_change change = {.part_count = 0};
    if (now_ns - painter->due_ns > OS_NS_PER_S)
        painter->due_ns += (now_ns - painter->due_ns) / painter->period_ns * painter->period_ns;
    scene_step(painter->config->scene, &painter->scene, painter->due_ns / 1000, &change);
    painter->due_ns += painter->period_ns;
    show(painter, &change);
}

static void wait_for_more(const struct painter *painter)
{
    const uint64_t now_ns = os_now_ns();
    uint64_t left_ns = (uint64_t)OS_SLICE_MS * OS_NS_PER_MS;
    if (painter->period_ns > 0 && painter->due_ns < now_ns + left_ns)
        left_ns = painter->due_ns > now_ns ? painter->due_ns - now_ns : 0;
    const struct timespec timeout = os_timespec(left_ns);
    struct pollfd server = {.fd = xcb_get_file_descriptor(painter->server.connection),
                            .events = POLLIN};
    ppoll(&server, 1, &timeout, NULL);
}

static void paint(struct painter *painter)
{
    while (!painter->gone && !os_interrupted()) {
        events_take(painter);
        const uint64_t now_ns = os_now_ns();
        if (painter->period_ns > 0 && now_ns >= painter->due_ns)
            frame_paint(painter, now_ns);
        else
            wait_for_more(painter);
    }
}

/* Pictures and moments are those of a screen of our own (source_scene.c) with this seed. */
static void scene_open(struct painter *painter)
{
    const struct paint_config *config = painter->config;
    const uint64_t now_ns = os_now_ns();
    painter->scene = (struct scene){
        .picture = {painter->server.shared, config->width, config->height, config->width},
        .seed = random_mix(config->seed)};
    scene_begin(config->scene, &painter->scene, now_ns / 1000);
    if (config->rate <= 0)
        return;
    painter->period_ns = (uint64_t)(OS_NS_PER_S / config->rate);
    const uint64_t phase_ns = strcmp(config->scene->name, "flip-all") == 0
                                  ? 0
                                  : random_mix(painter->scene.seed) % painter->period_ns;
    painter->due_ns =
        phase_ns + ((now_ns - phase_ns) / painter->period_ns + 1) * painter->period_ns;
}

int paint_run(const struct paint_config *config, char *why, size_t why_bytes)
{
    struct painter painter = {.config = config};
    int result = xserver_open(&painter.server, config->display, why, why_bytes);
    if (result == 0)
        result =
            xserver_share(&painter.server, (size_t)config->width * config->height, why, why_bytes);
    if (result == 0) {
        scene_open(&painter);
        window_open(&painter);
        paint(&painter);
    }
    if (painter.gone && !os_interrupted())
        result = why_write(why, why_bytes, "the X server has gone, or closed the window");
    xserver_close(&painter.server);
    return result;
}
