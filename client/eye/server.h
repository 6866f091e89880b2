/* The X server that the eye looks at: an Xvfb of its own, or one that is there. */
#ifndef FANIN_EYE_SERVER_H
#define FANIN_EYE_SERVER_H

#include <xcb/damage.h>
#include <xcb/shm.h>
#include <xcb/xcb.h>

#include "base/os.h"
#include "base/rfb/protocol.h"

struct x_server {
    struct os_process process; /* handle 0: it is not ours */
    char name[64];             /* ":7" */
    xcb_connection_t *connection;
    xcb_screen_t *screen;
    uint8_t damaged; /* the event's number */
    xcb_shm_seg_t segment;
    uint32_t *shared; /* what x_server_grab has read */
    size_t shared_pixels;
};

/* x_server_open: `display` NULL: starts Xvfb with a screen of that size, which dies with us; else
 * connects to it. 0, or -1 with `why`; call x_server_close in either case. Blocks until the server
 * answers. */
int x_server_open(struct x_server *server, const char *display, unsigned width, unsigned height,
                  char *why, size_t why_bytes);
void x_server_close(struct x_server *server);

bool x_server_lives(const struct x_server *server);

/* x_server_grab: what the screen shows there, *picture ours until the next call. False: not all of
 * it lies on the screen, it is larger than GRAB_PIXELS, or the server has gone. */
enum { GRAB_PIXELS = 1 << 21 };
bool x_server_grab(struct x_server *server, int x, int y, unsigned width, unsigned height,
                   struct rfb_picture *picture);

#endif
