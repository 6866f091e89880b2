/* A source of pictures: what an X server shows. XDamage says where something may have changed, the
 * server copies these boxes into memory that both share, and they are compared with the picture
 * that viewers know. Keys and pointer go in by XTEST. Without XDamage the whole screen is looked at
 * again and again. */
#include <stdlib.h>
#include <string.h>
#include <xcb/damage.h>
#include <xcb/xtest.h>

#include "base/options.h"
#include "base/os.h"
#include "mock_servers/screens/capture/capture.h"
#include "mock_servers/screens/capture/compare.h"
#include "mock_servers/screens/capture/xserver_linux.h"
#include "mock_servers/screens/desktop.h"
#include "mock_servers/screens/options.h"

enum {
    POLL_MS = 40,
    LOOKS_MAX = 3,
    BUTTONS = 8,
    WHY_BYTES = 256,
    KEYCODES = 256,
    SHIFT_L = 0xffe1,
    SHIFT_R = 0xffe2,
};

struct x11 {
    struct source source;
    struct loop *loop;
    struct handler handler;
    struct desktop *desktop; /* of its own, with --display NULL */
    struct xserver server;
    struct rfb_picture picture;
    struct scene_change damage; /* its parts: what may have changed */
    xcb_damage_damage_t damage_id;
    uint8_t damage_event; /* 0: there is no XDamage */
    bool is_stale, is_frozen, is_resized, is_gone;
    uint32_t held[KEYCODES]; /* the keysym for which a key is down; 0: it is up */
    uint8_t buttons;
};

static const struct source_kind source_x11;

static struct x11 *x11_of(struct source *source)
{
    return (struct x11 *)(void *)source;
}

/* ---- what may have changed ------------------------------------------------------------------- */

static void damage_add(struct x11 *x11, struct rfb_box box)
{
    if (!x11->is_frozen && box.width > 0 && rfb_box_inside(box, &x11->picture))
        change_add(&x11->damage, box);
}

static void event_came(struct x11 *x11, const xcb_generic_event_t *event)
{
    const unsigned kind = event->response_type & 0x7f;
    if (x11->damage_event != 0 && kind == x11->damage_event) {
        const xcb_rectangle_t area = ((const xcb_damage_notify_event_t *)(const void *)event)->area;
        damage_add(x11,
                   (struct rfb_box){(unsigned)area.x, (unsigned)area.y, area.width, area.height});
    } else if (kind == XCB_CONFIGURE_NOTIFY) {
        const xcb_configure_notify_event_t *size = (const void *)event;
        if (size->window == x11->server.screen->root &&
            (size->width != x11->server.width || size->height != x11->server.height)) {
            x11->server.width = size->width;
            x11->server.height = size->height;
            x11->is_resized = true;
        }
    } else if (kind == XCB_MAPPING_NOTIFY)
        xserver_keys_changed(&x11->server);
}

static void events_take(struct x11 *x11)
{
    xcb_generic_event_t *event;
    while ((event = xcb_poll_for_event(x11->server.connection)) != NULL) {
        event_came(x11, event);
        free(event);
    }
    if (xcb_connection_has_error(x11->server.connection) != 0)
        x11->is_gone = true;
}

static bool has_more(const struct x11 *x11)
{
    return x11->damage.part_count > 0 || x11->is_resized;
}

/* Called with signs when the server has sent something, and without when refresh has left something
 * in the queue, which the socket no longer shows, or when it is time to look. */
static void x11_handle(struct handler *handler, unsigned signs)
{
    struct x11 *x11 = LIST_MEMBER(handler, struct x11, handler);
    events_take(x11);
    if (x11->is_gone) {
        x11->source.hooks->lost(&x11->source, "its X server has gone");
        return;
    }
    net_watch_again(&handler->watched, NET_READABLE);
    if (x11->damage_event == 0) {
        loop_wake_at(x11->loop, handler, os_deadline_ns((uint64_t)POLL_MS * OS_NS_PER_MS));
        if (x11->damage.part_count == 0)
            damage_add(x11, rfb_box_all(&x11->picture));
    }
    if (has_more(x11) && !x11->is_stale) {
        x11->is_stale = true;
        x11->source.hooks->stale(&x11->source);
    }
}

/* ---- capture --------------------------------------------------------------------------------- */

static int larger_first(const void *one, const void *other)
{
    const size_t a = rfb_box_area(*(const struct rfb_box *)one),
                 b = rfb_box_area(*(const struct rfb_box *)other);
    return (a < b) - (a > b);
}

/* All boxes together must fit into the shared memory, which is of one picture. */
static void damage_fit(struct x11 *x11)
{
    struct scene_change *damage = &x11->damage;
    struct rfb_box all = damage->parts[0];
    size_t sum = 0;
    for (unsigned i = 0; i < damage->part_count; i++) {
        sum += rfb_box_area(damage->parts[i]);
        all = rfb_box_join(all, damage->parts[i]);
    }
    if (sum > rfb_box_area(rfb_box_all(&x11->picture))) {
        damage->parts[0] = all;
        damage->part_count = 1;
    }
    qsort(damage->parts, damage->part_count, sizeof *damage->parts, larger_first);
}

/* Asks for all boxes at once and waits then. False: the server has not given all. */
static bool boxes_capture(const struct x11 *x11, const struct rfb_box *boxes, unsigned count)
{
    xcb_shm_get_image_cookie_t cookies[SCENE_PARTS];
    size_t at = 0;
    bool done = true;
    for (unsigned i = 0; i < count; i++) {
        const struct rfb_box box = boxes[i];
        cookies[i] = xcb_shm_get_image(
            x11->server.connection, x11->server.screen->root, (int16_t)box.x, (int16_t)box.y,
            (uint16_t)box.width, (uint16_t)box.height, UINT32_MAX, XCB_IMAGE_FORMAT_Z_PIXMAP,
            x11->server.segment, (uint32_t)(at * sizeof *x11->server.shared));
        at += rfb_box_area(box);
    }
    for (unsigned i = 0; i < count; i++) {
        xcb_generic_error_t *error = NULL;
        xcb_shm_get_image_reply_t *reply =
            xcb_shm_get_image_reply(x11->server.connection, cookies[i], &error);
        done = done && reply != NULL;
        free(reply);
        free(error);
    }
    return done;
}

/* The damage is forgotten before the picture is taken: what changes meanwhile is reported again.
 * Returns the stamps that may be new. */
static unsigned damage_capture(struct x11 *x11, struct scene_change *change)
{
    damage_fit(x11);
    const struct scene_change damage = x11->damage;
    x11->damage.part_count = 0;
    if (x11->damage_event != 0)
        xcb_damage_subtract(x11->server.connection, x11->damage_id, XCB_NONE, XCB_NONE);
    if (!boxes_capture(x11, damage.parts, damage.part_count))
        return 0; /* the server has gone or has another size: the next event says which */
    unsigned stamps = 0;
    uint32_t *at = x11->server.shared;
    for (unsigned i = 0; i < damage.part_count; i++) {
        const struct rfb_box box = damage.parts[i];
        const struct rfb_picture now = {at, box.width, box.height, box.width};
        stamps |= compare_take(&x11->picture, box, &now, change);
        at += rfb_box_area(box);
    }
    return stamps;
}

static bool has_more_of(const struct x11 *x11, const struct scene_change *change)
{
    return x11->damage.part_count > 0 && !change_is_over(change, &x11->damage);
}

/* An application draws a frame by several requests, and the server reports the first before it has
 * done the last: what has come meanwhile belongs to the same update, a few times, unless it is the
 * next frame. */
static void changes_capture(struct x11 *x11)
{
    struct scene_change change = {.part_count = 0};
    unsigned stamps = 0;
    for (unsigned i = 0; i < LOOKS_MAX && has_more_of(x11, &change); i++) {
        stamps |= damage_capture(x11, &change);
        events_take(x11);
    }
    if (stamps != 0 || change.part_count > 0 || change.scrolled.width > 0)
        x11->source.hooks->changed(&x11->source, &change, stamps);
}

/* picture_new: of the screen's size, and what it shows. */
static int picture_new(struct x11 *x11, char *why, size_t why_bytes)
{
    const unsigned width = x11->server.width, height = x11->server.height;
    uint32_t *pixels = malloc((size_t)width * height * sizeof *pixels);
    if (pixels == NULL)
        return why_write(why, why_bytes, "no memory for a picture of %u x %u", width, height);
    free(x11->picture.pixels);
    x11->picture = (struct rfb_picture){pixels, width, height, width};
    x11->damage = (struct scene_change){.part_count = 0};
    if (xserver_share(&x11->server, (size_t)width * height, why, why_bytes) != 0)
        return -1;
    const struct rfb_box all = rfb_box_all(&x11->picture);
    if (x11->damage_event != 0)
        xcb_damage_subtract(x11->server.connection, x11->damage_id, XCB_NONE, XCB_NONE);
    if (!boxes_capture(x11, &all, 1))
        return why_write(why, why_bytes, "its X server does not give its picture");
    memcpy(pixels, x11->server.shared, rfb_box_area(all) * sizeof *pixels);
    return 0;
}

static void x11_refresh(struct source *source)
{
    struct x11 *x11 = x11_of(source);
    char why[WHY_BYTES];
    x11->is_stale = false;
    events_take(x11);
    if (x11->is_resized && !x11->is_frozen) {
        x11->is_resized = false;
        if (picture_new(x11, why, sizeof why) == 0)
            source->hooks->resized(source);
    } else
        changes_capture(x11);
    loop_schedule(x11->loop, &x11->handler);
}

static void x11_freeze(struct source *source)
{
    struct x11 *x11 = x11_of(source);
    x11->is_frozen = true;
    x11->damage.part_count = 0;
}

/* ---- input ----------------------------------------------------------------------------------- */

static void fake(const struct x11 *x11, uint8_t kind, uint8_t detail, unsigned x, unsigned y)
{
    xcb_test_fake_input(x11->server.connection, kind, detail, XCB_CURRENT_TIME,
                        x11->server.screen->root, (int16_t)x, (int16_t)y, 0);
}

static void fake_key(const struct x11 *x11, unsigned code, bool down)
{
    fake(x11, down ? XCB_KEY_PRESS : XCB_KEY_RELEASE, (uint8_t)code, 0, 0);
}

static bool shift_is_held(const struct x11 *x11)
{
    for (unsigned code = 0; code < KEYCODES; code++)
        if (x11->held[code] == SHIFT_L || x11->held[code] == SHIFT_R)
            return true;
    return false;
}

/* The viewer sends what its own keyboard means by a key; ours may need Shift for it where the
 * viewer's did not. */
static void key_down(struct x11 *x11, uint32_t keysym)
{
    bool shifted = false, ignored;
    unsigned code = xserver_keycode(&x11->server, keysym, &shifted);
    if (code == 0)
        code = xserver_keycode_give(&x11->server, keysym);
    if (code == 0)
        return;
    const unsigned shift = xserver_keycode(&x11->server, SHIFT_L, &ignored);
    const bool help = shifted && shift != 0 && !shift_is_held(x11);
    if (help)
        fake_key(x11, shift, true);
    fake_key(x11, code, true);
    if (help)
        fake_key(x11, shift, false);
    x11->held[code] = keysym;
}

static void key_up(struct x11 *x11, uint32_t keysym)
{
    for (unsigned code = 0; code < KEYCODES; code++)
        if (x11->held[code] == keysym) {
            fake_key(x11, code, false);
            x11->held[code] = 0;
        }
}

static void x11_key(struct source *source, uint32_t keysym, bool down)
{
    struct x11 *x11 = x11_of(source);
    if (keysym == 0 || x11->is_gone)
        return;
    if (down)
        key_down(x11, keysym);
    else
        key_up(x11, keysym);
    xcb_flush(x11->server.connection);
}

static void x11_pointer(struct source *source, unsigned x, unsigned y, uint8_t buttons)
{
    struct x11 *x11 = x11_of(source);
    const uint8_t changed = buttons ^ x11->buttons;
    if (x11->is_gone || x >= x11->server.width || y >= x11->server.height)
        return;
    fake(x11, XCB_MOTION_NOTIFY, 0, x, y);
    for (unsigned i = 0; i < BUTTONS; i++)
        if (changed >> i & 1)
            fake(x11, buttons >> i & 1 ? XCB_BUTTON_PRESS : XCB_BUTTON_RELEASE, (uint8_t)(i + 1), 0,
                 0);
    x11->buttons = buttons;
    xcb_flush(x11->server.connection);
}

/* What a viewer that has gone still held would stay down for ever. */
static void input_release(struct x11 *x11)
{
    for (unsigned code = 0; code < KEYCODES; code++)
        if (x11->held[code] != 0)
            fake_key(x11, code, false);
    for (unsigned i = 0; i < BUTTONS; i++)
        if (x11->buttons >> i & 1)
            fake(x11, XCB_BUTTON_RELEASE, (uint8_t)(i + 1), 0, 0);
    if (!x11->is_gone)
        xserver_settle(&x11->server);
}

/* ---- a source -------------------------------------------------------------------------------- */

static bool has_extension(const struct x11 *x11, xcb_extension_t *extension, uint8_t *first_event)
{
    const xcb_query_extension_reply_t *reply =
        xcb_get_extension_data(x11->server.connection, extension);
    if (reply != NULL && first_event != NULL)
        *first_event = reply->first_event;
    return reply != NULL && reply->present;
}

static void damage_open(struct x11 *x11)
{
    xcb_connection_t *connection = x11->server.connection;
    uint8_t first_event = 0;
    if (!has_extension(x11, &xcb_damage_id, &first_event))
        return;
    free(xcb_damage_query_version_reply(connection, xcb_damage_query_version(connection, 1, 1),
                                        NULL));
    x11->damage_event = (uint8_t)(first_event + XCB_DAMAGE_NOTIFY);
    x11->damage_id = xcb_generate_id(connection);
    xcb_damage_create(connection, x11->damage_id, x11->server.screen->root,
                      XCB_DAMAGE_REPORT_LEVEL_DELTA_RECTANGLES);
}

static int x11_watch(struct x11 *x11, const struct screens_config *config, unsigned number,
                     char *why, size_t why_bytes)
{
    const uint32_t events[] = {XCB_EVENT_MASK_STRUCTURE_NOTIFY};
    const char *name = config->display;
    if (name == NULL) {
        x11->desktop = desktop_of(number);
        name = x11->desktop->display;
        if (desktop_ended(x11->desktop, why, why_bytes) ||
            desktop_watched(x11->desktop, why, why_bytes) != 0)
            return -1;
    }
    if (xserver_open(&x11->server, name, why, why_bytes) != 0)
        return -1;
    if (!config->view_only && !has_extension(x11, &xcb_test_id, NULL))
        return why_write(why, why_bytes,
                         "the X server takes no keys from us (XTEST); give --view-only");
    xcb_change_window_attributes(x11->server.connection, x11->server.screen->root,
                                 XCB_CW_EVENT_MASK, events);
    damage_open(x11);
    if (picture_new(x11, why, why_bytes) != 0)
        return -1;
    const int result =
        loop_watch(x11->loop, &x11->handler, xcb_get_file_descriptor(x11->server.connection));
    loop_schedule(x11->loop, &x11->handler);
    return result == 0 ? 0 : why_write(why, why_bytes, "no memory to watch its X server");
}

static void x11_close(struct source *source)
{
    struct x11 *x11 = x11_of(source);
    loop_remove(x11->loop, &x11->handler);
    if (x11->server.connection != NULL && xcb_connection_has_error(x11->server.connection) == 0)
        input_release(x11);
    xserver_close(&x11->server);
    if (x11->desktop != NULL)
        desktop_unwatched(x11->desktop);
    free(x11->picture.pixels);
    free(x11);
}

static struct source *x11_open(struct loop *loop, const struct screens_config *config,
                               unsigned number, const struct source_hooks *hooks, void *context,
                               char *why, size_t why_bytes)
{
    struct x11 *x11 = calloc(1, sizeof *x11);
    if (x11 == NULL) {
        why_write(why, why_bytes, "no memory");
        return NULL;
    }
    x11->source = (struct source){&source_x11, &x11->picture, hooks, context};
    x11->loop = loop;
    x11->handler.handle = x11_handle;
    if (loop_add(loop) != 0 || x11_watch(x11, config, number, why, why_bytes) != 0) {
        x11_close(&x11->source);
        return NULL;
    }
    return &x11->source;
}

static int x11_begin(struct loop *loop, const struct screens_config *config, char *why,
                     size_t why_bytes)
{
    return config->display != NULL ? 0 : desktops_start(config, NULL, why, why_bytes);
}

static const struct source_kind source_x11 = {
    .name = "x11",
    .summary = "captures the X server of --display, or an Xvfb with a painter for each screen",
    .begin = x11_begin,
    .end = desktops_stop,
    .descriptors = 8, /* the connection, and pipes of two children */
    .open = x11_open,
    .close = x11_close,
    .refresh = x11_refresh,
    .freeze = x11_freeze,
    .key = x11_key,
    .pointer = x11_pointer,
};

const struct source_kind *capture_list(unsigned index)
{
    return index == 0 ? &source_x11 : NULL;
}
