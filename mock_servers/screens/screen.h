/* One screen: its source while somebody looks, its viewers, and how they come: a listener of its
 * own, or calls of its own to the viewer. */
#ifndef FANIN_SCREENS_SCREEN_H
#define FANIN_SCREENS_SCREEN_H

#include "mock_servers/screens/options.h"

struct session;
struct tls_context;

/* What all screens of the process share. */
struct screens {
    const struct screens_config *config;
    struct loop loop;
    struct screen *all;
    const struct fault **faults; /* by screen; NULL: none */
    struct list_node closed;     /* sessions: who closed one may still look at its state */
    bool has_begun;              /* config->source */
    struct jpeg *jpeg;           /* NULL: no memory, all is lossless */
    struct callers *callers;     /* --connect; else NULL */
    struct tls_context *tls;     /* NULL: no --tls-certificate */
    uint64_t lines_said;
    uint64_t unsent_bytes; /* of all updates that are not with the kernel yet */
    struct screens_total {
        uint64_t viewers, updates, bytes, keys, pointers, refused_events, faults;
    } total;
};

/* How a session has ended. */
enum session_end {
    ENDED_NEVER_IN,     /* the connect failed */
    ENDED_BY_VIEWER,    /* in order, or for what it said */
    ENDED_BROKEN,       /* reset, or the time was over */
    ENDED_BY_FAULT,     /* of our own */
    ENDED_WITH_PROGRAM, /* all are closed */
};

struct screen {
    struct handler handler; /* the first field: of the listener; of the next call */
    struct screens *screens;
    unsigned number;
    const struct fault *fault;
    intptr_t listener; /* -1: none */
    struct list_node sessions;
    struct source *source; /* NULL: nobody looks */
    bool is_stale;
    struct handler resizing; /* fault: the timer */
    bool is_small;
    bool is_in; /* of callers.c: its call was answered */
};

/* screen_init: 0, or -1 without memory. screen_end in either case. */
int screen_init(struct screen *screen, struct screens *screens, unsigned number);
void screen_end(struct screen *screen);

/* screen_listen: 0, or a negative errno value. */
int screen_listen(struct screen *screen, const struct net_address *address);
void screen_deafen(struct screen *screen); /* listens no more */

/* screen_call: begins a connect. 0, or a negative errno value. */
int screen_call(struct screen *screen, const struct net_address *address);

/* screen_look: a viewer has finished its handshake (all before it is up to the picture's size).
 * False, with a line said: there is no picture. */
bool screen_look(struct screen *screen);
void screen_refresh(struct screen *screen);

/* screen_resize: the fault `resize`: another size, now and each second. */
void screen_resize(struct screen *screen);

/* screen_gone: a session of it has closed. */
void screen_gone(struct screen *screen, enum session_end how);

/* screen_alone: closes all of its sessions but this one. */
void screen_alone(struct screen *screen, const struct session *session);

/* screens_say: a line about a screen on standard error, unless --quiet; the first ones only. */
void screens_say(struct screens *screens, unsigned number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- callers.c: who calls when (--connect) ---- */

struct callers *callers_open(struct screens *screens); /* NULL without memory */
void callers_close(struct callers *callers);           /* NULL is fine */
void callers_in(struct callers *callers, struct screen *screen);
void callers_gone(struct callers *callers, struct screen *screen, enum session_end how);

/* ---- fleet.c ---- */

/* screens_open: NULL with one line in `why`. `config` outlives it. */
struct screens *screens_open(const struct screens_config *config, char *why, size_t why_bytes);
void screens_run(struct screens *screens); /* until os_interrupted */
void screens_close(struct screens *screens);
int screens_port(const struct screens *screens); /* of screen 0, or of the viewer */

#endif
