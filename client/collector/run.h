/* A run: the connections, the port and the scheme that they share, and what the main thread does
 * with them. The main thread never waits on the port: it would take a worker's place. */
#ifndef FANIN_COLLECTOR_RUN_H
#define FANIN_COLLECTOR_RUN_H

#include "base/progress.h"
#include "client/collector/connection.h"
#include "client/collector/program.h"
#include "client/collector/reconnect.h"

struct run {
    struct program *program;
    const struct collector_options *options; /* the program's */
    const struct request_set *requests;      /* the program's */
    struct cport *port;
    const struct scheme *scheme;
    struct scheme_config scheme_config;
    struct scheme_run *scheme_run;
    pthread_t *workers;
    unsigned worker_count; /* that were started */

    uint32_t count; /* of connections, and of what has one for each of them: */
    struct connection *connections;
    struct cp_block *blocks;  /* blocks_per_receive each */
    struct control *controls; /* in pages of their own */
    size_t controls_bytes;
    struct reconnect *reconnects; /* touched with --reconnect only */
    char *answers;                /* LOGIN_ANSWER_BYTES each; NULL: no login */

    /* Shared by main thread and workers. */
    struct os_parker main;       /* where the main thread waits for the counts below */
    _Atomic uint32_t connecting; /* whose first connection is not ready, nor lost */
    _Atomic uint32_t away;       /* in an outage: to be tried again, or being tried */
    _Atomic uint32_t living;     /* of those that are asked, not over yet */
    _Atomic uint32_t pending;    /* receiving sides not closed yet, and sends that are out */
    _Atomic bool ended;          /* living has become 0, and program->after is filled in */
    _Atomic uint32_t tick;       /* counted up by the main thread every RUN_TICK_MS */
    _Atomic uint32_t data_tick;  /* of the last receive with data */

    /* The main thread's. */
    struct progress progress;
    uint64_t started_ns;
    uint64_t expected_bytes; /* of the connected servers; UINT64_MAX: not known */
    uint32_t stall_ticks;    /* of silence that end a connection */
};

static inline struct control *control_of(const struct connection *connection)
{
    return &connection->run->controls[connection->index];
}

static inline struct reconnect *reconnect_of(const struct connection *connection)
{
    return &connection->run->reconnects[connection->index];
}

/* run_execute: connects, asks, collects; blocks until every connection is over and nothing is in
 * flight. The port is open, its workers run. False: it could not take place, and the row says
 * why. */
bool run_execute(struct run *run);

#endif
