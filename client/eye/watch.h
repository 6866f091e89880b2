/* Watching windows on an X server: which come, what their stamps say and when, and what keys do
 * that are pressed in them. A window is looked at when the server says that it was painted; what is
 * read is the stamps' two lines alone. */
#ifndef FANIN_EYE_WATCH_H
#define FANIN_EYE_WATCH_H

#include "client/eye/server.h"
#include "client/monitor/row.h"

enum { WATCH_PRESSED = 64 };

/* A window, or the place of one that has gone until another comes. */
struct watched {
    xcb_window_t window; /* 0: it has gone */
    xcb_damage_damage_t damage;
    int x, y;
    unsigned width, height;
    bool found;                /* where its stamps are */
    bool unsearched;           /* painted since they were searched for */
    bool read;                 /* ever */
    unsigned stamp_x, stamp_y; /* of the two lines in the window */
    struct delays delays, input;
    uint64_t keys;                      /* as its STAMP_KEYS says */
    uint64_t pressed_us[WATCH_PRESSED]; /* keys without an effect so far, the oldest first */
    unsigned pressed;
};

struct watch {
    struct x_server *server;
    bool arrange; /* windows are moved, so that none lies above another */
    unsigned columns, cell_width, cell_height;
    struct watched *windows;
    unsigned count, room;
    unsigned turn; /* whose key was pressed last */
    xcb_keycode_t keys[26];
    uint64_t keys_sent, keys_seen, closed;
    uint64_t searched_ns;
};

/* watch_open: windows that come from now on. 0, or -1 with `why`. */
int watch_open(struct watch *watch, struct x_server *server, char *why, size_t why_bytes);
void watch_close(struct watch *watch);

/* watch_until: looks until that moment of os_now_ns. False: the X server has gone. */
bool watch_until(struct watch *watch, uint64_t until_ns);

/* watch_found: windows on the screen in which stamps are read now. watch_read: in which one was
 * ever read. */
unsigned watch_found(const struct watch *watch);
unsigned watch_read(const struct watch *watch);

/* watch_restart: what was counted so far does not count: the run begins now. */
void watch_restart(struct watch *watch);

/* watch_press: a key in the next window. */
void watch_press(struct watch *watch);

struct delay_figures watch_delays(struct watch *watch);
struct delay_figures watch_input(struct watch *watch);

#endif
