/* What engines over Linux readiness share: the epoll set that tells which sockets are worth an
 * attempt (readiness_linux.c), and the attempts themselves, by system calls that never block
 * (attempt_linux.c). The engines differ in how an attempt reaches the kernel. */
#ifndef FANIN_READINESS_H
#define FANIN_READINESS_H

#include <sys/types.h>

#include "cport/port.h"

/* Stands first in the state of an engine. */
struct readiness {
    int epoll, kick, alarm;
};

/* ---- readiness_linux.c: as in engine.h ----------------------------------------------------- */

/* readiness_open: makes port->engine_state, zeroed, of `state_bytes`. */
int readiness_open(struct cport *port, size_t state_bytes, char *why, size_t why_bytes);
void readiness_close(struct cport *port);
int readiness_attach(struct cport *port, struct cp_socket *socket);
void readiness_detach(struct cport *port, struct cp_socket *socket);
bool readiness_cancel(struct cport *port, struct cp_socket *socket, struct cp_op *op);
int readiness_poll(struct cport *port, struct gate_worker *worker, uint64_t timeout_ns,
                   struct gate_effects *effects);
void readiness_kick(struct cport *port, uint64_t when_ns);

/* readiness_watch: reports the socket's readiness from now on. 0 or a negative errno. */
int readiness_watch(struct cport *port, struct cp_socket *socket);

/* ---- attempt_linux.c ----------------------------------------------------------------------- */

/* attempt: engine->advance. */
int64_t attempt(struct cport *port, struct cp_socket *socket, struct cp_op *op, bool *more);

/* A receive into blocks in three steps, for an engine that makes the middle one itself: the blocks
 * of a late receive are taken (0, or the result with which the receive ends without a call); the
 * call, which returns bytes or a negative errno; what that means. */
int64_t attempt_receive_begin(struct cp_op *op, bool *more);
ssize_t attempt_receive_call(const struct cp_socket *socket, const struct cp_op *op);
int64_t attempt_receive_end(struct cp_op *op, ssize_t bytes, bool *more);

#endif
