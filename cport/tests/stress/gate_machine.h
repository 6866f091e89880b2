/* The gate with the world around it, as a machine of events: workers that wait, sleep, poll, block
 * and leave, and packets. Every step that the port takes under its lock is one event; what happens
 * without the lock (an unpark on its way, a poll that has returned and not locked yet, a wake-up of
 * the pollers that nobody has seen) is state between events. So a sequence of events is an
 * interleaving of the port's threads, and a test can try every one, or very many.
 *
 * After each event the machine checks the law; see machine_check. */
#ifndef FANIN_GATE_MACHINE_H
#define FANIN_GATE_MACHINE_H

#include "base/random.h"
#include "cport/gate.h"

enum { MACHINE_WORKERS_MAX = 8, MACHINE_PACKETS_MAX = 8 };

struct machine_packet {
    struct cp_node node;
    uint64_t number; /* in the order of posting; 0: free */
};

struct machine_worker {
    struct gate_worker gate;
    bool unpark;        /* an unpark is on its way */
    bool back;          /* its poll has returned, and it has not locked yet */
    bool over;          /* runs since a blocking section or a time-out: may exceed the limit */
    uint8_t ran_before; /* while it waits: the workers that have run since before it did */
};

struct machine {
    struct gate gate;
    unsigned workers_max, packets_max;
    struct machine_worker workers[MACHINE_WORKERS_MAX];
    struct machine_packet packets[MACHINE_PACKETS_MAX];
    unsigned packets_live;
    uint64_t posted;
    bool wake_up;       /* the pollers have a wake-up that none has seen */
    const char *broken; /* the law that does not hold; NULL: all do */
};

enum machine_event_kind {
    EVENT_POST,
    EVENT_ARRIVE,       /* a worker calls cp_wait */
    EVENT_BUSY_POLL,    /* ... and polls first, since packets are queued */
    EVENT_BUSY_BACK,    /* ... and arrives after that */
    EVENT_WOKEN,        /* an unpark arrives */
    EVENT_SLEPT_ENOUGH, /* a parked worker's time runs out */
    EVENT_POLL_RETURNS,
    EVENT_POLL_BACK, /* ... and locks, reports, decides */
    EVENT_BLOCK,
    EVENT_UNBLOCK,
    EVENT_FOUND_ASLEEP, /* by the watcher */
    EVENT_FOUND_AWAKE,
    EVENT_REST, /* of the watcher */
    EVENT_LEAVE,
    EVENT_CLOSE,
    EVENT_KINDS,
};

struct machine_event {
    uint8_t kind; /* enum machine_event_kind */
    uint8_t worker;
    uint8_t max;     /* packets that its wait takes */
    uint8_t reports; /* packets that its poll found */
    bool sees;       /* its poll sees the wake-up */
    bool gives_up;   /* its time is up: it waits no longer */
};

/* What a port has. */
struct machine_shape {
    unsigned workers, packets, limit, pollers_max;
    bool watched;
};

void machine_init(struct machine *machine, const struct machine_shape *shape);

/* machine_apply: false: the event cannot happen now, and nothing has changed. */
bool machine_apply(struct machine *machine, const struct machine_event *event);

/* machine_check: sets `broken` where a law does not hold:
 * - no worker takes a packet while as many as the limit have run since before it began to wait;
 *   running <= limit but for workers that came back from blocking or a time-out;
 * - a packet goes to the newest waiter that is free for it; packets leave in order, none is lost;
 * - no packet waits while a place and a waiter are free; while a place is free, a waiter polls;
 * - with a watcher: a backlog is looked at; while nobody looks, a waiter polls beyond the limit;
 * - whoever sleeps with a packet or a task, and a poller with a grant, has a wake-up on its way;
 * - every worker of a closed port returns. */
void machine_check(struct machine *machine);

/* machine_random: tries random events until one can happen, and applies it. */
void machine_random(struct machine *machine, uint64_t *random);

/* machine_walk: this many random events on machines of every size. NULL, or the law that broke, and
 * in `*seed` what a walk has to begin with to break it at once. */
const char *machine_walk(uint64_t events, uint64_t *seed);

#endif
