/* Submitters: threads that submit, cancel, close and post, and never wait. */
#include "cport/tests/stress/stress.h"

enum { RECENT_ENDS = 48 };

/* One of the newer ends, open or not; NULL: there is none. */
static struct end *random_end(struct stress *stress, struct rng *rng)
{
    unsigned count = atomic_load(&stress->end_count);
    if (count == 0)
        return NULL;
    unsigned recent = count < RECENT_ENDS ? count : RECENT_ENDS;
    return end_at(stress, count - 1 - rng_below(rng, recent));
}

static void open_one(struct submitter *submitter, struct side *side)
{
    struct stress *stress = submitter->stress;
    if (atomic_load(&stress->live) >= stress->mix.lines_max)
        return;
    unsigned roll = rng_below(&submitter->rng, 100);
    side_connect(side,
                 roll < 6    ? GOAL_NOBODY
                 : roll < 16 ? GOAL_FULL
                             : GOAL_LINE,
                 &submitter->rng, false);
}

static void post_some(struct submitter *submitter, struct side *side)
{
    for (size_t left = rng_size(&submitter->rng, 6); left > 0; left--) {
        uint64_t number = ++submitter->posted[side->index];
        if (rng_chance(&submitter->rng, 30))
            side_post_key(side, submitter->index, number);
        else if (!side_post(side, OP_POST, submitter->index, number))
            return;
    }
}

/* Timers and datagrams. */
static void use_side(struct submitter *submitter, struct side *side)
{
    unsigned roll = rng_below(&submitter->rng, 100);
    if (roll < 40)
        side_timer(side, &submitter->rng);
    else if (roll < 55)
        side_timer_cancel(side);
    else if (roll < 60)
        mailbox_cancel(side);
    else
        mailbox_use(side, roll < 80 ? OP_SEND_TO : OP_RECEIVE_FROM);
}

/* Posts as many packets as workers may run at once. No handler returns before all of them run. */
static void call_meeting(struct submitter *submitter, struct side *side)
{
    struct meeting *meeting = &side->meeting;
    if (atomic_exchange(&meeting->called, true))
        return;
    unsigned expected = side->limit < side->workers ? side->limit : side->workers;
    atomic_store(&meeting->gone, 0);
    atomic_store(&meeting->here, 0);
    atomic_store(&meeting->expected, expected);
    for (unsigned index = 0; index < expected; index++) {
        uint64_t number = ++submitter->posted[side->index];
        if (!side_post(side, OP_MEET, submitter->index, number))
            return;
    }
    LAW_SOON(atomic_load(&meeting->gone) >= expected || atomic_load(&side->closing),
             "a meeting of %u was left by %u; workers %u, limit %u", expected,
             atomic_load(&meeting->gone), side->workers, side->limit);
    if (atomic_load(&side->closing))
        return;
    count(&tally.meetings);
    atomic_store(&meeting->called, false);
}

/* Does something to an end: more work, a cancel, misuse or a close. */
static void meddle(struct submitter *submitter, struct end *end)
{
    struct mix *mix = &submitter->stress->mix;
    struct rng *rng = &submitter->rng;
    if (rng_chance(rng, mix->closing) && end->goal != GOAL_LISTEN) {
        end_close(end, rng_chance(rng, 50) ? CLOSE_RESET : CLOSE_AT_ONCE);
        return;
    }
    pthread_rwlock_rdlock(&end->life);
    if (rng_chance(rng, mix->cancelling))
        end_cancel_one(end, rng_chance(rng, 60) ? &end->in : &end->out);
    else if (rng_chance(rng, mix->cancelling / 4))
        end_cancel_all(end);
    else if (rng_chance(rng, mix->misuses))
        end_misuse(end, rng);
    else if (end == end->side->listener)
        end_accept(end);
    else if (rng_chance(rng, 50))
        end_receive(end, random_receive(rng), RECEIVES_MAX);
    else
        end_send(end);
    pthread_rwlock_unlock(&end->life);
}

static void submitter_move(struct submitter *submitter)
{
    struct stress *stress = submitter->stress;
    struct mix *mix = &stress->mix;
    struct rng *rng = &submitter->rng;
    struct side *side = &stress->sides[rng_below(rng, SIDES)];
    struct end *end = random_end(stress, rng);
    if (rng_chance(rng, 25))
        open_one(submitter, side);
    else if (rng_chance(rng, mix->posting))
        post_some(submitter, side);
    else if (rng_chance(rng, 25))
        use_side(submitter, side);
    else if (rng_chance(rng, 5))
        call_meeting(submitter, side);
    else if (end)
        meddle(submitter, end);
    if (mix->pause_us > 0 && rng_chance(rng, 30))
        os_sleep_ns(rng_below(rng, mix->pause_us) * UINT64_C(1000));
}

void *submitter_run(void *argument)
{
    struct submitter *submitter = argument;
    struct stress *stress = submitter->stress;
    /* Blocking sections have no effect outside workers. */
    cp_block_begin(stress->sides[0].port);
    while (submitter->moves-- > 0 && !atomic_load(&stress->draining)) {
        AWAIT(!stress->mix.quiet ||
              atomic_load(&stress->reliefs) == 0); /* it might hide a lost one */
        submitter_move(submitter);
    }
    cp_block_end(stress->sides[0].port);
    return NULL;
}
