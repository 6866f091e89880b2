/* Workers: they wait, handle packets, block, wait on the other port, and end and leave a successor.
 * Each checks at every packet that it was allowed to run. */
#include "cport/tests/stress/stress.h"

/* ---- the limit ----------------------------------------------------------------------------- */

static uint64_t moment(struct stress *stress)
{
    return atomic_fetch_add(&stress->moment, 1) + 1;
}

static void runs_from_now(struct worker *worker, struct side *side)
{
    atomic_store(&worker->running, moment(worker->home->stress) << 1 | side->index);
}

/* A wait that began at `began` has given the worker packets. Workers that have run since before
 * `began` were running at that moment, including those over the limit after blocking or a time-out.
 * With this one they may not exceed the limit. */
static void limit_check(const struct worker *worker, struct side *side, uint64_t began)
{
    struct stress *stress = side->stress;
    unsigned run = 1;
    for (unsigned home = 0; home < SIDES; home++)
        for (unsigned index = 0; index < stress->sides[home].workers; index++) {
            uint64_t since = atomic_load(&stress->workers[home][index].running);
            run += since != 0 && (since & 1) == side->index && since >> 1 < began;
        }
    LAW(!side->gate_is_ours || run <= side->limit, "%u workers run, the limit is %u", run,
        side->limit);
}

/* ---- posts --------------------------------------------------------------------------------- */

/* Packets leave in the order they were queued, so no worker sees an earlier post of the same
 * thread after a later one. */
static void post_over(struct worker *worker, struct tracked_op *tracked, int64_t result)
{
    struct side *side = tracked->side;
    uint64_t *last = &worker->last[side->index][tracked->poster];
    LAW(tracked->kind == OP_TIMER || result == tracked->result, "a post's number has changed");
    if (tracked->kind == OP_TIMER) {
        timer_over(tracked, result);
    } else if (tracked->kind == OP_RELIEF) {
        atomic_store(&side->meeting.relieved, true);
    } else {
        LAW(tracked->number > *last, "post %" PRIu64 " came after post %" PRIu64, tracked->number,
            *last);
        *last = tracked->number;
    }
    pthread_mutex_lock(&side->posts.lock);
    tracked->done = true;
    side->posts.in_flight--;
    list_remove(&tracked->in_way);
    tracked_op_retire(&side->posts, tracked);
    pthread_mutex_unlock(&side->posts.lock);
}

/* One batch had `count` of the meeting's packets. */
static void meet(struct side *side, unsigned count)
{
    struct meeting *meeting = &side->meeting;
    unsigned here = atomic_fetch_add(&meeting->here, count) + count;
    LAW_SOON(atomic_load(&meeting->here) >= atomic_load(&meeting->expected) ||
                 atomic_load(&side->closing),
             "only %u packets of %u were handled at once; workers %u, limit %u", here,
             atomic_load(&meeting->expected), side->workers, side->limit);
    atomic_fetch_add(&meeting->gone, count);
}

/* ---- freed places -------------------------------------------------------------------------- */

/* Creates work for the place that the worker is about to free: a queued packet, or a time limit
 * that another worker must learn of by polling. False: not now. */
static bool relief_call(struct side *side, struct rng *rng)
{
    if (side->workers < 2 || atomic_exchange(&side->meeting.called, true))
        return false;
    atomic_store(&side->meeting.relieved, false);
    atomic_fetch_add(&side->stress->reliefs, 1);
    if (rng_chance(rng, 50) ? side_post(side, OP_RELIEF, 0, 0)
                            : side_connect(side, GOAL_FULL, rng, true))
        return true;
    atomic_fetch_sub(&side->stress->reliefs, 1);
    atomic_store(&side->meeting.called, false);
    return false;
}

static void relief_await(struct side *side, const char *how)
{
    LAW_SOON(atomic_load(&side->meeting.relieved) || atomic_load(&side->closing),
             "no worker took the place of one that %s", how);
    atomic_fetch_sub(&side->stress->reliefs, 1);
    if (atomic_load(&side->closing))
        return;
    count(&tally.reliefs);
    atomic_store(&side->meeting.called, false);
}

/* ---- a worker's life ----------------------------------------------------------------------- */

static void handle(struct worker *worker, struct side *side, const struct cp_packet *packets,
                   unsigned packet_count)
{
    unsigned meetings = 0;
    for (unsigned index = 0; index < packet_count; index++) {
        if (!packets[index].op) {
            key_over(worker, side, &packets[index]);
            continue;
        }
        struct tracked_op *tracked = tracked_op_delivered(&packets[index], side);
        if (tracked->kind == OP_RECEIVE_FROM || tracked->kind == OP_SEND_TO) {
            datagram_over(tracked, packets[index].result);
            continue;
        }
        if (tracked->end) {
            end_result(tracked, &packets[index]);
            continue;
        }
        meetings += tracked->kind == OP_MEET;
        post_over(worker, tracked, packets[index].result);
    }
    if (meetings > 0)
        meet(side, meetings);
}

static int wait_checked(struct worker *worker, struct side *side, uint64_t timeout_ns)
{
    struct cp_packet packets[BATCH_MAX];
    unsigned max = rng_between(&worker->rng, 1, side->batch);
    atomic_store(&worker->running, 0);
    uint64_t began = moment(worker->home->stress);
    bool was_closed = atomic_load(&side->closed);
    is_waiting = true;
    int got = cp_wait(side->port, packets, max, timeout_ns);
    is_waiting = false;
    LAW(got == CP_ECLOSED || (got >= 0 && (unsigned)got <= max), "cp_wait returned %d of %u", got,
        max);
    LAW(got == CP_ECLOSED || !was_closed, "a closed port returned %d from cp_wait", got);
    LAW(got != CP_ECLOSED || atomic_load(&side->closing), "cp_wait said an open port is closed");
    LAW(got != 0 || timeout_ns != CP_FOREVER, "a wait for ever has timed out");
    if (got == CP_ECLOSED)
        return got;
    runs_from_now(worker, side);
    if (got > 0)
        limit_check(worker, side, began);
    handle(worker, side, packets, (unsigned)got);
    return got;
}

static void block(struct worker *worker, struct side *side)
{
    bool relieved = rng_chance(&worker->rng, 20) && relief_call(side, &worker->rng);
    atomic_store(&worker->running, 0);
    cp_block_begin(side->port);
    if (relieved)
        relief_await(side, "blocks");
    else if (rng_chance(&worker->rng, 50))
        os_sleep_ns(rng_below(&worker->rng, 200000));
    cp_block_end(side->port);
    runs_from_now(worker, side);
    count(&tally.blocks);
}

static void hop(struct worker *worker, struct side *home)
{
    struct rng *rng = &worker->rng;
    struct side *away = other_side(home);
    uint64_t timeout_ns = rng_chance(rng, 50) ? 0 : rng_below(rng, 1000000);
    bool relieved = rng_chance(rng, 50) && relief_call(home, rng);
    wait_checked(worker, away, timeout_ns);
    if (relieved) {
        atomic_store(&worker->running, 0);
        cp_block_begin(away->port);
        relief_await(home, "waits on another port");
        cp_block_end(away->port);
        runs_from_now(worker, away);
    }
    count(&tally.hops);
}

static uint64_t random_timeout(struct worker *worker)
{
    if (!rng_chance(&worker->rng, worker->home->stress->mix.polling))
        return CP_FOREVER;
    return rng_chance(&worker->rng, 50) ? 0 : rng_below(&worker->rng, 3000000);
}

/* The thread ends, which frees its place; another one continues. */
static void leave_to_successor(struct worker *worker, struct side *home)
{
    worker->is_relieved = rng_chance(&worker->rng, 50) && relief_call(home, &worker->rng);
    atomic_store(&worker->running, 0);
    worker->before = pthread_self();
    worker->is_successor = true;
    thread_start(&worker->thread, OS_ROLE_WORKER, worker_run, worker);
    count(&tally.successors);
}

void *worker_run(void *argument)
{
    struct worker *worker = argument;
    struct side *home = worker->home;
    struct mix *mix = &home->stress->mix;
    if (worker->is_successor)
        pthread_join(worker->before, NULL);
    if (worker->is_successor && worker->is_relieved)
        relief_await(home, "has ended");
    memset(worker->last, 0, sizeof worker->last);
    while (wait_checked(worker, home, random_timeout(worker)) >= 0) {
        struct rng *rng = &worker->rng;
        if (rng_chance(rng, mix->blocking))
            block(worker, home);
        if (rng_chance(rng, mix->hopping))
            hop(worker, home);
        if (rng_chance(rng, mix->quitting)) {
            leave_to_successor(worker, home);
            return NULL;
        }
    }
    atomic_store(&worker->ended, true);
    return NULL;
}
