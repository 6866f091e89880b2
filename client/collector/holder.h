/* What only the holder of a connection's receiving side may do (see connection.c), for connection.c
 * and opening.c. */
#ifndef FANIN_COLLECTOR_HOLDER_H
#define FANIN_COLLECTOR_HOLDER_H

#include "client/collector/connection.h"

enum rest {
    REST_TAKEN, /* somebody else holds it from now on */
    REST_AGAIN, /* a resume came first: go on */
    REST_OVER,  /* leave */
};

/* holder_rest: puts the connection down in `phase`, unless it is over or was resumed. */
enum rest holder_rest(struct connection *connection, enum connection_phase phase);

/* holder_receive: posts a receive, early with `count` blocks of connection->blocks, late with 0. 0:
 * the completion may be on another worker already, and nothing may be touched any more; or a
 * portable negative code. */
int holder_receive(struct connection *connection, unsigned count);

/* holder_heard: the server has said something, or owes nothing so far. */
void holder_heard(struct connection *connection);

/* holder_proceed: posts the next receive, or puts the connection down, or leaves. */
void holder_proceed(struct connection *connection);

/* holder_leave: the connection is over, and the receiving side is closed for good; or it is only
 * cut, and somebody else holds it from now on. */
void holder_leave(struct connection *connection);

/* run_count_down, run_pending_drop: take one off a count that the main thread waits for. */
void run_count_down(struct run *run, _Atomic uint32_t *count);
void run_pending_drop(struct run *run);

/* opening_control_done, opening_answer_done: connects, logins and requests that have completed. */
void opening_control_done(struct connection *connection, int64_t result);
void opening_answer_done(struct connection *connection, int64_t result);

#endif
