/* Inside the completion port: the types and functions that its files and the engines share.
 *
 * The files in order, each calling only those before it (and the engine, through its hooks):
 * gate.c, socket_linux.c or socket_windows.c, queue.c, operation.c, slot.c, direction.c, socket.c,
 * worker.c, port.c, watcher_linux.c or watcher_windows.c (which those two call as well)
 *
 * Locks, in the order in which they are taken; no thread has two slots' locks:
 *
 *   a slot's lock      its socket, both directions and their operations. Striped: LOCKS mutexes
 *   timers_lock        deadlines and held accepts       | neither within the other
 *   slots_lock         free slots                       |
 *   lock, the gate's   the gate with its queue; the members
 *
 * No system call is made under any of them but a slot's own bind, shutdown, and cancel of a
 * completion engine. What has to be done later is collected in struct effects. */
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
    struct cp_node *last;      /* of the operations, a ring: its next is the head; NULL: none */
    uint8_t name;              /* enum direction_name */
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

/* cp_shutdown: the end is near while accepted sends are not over. */
enum socket_sending { SENDING_OPEN, SENDING_ENDS, SENDING_OVER };

/* A socket's state. Freed only with the port: a late event finds a newer generation here. */
struct cp_slot {
    struct cport *port;
    uint32_t index, generation; /* a socket's id has both */
    uint8_t role;               /* enum socket_role */
    bool open;                  /* between associate and close */
    bool adopted;               /* not made by the port */
    bool blocking;              /* made non-blocking for its connect alone */
    bool failed;                /* a readiness engine has seen an error of the connection */
    bool skip;                  /* cp_socket_skip */
    bool datagrams;             /* UDP */
    bool bound;                 /* for the engine */
    uint8_t sending;            /* enum socket_sending */
    uint16_t family;
    int broken; /* the code that ended the connection: later operations are refused with it */
    cp_handle handle;
    union {
        uintptr_t key;
        struct cp_slot *next_free;
    };
    struct direction directions[DIRECTION_COUNT];
};

/* See watcher_linux.c. */
struct watcher {
    pthread_t thread;
    struct os_parker parker;
    int process;              /* that has the thread; 0: there is no watcher */
    struct worker *next;      /* to be looked at; a worker that leaves the port moves it on */
    unsigned wake_ups, looks; /* how often it was called, and looked at a worker */
};

/* What the watcher knows of a worker. */
struct watched {
    int thread, clock; /* the system's names of the thread and of its CPU time */
    uint64_t waits;    /* gate.waits at the last look */
    uint64_t cpu_ns;   /* likewise its CPU time; UINT64_MAX: not read yet */
};

enum { SLOTS_PER_CHUNK = 256, CHUNKS_MAX = CP_SOCKETS_MAX / SLOTS_PER_CHUNK };

/* Slots whose indexes differ by a multiple of it share a lock. */
enum { LOCKS = 256, CACHE_LINE = 64 };

/* No alarm, no deadline. */
#define NEVER_NS UINT64_MAX

struct cport {
    /* Read by every call, written hardly ever. */
    const struct engine *engine;
    void *engine_state;
    unsigned concurrency;
    bool os_gate; /* set by the engine's open: the OS's port enforces law 5, every waiter polls */
    _Atomic bool closed;
    _Atomic uint32_t slots; /* those that exist */
    struct cp_slot *chunks[CHUNKS_MAX];

    char gate_line[CACHE_LINE]; /* what each packet writes shares no cache line with the rest */
    pthread_mutex_t lock;
    struct gate gate;
    struct worker *members;
    unsigned unpolled; /* waits since a worker last polled the engine */
    unsigned round;    /* packets that were queued at the first of these */
    struct watcher watcher;

    char slots_line[CACHE_LINE];
    pthread_mutex_t slots_lock;
    struct cp_slot *free_slots;

    pthread_mutex_t timers_lock;
    struct heap deadlines;
    _Atomic uint64_t earliest_ns; /* of the deadlines */
    _Atomic uint64_t alarm_ns;    /* what the engine's alarm is set to, or about to be */
    struct gate_queue held;       /* directions, until a handle is closed or ... */
    uint64_t held_until_ns;
    _Atomic bool holds; /* `held` is not empty */

    struct {
        pthread_mutex_t mutex;
        char own_line[CACHE_LINE - sizeof(pthread_mutex_t) % CACHE_LINE];
    } locks[LOCKS];
};

static inline struct cp_op *op_of(struct cp_node *node)
{
    return node ? (struct cp_op *)((char *)node - offsetof(struct cp_op, node)) : NULL;
}

static inline struct direction *direction_of(struct cp_node *node)
{
    return (struct direction *)((char *)node - offsetof(struct direction, ready_node));
}

static inline struct cp_slot *slot_of(struct direction *direction)
{
    const struct direction *directions = direction - direction->name;
    return (struct cp_slot *)((char *)directions - offsetof(struct cp_slot, directions));
}

/* ---- socket_linux.c, socket_windows.c ------------------------------------------------------ */

/* socket_error: the portable code of the socket call that has just failed.
 * socket_unblock: makes it non-blocking. 0 or a negative code.
 * socket_recognise: finds out the role of an OS socket from outside, makes it non-blocking where
 * the engines need that. 0 or a negative code. */
int socket_error(void);
int socket_unblock(cp_handle handle);
int socket_recognise(struct cp_slot *slot);

/* ---- queue.c ------------------------------------------------------------------------------- */

/* What a thread has to do once it has no lock any more, and the nodes that it has to queue. */
struct effects {
    struct gate_effects gate;
    struct gate_queue posts;
    struct gate_queue dropped; /* packets that came after the port was closed */
    cp_handle closing;         /* a handle that nothing uses any more */
    bool set_alarm;            /* to port->alarm_ns */
};
#define NO_EFFECTS ((struct effects){.closing = CP_HANDLE_NONE})

/* port_queue: queues effects->posts, or moves them to the dropped ones when the port is closed.
 * The gate's lock held. */
void port_queue(struct cport *port, struct effects *effects);

/* port_post: the same without that lock, which it takes if there is anything to queue. */
void port_post(struct cport *port, struct effects *effects);

/* port_act: does what the effects say, but for posts, and clears them. No lock held. There is most
 * often nothing to do, which is found out in line: this is on the path of every packet. */
void port_perform(struct cport *port, struct effects *effects);
static inline void port_act(struct cport *port, struct effects *effects)
{
    const struct gate_effects *gate = &effects->gate;
    if (gate->wake || gate->wake_poller || gate->wake_watcher || effects->dropped.first ||
        effects->closing != CP_HANDLE_NONE || effects->set_alarm)
        port_perform(port, effects);
}

/* port_lock, port_unlock: the gate's lock. port_unlock also does what the effects say. */
static inline void port_lock(struct cport *port)
{
    pthread_mutex_lock(&port->lock);
}

static inline void port_unlock(struct cport *port, struct effects *effects)
{
    pthread_mutex_unlock(&port->lock);
    port_act(port, effects);
}

static inline pthread_mutex_t *slot_mutex(const struct cp_slot *slot)
{
    return &slot->port->locks[slot->index % LOCKS].mutex;
}

/* A packet of cp_post_key. */
struct posted_key {
    struct cp_node node; /* first */
    uintptr_t key;
    int64_t result;
};

/* slot_lock, slot_unlock: unlocking queues the posts first, so that packets of a socket keep their
 * order, then does what the effects say. slot_leave: unlocks, but keeps posts and wake-ups for
 * later. */
static inline void slot_lock(struct cp_slot *slot)
{
    pthread_mutex_lock(slot_mutex(slot));
}

static inline void slot_unlock(struct cp_slot *slot, struct effects *effects)
{
    struct cport *port = slot->port;
    if (effects->posts.first)
        port_post(port, effects);
    pthread_mutex_unlock(slot_mutex(slot));
    port_act(port, effects);
}

void port_close_handle(struct cport *port, struct effects *effects);

static inline void slot_leave(struct cp_slot *slot, struct effects *effects)
{
    struct cport *port = slot->port;
    pthread_mutex_unlock(slot_mutex(slot));
    if (effects->closing != CP_HANDLE_NONE)
        port_close_handle(port, effects);
}

/* ---- operation.c --------------------------------------------------------------------------- */

/* What an operation's state says; read and written atomically: cp_op_done may ask at any time. */
enum op_state { OP_IDLE, OP_PENDING, OP_COMPLETE /* its packet waits */ };

static inline enum op_state op_state(const struct cp_op *op)
{
    return (enum op_state)__atomic_load_n(&op->state, __ATOMIC_ACQUIRE);
}

static inline void op_set_state(struct cp_op *op, enum op_state state)
{
    __atomic_store_n(&op->state, (uint8_t)state, __ATOMIC_RELEASE);
}

/* op_init: resets everything but the engine's part, which the engine or the address fills. `slot`
 * NULL: a timer's. */
void op_init(struct cp_op *op, enum cp_kind kind, struct cp_slot *slot);

/* op_direction: the direction of its socket that it waits in. */
static inline enum direction_name op_direction(const struct cp_op *op)
{
    bool out = op->kind == CP_SEND || op->kind == CP_SEND_TO || op->kind == CP_CONNECT;
    return out ? DIRECTION_OUT : DIRECTION_IN;
}

/* op_failed: records the OS's code; returns the portable one. */
int64_t op_failed(struct cp_op *op, int os_error);

/* op_copy_blocks: 0 or CP_ENOMEM. op_free_blocks: the copy, if it is on the heap. */
int op_copy_blocks(struct cp_op *op, const struct cp_block *blocks, unsigned count);
void op_free_blocks(struct cp_op *op);

/* op_take_blocks: the blocks of a late receive from its source. 0, or CP_ENOBUFS.
 * op_return_blocks: gives them back if there was no data. */
int64_t op_take_blocks(struct cp_op *op);
void op_return_blocks(struct cp_op *op);

/* op_unsent: what a send still has to send: how many blocks, at most `max`, from where on. */
unsigned op_unsent(const struct cp_op *op, struct cp_block *blocks, unsigned max);
enum { UNSENT_MAX = 64 }; /* as many as one call should take */

/* op_listen: CP_LISTEN, with a socket option that is set first. 0 or a negative code. */
int64_t op_listen(const struct cp_op *op, int option);

/* deadline_add: the operation's deadline counts from now on, a connect's limit or the end of an
 * accept's hold. 0 or CP_ENOMEM. Its slot's lock held. */
int deadline_add(struct cp_op *op, uint64_t deadline_ns, struct effects *effects);
void deadline_remove(struct cp_op *op);

/* deadline_next: a socket's operation that is due; its deadline is gone, its slot's lock is taken.
 * NULL: none is, the alarm is set to the next. Timers that are due are over. */
struct cp_op *deadline_next(struct cport *port, struct effects *effects);

/* timers_drop: forgets every timer without a packet (the port is closed). */
void timers_drop(struct cport *port);

/* ---- slot.c -------------------------------------------------------------------------------- */

struct cp_slot *slot_at(struct cport *port, uint32_t index);

/* slot_take: an open socket. NULL: no memory, or CP_SOCKETS_MAX are open. */
struct cp_slot *slot_take(struct cport *port, int family, cp_handle handle, uintptr_t key);
void slot_free(struct cp_slot *slot);
void slots_free(struct cport *port);

/* slot_id: names the socket in events and to the caller; slot_find: with its lock; NULL if it is
 * closed by now. */
uint64_t slot_id(const struct cp_slot *slot);
struct cp_slot *slot_find(struct cport *port, uint64_t id);

/* slot_idle: whether no operation of it is in flight. Lock held.
 * slot_release: after a close, frees the slot once nothing refers to it. Lock held. */
bool slot_idle(const struct cp_slot *slot);
void slot_release(struct cp_slot *slot, struct effects *effects);

/* ---- direction.c: the slot's lock held ------------------------------------------------------ */

/* direction_submit: appends a valid operation; attempts it at once if no event is needed first.
 * Releases the lock. 0, or CP_DONE. */
int direction_submit(struct direction *direction, struct cp_op *op, struct effects *effects);

/* attempt_begin: reserves the head of a ready direction for this thread; false: nothing to attempt.
 * engine->attempt follows, without the lock; then attempt_end: the operation if it is complete
 * (removed from its direction, result set), else NULL. */
bool attempt_begin(struct attempt *attempt, struct direction *direction, struct effects *effects);
struct cp_op *attempt_end(struct attempt *attempt, struct effects *effects);

/* direction_ready: from engines: an attempt is worthwhile (for good, if hangup); of a started head:
 * it has come back unfinished and needs another attempt. */
void direction_ready(struct direction *direction, bool hangup, struct effects *effects);

/* direction_complete: from engines: the started head is done, possibly before the attempt that
 * started it returns. */
void direction_complete(struct direction *direction, struct cp_op *op, int64_t result,
                        struct effects *effects);

/* direction_cancel: `op`, or with NULL every operation. How many were asked. */
unsigned direction_cancel(struct direction *direction, struct cp_op *op, int reason,
                          struct effects *effects);

/* direction_end_sending: after the operations that it has. */
void direction_end_sending(struct direction *direction, struct effects *effects);

/* direction_close: its socket is closed: every operation is aborted. */
void direction_close(struct direction *direction, struct effects *effects);

/* direction_expired: the operation's deadline has passed: a connect fails, an accept is attempted
 * again. */
void direction_expired(struct cp_op *op, struct effects *effects);

/* directions_unhold: a handle was closed: all that wait for one are attempted. No lock held. */
void directions_unhold(struct cport *port);

/* direction_drop: forgets every operation without packets (the port is closing). */
void direction_drop(struct direction *direction);

/* sockets_close (socket.c): closes every socket without packets. No lock held. */
void sockets_close(struct cport *port);

/* ---- worker.c ------------------------------------------------------------------------------ */

/* A thread's membership of a port. */
struct worker {
    struct gate_worker gate;
    struct os_parker parker;
    struct cport *_Atomic port; /* NULL: none */
    struct worker *next_member;
    struct watched watched;
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

/* ---- port.c -------------------------------------------------------------------------------- */

/* port_open: cp_open on this engine; tests bring one of their own. */
int port_open(const struct engine *engine, unsigned concurrency, struct cport **port, char *why,
              size_t why_bytes);

/* port_poll_kernel: queues what the kernel has, without blocking. Called and returns with the
 * gate's lock, but releases it meanwhile. */
void port_poll_kernel(struct cport *port, struct effects *effects);

/* ---- watcher_linux.c, watcher_windows.c ---------------------------------------------------- */

/* watcher_open: starts the port's watcher; where the OS's port is the gate there is nothing to do.
 * 0, or a negative code with `why`. watcher_close: ends it, once the port is closed; waits for its
 * thread. */
int watcher_open(struct cport *port, char *why, size_t why_bytes);
void watcher_close(struct cport *port);

/* watcher_wake: there is a backlog, or the port is closed. watcher_meets: the calling thread is
 * this worker, new in its port; the gate's lock held. */
void watcher_wake(struct cport *port);
void watcher_meets(struct worker *worker);

#endif
