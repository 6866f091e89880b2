/* X11's windows, between the files that share them: xcb_linux.c (the glass), xcb_display_linux.c
 * (the display), xcb_surface_linux.c (pictures in shared memory), xcb_events_linux.c (events),
 * xcb_keys_linux.c (keys). */
#ifndef FANIN_GLASS_XCB_H
#define FANIN_GLASS_XCB_H

#include <pthread.h>
#include <stdatomic.h>
#include <xcb/shm.h>
#include <xcb/xcb.h>

#include "client/monitor/glass/glass.h"
#include "client/monitor/glass/grid.h"
#include "client/monitor/glass/layout.h"

enum { GLASS_X11_DEPTH = 24, NOBODY = -1 };

/* ---- the display ----------------------------------------------------------------------------- */

struct xcb {
    xcb_connection_t *connection;
    xcb_screen_t *screen;
    xcb_visualid_t visual;
    xcb_colormap_t colours;
    xcb_gcontext_t context;
    bool shares_memory;
    uint8_t completion; /* the event's number */
    xcb_atom_t protocols, delete_window, utf8, net_name, process;
};

/* display_open: false with `why`; the connection is to be closed all the same. */
bool display_open(struct xcb *xcb, const char *name, char *why, size_t why_bytes);

/* ---- surfaces: a window and the picture that it shows ---------------------------------------- */

/*      put -> PutImage, busy -> put: damage grows ... completion -> PutImage of all damage, busy
 *                                                     completion, no damage -> not busy
 *
 * A picture lies in a memory file that the X server maps, too. Each has its own: SysV segments are
 * 4096 in all, and their offsets end at 4 GiB. */
struct surface {
    pthread_mutex_t lock;  /* of what follows */
    xcb_window_t window;   /* its id, the same for all its windows */
    bool exists;           /* the window; someone else may destroy it */
    unsigned own_destroys; /* whose events have not come yet */
    bool shown;
    struct rfb_picture picture;
    size_t bytes;
    xcb_shm_seg_t segment; /* 0: the picture goes through the socket */
    bool busy;             /* the server reads the picture */
    struct damage damage;
};

void surface_init(struct surface *surface, struct xcb *xcb);

/* surface_show: a window of that size at x, y, or the one that is there in that size, with a new
 * black picture. 0 or a negative errno value. `fixed`: people cannot change its size. */
struct surface_place {
    unsigned x, y, width, height;
    bool fixed;
};
int surface_show(struct surface *surface, struct xcb *xcb, struct surface_place place,
                 const char *title, struct rfb_picture *picture);
/* surface_put: a box of the picture is new; surface_put_all: several, in their order. */
void surface_put(struct surface *surface, struct xcb *xcb, struct rfb_box box);
void surface_put_all(struct surface *surface, struct xcb *xcb, const struct damage *dirty);
/* surface_completed: an event: the server has read what was put of this segment. */
void surface_completed(struct surface *surface, struct xcb *xcb, xcb_shm_seg_t segment);
void surface_hide(struct surface *surface, struct xcb *xcb);

/* surface_destroyed: an event: true if it was somebody else that destroyed the window. */
bool surface_destroyed(struct surface *surface);

/* ---- keys ------------------------------------------------------------------------------------ */

/* What the keyboard's keys mean, and which are down here. Of the thread of events. */
struct keys {
    xcb_keysym_t *symbols; /* `per_key` of each key from `first` on */
    unsigned first, count, per_key;
    uint16_t num_lock, level3, mode_switch; /* bits of a key event's state */
    xcb_keysym_t down[256];                 /* what was sent for the key; 0: it is up */
};

/* keys_load: asks the server for its table; blocks for its answer. 0 or a negative errno value. */
int keys_load(struct keys *keys, xcb_connection_t *connection);
void keys_free(struct keys *keys);

/* keys_symbol: the keysym of a key with these modifiers; 0: it has none. */
xcb_keysym_t keys_symbol(const struct keys *keys, xcb_keycode_t code, uint16_t state);

/* ---- the glass ------------------------------------------------------------------------------- */

/* Of one screen; only `place` and `placed` are not the event thread's. */
struct pane {
    struct surface_place place;
    bool placed;
    bool visible;
    uint8_t buttons;
};

struct glass {
    struct glass_config config;
    struct xcb xcb;
    struct keys keys;
    struct surface *surfaces; /* one for each screen, or the grid's; their windows' ids grow */
    unsigned surface_count;
    struct grid grid; /* with config.grid */
    struct pane *panes;
    pthread_mutex_t placing;
    struct shelves shelves;
    int focused;             /* the screen that the keyboard's keys go to, or NOBODY */
    bool focused_by_pointer; /* the window has no focus of its own: the root has it */
    _Atomic bool stopping;
};

/* glass_grid_size: another size of the grid's window. 0 or a negative errno value. */
int glass_grid_size(struct glass *glass, unsigned width, unsigned height);

/* glass_event: calls the hooks for what an event says. */
void glass_event(struct glass *glass, const xcb_generic_event_t *event);

#endif
