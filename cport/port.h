/* Inside the completion port: the types and functions that its files and the engines share.
 *
 * The files in order, each calling only those before it (and the engine, through its hooks):
 * gate.c, socket_linux.c or socket_windows.c, operation.c, slot.c, direction.c, socket.c, worker.c,
 * port.c
 *
 * One mutex, port->lock, covers everything here but system calls and parking. */
#ifndef FANIN_PORT_H
#define FANIN_PORT_H

#include <pthread.h>

#include "base/heap.h"
#include "base/os.h"
#include "cport/engine.h"
#include "cport/gate.h"

/* One direction of a socket: its operations in the order they were posted. Only the head is ever
 * with the engine.
 *
 *    empty --submit--> waiting --ready--> queued --a worker takes it--> busy --result--> next head
 *                         ^                                               |
 *                         '------------------pending---------------------'
 *
 * (A completion engine: busy --pending--> started --direction_complete--> next head.) */
struct direction {
    struct cp_node ready_node; /* in the gate's queue while `queued`, in the port's while `held` */
    struct cp_socket *socket;
    struct gate_queue ops;
    bool queued;
    bool busy;    /* a thread attempts the head */
    bool started; /* the head is with the kernel (completion engines) */
    bool done;    /* ... and came back while still busy: the operation holds its result */
    bool ready;   /* an attempt is worthwhile */
    bool hangup;  /* ready for good: an attempt never waits again */
    bool held;    /* an accept failed for want of descriptors or memory: no attempt for now */
};

enum direction_name { DIRECTION_IN, DIRECTION_OUT, DIRECTION_COUNT };

enum socket_role { ROLE_FRESH, ROLE_CONNECTING, ROLE_CONNECTED, ROLE_LISTENING, ROLE_FAILED };

/* In a slot that is freed only with the port: a late event finds a newer generation there. */
struct cp_socket {
    struct cport *port;
    uint32_t index, generation;
    uint8_t role; /* enum socket_role */
    bool open;    /* between associate and close */
    bool failed;  /* a readiness engine has seen an error of the connection */
    int family;
    int broken; /* the code that ended the connection: later operations are refused with it */
    cp_handle handle;
    uintptr_t key;
    uintptr_t engine; /* for the engine */
    struct direction directions[DIRECTION_COUNT];
    struct cp_socket *next_free;
};

enum { SLOTS_PER_CHUNK = 256, CHUNKS_MAX = CP_SOCKETS_MAX / SLOTS_PER_CHUNK };

struct cport {
    pthread_mutex_t lock;
    struct gate gate;
    const struct engine *engine;
    void *engine_state;
    unsigned concurrency;
    bool os_gate; /* set by the engine's open: the OS's port enforces law 5, every waiter polls */
    bool closed;
    unsigned unpolled; /* waits since a worker last polled the engine */
    unsigned round;    /* packets that were queued at the first of these */
    struct cp_socket *chunks[CHUNKS_MAX];
    uint32_t slots;
    struct cp_socket *free_slots;
    struct worker *members;
    struct heap deadlines;
    struct gate_queue held; /* directions, until a handle is closed or ... */
    uint64_t held_until_ns;
    uint64_t alarm_ns; /* what the engine's alarm is set to; 0: not set */
};

static inline struct cp_op *op_of(struct cp_node *node)
{
    return node ? (struct cp_op *)((char *)node - offsetof(struct cp_op, node)) : NULL;
}

static inline struct direction *direction_of(struct cp_node *node)
{
    return (struct direction *)((char *)node - offsetof(struct direction, ready_node));
}

/* ---- socket_linux.c, socket_windows.c ------------------------------------------------------ */

/* socket_error: the portable code of the socket call that has just failed.
 * socket_unblock: makes it non-blocking. 0 or a negative code. */
int socket_error(void);
int socket_unblock(cp_handle handle);

/* ---- operation.c --------------------------------------------------------------------------- */

/* op_failed: records the OS's code; returns the portable one. */
int64_t op_failed(struct cp_op *op, int os_error);

/* op_take_blocks: the blocks of a late receive from its source. 0, or CP_ENOBUFS.
 * op_return_blocks: gives them back if there was no data. */
int64_t op_take_blocks(struct cp_op *op);
void op_return_blocks(struct cp_op *op);

/* op_unsent: what a send still has to send: how many blocks, from where on. */
unsigned op_unsent(const struct cp_op *op, struct cp_block *blocks);

/* op_listen: CP_LISTEN, with a socket option that is set first. 0 or a negative code. */
int64_t op_listen(const struct cp_op *op, int option);

/* socket_recognise: finds out the role of an OS socket from outside and makes it non-blocking.
 * 0 or a negative code. */
int socket_recognise(struct cp_socket *socket);

/* port_wake: wakes what the gate asked for. No lock held. */
void port_wake(struct cport *port, const struct gate_effects *effects);

static inline void port_lock(struct cport *port)
{
    pthread_mutex_lock(&port->lock);
}

/* port_unlock: releases the lock, then wakes what the gate asked for meanwhile. */
static inline void port_unlock(struct cport *port, const struct gate_effects *effects)
{
    pthread_mutex_unlock(&port->lock);
    if (effects->wake || effects->wake_poller)
        port_wake(port, effects);
}

/* port_poll_done: an engine's poll calls it when the kernel has answered. Takes the lock. */
void port_poll_done(struct cport *port, struct gate_worker *worker);

/* port_drop: frees what a packet carries that will not be delivered. Lock held. */
void port_drop(struct cport *port, struct cp_node *node);

/* port_post: queues a packet, or drops it when the port is closed. Lock held. */
static inline void port_post(struct cport *port, struct cp_node *node, struct gate_effects *effects)
{
    if (port->closed)
        port_drop(port, node);
    else
        gate_post(&port->gate, node, effects);
}

/* deadline_add: op->deadline_ns counts from now on, a connect's limit or the end of an accept's
 * hold. 0 or CP_ENOMEM. deadline_pop: removes an operation that is due; NULL: none is, the alarm is
 * set to the next. Lock held. */
int deadline_add(struct cp_op *op);
void deadline_remove(struct cp_op *op);
struct cp_op *deadline_pop(struct cport *port);

/* ---- slot.c: lock held --------------------------------------------------------------------- */

struct cp_socket *slot_at(struct cport *port, uint32_t index);

/* slot_take: an open socket. NULL: no memory, or CP_SOCKETS_MAX are open. */
struct cp_socket *slot_take(struct cport *port, int family, cp_handle handle, uintptr_t key);
void slot_free(struct cp_socket *socket);
void slots_free(struct cport *port);

/* socket_token: names the socket in events; socket_find: NULL if it is closed by now. */
uint64_t socket_token(const struct cp_socket *socket);
struct cp_socket *socket_find(struct cport *port, uint64_t token);

/* socket_release: after a close, frees the slot once nothing refers to it. */
void socket_release(struct cp_socket *socket);

/* ---- direction.c --------------------------------------------------------------------------- */

/* direction_submit: appends a valid operation; attempts it at once if no event is needed first.
 * Releases the lock. */
void direction_submit(struct direction *direction, struct cp_op *op);

/* attempt_begin: reserves the head of a ready direction for this thread; false: nothing to attempt.
 * engine->attempt follows, without the lock; then attempt_end: the operation if it is complete
 * (removed from its direction, result set), else NULL. Lock held. */
bool attempt_begin(struct attempt *attempt, struct direction *direction);
struct cp_op *attempt_end(struct attempt *attempt, struct gate_effects *effects);

/* direction_ready: from engines: an attempt is worthwhile (for good, if hangup); of a started head:
 * it has come back unfinished and needs another attempt. Lock held. */
void direction_ready(struct direction *direction, bool hangup, struct gate_effects *effects);

/* direction_complete: from engines: the started head is done, possibly before the attempt that
 * started it returns. Lock held. */
void direction_complete(struct direction *direction, struct cp_op *op, int64_t result,
                        struct gate_effects *effects);

/* direction_cancel: `op`, or with NULL every operation. How many were asked. Lock held. */
unsigned direction_cancel(struct direction *direction, struct cp_op *op, int reason,
                          struct gate_effects *effects);

/* direction_expired: the operation's deadline has passed: a connect fails, an accept is attempted
 * again. directions_unhold: a handle was closed: so are all that wait for one. Lock held. */
void direction_expired(struct cp_op *op, struct gate_effects *effects);
void directions_unhold(struct cport *port, struct gate_effects *effects);

/* direction_drop: forgets every operation without packets (the port is closing). Lock held. */
void direction_drop(struct direction *direction);

/* sockets_close (socket.c): closes every socket without packets. Lock held. */
void sockets_close(struct cport *port);

/* ---- worker.c ------------------------------------------------------------------------------ */

/* A thread's membership of a port. */
struct worker {
    struct gate_worker gate;
    struct os_parker parker;
    struct cport *_Atomic port; /* NULL: none */
    struct worker *next_member;
};

static inline struct worker *worker_of(struct gate_worker *gate)
{
    return (struct worker *)((char *)gate - offsetof(struct worker, gate));
}

/* worker_join: makes the calling thread a member of this port. NULL: no memory.
 * worker_current: its membership of this port, or NULL. */
struct worker *worker_join(struct cport *port);
struct worker *worker_current(const struct cport *port);
/* workers_forget: the port is being freed; its members belong to none. */
void workers_forget(struct cport *port);

/* port_open (port.c): cp_open on this engine; tests bring one of their own. */
int port_open(const struct engine *engine, unsigned concurrency, struct cport **port, char *why,
              size_t why_bytes);

#endif
