/* Workers: wait, handle, block, look in on the other port, end and leave an heir. Each checks at
 * every packet that it was allowed to run. */
#ifndef FANIN_TRIAL_WORKER_H
#define FANIN_TRIAL_WORKER_H

#include "cport/tests/stress/outcome.h"

enum { BATCH_MAX = 32 };

/* ---- who runs ------------------------------------------------------------------------------ */

static uint64_t moment(struct trial *trial)
{
    return atomic_fetch_add(&trial->moment, 1) + 1;
}

static void runs_from_now(struct worker *worker, struct side *side)
{
    atomic_store(&worker->running, moment(worker->trial) << 1 | side->index);
}

/* The worker has been given packets by a wait that began at `began`. Those that have run since
 * before then ran while it was let in, also those over the limit after blocking or a time-out:
 * with it they may not be more than the limit. */
static void limit_check(const struct worker *worker, struct side *side, uint64_t began)
{
    struct trial *trial = worker->trial;
    unsigned run = 1;
    for (unsigned home = 0; home < SIDES; home++)
        for (unsigned index = 0; index < trial->sides[home].workers; index++) {
            uint64_t since = atomic_load(&trial->workers[home][index].running);
            run += since != 0 && (since & 1) == side->index && since >> 1 < began;
        }
    LAW(!side->gate_is_ours || run <= side->limit, "%u workers run, the limit is %u", run,
        side->limit);
}

/* ---- posts --------------------------------------------------------------------------------- */

/* Packets leave in the order they were queued, so no worker sees an earlier post of the same
 * thread after a later one. */
static void post_over(struct worker *worker, struct deed *deed, int64_t result)
{
    struct side *side = deed->side;
    uint64_t *last = &worker->last[side->index][deed->poster];
    LAW(result == deed->result, "a post's number has changed");
    if (deed->kind == DEED_RELIEF) {
        atomic_store(&side->meeting.relieved, true);
    } else {
        LAW(deed->number > *last, "post %" PRIu64 " came after post %" PRIu64, deed->number, *last);
        *last = deed->number;
    }
    pthread_mutex_lock(&side->posts.lock);
    deed->done = true;
    side->posts.in_flight--;
    way_remove(&side->posts, deed);
    deed_retire(&side->posts, deed);
    pthread_mutex_unlock(&side->posts.lock);
}

static bool meeting_is_over(void *context)
{
    struct side *side = context;
    struct meeting *meeting = &side->meeting;
    return atomic_load(&meeting->here) >= atomic_load(&meeting->expected) ||
           atomic_load(&side->closing);
}

/* `count` of the meeting's packets were in one batch. */
static void meet(struct side *side, unsigned count)
{
    struct meeting *meeting = &side->meeting;
    unsigned here = atomic_fetch_add(&meeting->here, count) + count;
    LAW(comes_true(meeting_is_over, side),
        "only %u packets of %u were handled at once; workers %u, limit %u", here,
        atomic_load(&meeting->expected), side->workers, side->limit);
    atomic_fetch_add(&meeting->gone, count);
}

/* ---- places given away --------------------------------------------------------------------- */

/* Something that needs the place which the worker is about to give away: a packet that waits, or a
 * time limit that somebody has to hear of from the engine. False: not now. */
static bool relief_call(struct side *side, struct dice *dice)
{
    if (side->workers < 2 || atomic_exchange(&side->meeting.called, true))
        return false;
    atomic_store(&side->meeting.relieved, false);
    atomic_fetch_add(&side->trial->reliefs, 1);
    if (dice_chance(dice, 50) ? side_post(side, post_new(side, DEED_RELIEF, 0, 0))
                              : side_connect(side, GOAL_FULL, dice, true))
        return true;
    atomic_fetch_sub(&side->trial->reliefs, 1);
    atomic_store(&side->meeting.called, false);
    return false;
}

static bool is_relieved(void *context)
{
    struct side *side = context;
    return atomic_load(&side->meeting.relieved) || atomic_load(&side->closing);
}

static void relief_await(struct side *side, const char *how)
{
    LAW(comes_true(is_relieved, side), "nobody took the place of a worker that %s", how);
    atomic_fetch_sub(&side->trial->reliefs, 1);
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
        struct deed *deed = deed_delivered(&packets[index], side);
        if (deed->end) {
            outcome(deed, &packets[index]);
            continue;
        }
        meetings += deed->kind == DEED_MEET;
        post_over(worker, deed, packets[index].result);
    }
    if (meetings > 0)
        meet(side, meetings);
}

static int wait_checked(struct worker *worker, struct side *side, uint64_t timeout_ns)
{
    struct cp_packet packets[BATCH_MAX];
    unsigned max = dice_between(&worker->dice, 1, side->batch);
    atomic_store(&worker->running, 0);
    uint64_t began = moment(worker->trial);
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
    bool relieved = dice_chance(&worker->dice, 20) && relief_call(side, &worker->dice);
    atomic_store(&worker->running, 0);
    cp_block_begin(side->port);
    if (relieved)
        relief_await(side, "blocks");
    else if (dice_chance(&worker->dice, 50))
        os_sleep_ns(dice_below(&worker->dice, 200000));
    cp_block_end(side->port);
    runs_from_now(worker, side);
    count(&tally.blocks);
}

static void hop(struct worker *worker, struct side *home)
{
    struct dice *dice = &worker->dice;
    struct side *away = other_side(home);
    uint64_t timeout_ns = dice_chance(dice, 50) ? 0 : dice_below(dice, 1000000);
    bool relieved = dice_chance(dice, 50) && relief_call(home, dice);
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
    if (!dice_chance(&worker->dice, worker->trial->temper.polling))
        return CP_FOREVER;
    return dice_chance(&worker->dice, 50) ? 0 : dice_below(&worker->dice, 3000000);
}

static void *worker_run(void *argument);

/* The thread ends, which gives its place back; another takes over. */
static void leave_to_heir(struct worker *worker, struct side *home)
{
    worker->is_relieved = dice_chance(&worker->dice, 50) && relief_call(home, &worker->dice);
    atomic_store(&worker->running, 0);
    worker->before = pthread_self();
    worker->is_heir = true;
    int code = os_thread_start(&worker->thread, OS_ROLE_WORKER, 0, worker_run, worker);
    LAW(code == 0, "no thread for the test itself");
    count(&tally.heirs);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    struct trial *trial = worker->trial;
    struct side *home = &trial->sides[worker->home];
    struct temper *temper = &trial->temper;
    if (worker->is_heir)
        pthread_join(worker->before, NULL);
    if (worker->is_heir && worker->is_relieved)
        relief_await(home, "has ended");
    memset(worker->last, 0, sizeof worker->last);
    while (wait_checked(worker, home, random_timeout(worker)) >= 0) {
        struct dice *dice = &worker->dice;
        if (dice_chance(dice, temper->blocking))
            block(worker, home);
        if (dice_chance(dice, temper->hopping))
            hop(worker, home);
        if (dice_chance(dice, temper->quitting)) {
            leave_to_heir(worker, home);
            return NULL;
        }
    }
    atomic_store(&worker->ended, true);
    return NULL;
}

static bool worker_has_ended(void *context)
{
    return atomic_load(&((struct worker *)context)->ended);
}

#endif
