/* The gate decides which workers may run: the concurrency limit and the last-in-first-out wake-up
 * of a completion port as a pure state machine, without OS calls, clock or lock (the caller holds
 * the port's), so that a test can replay any sequence of events.
 *
 * The algorithm is that of Windows' kernel queue as ReactOS documents it (ntoskrnl/ke/queue.c),
 * with one addition. There, packets appear by themselves; here a worker has to poll the engine for
 * them. So a waiting worker either parks or polls: it occupies one of the free places while it
 * blocks in the engine's poll.
 *
 *               arrive                            take
 *    OUTSIDE ------------.                 .----------------> RUNNING <--. block_end: at once,
 *    BLOCKED             v                 |                     |       | maybe over the limit
 *    RUNNING --arrive--> (a packet and     |                     |-> BLOCKED
 *    ASLEEP               a free place?)---'                     '-> ASLEEP (found by the watcher)
 *                        | no
 *                        v
 *              the stack of waiters, the newest on top:
 *              PARKED    sleeps until it is handed a packet, or is PROMOTED to poll
 *              POLLING   blocks in the engine; a packet posted to it is a grant, fetched after
 *                        a wake-up. A worker that has a place may take it first
 *              AWAKE     on the stack with the lock held, about to decide again
 *
 *    (ARRIVED: awake, with the lock held, about to decide for the first time. Usually there is a
 *    packet then, and the stack is left alone.)
 *
 * Invariants (gate_check): running <= limit, except for workers that came back from a blocking
 * section or a time-out; grants <= pollers; running + pollers - grants <= limit whenever a poller
 * starts; no packet waits in the queue while there is a free place and a waiter.
 *
 * With a watcher (gate_watch), packets that wait while every place is taken and a worker waits are
 * a backlog: they call the watcher, which looks for workers that sleep (gate_found_asleep) until it
 * rests (gate_rest). A packet may also wait in the kernel, where only a poll finds it; so as long
 * as nobody looks, one waiter more than there are places polls: the spare. */
#ifndef FANIN_GATE_H
#define FANIN_GATE_H

#include <stdbool.h>
#include <stddef.h>

#include <cport.h> /* struct cp_node */

enum gate_state {
    GATE_OUTSIDE,  /* not a member, or left */
    GATE_RUNNING,  /* counted against the limit */
    GATE_BLOCKED,  /* a member in a declared blocking section: not counted */
    GATE_ASLEEP,   /* a member that the watcher found asleep: not counted */
    GATE_ARRIVED,  /* awake, not on the stack yet */
    GATE_PARKED,   /* on the stack, asleep */
    GATE_PROMOTED, /* on the stack, woken to poll */
    GATE_POLLING,  /* on the stack, in the engine's poll */
    GATE_AWAKE,    /* on the stack, awake */
    GATE_WOKEN,    /* off the stack with a packet bound to it, already counted as running */
};

struct gate_worker {
    enum gate_state state;
    struct gate_worker *older, *newer; /* neighbours on the stack */
    struct gate_worker *wake_next;
    struct cp_node *bound; /* the packet handed to it; cannot be stolen */
    uint64_t waits;        /* how often it has arrived */
};

struct gate_queue {
    struct cp_node *first, *last;
};

struct gate {
    unsigned limit;       /* workers that may run at once */
    unsigned pollers_max; /* workers that the engine can have in its poll at once */
    unsigned running;     /* counted, grants and bound packets included */
    unsigned pollers;     /* POLLING or PROMOTED */
    unsigned grants;      /* packets granted to pollers and not fetched yet */
    bool closed;
    bool watched;              /* there is a watcher */
    bool looking;              /* ... which was called and does not rest yet */
    struct gate_queue queue;   /* packets that wait, oldest first */
    struct gate_queue granted; /* to whichever poller comes back first */
    struct gate_worker *newest;
};

/* What the caller has to do once it has released the lock. Zeroed before use; several calls may
 * add to it.
 *
 * Each worker on the wake list is unparked exactly once; read its wake_next before that. A worker
 * whose parking timed out and whose state is not PARKED must wait for the unpark that is on its
 * way: its memory is in use until then. */
struct gate_effects {
    struct gate_worker *wake;
    bool wake_poller;  /* make one poller return from the engine's poll */
    bool wake_watcher; /* there is a backlog (once until it rests), or the port is closed */
};

enum gate_verdict {
    GATE_TAKE,   /* packets are yours, you are running */
    GATE_PARK,   /* sleep until unparked, then gate_back */
    GATE_POLL,   /* call the engine's poll, then gate_back */
    GATE_CLOSED, /* the port is closed */
};

void gate_init(struct gate *gate, unsigned limit, unsigned pollers_max);

/* gate_arrive: a thread begins to wait. If it was running, its place becomes free; no other worker
 * is woken, since it will take the next packet itself. If it was in a blocking section, that ends
 * without a place. */
void gate_arrive(struct gate *gate, struct gate_worker *worker);

/* gate_back: a waiter is awake again, from parking or from the engine's poll. A granted packet is
 * then bound to the poller. */
void gate_back(struct gate *gate, struct gate_worker *worker);

/* gate_next: what the worker does now. GATE_TAKE: 1..max packets are appended to `taken`. */
enum gate_verdict gate_next(struct gate *gate, struct gate_worker *worker, unsigned max,
                            struct gate_queue *taken, struct gate_effects *effects);

/* gate_timeout: a waiter that gate_next sent to wait gives up: it is running again, whatever the
 * limit. */
void gate_timeout(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects);

/* gate_post: hands a packet to the newest waiter if there is a free place, else queues it. */
void gate_post(struct gate *gate, struct cp_node *packet, struct gate_effects *effects);

/* gate_block, gate_unblock: a running worker declares a blocking section, and its end. A worker
 * that was found asleep may do either as well: it is awake. */
void gate_block(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects);
void gate_unblock(struct gate *gate, struct gate_worker *worker);

/* gate_watch: from now on there is a watcher. gate_backlog: whether packets wait for a place, and a
 * worker for packets. gate_unpolled: whether there may be a backlog in the kernel: every place is
 * taken, a worker waits, and none polls. gate_found_asleep: gives a running worker's place away, as
 * gate_block does; found awake again, it is gate_unblock's. gate_rest: the watcher looks no more
 * until the next backlog. */
void gate_watch(struct gate *gate);
bool gate_backlog(const struct gate *gate);
bool gate_unpolled(const struct gate *gate);
void gate_found_asleep(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects);
void gate_rest(struct gate *gate, struct gate_effects *effects);

/* gate_leave: the thread ends, or goes to another port. */
void gate_leave(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects);

/* gate_close: wakes every waiter and the watcher, which find it closed. Moves queued packets to
 * `dropped`. */
void gate_close(struct gate *gate, struct gate_queue *dropped, struct gate_effects *effects);

/* gate_check: asserts the invariants. */
void gate_check(const struct gate *gate);

static inline void gate_queue_push(struct gate_queue *queue, struct cp_node *packet)
{
    packet->next = NULL;
    if (queue->last)
        queue->last->next = packet;
    else
        queue->first = packet;
    queue->last = packet;
}

/* NULL: empty. */
static inline struct cp_node *gate_queue_pop(struct gate_queue *queue)
{
    struct cp_node *packet = queue->first;
    if (!packet)
        return NULL;
    queue->first = packet->next;
    if (!queue->first)
        queue->last = NULL;
    packet->next = NULL;
    return packet;
}

unsigned gate_queue_count(const struct gate_queue *queue); /* walks it */

#endif
