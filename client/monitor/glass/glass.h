/* Where pictures go: windows of the system, or nothing. Workers put pixels themselves, there is no
 * queue to the window's thread; that thread only waits for the window system's events and says by
 * the hooks what keys, pointer and people do.
 *
 *   none     pictures in memory alone
 *   xcb      X11: pictures lie in one segment of shared memory, the server reads them there
 *   gdi      Windows
 *   script   of the tests: what it is told to do, and what it was shown */
#ifndef FANIN_GLASS_H
#define FANIN_GLASS_H

#include <stddef.h>

#include "base/rfb/damage.h"
#include "base/rfb/protocol.h"

enum { GLASS_SLOT_NONE = -1 };

/* Called on the thread of glass_run. `screen` is the index that glass_show was told. */
struct glass_hooks {
    void (*key)(void *context, unsigned screen, uint32_t keysym, bool down);
    /* pointer: in pixels of the picture; buttons as RFB has them, bit 0 the left one, 3 and 4 the
     * wheel. */
    void (*pointer)(void *context, unsigned screen, unsigned x, unsigned y, uint8_t buttons);
    /* unfocused: the window has lost the keyboard: keys that are down are to be released. focused:
     * it has it; in the grid: the cell was chosen. */
    void (*unfocused)(void *context, unsigned screen);
    void (*focused)(void *context, unsigned screen);
    void (*visible)(void *context, unsigned screen, bool visible);
    void (*closed)(void *context, unsigned screen); /* its window was closed by hand */
    void (*lost)(void *context, const char *why);   /* the window system has gone; the last call */
};

struct glass_config {
    const struct glass_hooks *hooks;
    void *context;
    unsigned screens;    /* that may be shown at once */
    uint64_t pixels_max; /* of one picture */
    const char *display; /* of X11; NULL: $DISPLAY */
    bool grid;           /* all in one window, scaled, the focused one large */
};

struct glass_kind {
    const char *name;
    /* open: NULL with `why`: this window system is not available here. */
    struct glass *(*open)(const struct glass_config *config, char *why, size_t why_bytes);
    /* run: waits for events and calls the hooks until `stop` or the window system has gone. On a
     * thread of its own, one for all windows. stop: from any thread. */
    void (*run)(struct glass *glass);
    void (*stop)(struct glass *glass);
    void (*close)(struct glass *glass);
    /* show: a window for `screen` (0..screens-1), or another size of it; *picture is where to
     * paint, black. Any thread; calls for one screen come one after the other. 0, or a negative
     * errno value with the picture empty. */
    int (*show)(struct glass *glass, unsigned screen, unsigned width, unsigned height,
                const char *title, struct rfb_picture *picture);
    /* put: these boxes of the picture are new, in the order in which they are to be seen. Never
     * blocks on the window system but for its socket; where the server still reads earlier ones
     * they are joined to the next. */
    void (*put)(struct glass *glass, unsigned screen, const struct damage *dirty);
    /* hide: the window goes, the picture too. */
    void (*hide)(struct glass *glass, unsigned screen);
};

extern const struct glass_kind glass_none, glass_windows; /* glass_windows: xcb or gdi */

#endif
