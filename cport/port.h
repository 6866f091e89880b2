/* Inside the completion port: what the front door's files share with each other and with the
 * engines.
 *
 * One mutex, port->lock, covers everything here but system calls and parking. */
#ifndef FANIN_PORT_H
#define FANIN_PORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cport/cport.h"
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
 * (An engine of the completion kind: busy --pending--> started --lane_complete--> next head.) */
struct lane {
    struct cp_link ready_link; /* stands in the gate's queue while `queued` */
    struct cp_socket *socket;
    struct gate_queue ops;
    bool queued;
    bool busy;    /* a thread is in engine->advance for the head */
    bool started; /* the head is with the kernel (completion engines) */
    bool done;    /* ... and came back, while it was still busy: its result lies in the operation */
    bool ready;   /* an attempt is worth while */
    bool hangup;  /* ready for good: an attempt never waits again */
};

enum lane_name { LANE_IN, LANE_OUT, LANE_COUNT };

enum socket_role { ROLE_FRESH, ROLE_CONNECTING, ROLE_CONNECTED, ROLE_LISTENING, ROLE_FAILED };

/* Sockets lie in slots that are never given back before the port is: an event that comes late
 * finds a slot whose generation has moved on, not freed memory. */
struct cp_socket {
    struct cport *port;
    uint32_t index, generation;
    uint8_t role;  /* enum socket_role */
    bool open;     /* between associate and close */
    bool detached; /* the engine has said goodbye to it */
    int family;
    int broken; /* the code that ended the connection: later operations are refused with it */
    cp_handle handle;
    uintptr_t key;
    uintptr_t engine; /* the engine's room */
    struct lane lanes[LANE_COUNT];
    struct cp_socket *next_free;
};

enum { SLOTS_PER_CHUNK = 256, CHUNKS_MAX = CP_SOCKETS_MAX / SLOTS_PER_CHUNK };

struct cport {
    pthread_mutex_t lock;
    struct gate gate;
    const struct engine *engine;
    void *engine_state;
    unsigned concurrency;
    bool os_gate; /* set by the engine's open: the system's port keeps law 5, every waiter polls */
    bool closed;
    unsigned unpolled; /* waits since a worker last asked the engine */
    unsigned round;    /* packets that were queued at the first of these */
    struct cp_socket *chunks[CHUNKS_MAX];
    uint32_t slots;
    struct cp_socket *free_slots;
    struct worker *members;
    struct heap deadlines;
    uint64_t alarm_ns; /* what the engine's alarm is set to; 0: not set */
};

static inline struct cp_op *op_of(struct cp_link *link)
{
    return link ? (struct cp_op *)((char *)link - offsetof(struct cp_op, link)) : NULL;
}

static inline struct lane *lane_of(struct cp_link *link)
{
    return (struct lane *)((char *)link - offsetof(struct lane, ready_link));
}

/* ---- port.c -------------------------------------------------------------------------------- */

void port_lock(struct cport *port);

/* port_unlock: releases the lock, then carries out what the gate asked for meanwhile. */
void port_unlock(struct cport *port, const struct gate_effects *effects);

/* port_poll_done: an engine's poll calls it once the kernel has answered: takes the lock. NULL: the
 * worker only looked in. */
void port_poll_done(struct cport *port, struct gate_worker *worker);

/* port_post: queues a packet, or drops it when the port is closed. */
void port_post(struct cport *port, struct cp_link *link, struct gate_effects *effects);

/* ---- lane.c -------------------------------------------------------------------------------- */

/* lane_submit: appends an operation that was found valid; carries it at once where that is the
 * way. Called with the lock, returns without it. */
void lane_submit(struct lane *lane, struct cp_op *op);

/* One attempt of a worker at the head of a ready lane: begin (lock held), advance (no lock), end
 * (lock held). */
struct turn {
    struct lane *lane;
    struct cp_op *op;
    int64_t result;
    bool more;
};

bool turn_begin(struct turn *turn, struct lane *lane);
void turn_advance(struct turn *turn);
/* turn_end: the operation if it is complete (taken off its lane, result set), else NULL. */
struct cp_op *turn_end(struct turn *turn, struct gate_effects *effects);

/* lane_ready: an engine says that an attempt is worth while (for good, if hangup); of the started
 * head of a lane: that it has come back unfinished and wants another turn. Lock held. */
void lane_ready(struct lane *lane, bool hangup, struct gate_effects *effects);

/* lane_complete: an engine says that the started head of the lane is done, maybe before the
 * advance that started it has returned. Lock held. */
void lane_complete(struct lane *lane, struct cp_op *op, int64_t result,
                   struct gate_effects *effects);

/* lane_cancel: `op`, or every operation. How many were asked. Lock held. */
unsigned lane_cancel(struct lane *lane, struct cp_op *op, int reason, struct gate_effects *effects);

/* lane_drop: forgets every operation without packets (the port is closing). Lock held. */
void lane_drop(struct lane *lane);

/* ---- socket.c ------------------------------------------------------------------------------ */

/* socket_find: the open socket of an event's token, or NULL if it is gone. Lock held. */
struct cp_socket *socket_find(struct cport *port, uint64_t token);
uint64_t socket_token(const struct cp_socket *socket);

/* socket_settle: after a close, lets the slot go as soon as nothing refers to it. Lock held. */
void socket_settle(struct cp_socket *socket);

void socket_close_locked(struct cp_socket *socket, bool with_packets, struct gate_effects *effects);

/* socket_deliver: bookkeeping for a completed operation: roles and latched errors. Lock held. */
void socket_deliver(struct cp_socket *socket, const struct cp_op *op, int64_t result);

void sockets_free(struct cport *port);

/* ---- deadline.c ---------------------------------------------------------------------------- */

/* deadline_add: `op` is to be cancelled with CP_ETIMEDOUT at op->deadline_ns. 0 or CP_ENOMEM.
 * Lock held. */
int deadline_add(struct cport *port, struct cp_op *op);
void deadline_remove(struct cport *port, struct cp_op *op);
/* deadline_expire: cancels what is due and re-arms the engine's alarm. Lock held. */
void deadline_expire(struct cport *port, struct gate_effects *effects);

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

/* worker_join: the calling thread's membership, changed to this port if need be. NULL: no
 * memory. */
struct worker *worker_join(struct cport *port);
/* worker_current: the same if it is this port's member already, else NULL. */
struct worker *worker_current(const struct cport *port);
/* workers_forget: the port goes away; its members belong to none. */
void workers_forget(struct cport *port);

#endif
