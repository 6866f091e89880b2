/* Events of X11: keys, pointer, focus, and what people and the server do to windows. */
#include <stdlib.h>
#include <string.h>

#include "client/monitor/glass/xcb_linux.h"

static void focus_leaves(struct glass *glass)
{
    int screen = glass->focused;
    glass->focused = NOBODY;
    memset(glass->keys.down, 0, sizeof glass->keys.down);
    if (screen != NOBODY)
        glass->config.hooks->unfocused(glass->config.context, (unsigned)screen);
}

static void focus_comes(struct glass *glass, unsigned screen, bool by_pointer)
{
    glass->focused_by_pointer = by_pointer;
    if (glass->focused == (int)screen)
        return;
    focus_leaves(glass);
    glass->focused = (int)screen;
    glass->config.hooks->focused(glass->config.context, screen);
}

static void on_focus(struct glass *glass, unsigned screen, const xcb_focus_in_event_t *event)
{
    bool in = (event->response_type & 0x7f) == XCB_FOCUS_IN;
    if (in)
        focus_comes(glass, screen, event->detail == XCB_NOTIFY_DETAIL_POINTER);
    else if (glass->focused == (int)screen)
        focus_leaves(glass);
}

/* Without a window manager the root has the focus, and keys go to the window under the pointer. */
static void on_crossing(struct glass *glass, unsigned screen, const xcb_enter_notify_event_t *event)
{
    enum { HAS_FOCUS = 1 };
    bool in = (event->response_type & 0x7f) == XCB_ENTER_NOTIFY;
    if (in && (event->same_screen_focus & HAS_FOCUS) != 0 && glass->focused != (int)screen)
        focus_comes(glass, screen, true);
    else if (!in && glass->focused == (int)screen && glass->focused_by_pointer)
        focus_leaves(glass);
}

/* A key goes up as what it went down as, whatever modifiers have changed since. A key that went
 * down elsewhere does not go up here. */
static void on_key(struct glass *glass, unsigned screen, const xcb_key_press_event_t *event)
{
    xcb_keysym_t *down = &glass->keys.down[event->detail];
    bool press = (event->response_type & 0x7f) == XCB_KEY_PRESS;
    xcb_keysym_t symbol = press ? keys_symbol(&glass->keys, event->detail, event->state) : *down;
    *down = press ? symbol : 0;
    if (symbol != 0)
        glass->config.hooks->key(glass->config.context, screen, symbol, press);
}

static unsigned inside(int at, unsigned size)
{
    if (at < 0 || size == 0)
        return 0;
    return (unsigned)at < size ? (unsigned)at : size - 1;
}

static void put_canvas(struct glass *glass)
{
    surface_put(glass->surfaces, &glass->xcb, rfb_box_all(&glass->grid.canvas));
}

/* In the grid a click chooses the screen that has keyboard and pointer from then on. */
static void point_in_grid(struct glass *glass, int x, int y, unsigned button, bool down)
{
    unsigned picture_x, picture_y;
    uint8_t buttons;
    struct grid *grid = &glass->grid;
    enum grid_act act = grid_point_at(grid, x, y, button, down, &picture_x, &picture_y, &buttons);
    if (act == GRID_POINTER)
        glass->config.hooks->pointer(glass->config.context, (unsigned)grid->chosen, picture_x,
                                     picture_y, buttons);
    if (act != GRID_CHOSEN)
        return;
    put_canvas(glass);
    focus_leaves(glass);
    if (grid->chosen != GRID_ALL)
        focus_comes(glass, (unsigned)grid->chosen, glass->focused_by_pointer);
}

static void on_motion(struct glass *glass, unsigned screen, int x, int y)
{
    if (glass->config.grid) {
        point_in_grid(glass, x, y, 0, false);
        return;
    }
    struct surface *surface = &glass->surfaces[screen];
    pthread_mutex_lock(&surface->lock);
    unsigned width = surface->picture.width, height = surface->picture.height;
    pthread_mutex_unlock(&surface->lock);
    glass->config.hooks->pointer(glass->config.context, screen, inside(x, width), inside(y, height),
                                 glass->panes[screen].buttons);
}

static void on_button(struct glass *glass, unsigned screen, const xcb_button_press_event_t *event)
{
    enum { BUTTONS = 8 };
    bool press = (event->response_type & 0x7f) == XCB_BUTTON_PRESS;
    if (event->detail == 0 || event->detail > BUTTONS)
        return;
    if (glass->config.grid) {
        point_in_grid(glass, event->event_x, event->event_y, event->detail, press);
        return;
    }
    uint8_t bit = (uint8_t)(1 << (event->detail - 1)), *buttons = &glass->panes[screen].buttons;
    *buttons = (uint8_t)(press ? *buttons | bit : *buttons & ~bit);
    if (press && (glass->focused != (int)screen || glass->focused_by_pointer)) {
        xcb_set_input_focus(glass->xcb.connection, XCB_INPUT_FOCUS_POINTER_ROOT, event->event,
                            event->time);
        xcb_flush(glass->xcb.connection);
    }
    on_motion(glass, screen, event->event_x, event->event_y);
}

/* The screens that a window shows: one, or in the grid all of them. */
static void range_of(const struct glass *glass, unsigned window, unsigned *first, unsigned *end)
{
    *first = glass->config.grid ? 0 : window;
    *end = glass->config.grid ? glass->config.screens : window + 1;
}

static void set_visible(struct glass *glass, unsigned window, bool visible)
{
    unsigned screen, end;
    for (range_of(glass, window, &screen, &end); screen < end; screen++) {
        struct pane *pane = &glass->panes[screen];
        if (pane->visible != visible)
            glass->config.hooks->visible(glass->config.context, screen, visible);
        pane->visible = visible;
    }
}

static void tell_closed(struct glass *glass, unsigned window)
{
    unsigned screen, end;
    for (range_of(glass, window, &screen, &end); screen < end; screen++)
        glass->config.hooks->closed(glass->config.context, screen);
}

/* Whose the keyboard is while that window has it. */
static int screen_of(const struct glass *glass, unsigned window)
{
    return glass->config.grid ? glass->grid.chosen : (int)window;
}

static void on_expose(struct glass *glass, unsigned screen, const xcb_expose_event_t *event)
{
    struct surface *surface = &glass->surfaces[screen];
    pthread_mutex_lock(&surface->lock);
    struct rfb_box box = {event->x, event->y, event->width, event->height};
    unsigned width = surface->picture.width, height = surface->picture.height;
    pthread_mutex_unlock(&surface->lock);
    if (box.x >= width || box.y >= height)
        return;
    box.width = box.width < width - box.x ? box.width : width - box.x;
    box.height = box.height < height - box.y ? box.height : height - box.y;
    surface_put(surface, &glass->xcb, box);
}

static void on_gone(struct glass *glass, unsigned window)
{
    set_visible(glass, window, false);
    if (glass->focused == screen_of(glass, window))
        focus_leaves(glass);
    glass->panes[window].buttons = 0;
}

static void on_size(struct glass *glass, const xcb_configure_notify_event_t *event)
{
    const struct rfb_picture *canvas = &glass->grid.canvas;
    if (glass->config.grid && (canvas->width != event->width || canvas->height != event->height))
        glass_grid_size(glass, event->width, event->height);
}

/* by_window: the order of ids is the order of screens. */
static int by_window(const void *window, const void *surface)
{
    xcb_window_t wanted = *(const xcb_window_t *)window;
    xcb_window_t here = ((const struct surface *)surface)->window;
    return (wanted > here) - (wanted < here);
}

/* The window of an event stands at another place in each kind. */
static xcb_window_t window_of(const struct glass *glass, const xcb_generic_event_t *event)
{
    uint8_t kind = event->response_type & 0x7f;
    if (kind == glass->xcb.completion)
        return ((const xcb_shm_completion_event_t *)event)->drawable;
    switch (kind) {
    case XCB_KEY_PRESS:
    case XCB_KEY_RELEASE:
    case XCB_BUTTON_PRESS:
    case XCB_BUTTON_RELEASE:
    case XCB_MOTION_NOTIFY:
    case XCB_ENTER_NOTIFY:
    case XCB_LEAVE_NOTIFY:
        return ((const xcb_key_press_event_t *)event)->event;
    case XCB_FOCUS_IN:
    case XCB_FOCUS_OUT:
    case XCB_EXPOSE:
    case XCB_VISIBILITY_NOTIFY:
    case XCB_CONFIGURE_NOTIFY:
    case XCB_UNMAP_NOTIFY:
    case XCB_DESTROY_NOTIFY:
    case XCB_CLIENT_MESSAGE:
        return ((const xcb_expose_event_t *)event)->window;
    default:
        return XCB_NONE;
    }
}

static void on_screen_event(struct glass *glass, unsigned screen, const xcb_generic_event_t *event)
{
    switch (event->response_type & 0x7f) {
    case XCB_KEY_PRESS:
    case XCB_KEY_RELEASE:
        on_key(glass, screen, (const void *)event);
        return;
    case XCB_ENTER_NOTIFY:
    case XCB_LEAVE_NOTIFY:
        on_crossing(glass, screen, (const void *)event);
        return;
    case XCB_FOCUS_IN:
    case XCB_FOCUS_OUT:
        on_focus(glass, screen, (const void *)event);
        return;
    default:
        return;
    }
}

static void on_visibility(struct glass *glass, unsigned window,
                          const xcb_visibility_notify_event_t *event)
{
    set_visible(glass, window, event->state != XCB_VISIBILITY_FULLY_OBSCURED);
}

static void on_message(struct glass *glass, unsigned window,
                       const xcb_client_message_event_t *event)
{
    if (event->type == glass->xcb.protocols && event->data.data32[0] == glass->xcb.delete_window)
        tell_closed(glass, window);
}

static void on_window_event(struct glass *glass, unsigned window, const xcb_generic_event_t *event)
{
    const xcb_motion_notify_event_t *motion = (const void *)event;
    switch (event->response_type & 0x7f) {
    case XCB_BUTTON_PRESS:
    case XCB_BUTTON_RELEASE:
        on_button(glass, window, (const void *)event);
        return;
    case XCB_MOTION_NOTIFY:
        on_motion(glass, window, motion->event_x, motion->event_y);
        return;
    case XCB_EXPOSE:
        on_expose(glass, window, (const void *)event);
        return;
    case XCB_VISIBILITY_NOTIFY:
        on_visibility(glass, window, (const void *)event);
        return;
    case XCB_CONFIGURE_NOTIFY:
        on_size(glass, (const void *)event);
        return;
    case XCB_UNMAP_NOTIFY:
        on_gone(glass, window);
        return;
    case XCB_DESTROY_NOTIFY:
        on_gone(glass, window);
        if (surface_destroyed(&glass->surfaces[window]))
            tell_closed(glass, window);
        return;
    case XCB_CLIENT_MESSAGE:
        on_message(glass, window, (const void *)event);
        return;
    default:
        if (screen_of(glass, window) != NOBODY)
            on_screen_event(glass, (unsigned)screen_of(glass, window), event);
    }
}

void glass_event(struct glass *glass, const xcb_generic_event_t *event)
{
    if ((event->response_type & 0x7f) == XCB_MAPPING_NOTIFY) {
        keys_load(&glass->keys, glass->xcb.connection);
        return;
    }
    xcb_window_t window = window_of(glass, event);
    const struct surface *surface =
        bsearch(&window, glass->surfaces, glass->surface_count, sizeof *surface, by_window);
    if (surface == NULL)
        return;
    unsigned index = (unsigned)(surface - glass->surfaces);
    if ((event->response_type & 0x7f) == glass->xcb.completion)
        surface_completed(&glass->surfaces[index], &glass->xcb,
                          ((const xcb_shm_completion_event_t *)event)->shmseg);
    else
        on_window_event(glass, index, event);
}
