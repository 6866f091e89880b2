/* The eye's X server: starting Xvfb, connecting, reading the screen by shared memory. */
#include "client/eye/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/options.h"
#include "base/xdisplay.h"

enum { STOP_MS = 2000, BITS_PER_PIXEL = 32 };

/* ---- connection ------------------------------------------------------------------------------ */

static bool pixels_fit(const struct x_server *server)
{
    const xcb_setup_t *setup = xcb_get_setup(server->connection);
    const uint16_t one = 1;
    const bool little = *(const uint8_t *)&one == 1;
    if ((setup->image_byte_order == XCB_IMAGE_ORDER_LSB_FIRST) != little)
        return false;
    xcb_format_iterator_t format = xcb_setup_pixmap_formats_iterator(setup);
    for (; format.rem > 0; xcb_format_next(&format))
        if (format.data->depth == server->screen->root_depth)
            return format.data->bits_per_pixel == BITS_PER_PIXEL;
    return false;
}

static bool has(const struct x_server *server, xcb_extension_t *extension)
{
    const xcb_query_extension_reply_t *reply =
        xcb_get_extension_data(server->connection, extension);
    return reply != NULL && reply->present;
}

/* Damage is used only after its version was asked for. */
static bool open_damage(struct x_server *server)
{
    if (!has(server, &xcb_damage_id))
        return false;
    xcb_damage_query_version_reply_t *version = xcb_damage_query_version_reply(
        server->connection,
        xcb_damage_query_version(server->connection, XCB_DAMAGE_MAJOR_VERSION,
                                 XCB_DAMAGE_MINOR_VERSION),
        NULL);
    server->damaged =
        xcb_get_extension_data(server->connection, &xcb_damage_id)->first_event + XCB_DAMAGE_NOTIFY;
    free(version);
    return version != NULL;
}

/* The server gets the descriptor: no segment of System V is left behind by a crash. */
static bool share_memory(struct x_server *server)
{
    const size_t bytes = GRAB_PIXELS * sizeof *server->shared;
    const int memory = has(server, &xcb_shm_id) ? memfd_create("fanin-eye", MFD_CLOEXEC) : -1;
    if (memory < 0)
        return false;
    void *mapped = ftruncate(memory, (off_t)bytes) == 0
                       ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0)
                       : MAP_FAILED;
    if (mapped == MAP_FAILED) {
        close(memory);
        return false;
    }
    server->shared = mapped;
    server->shared_pixels = GRAB_PIXELS;
    server->segment = xcb_generate_id(server->connection);
    xcb_generic_error_t *error =
        xcb_request_check(/* the call closes `memory` */
                          server->connection,
                          xcb_shm_attach_fd_checked(server->connection, server->segment, memory,
                                                    false));
    free(error);
    return error == NULL && x_server_lives(server);
}

int x_server_open(struct x_server *server, const char *display, unsigned width, unsigned height,
                  char *why, size_t why_bytes)
{
    int number = 0;
    *server = (struct x_server){.process.handle = 0};
    if (display == NULL && xdisplay_xvfb(&server->process, width, height, NULL, NULL, server->name,
                                         why, why_bytes) != 0)
        return -1;
    if (display != NULL)
        snprintf(server->name, sizeof server->name, "%s", display);
    server->connection = xcb_connect(server->name, &number);
    if (!x_server_lives(server))
        return why_write(why, why_bytes, "there is no X server at %s", server->name);
    xcb_screen_iterator_t screen = xcb_setup_roots_iterator(xcb_get_setup(server->connection));
    for (; number > 0 && screen.rem > 1; number--)
        xcb_screen_next(&screen);
    server->screen = screen.data;
    if (!pixels_fit(server))
        return why_write(why, why_bytes, "the X server %s has not 32 bits a pixel", server->name);
    if (!open_damage(server))
        return why_write(why, why_bytes, "the X server %s has no DAMAGE", server->name);
    if (!share_memory(server))
        return why_write(why, why_bytes,
                         "the X server %s shares no memory with us (MIT-SHM 1.2); it must run on "
                         "this machine",
                         server->name);
    return 0;
}

void x_server_close(struct x_server *server)
{
    if (server->connection != NULL)
        xcb_disconnect(server->connection);
    if (server->shared != NULL)
        munmap(server->shared, server->shared_pixels * sizeof *server->shared);
    os_process_stop(&server->process, (uint64_t)STOP_MS * OS_NS_PER_MS);
    *server = (struct x_server){.process.handle = 0};
}

bool x_server_lives(const struct x_server *server)
{
    return xcb_connection_has_error(server->connection) == 0;
}

bool x_server_grab(struct x_server *server, int x, int y, unsigned width, unsigned height,
                   struct rfb_picture *picture)
{
    *picture = (struct rfb_picture){server->shared, width, height, width};
    if ((uint64_t)width * height > server->shared_pixels || width == 0 || height == 0 || x < 0 ||
        y < 0 || (unsigned)x + width > server->screen->width_in_pixels ||
        (unsigned)y + height > server->screen->height_in_pixels)
        return false;
    xcb_shm_get_image_reply_t *reply = xcb_shm_get_image_reply(
        server->connection,
        xcb_shm_get_image(server->connection, server->screen->root, (int16_t)x, (int16_t)y,
                          (uint16_t)width, (uint16_t)height, ~0U, XCB_IMAGE_FORMAT_Z_PIXMAP,
                          server->segment, 0),
        NULL);
    free(reply);
    return reply != NULL;
}
