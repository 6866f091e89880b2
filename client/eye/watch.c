/* Watching windows: events of the X server, stamps, keys. */
#include "client/eye/watch.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/xtest.h>

#include "base/options.h"
#include "base/rfb/stamp.h"

enum {
    STAMPS_HEIGHT = 2 * STAMP_HEIGHT,
    SEARCH_HEIGHT = 200, /* from the lower edge of a window up */
    SEARCH_EVERY_MS = 100,
    STAMP_AGE_MAX_S = 24 * 3600,
    US_PER_S = 1000000,
    NS_PER_US = 1000,
    KEYSYM_A = 'a',
};

static uint64_t now_us(void)
{
    return os_now_ns() / NS_PER_US;
}

/* ---- stamps ---------------------------------------------------------------------------------- */

/* A number that was painted in the last hours: other pictures rarely look so. */
static bool read_stamps(const struct rfb_picture *lines, uint64_t *time_us, uint64_t *keys)
{
    const uint64_t now = now_us();
    return stamp_read(lines, STAMP_TIME, time_us) && stamp_read(lines, STAMP_KEYS, keys) &&
           *time_us <= now && now - *time_us < (uint64_t)STAMP_AGE_MAX_S * US_PER_S;
}

/* Whether the two lines begin at x, y of the picture. */
static bool stamps_at(const struct rfb_picture *picture, unsigned x, unsigned y)
{
    uint64_t time, keys;
    const struct rfb_picture lines = {picture->pixels + (size_t)y * picture->stride + x,
                                      STAMP_WIDTH, STAMPS_HEIGHT, picture->stride};
    return read_stamps(&lines, &time, &keys);
}

/* The lowest line, and in it the first place from the left, at which stamps can be read. */
static bool find_corner(const struct rfb_picture *picture, unsigned *x, unsigned *y)
{
    for (*y = picture->height - STAMPS_HEIGHT;; --*y) {
        for (*x = 0; *x <= picture->width - STAMP_WIDTH; ++*x)
            if (stamps_at(picture, *x, *y))
                return true;
        if (*y == 0)
            return false;
    }
}

/* A cell is read at its middle, so stamps are read up to half a cell beside their place, too: the
 * place itself is in the middle of all these. */
static bool find_in(const struct rfb_picture *picture, unsigned *x, unsigned *y)
{
    if (picture->width < STAMP_WIDTH || picture->height < STAMPS_HEIGHT ||
        !find_corner(picture, x, y))
        return false;
    unsigned right = *x, high = *y;
    while (right + STAMP_WIDTH < picture->width && stamps_at(picture, right + 1, *y))
        right++;
    while (high > 0 && stamps_at(picture, *x, high - 1))
        high--;
    *x = (*x + right + 1) / 2;
    *y = (*y + high) / 2;
    return true;
}

/* Where they are in a window without frame and bars; else anywhere in its lower part. */
static bool find_stamps(struct watch *watch, struct watched *window, bool thorough)
{
    struct rfb_picture picture;
    unsigned height = window->height < SEARCH_HEIGHT ? window->height : SEARCH_HEIGHT;
    if (window->width < STAMP_WIDTH || window->height < STAMPS_HEIGHT)
        return false;
    window->stamp_x = 0;
    window->stamp_y = window->height - STAMPS_HEIGHT;
    if (x_server_grab(watch->server, window->x, window->y + (int)window->stamp_y, STAMP_WIDTH,
                      STAMPS_HEIGHT, &picture) &&
        stamps_at(&picture, 0, 0))
        return true;
    if (!thorough ||
        !x_server_grab(watch->server, window->x, window->y + (int)(window->height - height),
                       window->width, height, &picture) ||
        !find_in(&picture, &window->stamp_x, &window->stamp_y))
        return false;
    window->stamp_y += window->height - height;
    return true;
}

static void note_time(struct watched *window, uint64_t time_us, uint64_t seen_us)
{
    /* The first one was painted before anybody looked. */
    if (!window->read)
        window->delays.last_stamp = time_us;
    window->read = true;
    if (time_us > window->delays.last_stamp)
        delays_add(&window->delays, time_us, seen_us);
}

static void note_keys(struct watch *watch, struct watched *window, uint64_t keys, uint64_t seen_us)
{
    uint64_t news = keys - window->keys;
    if (keys < window->keys || news > window->pressed)
        news = keys < window->keys ? 0 : window->pressed; /* a screen that came again; another's */
    for (uint64_t i = 0; i < news; i++)
        delays_add(&window->input, window->pressed_us[i], seen_us);
    window->pressed -= (unsigned)news;
    memmove(window->pressed_us, window->pressed_us + news,
            window->pressed * sizeof *window->pressed_us);
    watch->keys_seen += news;
    window->keys = keys;
}

static void look(struct watch *watch, struct watched *window, bool thorough)
{
    struct rfb_picture lines;
    uint64_t time_us, keys;
    if (!window->found) {
        window->unsearched = !thorough;
        window->found = find_stamps(watch, window, thorough);
        if (!window->found)
            return;
    }
    if (!x_server_grab(watch->server, window->x + (int)window->stamp_x,
                       window->y + (int)window->stamp_y, STAMP_WIDTH, STAMPS_HEIGHT, &lines))
        return;
    const uint64_t seen_us = now_us();
    if (!read_stamps(&lines, &time_us, &keys)) { /* half painted, or they are elsewhere now */
        window->found = false;
        window->unsearched = true;
        return;
    }
    if (!window->read)
        window->keys = keys;
    note_time(window, time_us, seen_us);
    note_keys(watch, window, keys, seen_us);
}

/* What is searched for in a whole picture is not searched for at each of its parts. */
static void search(struct watch *watch)
{
    const uint64_t now_ns = os_now_ns();
    if (now_ns - watch->searched_ns < (uint64_t)SEARCH_EVERY_MS * OS_NS_PER_MS)
        return;
    watch->searched_ns = now_ns;
    for (unsigned i = 0; i < watch->count; i++)
        if (watch->windows[i].window != 0 && watch->windows[i].unsearched)
            look(watch, &watch->windows[i], true);
}

/* ---- windows --------------------------------------------------------------------------------- */

static struct watched *window_of(struct watch *watch, xcb_window_t window)
{
    for (unsigned i = 0; i < watch->count; i++)
        if (watch->windows[i].window == window)
            return &watch->windows[i];
    return NULL;
}

static struct watched *place_take(struct watch *watch)
{
    struct watched *place = window_of(watch, 0);
    if (place != NULL)
        return place;
    if (watch->count == watch->room) {
        const unsigned room = watch->room > 0 ? 2 * watch->room : 16;
        struct watched *windows = realloc(watch->windows, room * sizeof *windows);
        if (windows == NULL)
            return NULL;
        watch->windows = windows;
        watch->room = room;
    }
    place = &watch->windows[watch->count++];
    *place = (struct watched){.window = 0};
    return place;
}

static void arrange(struct watch *watch, struct watched *window)
{
    const unsigned index = (unsigned)(window - watch->windows);
    const uint32_t where[] = {index % watch->columns * watch->cell_width,
                              index / watch->columns * watch->cell_height};
    if (window->x == (int)where[0] && window->y == (int)where[1])
        return;
    xcb_configure_window(watch->server->connection, window->window,
                         XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y, where);
}

static void configured(struct watch *watch, struct watched *window, int x, int y, unsigned width,
                       unsigned height)
{
    window->found &=
        x == window->x && y == window->y && width == window->width && height == window->height;
    window->x = x;
    window->y = y;
    window->width = width;
    window->height = height;
    window->unsearched = true;
    if (watch->arrange)
        arrange(watch, window);
}

static void came(struct watch *watch, xcb_window_t id)
{
    xcb_connection_t *connection = watch->server->connection;
    struct watched *window = window_of(watch, id) == NULL ? place_take(watch) : NULL;
    xcb_get_geometry_reply_t *geometry =
        xcb_get_geometry_reply(connection, xcb_get_geometry(connection, id), NULL);
    if (window != NULL && geometry != NULL) {
        window->window = id;
        window->found = false;
        window->pressed = 0;
        window->damage = xcb_generate_id(connection);
        xcb_damage_create(connection, window->damage, id, XCB_DAMAGE_REPORT_LEVEL_NON_EMPTY);
        configured(watch, window, geometry->x + geometry->border_width,
                   geometry->y + geometry->border_width, geometry->width, geometry->height);
    }
    free(geometry);
}

/* The damage goes with its window. Of one that is only unmapped it is taken again when it comes
 * back. */
static void went(struct watch *watch, struct watched *window, bool destroyed)
{
    if (!destroyed)
        xcb_damage_destroy(watch->server->connection, window->damage);
    watch->closed += window->read;
    window->window = 0;
    window->found = window->unsearched = false;
}

/* Subtracted before it is read: what is painted between the two is reported again. */
static void painted(struct watch *watch, xcb_window_t id)
{
    struct watched *window = window_of(watch, id);
    if (window == NULL)
        return;
    xcb_damage_subtract(watch->server->connection, window->damage, XCB_NONE, XCB_NONE);
    look(watch, window, false);
}

static void handle(struct watch *watch, const xcb_generic_event_t *event)
{
    const uint8_t kind = event->response_type & 0x7f;
    if (kind == watch->server->damaged) {
        painted(watch, ((const xcb_damage_notify_event_t *)event)->drawable);
    } else if (kind == XCB_MAP_NOTIFY) {
        came(watch, ((const xcb_map_notify_event_t *)event)->window);
    } else if (kind == XCB_CONFIGURE_NOTIFY) {
        const xcb_configure_notify_event_t *to = (const void *)event;
        struct watched *window = window_of(watch, to->window);
        if (window != NULL)
            configured(watch, window, to->x + to->border_width, to->y + to->border_width, to->width,
                       to->height);
    } else if (kind == XCB_UNMAP_NOTIFY || kind == XCB_DESTROY_NOTIFY) {
        const xcb_unmap_notify_event_t *gone = (const void *)event; /* both begin alike */
        struct watched *window = window_of(watch, gone->window);
        if (window != NULL)
            went(watch, window, kind == XCB_DESTROY_NOTIFY);
    }
}

static void wait_for_events(struct watch *watch, uint64_t left_ns)
{
    const uint64_t most_ns = (uint64_t)SEARCH_EVERY_MS * OS_NS_PER_MS;
    struct pollfd ready = {.fd = xcb_get_file_descriptor(watch->server->connection),
                           .events = POLLIN};
    struct timespec left = os_timespec(left_ns < most_ns ? left_ns : most_ns);
    ppoll(&ready, 1, &left, NULL);
}

bool watch_until(struct watch *watch, uint64_t until_ns)
{
    uint64_t now_ns = os_now_ns();
    while (x_server_lives(watch->server)) {
        xcb_generic_event_t *event = xcb_poll_for_event(watch->server->connection);
        if (event != NULL)
            handle(watch, event);
        free(event);
        search(watch);
        now_ns = os_now_ns();
        if (now_ns >= until_ns)
            break;
        xcb_flush(watch->server->connection);
        if (event == NULL && x_server_lives(watch->server))
            wait_for_events(watch, until_ns - now_ns);
    }
    return x_server_lives(watch->server);
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* The letters' keys; a letter that the keyboard does not have stays 0. */
static void find_keys(struct watch *watch)
{
    const xcb_setup_t *setup = xcb_get_setup(watch->server->connection);
    const uint8_t first = setup->min_keycode, count = setup->max_keycode - first + 1;
    xcb_get_keyboard_mapping_reply_t *mapping = xcb_get_keyboard_mapping_reply(
        watch->server->connection,
        xcb_get_keyboard_mapping(watch->server->connection, first, count), NULL);
    const xcb_keysym_t *keysyms =
        mapping != NULL ? xcb_get_keyboard_mapping_keysyms(mapping) : NULL;
    for (unsigned i = 0; mapping != NULL && i < count; i++) {
        const xcb_keysym_t letter = keysyms[(size_t)i * mapping->keysyms_per_keycode] - KEYSYM_A;
        if (letter < 26)
            watch->keys[letter] = (xcb_keycode_t)(first + i);
    }
    free(mapping);
}

static struct watched *next_window(struct watch *watch)
{
    for (unsigned i = 1; i <= watch->count; i++) {
        struct watched *window = &watch->windows[(watch->turn + i) % watch->count];
        if (window->window != 0 && window->found && window->pressed < WATCH_PRESSED) {
            watch->turn = (unsigned)(window - watch->windows);
            return window;
        }
    }
    return NULL;
}

/* The pointer goes along, as with a person: without a window manager some toolkits look for it. */
static void enter(struct watch *watch, const struct watched *window)
{
    xcb_connection_t *connection = watch->server->connection;
    xcb_set_input_focus(connection, XCB_INPUT_FOCUS_PARENT, window->window, XCB_CURRENT_TIME);
    xcb_warp_pointer(connection, XCB_NONE, watch->server->screen->root, 0, 0, 0, 0,
                     (int16_t)(window->x + (int)window->width / 2),
                     (int16_t)(window->y + (int)window->height / 2));
    free(xcb_get_input_focus_reply(connection, xcb_get_input_focus(connection), NULL));
}

void watch_press(struct watch *watch)
{
    xcb_connection_t *connection = watch->server->connection;
    struct watched *window = next_window(watch);
    const xcb_keycode_t key = watch->keys[watch->keys_sent % 26];
    if (window == NULL || key == 0)
        return;
    enter(watch, window);
    window->pressed_us[window->pressed++] = now_us();
    watch->keys_sent++;
    xcb_test_fake_input(connection, XCB_KEY_PRESS, key, 0, XCB_NONE, 0, 0, 0);
    xcb_test_fake_input(connection, XCB_KEY_RELEASE, key, 0, XCB_NONE, 0, 0, 0);
    xcb_flush(connection);
}

/* ---- the whole ------------------------------------------------------------------------------- */

int watch_open(struct watch *watch, struct x_server *server, char *why, size_t why_bytes)
{
    const uint32_t events = XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY;
    *watch = (struct watch){.server = server, .columns = 1};
    const xcb_query_extension_reply_t *test =
        xcb_get_extension_data(server->connection, &xcb_test_id);
    if (test == NULL || !test->present)
        return why_write(why, why_bytes, "the X server %s has no XTEST", server->name);
    find_keys(watch);
    xcb_change_window_attributes(server->connection, server->screen->root, XCB_CW_EVENT_MASK,
                                 &events);
    xcb_flush(server->connection);
    return 0;
}

void watch_close(struct watch *watch)
{
    for (unsigned i = 0; i < watch->count; i++) {
        if (watch->windows[i].window != 0)
            xcb_damage_destroy(watch->server->connection, watch->windows[i].damage);
        delays_free(&watch->windows[i].delays);
        delays_free(&watch->windows[i].input);
    }
    free(watch->windows);
    watch->windows = NULL;
    watch->count = watch->room = 0;
}

unsigned watch_found(const struct watch *watch)
{
    unsigned found = 0;
    for (unsigned i = 0; i < watch->count; i++)
        found += watch->windows[i].window != 0 && watch->windows[i].found;
    return found;
}

unsigned watch_read(const struct watch *watch)
{
    unsigned read = 0;
    for (unsigned i = 0; i < watch->count; i++)
        read += watch->windows[i].read;
    return read;
}

void watch_restart(struct watch *watch)
{
    for (unsigned i = 0; i < watch->count; i++) {
        struct watched *window = &watch->windows[i];
        const uint64_t last_stamp = window->delays.last_stamp;
        delays_free(&window->delays);
        window->delays.last_stamp = last_stamp;
    }
}

/* Figures want the delays side by side. */
static struct delay_figures figures(struct watch *watch, size_t offset)
{
    struct delays *all = calloc(watch->count + 1, sizeof *all);
    struct delay_figures result = delays_figures(all, 0);
    if (all == NULL)
        return result;
    for (unsigned i = 0; i < watch->count; i++)
        memcpy(&all[i], (const char *)&watch->windows[i] + offset, sizeof *all);
    result = delays_figures(all, watch->count);
    free(all);
    return result;
}

struct delay_figures watch_delays(struct watch *watch)
{
    return figures(watch, offsetof(struct watched, delays));
}

struct delay_figures watch_input(struct watch *watch)
{
    return figures(watch, offsetof(struct watched, input));
}
