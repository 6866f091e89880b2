/* The two halves of fanin-peer-vncclient: vncclient.c receives with libvncclient, a thread for each
 * screen; vncclient_linux.c has screens come and go, watches the time and measures. */
#ifndef FANIN_PEERS_VNCCLIENT_H
#define FANIN_PEERS_VNCCLIENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/monitor/addresses.h"
#include "client/monitor/glass/glass.h"
#include "client/monitor/row.h"

enum { PASSWORD_BYTES = 64 };

enum screen_audit { AUDIT_NONE, AUDIT_ASKED, AUDIT_PASSED, AUDIT_FAILED };

struct peer;

struct screen {
    struct peer *peer;
    unsigned index;
    pthread_t thread;
    bool started; /* a thread to join */
    intptr_t handle;
    struct _rfbClient *client; /* NULL until its handshake is over */
    struct rfb_picture picture;
    struct damage dirty;
    struct delays delays;
    uint64_t opened_ns;
    _Atomic bool ready, over, used;
    _Atomic uint64_t ready_ns, picture_ns, updates, rectangles, pixels;
    _Atomic uint64_t keys, pointers; /* sent */
    uint64_t seen;                   /* as the screen says */
    enum screen_audit audit;
    pthread_mutex_t sending; /* input and the audit's question */
};

struct peer {
    const struct monitor_options *options;
    struct monitor_row *row;
    const struct glass_kind *glass_kind;
    struct glass *glass;
    pthread_t glass_thread;
    bool has_glass_thread;
    struct screen *screens;
    unsigned count;
    struct targets targets;
    intptr_t listener;
    char password[PASSWORD_BYTES];
    _Atomic uint64_t watch_us; /* when the watch began; 0: not yet */
    _Atomic bool auditing, stopping, glass_lost;
    uint64_t first_ns, connected, returned;
};

/* vncscreen_run: a screen's thread. vncscreen_end: behind it: frees the client, not the picture. */
void *vncscreen_run(void *screen);
void vncscreen_end(struct screen *screen);

extern const struct glass_hooks vncscreen_hooks; /* their context is the peer */

/* vncpeer_run: the run; its results and failures are in the row. Blocks until it is over.
 * vncpeer_close: frees what it has taken. */
void vncpeer_run(struct peer *peer);
void vncpeer_close(struct peer *peer);

#endif
