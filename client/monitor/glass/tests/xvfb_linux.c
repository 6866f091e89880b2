/* Xvfb for tests: started on a free display, looked at through a connection of our own. */
#include "client/monitor/glass/tests/xvfb_linux.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/xtest.h>

enum { WHY_BYTES = 128 };

static bool observe(struct xvfb *xvfb)
{
    xvfb->connection = xcb_connect(xvfb->display, NULL);
    if (xcb_connection_has_error(xvfb->connection))
        return false;
    xvfb->screen = xcb_setup_roots_iterator(xcb_get_setup(xvfb->connection)).data;
    return true;
}

bool xvfb_start(struct xvfb *xvfb, unsigned width, unsigned height, char *option, char *value)
{
    char why[WHY_BYTES];
    *xvfb = (struct xvfb){0};
    return xdisplay_xvfb(&xvfb->process, width, height, option, value, xvfb->display, why,
                         sizeof why) == 0 &&
           observe(xvfb);
}

void xvfb_stop(struct xvfb *xvfb)
{
    xcb_disconnect(xvfb->connection);
    os_process_stop(&xvfb->process, OS_NS_PER_S);
}

/* ---- looking ------------------------------------------------------------------------------- */

static bool property_is(struct xvfb *xvfb, xcb_window_t window, xcb_atom_t property,
                        const char *text, size_t bytes)
{
    xcb_get_property_reply_t *reply = xcb_get_property_reply(
        xvfb->connection,
        xcb_get_property(xvfb->connection, false, window, property, XCB_ATOM_STRING, 0, 64), NULL);
    bool is = reply != NULL && (size_t)xcb_get_property_value_length(reply) == bytes &&
              memcmp(xcb_get_property_value(reply), text, bytes) == 0;
    free(reply);
    return is;
}

static bool is_mapped(struct xvfb *xvfb, xcb_window_t window)
{
    xcb_get_window_attributes_reply_t *reply = xcb_get_window_attributes_reply(
        xvfb->connection, xcb_get_window_attributes(xvfb->connection, window), NULL);
    bool mapped = reply != NULL && reply->map_state == XCB_MAP_STATE_VIEWABLE;
    free(reply);
    return mapped;
}

static void geometry_of(struct xvfb *xvfb, xcb_window_t window, struct rfb_box *box)
{
    xcb_get_geometry_reply_t *reply =
        xcb_get_geometry_reply(xvfb->connection, xcb_get_geometry(xvfb->connection, window), NULL);
    *box = (struct rfb_box){0};
    if (reply != NULL)
        *box =
            (struct rfb_box){(unsigned)reply->x, (unsigned)reply->y, reply->width, reply->height};
    free(reply);
}

xcb_window_t xvfb_window(struct xvfb *xvfb, const char *title, struct rfb_box *box)
{
    static const char class[] = "fanin-monitor\0fanin-monitor";
    xcb_query_tree_reply_t *tree = xcb_query_tree_reply(
        xvfb->connection, xcb_query_tree(xvfb->connection, xvfb->screen->root), NULL);
    if (tree == NULL)
        return XCB_NONE;
    xcb_window_t found = XCB_NONE;
    const xcb_window_t *windows = xcb_query_tree_children(tree);
    for (int i = 0; i < xcb_query_tree_children_length(tree) && found == XCB_NONE; i++) {
        if (property_is(xvfb, windows[i], XCB_ATOM_WM_NAME, title, strlen(title)) &&
            property_is(xvfb, windows[i], XCB_ATOM_WM_CLASS, class, sizeof class) &&
            is_mapped(xvfb, windows[i]))
            found = windows[i];
    }
    free(tree);
    if (found != XCB_NONE)
        geometry_of(xvfb, found, box);
    return found;
}

uint32_t *xvfb_pixels(struct xvfb *xvfb, struct rfb_box box)
{
    xcb_get_image_reply_t *reply =
        xcb_get_image_reply(xvfb->connection,
                            xcb_get_image(xvfb->connection, XCB_IMAGE_FORMAT_Z_PIXMAP,
                                          xvfb->screen->root, (int16_t)box.x, (int16_t)box.y,
                                          (uint16_t)box.width, (uint16_t)box.height, UINT32_MAX),
                            NULL);
    if (reply == NULL)
        return NULL;
    size_t count = (size_t)box.width * box.height;
    uint32_t *pixels = malloc(count * sizeof *pixels);
    assert(pixels != NULL && (size_t)xcb_get_image_data_length(reply) >= count * sizeof *pixels);
    memcpy(pixels, xcb_get_image_data(reply), count * sizeof *pixels);
    for (size_t i = 0; i < count; i++)
        pixels[i] &= 0xffffff;
    free(reply);
    return pixels;
}

/* ---- keys and pointer ---------------------------------------------------------------------- */

static void fake(struct xvfb *xvfb, uint8_t kind, uint8_t detail, unsigned x, unsigned y)
{
    xcb_test_fake_input(xvfb->connection, kind, detail, XCB_CURRENT_TIME, xvfb->screen->root,
                        (int16_t)x, (int16_t)y, 0);
    xcb_flush(xvfb->connection);
}

void xvfb_pointer(struct xvfb *xvfb, unsigned x, unsigned y)
{
    fake(xvfb, XCB_MOTION_NOTIFY, false, x, y);
}

void xvfb_button(struct xvfb *xvfb, unsigned button, bool down)
{
    fake(xvfb, down ? XCB_BUTTON_PRESS : XCB_BUTTON_RELEASE, (uint8_t)button, 0, 0);
}

static uint8_t code_of(struct xvfb *xvfb, uint32_t symbol)
{
    const xcb_setup_t *setup = xcb_get_setup(xvfb->connection);
    uint8_t count = (uint8_t)(setup->max_keycode - setup->min_keycode + 1);
    xcb_get_keyboard_mapping_reply_t *reply = xcb_get_keyboard_mapping_reply(
        xvfb->connection, xcb_get_keyboard_mapping(xvfb->connection, setup->min_keycode, count),
        NULL);
    assert(reply != NULL);
    const xcb_keysym_t *symbols = xcb_get_keyboard_mapping_keysyms(reply);
    uint8_t code = 0;
    for (int i = 0; i < xcb_get_keyboard_mapping_keysyms_length(reply) && code == 0; i++) {
        if (symbols[i] == symbol)
            code = (uint8_t)(setup->min_keycode + i / reply->keysyms_per_keycode);
    }
    free(reply);
    assert(code != 0);
    return code;
}

void xvfb_key(struct xvfb *xvfb, uint32_t symbol, bool down)
{
    fake(xvfb, down ? XCB_KEY_PRESS : XCB_KEY_RELEASE, code_of(xvfb, symbol), 0, 0);
}
