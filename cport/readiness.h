/* What engines over Linux readiness share: the epoll set that tells which sockets are worth an
 * attempt (readiness_linux.c), and nonblocking system calls that perform the operations
 * (operation_linux.c). The engines differ in how operations reach the kernel. */
#ifndef FANIN_READINESS_H
#define FANIN_READINESS_H

#include <sys/types.h>

#include "cport/port.h"

/* The first member of an engine's state. */
struct readiness {
    int epoll, wakeup, alarm;
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
void readiness_wake_poller(struct cport *port, uint64_t when_ns);

/* readiness_watch: reports the socket's readiness from now on. 0 or a negative errno. */
int readiness_watch(struct cport *port, struct cp_socket *socket);

/* ---- operation_linux.c --------------------------------------------------------------------- */

/* operations_perform: engine->attempt, by one system call after the other. */
void operations_perform(struct cport *port, struct attempt *attempts, unsigned count);

/* A receive into blocks in three steps, for an engine that makes the call itself:
 * receive_begin takes the blocks of a late receive: 0, or the result if there are none;
 * receive_call is the call: bytes or a negative errno;
 * receive_end turns that into the attempt's result. */
int64_t receive_begin(struct cp_op *op, bool *more);
ssize_t receive_call(const struct cp_op *op);
int64_t receive_end(struct cp_op *op, ssize_t bytes, bool *more);

#endif
