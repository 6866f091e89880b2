/* Windows' windows, between gdi_windows.c (the glass and its thread) and gdi_input_windows.c (keys
 * and pointer). */
#ifndef FANIN_GLASS_GDI_H
#define FANIN_GLASS_GDI_H

#include <windows.h>

#include <pthread.h>
#include <stdatomic.h>

#include "client/monitor/glass/glass.h"
#include "client/monitor/glass/grid.h"

enum { NOBODY = -1, TITLE_MAX = 256 };

/* A window, of one screen or of the grid. Only the glass's thread makes and destroys it, as the
 * system wants it; others say what they want and wake that thread.
 *
 *     put -> InvalidateRect -> (the system joins boxes) -> WM_PAINT on the thread */
struct pane {
    struct glass *glass;
    unsigned index;
    pthread_mutex_t lock; /* of what follows, up to the thread's own */
    bool wanted, changed; /* it is to be shown; not as it is shown now */
    struct rfb_picture picture;
    wchar_t title[TITLE_MAX];
    HWND window;
    /* the thread's own */
    bool placed, visible;
    unsigned x, y, width, height; /* where it was placed, with its frame */
    uint8_t buttons;
};

struct glass {
    struct glass_config config;
    struct pane *panes; /* one for each screen, or the grid's */
    unsigned pane_count;
    struct grid grid; /* with config.grid */
    struct shelves shelves;
    _Atomic(HWND) control; /* a window that is never shown, to wake the thread by */
    _Atomic bool stopping;
    int focused;        /* the screen that the keyboard's keys go to, or NOBODY */
    uint32_t down[256]; /* by virtual key: the keysym that was sent; 0: it is up */
};

/* input_message: keys, pointer and focus; false: the message is of another kind. */
bool input_message(struct pane *pane, UINT message, WPARAM wide, LPARAM large);

/* input_leaves: the keyboard has left the screen that had it, if one had. */
void input_leaves(struct glass *glass);

#endif
