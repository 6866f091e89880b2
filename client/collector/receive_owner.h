/* What only the owner of a connection's receiving side may do (see connection.c). */
#ifndef FANIN_COLLECTOR_RECEIVE_OWNER_H
#define FANIN_COLLECTOR_RECEIVE_OWNER_H

#include "client/collector/run.h"

enum handed {
    HANDED_ON,   /* the caller is the owner no more */
    HANDED_BACK, /* a resume came first: continue */
    HANDED_END,  /* the connection is over: release it */
};

/* receive_owner_hand_over: leaves the connection in `phase` to its next owner, unless it is over or
 * was resumed. */
enum handed receive_owner_hand_over(struct connection *connection, enum connection_phase phase);

/* receive_owner_post: posts a receive, early with `count` blocks of connection->blocks, late with
 * 0. After 0 the completion may be on another worker already, and the caller owns nothing; or a
 * portable negative code. */
int receive_owner_post(struct connection *connection, unsigned count);

/* receive_owner_received: the result of a receive that the above has posted. */
void receive_owner_received(struct connection *connection, int64_t result);

/* receive_owner_post_next: posts the next receive, hands the connection over, or releases it. */
void receive_owner_post_next(struct connection *connection);

/* receive_owner_release: of a connection that is over, closes the receiving side for good; of one
 * that is cut, hands it over to the main thread, which tries again. */
void receive_owner_release(struct connection *connection);

/* connection_note_activity: the server has sent something, or owes nothing so far. */
void connection_note_activity(struct connection *connection);

/* run_count_down: takes one off a count that the main thread waits for. */
void run_count_down(struct run *run, _Atomic uint32_t *count);

#endif
