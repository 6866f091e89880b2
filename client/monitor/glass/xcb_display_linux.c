/* The display of X11: that it has our pixels, shared memory, and the names that windows need. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "client/monitor/glass/xcb_linux.h"

enum { BITS_PER_PIXEL = 32 };

static bool is_our_format(const xcb_visualtype_t *visual)
{
    return visual->_class == XCB_VISUAL_CLASS_TRUE_COLOR && visual->red_mask == 0xff0000 &&
           visual->green_mask == 0xff00 && visual->blue_mask == 0xff;
}

static bool find_visual(struct xcb *xcb)
{
    xcb_depth_iterator_t depth = xcb_screen_allowed_depths_iterator(xcb->screen);
    for (; depth.rem > 0; xcb_depth_next(&depth)) {
        xcb_visualtype_iterator_t visual = xcb_depth_visuals_iterator(depth.data);
        for (; depth.data->depth == GLASS_X11_DEPTH && visual.rem > 0; xcb_visualtype_next(&visual))
            if (is_our_format(visual.data)) {
                xcb->visual = visual.data->visual_id;
                return true;
            }
    }
    return false;
}

/* Pixels of 32 bits in this machine's order, so that nothing has to be converted. */
static bool has_our_pixels(const xcb_setup_t *setup)
{
    const uint16_t one = 1;
    bool little = *(const uint8_t *)&one == 1;
    if ((setup->image_byte_order == XCB_IMAGE_ORDER_LSB_FIRST) != little)
        return false;
    xcb_format_iterator_t format = xcb_setup_pixmap_formats_iterator(setup);
    for (; format.rem > 0; xcb_format_next(&format))
        if (format.data->depth == GLASS_X11_DEPTH)
            return format.data->bits_per_pixel == BITS_PER_PIXEL;
    return false;
}

/* Descriptors can be sent to a server on this machine only, and MIT-SHM takes them since 1.2. */
static bool can_share_memory(struct xcb *xcb)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    int file = xcb_get_file_descriptor(xcb->connection);
    if (getsockname(file, (struct sockaddr *)&address, &bytes) != 0 || address.ss_family != AF_UNIX)
        return false;
    const xcb_query_extension_reply_t *shm = xcb_get_extension_data(xcb->connection, &xcb_shm_id);
    if (shm == NULL || !shm->present)
        return false;
    xcb->completion = (uint8_t)(shm->first_event + XCB_SHM_COMPLETION);
    xcb_shm_query_version_reply_t *version =
        xcb_shm_query_version_reply(xcb->connection, xcb_shm_query_version(xcb->connection), NULL);
    bool can = version != NULL && (version->major_version > 1 || version->minor_version >= 2);
    free(version);
    return can;
}

static void find_atoms(struct xcb *xcb)
{
    static const char *const names[] = {"WM_PROTOCOLS", "WM_DELETE_WINDOW", "UTF8_STRING",
                                        "_NET_WM_NAME", "_NET_WM_PID"};
    enum { COUNT = sizeof names / sizeof *names };
    xcb_atom_t *const atoms[COUNT] = {&xcb->protocols, &xcb->delete_window, &xcb->utf8,
                                      &xcb->net_name, &xcb->process};
    xcb_intern_atom_cookie_t asked[COUNT];
    for (unsigned i = 0; i < COUNT; i++)
        asked[i] = xcb_intern_atom(xcb->connection, false, (uint16_t)strlen(names[i]), names[i]);
    for (unsigned i = 0; i < COUNT; i++) {
        xcb_intern_atom_reply_t *reply = xcb_intern_atom_reply(xcb->connection, asked[i], NULL);
        *atoms[i] = reply == NULL ? XCB_ATOM_NONE : reply->atom;
        free(reply);
    }
}

/* A graphics context is for windows of one depth; it is made with a pixmap of that depth. */
static void make_context(struct xcb *xcb)
{
    xcb_pixmap_t pixmap = xcb_generate_id(xcb->connection);
    xcb->context = xcb_generate_id(xcb->connection);
    xcb->colours = xcb_generate_id(xcb->connection);
    const uint32_t no_events = 0;
    xcb_create_pixmap(xcb->connection, GLASS_X11_DEPTH, pixmap, xcb->screen->root, 1, 1);
    xcb_create_gc(xcb->connection, xcb->context, pixmap, XCB_GC_GRAPHICS_EXPOSURES, &no_events);
    xcb_free_pixmap(xcb->connection, pixmap);
    xcb_create_colormap(xcb->connection, XCB_COLORMAP_ALLOC_NONE, xcb->colours, xcb->screen->root,
                        xcb->visual);
}

static bool connect_to(struct xcb *xcb, const char *display, char *why, size_t why_bytes)
{
    int number = 0;
    xcb->connection = xcb_connect(display, &number);
    if (xcb_connection_has_error(xcb->connection)) {
        const char *name = display != NULL ? display : getenv("DISPLAY");
        snprintf(why, why_bytes, "cannot connect to the X server %s; set DISPLAY or --display",
                 name == NULL || *name == '\0' ? "(DISPLAY is not set)" : name);
        return false;
    }
    const xcb_setup_t *setup = xcb_get_setup(xcb->connection);
    xcb_screen_iterator_t screen = xcb_setup_roots_iterator(setup);
    for (; number > 0 && screen.rem > 1; number--)
        xcb_screen_next(&screen);
    xcb->screen = screen.data;
    if (!has_our_pixels(setup) || !find_visual(xcb)) {
        snprintf(why, why_bytes, "the X server has no 24-bit colours in pixels of 32 bits");
        return false;
    }
    return true;
}

bool display_open(struct xcb *xcb, const char *name, char *why, size_t why_bytes)
{
    if (!connect_to(xcb, name, why, why_bytes))
        return false;
    xcb->shares_memory = can_share_memory(xcb);
    find_atoms(xcb);
    make_context(xcb);
    return true;
}
