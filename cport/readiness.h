/* The epoll engine's parts that other engines over Linux readiness use: the epoll set that tells
 * which sockets are worth an attempt, and the attempts. */
#ifndef FANIN_READINESS_H
#define FANIN_READINESS_H

#include <sys/socket.h>
#include <sys/types.h>

#include "cport/port.h"

/* The first member of an engine's state. */
struct readiness {
    int epoll, wakeup, alarm;
};

/* readiness_open: makes port->engine_state, zeroed, of `state_bytes`. The others: engine.h's hooks,
 * attempts by one system call after the other. */
int readiness_open(struct cport *port, size_t state_bytes, char *why, size_t why_bytes);
void readiness_close(struct cport *port);
int readiness_attach(struct cp_slot *slot);
void readiness_release(struct cport *port, cp_handle handle);
void readiness_detach(struct cport *port, cp_handle handle);
void readiness_attempt(struct cport *port, struct attempt *attempts, unsigned count);
void readiness_poll(struct cport *port, uint64_t timeout_ns, struct effects *effects);
void readiness_wake_poller(struct cport *port, uint64_t when_ns);

/* A receive into blocks in three steps, for an engine that makes the call itself:
 * receive_begin takes the blocks of a late receive: 0, or the result if there are none;
 * receive_call is the call: bytes or a negative errno;
 * receive_end turns that into the attempt's result. */
int64_t receive_begin(struct cp_op *op, bool *more);
ssize_t receive_call(struct cp_op *op);
struct msghdr receive_message(struct cp_op *op); /* of several blocks */
int64_t receive_end(struct cp_op *op, ssize_t bytes, bool *more);

#endif
