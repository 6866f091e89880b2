/* glass_windows on X11: a window for each screen, or one for all of them. */
#include "client/monitor/glass/xcb_linux.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

/* ---- opening and closing ------------------------------------------------------------------- */

static void glass_free(struct glass *glass)
{
    keys_free(&glass->keys);
    free(glass->surfaces);
    free(glass->panes);
    grid_close(&glass->grid);
    pthread_mutex_destroy(&glass->placing);
    xcb_disconnect(glass->xcb.connection);
    free(glass);
}

/* The grid's window is there before a screen is. */
static bool show_grid(struct glass *glass)
{
    const xcb_screen_t *screen = glass->xcb.screen;
    return !glass->config.grid ||
           glass_grid_size(glass, screen->width_in_pixels, screen->height_in_pixels) == 0;
}

static bool glass_begin(struct glass *glass, char *why, size_t why_bytes)
{
    const struct glass_config *config = &glass->config;
    if (!display_open(&glass->xcb, config->display, why, why_bytes))
        return false;
    glass->surfaces = calloc(config->screens, sizeof *glass->surfaces);
    glass->panes = calloc(config->screens, sizeof *glass->panes);
    if (glass->surfaces == NULL || glass->panes == NULL ||
        keys_load(&glass->keys, glass->xcb.connection) != 0) {
        snprintf(why, why_bytes, "no memory for %u windows", config->screens);
        return false;
    }
    unsigned windows = config->grid ? 1 : config->screens;
    for (; glass->surface_count < windows; glass->surface_count++)
        surface_init(&glass->surfaces[glass->surface_count], &glass->xcb);
    glass->shelves.width = glass->xcb.screen->width_in_pixels;
    glass->shelves.height = glass->xcb.screen->height_in_pixels;
    if (!show_grid(glass)) {
        snprintf(why, why_bytes, "no memory for the grid's window");
        return false;
    }
    return true;
}

static struct glass *windows_open(const struct glass_config *config, char *why, size_t why_bytes)
{
    struct glass *glass = calloc(1, sizeof *glass);
    if (glass == NULL) {
        snprintf(why, why_bytes, "no memory");
        return NULL;
    }
    glass->config = *config;
    glass->focused = NOBODY;
    pthread_mutex_init(&glass->placing, NULL);
    if (grid_open(&glass->grid, config->grid ? config->screens : 0) != 0 ||
        !glass_begin(glass, why, why_bytes)) {
        glass_free(glass);
        return NULL;
    }
    return glass;
}

static void windows_close(struct glass *glass)
{
    for (unsigned i = 0; i < glass->surface_count; i++) {
        surface_hide(&glass->surfaces[i], &glass->xcb);
        pthread_mutex_destroy(&glass->surfaces[i].lock);
    }
    glass_free(glass);
}

/* ---- pictures ------------------------------------------------------------------------------ */

/* A screen that comes again finds its place again, if it still fits. */
static void find_place(struct glass *glass, struct pane *pane, unsigned width, unsigned height)
{
    struct surface_place *place = &pane->place;
    pthread_mutex_lock(&glass->placing);
    if (!pane->placed || width > place->width || height > place->height) {
        shelves_place(&glass->shelves, width, height, &place->x, &place->y);
        pane->placed = true;
        place->width = width;
        place->height = height;
    }
    pthread_mutex_unlock(&glass->placing);
}

int glass_grid_size(struct glass *glass, unsigned width, unsigned height)
{
    struct rfb_picture canvas = {0};
    struct surface_place place = {.width = width, .height = height};
    grid_canvas(&glass->grid, canvas); /* nobody paints while its memory changes */
    int error = surface_show(glass->surfaces, &glass->xcb, place, "fanin-monitor", &canvas);
    grid_canvas(&glass->grid, canvas);
    surface_put(glass->surfaces, &glass->xcb, rfb_box_all(&canvas));
    return error;
}

static int glass_grid_show(struct glass *glass, unsigned screen, unsigned width, unsigned height,
                           struct rfb_picture *picture)
{
    struct rfb_box box;
    int error = grid_show(&glass->grid, screen, width, height, picture, &box);
    surface_put(glass->surfaces, &glass->xcb, box);
    return error;
}

static int windows_show(struct glass *glass, unsigned screen, unsigned width, unsigned height,
                        const char *title, struct rfb_picture *picture)
{
    if (glass->config.grid)
        return glass_grid_show(glass, screen, width, height, picture);
    struct pane *pane = &glass->panes[screen];
    find_place(glass, pane, width, height);
    struct surface_place place = {pane->place.x, pane->place.y, width, height, .fixed = true};
    return surface_show(&glass->surfaces[screen], &glass->xcb, place, title, picture);
}

static void windows_put(struct glass *glass, unsigned screen, const struct damage *dirty)
{
    if (!glass->config.grid) {
        surface_put_all(&glass->surfaces[screen], &glass->xcb, dirty);
        return;
    }
    struct damage painted = {0};
    for (unsigned i = 0; i < dirty->count; i++)
        damage_add(&painted, grid_put(&glass->grid, screen, dirty->boxes[i]));
    surface_put_all(glass->surfaces, &glass->xcb, &painted);
}

static void windows_hide(struct glass *glass, unsigned screen)
{
    if (glass->config.grid)
        surface_put(glass->surfaces, &glass->xcb, grid_hide(&glass->grid, screen));
    else
        surface_hide(&glass->surfaces[screen], &glass->xcb);
}

/* ---- running ------------------------------------------------------------------------------- */

static void windows_run(struct glass *glass)
{
    xcb_generic_event_t *event;
    while ((event = xcb_wait_for_event(glass->xcb.connection)) != NULL) {
        glass_event(glass, event);
        free(event);
    }
    if (!atomic_load(&glass->stopping))
        glass->config.hooks->lost(glass->config.context, "the X server has gone");
}

/* A server that hangs would never answer a request to wake us; the end of the connection needs no
 * answer. */
static void windows_stop(struct glass *glass)
{
    atomic_store(&glass->stopping, true);
    shutdown(xcb_get_file_descriptor(glass->xcb.connection), SHUT_RDWR);
}

const struct glass_kind glass_windows = {
    .name = "xcb",
    .open = windows_open,
    .run = windows_run,
    .stop = windows_stop,
    .close = windows_close,
    .show = windows_show,
    .put = windows_put,
    .hide = windows_hide,
};
