/* The gate: see gate.h. */
#include "cport/gate.h"

#include <assert.h>
#include <stddef.h>

unsigned gate_queue_count(const struct gate_queue *queue)
{
    unsigned count = 0;
    for (const struct cp_node *node = queue->first; node; node = node->next)
        count++;
    return count;
}

/* ---- the stack of waiters ------------------------------------------------------------------ */

static bool on_stack(const struct gate_worker *worker)
{
    return worker->state == GATE_PARKED || worker->state == GATE_PROMOTED ||
           worker->state == GATE_POLLING || worker->state == GATE_AWAKE;
}

static void stack_push(struct gate *gate, struct gate_worker *worker)
{
    worker->newer = NULL;
    worker->older = gate->newest;
    if (gate->newest)
        gate->newest->newer = worker;
    gate->newest = worker;
}

static void stack_remove(struct gate *gate, struct gate_worker *worker)
{
    if (worker->newer)
        worker->newer->older = worker->older;
    else
        gate->newest = worker->older;
    if (worker->older)
        worker->older->newer = worker->newer;
    worker->older = worker->newer = NULL;
}

static void wake(struct gate_effects *effects, struct gate_worker *worker)
{
    worker->wake_next = effects->wake;
    effects->wake = worker;
}

/* ---- handing packets out ------------------------------------------------------------------- */

static bool place_free(const struct gate *gate)
{
    return gate->running < gate->limit;
}

/* A place that neither a running worker nor a poller occupies, nor any of `deciding` more; or the
 * spare poller's. */
static bool poll_place_free(const struct gate *gate, unsigned deciding)
{
    const unsigned polling = gate->pollers - gate->grants + deciding;
    if (gate->pollers + deciding >= gate->pollers_max)
        return false;
    if (gate->running + polling < gate->limit)
        return true;
    if (!gate->watched || gate->looking)
        return false;
    /* Over the limit, the poller of a granted packet shall come back first. */
    return gate->running + polling == gate->limit || (polling == 0 && gate->grants == 0);
}

/* The newest waiter that can still be given a packet: for each grant that has not been fetched, one
 * poller is spoken for, the newest first. */
static struct gate_worker *newest_free(const struct gate *gate)
{
    unsigned spoken_for = gate->grants;
    for (struct gate_worker *worker = gate->newest; worker; worker = worker->older) {
        if (worker->state != GATE_POLLING)
            return worker;
        if (spoken_for == 0)
            return worker;
        spoken_for--;
    }
    return NULL;
}

/* The packet may be one that was meant for a poller: packets leave in order. */
static void bind_oldest(struct gate *gate, struct gate_worker *worker)
{
    worker->bound = gate_queue_pop(&gate->granted);
    worker->state = GATE_WOKEN;
}

static void hand_over(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects)
{
    gate->running++;
    gate_queue_push(&gate->granted, gate_queue_pop(&gate->queue));
    if (worker->state == GATE_POLLING) {
        gate->grants++;
        effects->wake_poller = true;
        return;
    }
    if (worker->state == GATE_PARKED)
        wake(effects, worker);
    if (worker->state == GATE_PROMOTED)
        gate->pollers--; /* it is awake and will find the packet instead of polling */
    stack_remove(gate, worker);
    bind_oldest(gate, worker);
}

/* While a place is free a worker must poll the engine: the newest parked one is woken. A worker
 * that is awake takes a place itself; waking another would run more threads than the limit. */
static void promote(struct gate *gate, struct gate_effects *effects)
{
    unsigned deciding = 0;
    if (!poll_place_free(gate, deciding))
        return;
    for (const struct gate_worker *worker = gate->newest; worker; worker = worker->older)
        deciding += worker->state == GATE_AWAKE;
    for (struct gate_worker *worker = gate->newest; worker && poll_place_free(gate, deciding);
         worker = worker->older) {
        if (worker->state != GATE_PARKED)
            continue;
        worker->state = GATE_PROMOTED;
        gate->pollers++;
        wake(effects, worker);
    }
}

static void call_watcher(struct gate *gate, struct gate_effects *effects)
{
    if (!gate->watched || gate->looking || !gate_backlog(gate))
        return;
    gate->looking = true;
    effects->wake_watcher = true;
}

/* Restores the invariants after any event. */
static void restore_invariants(struct gate *gate, struct gate_effects *effects)
{
    struct gate_worker *worker;
    while (gate->queue.first && place_free(gate) && (worker = newest_free(gate)))
        hand_over(gate, worker, effects);
    call_watcher(gate, effects);
    promote(gate, effects);
}

/* ---- events -------------------------------------------------------------------------------- */

void gate_init(struct gate *gate, unsigned limit, unsigned pollers_max)
{
    assert(limit > 0);
    assert(pollers_max > 0);
    *gate = (struct gate){.limit = limit, .pollers_max = pollers_max};
}

void gate_arrive(struct gate *gate, struct gate_worker *worker)
{
    assert(worker->state <= GATE_ASLEEP);
    if (worker->state == GATE_RUNNING) {
        assert(gate->running > 0);
        gate->running--;
    }
    worker->state = GATE_ARRIVED;
    worker->waits++;
}

void gate_back(struct gate *gate, struct gate_worker *worker)
{
    bool polled = worker->state == GATE_POLLING;
    if (polled || worker->state == GATE_PROMOTED) {
        assert(gate->pollers > 0);
        gate->pollers--;
    }
    if (worker->state != GATE_WOKEN)
        worker->state = GATE_AWAKE;
    if (polled && gate->granted.first) {
        gate->grants--;
        stack_remove(gate, worker);
        bind_oldest(gate, worker);
    }
}

/* The next packet for a batch. Packets granted to pollers are older than queued ones and go first;
 * the place that was reserved for one becomes free. */
static struct cp_node *oldest(struct gate *gate)
{
    struct cp_node *packet = gate_queue_pop(&gate->granted);
    if (!packet)
        return gate_queue_pop(&gate->queue);
    gate->grants--;
    gate->running--;
    return packet;
}

static void take(struct gate *gate, struct gate_worker *worker, struct cp_node *first, unsigned max,
                 struct gate_queue *taken)
{
    worker->state = GATE_RUNNING;
    gate_queue_push(taken, first);
    struct cp_node *packet;
    for (unsigned count = 1; count < max && (packet = oldest(gate)); count++)
        gate_queue_push(taken, packet);
}

/* The packet that this worker is to have, if any; the worker is then counted and off the stack. It
 * may have one that was granted to a poller, which is then saved the way, but not if others run
 * over the limit since the grant: then there is a place for the poller alone. */
static struct cp_node *claim(struct gate *gate, struct gate_worker *worker)
{
    struct cp_node *packet = worker->bound;
    if (packet) {
        worker->bound = NULL;
        return packet;
    }
    if (gate->granted.first && gate->running <= gate->limit) {
        packet = gate_queue_pop(&gate->granted);
        gate->grants--;
    } else if (place_free(gate) && gate->queue.first) {
        packet = gate_queue_pop(&gate->queue);
        gate->running++;
    }
    if (packet && worker->state != GATE_ARRIVED)
        stack_remove(gate, worker);
    return packet;
}

enum gate_verdict gate_next(struct gate *gate, struct gate_worker *worker, unsigned max,
                            struct gate_queue *taken, struct gate_effects *effects)
{
    assert(worker->state == GATE_ARRIVED || worker->state == GATE_AWAKE ||
           worker->state == GATE_WOKEN);
    assert(max > 0);
    if (gate->closed && !worker->bound) {
        /* One wake-up brings back one poller; each passes it on to the next. */
        effects->wake_poller |= gate->pollers > 0;
        if (worker->state != GATE_ARRIVED)
            stack_remove(gate, worker);
        worker->state = GATE_OUTSIDE;
        return GATE_CLOSED;
    }
    struct cp_node *packet = claim(gate, worker);
    if (packet)
        take(gate, worker, packet, max, taken);
    /* Two wake-ups in a row may have woken only one poller, or this worker has seen another's. And
     * a poller need not be woken for a packet that this worker has claimed itself. */
    effects->wake_poller = gate->grants > 0;
    if (packet) {
        restore_invariants(gate, effects);
        return GATE_TAKE;
    }
    if (worker->state == GATE_ARRIVED)
        stack_push(gate, worker);
    call_watcher(gate, effects);
    if (poll_place_free(gate, 0)) {
        worker->state = GATE_POLLING;
        gate->pollers++;
        return GATE_POLL;
    }
    worker->state = GATE_PARKED;
    return GATE_PARK;
}

void gate_timeout(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects)
{
    assert(worker->state == GATE_PARKED || worker->state == GATE_POLLING);
    if (worker->state == GATE_POLLING)
        gate->pollers--;
    stack_remove(gate, worker);
    worker->state = GATE_RUNNING;
    gate->running++;
    restore_invariants(gate, effects);
}

void gate_post(struct gate *gate, struct cp_node *packet, struct gate_effects *effects)
{
    assert(!gate->closed);
    gate_queue_push(&gate->queue, packet);
    restore_invariants(gate, effects);
}

static void give_place_away(struct gate *gate, struct gate_worker *worker,
                            struct gate_effects *effects)
{
    assert(worker->state == GATE_RUNNING);
    assert(gate->running > 0);
    gate->running--;
    restore_invariants(gate, effects);
}

void gate_block(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects)
{
    if (worker->state != GATE_ASLEEP)
        give_place_away(gate, worker, effects);
    worker->state = GATE_BLOCKED;
}

void gate_unblock(struct gate *gate, struct gate_worker *worker)
{
    assert(worker->state == GATE_BLOCKED || worker->state == GATE_ASLEEP);
    worker->state = GATE_RUNNING;
    gate->running++;
}

/* ---- the watcher --------------------------------------------------------------------------- */

void gate_watch(struct gate *gate)
{
    gate->watched = true;
}

bool gate_backlog(const struct gate *gate)
{
    return gate->queue.first && !place_free(gate) && newest_free(gate);
}

bool gate_unpolled(const struct gate *gate)
{
    return !place_free(gate) && gate->newest && gate->pollers == 0;
}

void gate_found_asleep(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects)
{
    assert(gate->looking);
    give_place_away(gate, worker, effects);
    worker->state = GATE_ASLEEP;
}

void gate_rest(struct gate *gate, struct gate_effects *effects)
{
    assert(gate->looking);
    gate->looking = false;
    restore_invariants(gate, effects);
}

/* ---- leaving and closing ------------------------------------------------------------------- */

void gate_leave(struct gate *gate, struct gate_worker *worker, struct gate_effects *effects)
{
    assert(!on_stack(worker));
    if (worker->state == GATE_RUNNING)
        give_place_away(gate, worker, effects);
    worker->state = GATE_OUTSIDE;
}

void gate_close(struct gate *gate, struct gate_queue *dropped, struct gate_effects *effects)
{
    gate->closed = true;
    for (struct cp_node *packet;
         (packet = gate_queue_pop(&gate->granted)) || (packet = gate_queue_pop(&gate->queue));)
        gate_queue_push(dropped, packet);
    gate->running -= gate->grants;
    gate->grants = 0;
    effects->wake_poller |= gate->pollers > 0;
    effects->wake_watcher |= gate->watched;
    for (struct gate_worker *worker = gate->newest; worker; worker = worker->older) {
        if (worker->state != GATE_PARKED)
            continue;
        worker->state = GATE_PROMOTED;
        gate->pollers++;
        wake(effects, worker);
    }
}

void gate_check(const struct gate *gate)
{
    unsigned pollers = 0, waiters = 0;
    bool deciding = false; /* a worker that is AWAKE holds the lock and decides next */
    for (const struct gate_worker *worker = gate->newest; worker; worker = worker->older) {
        assert(on_stack(worker));
        assert(!worker->bound);
        assert(!worker->older || worker->older->newer == worker);
        pollers += worker->state == GATE_POLLING || worker->state == GATE_PROMOTED;
        deciding |= worker->state == GATE_AWAKE;
        waiters++;
    }
    assert(pollers == gate->pollers);
    assert(gate->grants <= gate->pollers);
    assert(!gate->queue.first == !gate->queue.last);
    if (!deciding && !gate->closed && waiters > gate->grants)
        assert(!gate->queue.first || gate->running >= gate->limit);
}
