/* fanin-monitor's run: what its threads share.
 *
 *     main        waits, times out, connects, begins and ends the watch, audits, writes the row
 *     listener    accepts outside of the port (or the workers do: --accepts port)
 *     workers     wait on the port; a packet's key is its screen's context
 *     window      the glass's own: its hooks queue input on a screen and post it
 *
 * A screen is one connection; a place is where it is shown, and outlives it: a screen that comes
 * again has the place that it had. A screen's receives follow each other, so one thread at a time
 * decodes it; everything that is sent goes through its queue.
 *
 * Locks: `lock` of the monitor comes before a screen's. A screen in the list, or in a place, is
 * alive as long as `lock` is held. */
#ifndef FANIN_MONITOR_H
#define FANIN_MONITOR_H

#include <pthread.h>
#include <stdatomic.h>

#include <cport.h>
#include "base/list.h"
#include "base/net.h"
#include "base/os.h"
#include "base/rfb/secret.h"
#include "base/rfb/tls.h"
#include "client/monitor/addresses.h"
#include "client/monitor/credit.h"
#include "client/monitor/glass/glass.h"
#include "client/monitor/journal.h"
#include "client/monitor/rfb/rfb.h"
#include "client/monitor/row.h"

#define ROLE_LISTENER "fanin-listener"
#define ROLE_WINDOW   "fanin-window"

/* Keys that are no screen's. */
enum { KEY_TICK = 1, KEY_ACCEPT };

enum {
    RECEIVE_BYTES = 64 << 10,
    HELD_MAX = 32,              /* keys that are down at once */
    EVENTS_MAX = 128,           /* of a window, that wait for a worker */
    QUEUE_BYTES_MAX = 64 << 10, /* to a screen that does not read */
    ACCEPTS_MAX = 32,
    TARGET_NONE = -1,
};

/* Why a connection ends, beside rfb_fault_name and cp_error_name. */
#define CAUSE_CLOSED   "closed"        /* by the screen */
#define CAUSE_STALLED  "stalled"       /* silent, though asked; or does not read */
#define CAUSE_TIMEOUT  "timeout"       /* in the handshake */
#define CAUSE_NO_PLACE "no-place"      /* more screens than --screens */
#define CAUSE_WINDOW   "window-closed" /* by hand */

enum phase { PHASE_GATHERING, PHASE_WATCHING, PHASE_AUDITING, PHASE_ENDING };

struct event {
    bool is_key, down;
    uint8_t buttons;
    uint16_t x, y;
    uint32_t keysym;
};

/* Bytes in order. */
struct queue {
    uint8_t *data;
    size_t bytes, room;
};

struct counts {
    uint64_t updates, rectangles, pixels, bytes;
};

/* DUE: it was there when the audit began, and is to be asked. */
enum audit_state { AUDIT_NONE, AUDIT_DUE, AUDIT_ASKED, AUDIT_PASSED, AUDIT_FAILED };

/* One connection: the key of its packets. */
struct screen {
    struct monitor *monitor;
    struct list_node node; /* of the monitor's list */
    struct cp_socket socket;
    struct cp_op receive, send, post, connect;
    struct rfb *rfb;
    struct net_address peer;
    int place;                   /* -1: none yet */
    int target;                  /* of --connect, or TARGET_NONE */
    atomic_uint references;      /* its receives; a send, a post in flight */
    _Atomic(const char *) cause; /* why another thread ends it */
    uint64_t began_ns, tick_ms;  /* when it came, by the monotonic clock and the monitor's */
    _Atomic uint64_t heard_ms;   /* by the monitor's clock */
    atomic_bool ready;           /* handshake over */
    atomic_bool pictured;        /* has had its first picture */
    bool probed;                 /* main's: was asked whether it is still there */

    /* The receiving thread's. */
    struct rfb_picture picture;
    bool ours;                             /* fanin-screens: answers an audit */
    bool is_current;                       /* has had its first stamp */
    bool is_coming;                        /* a part of an update is here, and not all */
    uint64_t received_bytes, update_bytes; /* in all; when the last update was whole */
    uint64_t pixel_updates;                /* that brought nothing new */
    _Atomic uint64_t shown_updates, shown_rectangles, shown_pixels, shown_bytes;

    pthread_mutex_t lock; /* of what follows */
    unsigned width, height;
    bool whole;      /* the next request is for all of the picture, seen before or not */
    struct tls *tls; /* NULL: plain, or not yet; set by the receiving thread */
    struct queue out, sending;
    bool is_sending, is_posted, is_broken;
    struct event events[EVENTS_MAX];
    unsigned event_count;
    uint64_t sent_keys, sent_pointers;

    uint8_t data[RECEIVE_BYTES];
};

/* Where a screen is shown. */
struct place {
    struct screen *screen; /* NULL: nobody is there */
    char name[RFB_NAME_MAX + 1], host[NET_TEXT_BYTES];
    bool used, closed_by_hand;
    struct delays delays; /* its screen's receiving thread's */
    enum audit_state audit;
    uint64_t asked_ns; /* by the audit */
    char audit_text[128];
    uint64_t events_seen;
    uint32_t held[HELD_MAX];
    unsigned held_count;
    uint8_t buttons;
    bool controlled;
    uint64_t keys, pointers; /* since control began */
};

/* Who is connected to, and when it is tried again. */
struct target {
    bool busy, given_up;
    uint64_t again_ms;
    unsigned tries;
};

struct monitor {
    const struct monitor_options *options;
    struct monitor_row *row;
    const struct glass_kind *glass_kind;
    struct glass *glass;
    struct journal *journal;
    struct cport *port;
    struct net_address address;
    struct targets targets;
    struct target *target;
    char password[SECRET_PASSWORD_MAX + 1]; /* "": none */
    struct tls_context *tls;                /* NULL: without */
    int encodings[MONITOR_ENCODINGS_MAX + 4];
    unsigned encoding_count;

    pthread_t *workers, window, listener_thread;
    unsigned worker_count;
    bool has_window, has_listener_thread;
    intptr_t listener; /* of the thread; -1: none */
    struct cp_socket port_listener;
    struct acceptor {
        struct cp_op op;
        struct net_address peer;
    } acceptors[ACCEPTS_MAX];
    atomic_bool stop_listening;
    struct cp_op tick;
    _Atomic uint64_t watch_us; /* when the watch began, by the stamps' clock */

    struct os_parker main;
    _Atomic int phase;
    _Atomic uint64_t now_ms; /* of os_active_ns, as main has looked last */

    pthread_mutex_t lock; /* of what follows */
    struct list_node screens;
    unsigned ready_count;
    struct place *places;
    struct credit credit;
    bool is_ticking;     /* `tick` is in flight */
    struct counts ended; /* of screens that have gone */
    uint64_t first_ns, last_ready_ns, last_picture_ns, events_sent;
    bool all_pictured; /* before the watch began */
    unsigned connected, returned, lost, closed_by_hand;
    int accept_error;
    char glass_lost[128];
};

/* monitor_run: sets up, runs and tears down; the row has what came of it. Blocks until it is over.
 * `kind` is where pictures go. */
void monitor_run(const struct monitor_options *options, const struct glass_kind *kind,
                 struct monitor_row *row);

/* monitor_counts: what all screens have sent so far. */
struct counts monitor_counts(struct monitor *monitor);

/* monitor_look: ends the screens whose time is up. On main. */
void monitor_look(struct monitor *monitor);

/* ---- screen.c: any thread, where nothing else is said ---- */

/* monitored_open: of a connection, which is the screen's now; receives. */
void monitored_open(struct monitor *monitor, cp_handle handle, const struct net_address *peer);
/* monitored_connect: to a target. Takes `lock`. */
void monitored_connect(struct monitor *monitor, int target);
/* monitored_complete: a packet of it; on a worker. */
void monitored_complete(struct screen *screen, struct cp_op *op, int64_t result);
/* monitored_stop: asks for its end; the first cause stays. Under `lock`. */
void monitored_stop(struct screen *screen, const char *cause);
/* monitored_request: one more update; `certain`: changed or not. Under `lock`, or on its own
 * thread. */
void monitored_request(struct screen *screen, bool certain);
/* monitored_probe: asks for a pixel, which it must answer at once. Under `lock`. */
void monitored_probe(struct screen *screen);
/* monitored_release: drops a reference; the last one frees it. */
void monitored_release(struct screen *screen);

/* ---- send.c: what goes to a screen, in order ---- */

void send_bytes(struct screen *screen, const void *data, size_t bytes);
/* send_append: bytes for the wire, which the next of the others sends. Under the screen's lock. */
void send_append(struct screen *screen, const void *data, size_t bytes);
/* send_event: queues input for a worker. Under the monitor's lock. */
void send_event(struct screen *screen, const struct event *event);
/* send_input: what waits of it, now. */
void send_input(struct screen *screen);
/* send_posted, send_done: the completions. */
void send_posted(struct screen *screen);
void send_done(struct screen *screen, int64_t result);
bool send_is_empty(struct screen *screen);

/* ---- secure.c: TLS ---- */

/* secure_open: reads --tls-authority, where there is one. False with `why`. */
bool secure_open(struct monitor *monitor, char *why, size_t why_bytes);
/* secure_begin: a hook of the machine: TLS begins with the next byte. */
void secure_begin(struct screen *screen);
/* secure_feed: bytes from the wire, to the machine, through TLS if it has begun. NULL, or the cause
 * of the connection's end. On the receiving thread. */
const char *secure_feed(struct screen *screen, const uint8_t *data, size_t bytes);
/* secure_append: encrypts, and appends. Under the screen's lock. */
bool secure_append(struct screen *screen, const void *data, size_t bytes);
void secure_free(struct screen *screen);

/* ---- input.c: hooks of the glass ---- */

extern const struct glass_hooks input_hooks;
/* input_release: keys and buttons that are held. Under the monitor's lock. */
void input_release(struct monitor *monitor, unsigned place);
/* input_over: control of a place has ended: says so in the journal. Not under the lock. */
void input_over(struct monitor *monitor, unsigned place);

/* ---- places.c ---- */

/* places_take: a place for a screen that has said its name: the one it had, a new one, or any that
 * nobody has. False: all are taken. Takes `lock`. */
bool places_take(struct screen *screen);
/* places_leave: its screen has gone. Under `lock`. */
void places_leave(struct screen *screen);

/* ---- listener.c ---- */

/* listening_open: false: the row says why. listening_close: nobody is accepted any more. */
bool listening_open(struct monitor *monitor);
void listening_accepted(struct monitor *monitor, struct cp_op *op, int64_t result);
void listening_close(struct monitor *monitor);
/* targets_connect: connects to targets that are due. On main. */
void targets_connect(struct monitor *monitor);
/* targets_over: a screen of a target has gone. `again`: it may come back. Under `lock`. */
void targets_over(struct monitor *monitor, int target, bool again);

/* ---- asking.c ---- */

/* asking_changed: another screen may be asked now. Under `lock`. */
void asking_changed(struct monitor *monitor);
/* asking_received: bytes came. asking_answered: an update is whole. On its thread, without
 * locks. */
void asking_received(struct screen *screen);
void asking_answered(struct screen *screen, uint64_t bits, bool news);
/* asking_tick: the timer's packet. */
void asking_tick(struct monitor *monitor);

/* ---- audit.c ---- */

/* What is known of the answers. Pure. All screens at once would fill a link, and none would answer
 * before all had: so many have their turn at a time, each for 30 s at most. */
enum { AUDIT_TURNS = 16 };
#define AUDIT_TURN_NS ((uint64_t)30 * OS_NS_PER_S)
struct audit_wait {
    unsigned turns; /* of screens that were asked and have not answered */
    unsigned left;  /* screens that are to be asked or to answer */
    unsigned moves; /* questions and answers so far */
    uint64_t bytes; /* that all screens have sent */
    bool is_hurried;
    uint64_t now_ns, began_ns, came_ns, moved_ns, hurried_ns;
};

/* audit_wait_look: `seen`, of which all counts but the times after now_ns. audit_wait_room: so many
 * more may be asked; where nothing comes, more than have turns. audit_wait_is_over: none is left;
 * or nothing came for 5 s, or for as long as something came before (TCP doubles its wait when a
 * link stays full); or for 30 s there was no question and no answer, since a screen may send and
 * never come to an end; or it was hurried 10 s ago. */
void audit_wait_look(struct audit_wait *wait, const struct audit_wait *seen);
unsigned audit_wait_room(const struct audit_wait *wait);
bool audit_wait_is_over(const struct audit_wait *wait);

/* audit_run: asks all screens and waits for answers; Ctrl-C hurries it. On main. */
void audit_run(struct monitor *monitor);
/* audit_text: what a screen has said. On its thread. */
void audit_text(struct screen *screen, const char *text, size_t bytes);

/* ---- measure.c ---- */

struct watch {
    struct os_usage usage;
    struct counts counts;
    uint64_t now_ns;
};
/* watch_look: now. watch_measure: what came between the two. */
void watch_look(struct monitor *monitor, struct watch *watch);
void watch_measure(struct monitor *monitor, const struct watch *before, const struct watch *after);
/* measure_end: what is known when all threads have ended. */
void measure_end(struct monitor *monitor);

#endif
