/* X servers: connections, shared pictures, keys. */
#include "mock_servers/screens/capture/xserver_linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/options.h"

/* ---- connections ----------------------------------------------------------------------------- */

/* Whether pixels are 32 bits, 0x00RRGGBB in this machine's order. */
static bool pixels_fit(const struct xserver *server)
{
    const xcb_setup_t *setup = xcb_get_setup(server->connection);
    const uint16_t one = 1;
    const bool little = *(const uint8_t *)&one == 1;
    xcb_format_iterator_t format = xcb_setup_pixmap_formats_iterator(setup);
    while (format.rem > 0 && format.data->depth != server->screen->root_depth)
        xcb_format_next(&format);
    if (format.rem == 0 || format.data->bits_per_pixel != 32 ||
        setup->image_byte_order != (little ? XCB_IMAGE_ORDER_LSB_FIRST : XCB_IMAGE_ORDER_MSB_FIRST))
        return false;
    xcb_depth_iterator_t depth = xcb_screen_allowed_depths_iterator(server->screen);
    for (; depth.rem > 0; xcb_depth_next(&depth)) {
        xcb_visualtype_iterator_t visual = xcb_depth_visuals_iterator(depth.data);
        for (; visual.rem > 0; xcb_visualtype_next(&visual))
            if (visual.data->visual_id == server->screen->root_visual)
                return visual.data->red_mask == 0xff0000 && visual.data->green_mask == 0xff00 &&
                       visual.data->blue_mask == 0xff;
    }
    return false;
}

int xserver_open(struct xserver *server, const char *name, char *why, size_t why_bytes)
{
    int number = 0;
    *server = (struct xserver){0};
    server->connection = xcb_connect(*name == '\0' ? NULL : name, &number);
    if (xcb_connection_has_error(server->connection) != 0)
        return why_write(why, why_bytes, "there is no X server at %s%s",
                         *name == '\0' ? "$DISPLAY, " : "",
                         *name != '\0'               ? name
                         : getenv("DISPLAY") != NULL ? getenv("DISPLAY")
                                                     : "which is not set");
    xcb_screen_iterator_t screen = xcb_setup_roots_iterator(xcb_get_setup(server->connection));
    while (number-- > 0 && screen.rem > 1)
        xcb_screen_next(&screen);
    server->screen = screen.data;
    server->width = screen.data->width_in_pixels;
    server->height = screen.data->height_in_pixels;
    if (!pixels_fit(server))
        return why_write(why, why_bytes,
                         "the X server's pixels are not of 32 bits with 8 a colour; start it with "
                         "depth 24");
    return 0;
}

static void shared_drop(struct xserver *server)
{
    if (server->shared != NULL)
        munmap(server->shared, server->shared_bytes);
    server->shared = NULL;
}

void xserver_close(struct xserver *server)
{
    free(server->keys);
    if (server->connection != NULL)
        xcb_disconnect(server->connection);
    shared_drop(server);
    *server = (struct xserver){0};
}

bool xserver_settle(const struct xserver *server)
{
    xcb_get_input_focus_reply_t *reply = xcb_get_input_focus_reply(
        server->connection, xcb_get_input_focus(server->connection), NULL);
    free(reply);
    return reply != NULL;
}

/* ---- shared memory --------------------------------------------------------------------------- */

/* The server takes the descriptor, so that no segment of System V is left behind by a crash, and
 * their number has no limit. */
static bool share(struct xserver *server)
{
    const int memory = memfd_create("fanin-picture", MFD_CLOEXEC);
    if (memory < 0)
        return false;
    if (ftruncate(memory, (off_t)server->shared_bytes) == 0)
        server->shared =
            mmap(NULL, server->shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (server->shared == NULL || server->shared == MAP_FAILED) {
        server->shared = NULL;
        close(memory);
        return false;
    }
    server->segment = xcb_generate_id(server->connection);
    xcb_generic_error_t *error = xcb_request_check(
        server->connection, /* the call closes `memory` */
        xcb_shm_attach_fd_checked(server->connection, server->segment, memory, false));
    free(error);
    return error == NULL && xcb_connection_has_error(server->connection) == 0;
}

int xserver_share(struct xserver *server, size_t pixels, char *why, size_t why_bytes)
{
    const xcb_query_extension_reply_t *extension =
        xcb_get_extension_data(server->connection, &xcb_shm_id);
    if (server->shared != NULL)
        xcb_shm_detach(server->connection, server->segment);
    shared_drop(server);
    server->shared_bytes = pixels * sizeof *server->shared;
    if (extension != NULL && extension->present && share(server))
        return 0;
    return why_write(why, why_bytes,
                     "the X server shares no memory with us (MIT-SHM 1.2); run it on this machine");
}

/* ---- keys ------------------------------------------------------------------------------------ */

static const xcb_get_keyboard_mapping_reply_t *xserver_keys(struct xserver *server)
{
    const xcb_setup_t *setup = xcb_get_setup(server->connection);
    if (server->keys == NULL)
        server->keys = xcb_get_keyboard_mapping_reply(
            server->connection,
            xcb_get_keyboard_mapping(server->connection, setup->min_keycode,
                                     (uint8_t)(setup->max_keycode - setup->min_keycode + 1)),
            NULL);
    return server->keys;
}

void xserver_keys_changed(struct xserver *server)
{
    free(server->keys);
    server->keys = NULL;
}

/* The mapping's keysym of a key in a column; 0: none. */
static uint32_t keysym_at(struct xserver *server, unsigned code, unsigned column)
{
    const xcb_get_keyboard_mapping_reply_t *keys = xserver_keys(server);
    const xcb_setup_t *setup = xcb_get_setup(server->connection);
    if (keys == NULL || code < setup->min_keycode || code > setup->max_keycode ||
        column >= keys->keysyms_per_keycode)
        return 0;
    return xcb_get_keyboard_mapping_keysyms(
        keys)[(code - setup->min_keycode) * keys->keysyms_per_keycode + column];
}

uint32_t xserver_keysym(struct xserver *server, xcb_keycode_t code, bool shifted)
{
    const uint32_t keysym = keysym_at(server, code, shifted ? 1 : 0);
    return keysym != 0 ? keysym : keysym_at(server, code, 0);
}

xcb_keycode_t xserver_keycode(struct xserver *server, uint32_t keysym, bool *shifted)
{
    const xcb_setup_t *setup = xcb_get_setup(server->connection);
    for (unsigned column = 0; column < 2; column++)
        for (unsigned code = setup->min_keycode; code <= setup->max_keycode; code++)
            if (keysym_at(server, code, column) == keysym) {
                *shifted = column == 1;
                return (xcb_keycode_t)code;
            }
    return 0;
}

xcb_keycode_t xserver_keycode_give(struct xserver *server, uint32_t keysym)
{
    const xcb_setup_t *setup = xcb_get_setup(server->connection);
    for (unsigned code = setup->max_keycode; code >= setup->min_keycode; code--) {
        bool used = false;
        for (unsigned column = 0; column < 4; column++)
            used |= keysym_at(server, code, column) != 0;
        if (used)
            continue;
        const uint32_t both[] = {keysym, keysym};
        xcb_change_keyboard_mapping(server->connection, 1, (xcb_keycode_t)code, 2, both);
        xserver_keys_changed(server);
        return (xcb_keycode_t)code;
    }
    return 0;
}
