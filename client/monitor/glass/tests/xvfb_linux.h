/* An X server of a test's own, and an observer of it: what its display shows, and keys and pointer
 * as from hardware. */
#ifndef FANIN_TESTS_XVFB_H
#define FANIN_TESTS_XVFB_H

#include <xcb/xcb.h>

#include "base/rfb/protocol.h"
#include "base/xdisplay.h"

struct xvfb {
    struct os_process process;
    char display[XDISPLAY_BYTES];
    xcb_connection_t *connection; /* the observer's */
    xcb_screen_t *screen;
};

/* xvfb_start: an X server of that size without a window manager; `option` is one more of its
 * options, or NULL, `value` the option's. False: there is no Xvfb here; the test is skipped. */
bool xvfb_start(struct xvfb *xvfb, unsigned width, unsigned height, char *option, char *value);
void xvfb_stop(struct xvfb *xvfb);

/* xvfb_window: the mapped window with that WM_NAME and the class of our windows, and where it lies;
 * XCB_NONE: there is none. */
xcb_window_t xvfb_window(struct xvfb *xvfb, const char *title, struct rfb_box *box);

/* xvfb_pixels: what the display shows there, from malloc; NULL: it cannot be read. */
uint32_t *xvfb_pixels(struct xvfb *xvfb, struct rfb_box box);

/* As from hardware. `symbol`: of a key that the server's keyboard has unshifted or shifted. */
void xvfb_pointer(struct xvfb *xvfb, unsigned x, unsigned y);
void xvfb_button(struct xvfb *xvfb, unsigned button, bool down);
void xvfb_key(struct xvfb *xvfb, uint32_t symbol, bool down);

#endif
