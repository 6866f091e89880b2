/* A stage for the gate: workers and packets as records; "waking" a worker is letting it take its
 * next step. */
#ifndef FANIN_TESTS_GATE_STAGE_H
#define FANIN_TESTS_GATE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cport/gate.h"

enum {
    WORKERS = 8,
    PACKETS = 64,
    BATCH_MAX = 16,
    NOTHING = 0,
    TIMEOUT = -1,
    CLOSED = -2,
    WAITING = -3
};

struct packet {
    struct cp_node node;
    int number;
};

static struct gate gate;
static struct gate_worker workers[WORKERS];
static struct packet packets[PACKETS];
static int has[WORKERS];       /* the first packet's number, or one of the words above */
static int has_count[WORKERS]; /* how many packets it got at once */
static unsigned batch;         /* what every wait asks for */

enum { A, B, C, D };

static inline void start_with(unsigned limit, unsigned pollers_max)
{
    gate_init(&gate, limit, pollers_max);
    memset(workers, 0, sizeof workers);
    memset(has, 0, sizeof has);
    batch = 1;
}

static inline void start(unsigned limit)
{
    start_with(limit, WORKERS);
}

static inline void step(int who, struct gate_effects *effects)
{
    struct gate_queue taken = {0};
    has[who] = WAITING;
    has_count[who] = 0;
    enum gate_verdict verdict = gate_next(&gate, &workers[who], batch, &taken, effects);
    if (verdict == GATE_CLOSED)
        has[who] = CLOSED;
    for (struct cp_node *node; (node = gate_queue_pop(&taken));) {
        if (has_count[who]++ == 0)
            has[who] = ((struct packet *)node)->number;
    }
    assert_true((verdict == GATE_TAKE) == (has_count[who] > 0));
}

/* The kernel wakes the poller that came last. */
static struct gate_worker *newest_poller(void)
{
    struct gate_worker *worker = gate.newest;
    while (worker && worker->state != GATE_POLLING)
        worker = worker->older;
    return worker;
}

static inline void carry_out(struct gate_effects effects)
{
    while (effects.wake || effects.wake_poller) {
        struct gate_worker *worker = effects.wake;
        if (worker) {
            effects.wake = worker->wake_next;
        } else {
            effects.wake_poller = false;
            worker = newest_poller();
        }
        if (!worker)
            continue;
        gate_back(&gate, worker);
        step((int)(worker - workers), &effects);
    }
    gate_check(&gate);
}

static inline void get(int who)
{
    struct gate_effects effects = {0};
    gate_arrive(&gate, &workers[who]);
    step(who, &effects);
    carry_out(effects);
}

static inline void get_at_once(int who)
{
    struct gate_effects effects = {0};
    gate_arrive(&gate, &workers[who]);
    step(who, &effects);
    if (has[who] == WAITING) {
        gate_timeout(&gate, &workers[who], &effects);
        has[who] = TIMEOUT;
    }
    carry_out(effects);
}

static inline void time_out(int who)
{
    struct gate_effects effects = {0};
    gate_timeout(&gate, &workers[who], &effects);
    has[who] = TIMEOUT;
    carry_out(effects);
}

static inline void post(int number)
{
    struct gate_effects effects = {0};
    packets[number].number = number;
    gate_post(&gate, &packets[number].node, &effects);
    carry_out(effects);
}

static inline void block(int who)
{
    struct gate_effects effects = {0};
    gate_block(&gate, &workers[who], &effects);
    carry_out(effects);
}

static inline void resume(int who)
{
    gate_unblock(&gate, &workers[who]);
    gate_check(&gate);
}

static inline void leave(int who)
{
    struct gate_effects effects = {0};
    gate_leave(&gate, &workers[who], &effects);
    carry_out(effects);
}

static inline int queued(void)
{
    int count = 0;
    for (struct cp_node *node = gate.queue.first; node; node = node->next)
        count++;
    return count;
}

#endif
