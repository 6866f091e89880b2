/* A connection to an X server of this machine, and a picture in memory that both share. */
#ifndef FANIN_XSERVER_LINUX_H
#define FANIN_XSERVER_LINUX_H

#include <xcb/shm.h>
#include <xcb/xcb.h>

#include "base/rfb/protocol.h"

struct xserver {
    xcb_connection_t *connection;
    xcb_screen_t *screen;
    unsigned width, height; /* of the whole screen */
    xcb_shm_seg_t segment;
    uint32_t *shared; /* xserver_share's */
    size_t shared_bytes;
    xcb_get_keyboard_mapping_reply_t *keys; /* xserver_keys' */
};

/* xserver_open: "" is $DISPLAY. 0, or -1 with `why`; call xserver_close in either case. Refuses
 * pixels that are not RFB_FORMAT's. Blocks as long as the X server takes to answer. */
int xserver_open(struct xserver *server, const char *name, char *why, size_t why_bytes);
void xserver_close(struct xserver *server);

/* xserver_share: memory of so many pixels, instead of what it had. 0, or -1 with `why`. */
int xserver_share(struct xserver *server, size_t pixels, char *why, size_t why_bytes);

/* xserver_settle: blocks until the server has done all it was asked for. False: it has gone. */
bool xserver_settle(const struct xserver *server);

/* xserver_keysym: of a keycode, with Shift or without; 0: none. */
uint32_t xserver_keysym(struct xserver *server, xcb_keycode_t code, bool shifted);

/* xserver_keycode: 0: no key has it. *shifted: it needs Shift. xserver_keycode_give: a key that has
 * no meaning gets this one; 0: all are taken. */
xcb_keycode_t xserver_keycode(struct xserver *server, uint32_t keysym, bool *shifted);
xcb_keycode_t xserver_keycode_give(struct xserver *server, uint32_t keysym);

/* xserver_keys_changed: the mapping is to be read again. */
void xserver_keys_changed(struct xserver *server);

#endif
