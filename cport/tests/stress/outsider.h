/* Outsiders: threads that submit, cancel, close and post, and never wait. */
#ifndef FANIN_TRIAL_OUTSIDER_H
#define FANIN_TRIAL_OUTSIDER_H

#include "cport/tests/stress/worker.h"

enum { RECENT_ENDS = 48 };

/* One of the newer ends, open or not; NULL: there is none. */
static struct end *random_end(struct trial *trial, struct dice *dice)
{
    unsigned count = atomic_load(&trial->end_count);
    if (count == 0)
        return NULL;
    unsigned recent = count < RECENT_ENDS ? count : RECENT_ENDS;
    return atomic_load(&trial->ends[count - 1 - dice_below(dice, recent)]);
}

static void open_one(struct outsider *outsider, struct side *side)
{
    struct trial *trial = outsider->trial;
    if (atomic_load(&trial->live) >= trial->temper.lines_max)
        return;
    unsigned roll = dice_below(&outsider->dice, 100);
    side_connect(side,
                 roll < 6    ? GOAL_NOBODY
                 : roll < 16 ? GOAL_FULL
                             : GOAL_LINE,
                 &outsider->dice, false);
}

static void post_some(struct outsider *outsider, struct side *side)
{
    for (size_t left = dice_size(&outsider->dice, 6); left > 0; left--) {
        uint64_t number = ++outsider->posted[side->index];
        if (!side_post(side, post_new(side, DEED_POST, outsider->index, number)))
            return;
    }
}

static bool everybody_left(void *context)
{
    struct side *side = context;
    return atomic_load(&side->meeting.gone) >= atomic_load(&side->meeting.expected) ||
           atomic_load(&side->closing);
}

/* As many packets as workers may run at once: none of them is done before all of them run. */
static void call_meeting(struct outsider *outsider, struct side *side)
{
    struct meeting *meeting = &side->meeting;
    if (atomic_exchange(&meeting->called, true))
        return;
    unsigned expected = side->limit < side->workers ? side->limit : side->workers;
    atomic_store(&meeting->gone, 0);
    atomic_store(&meeting->here, 0);
    atomic_store(&meeting->expected, expected);
    for (unsigned index = 0; index < expected; index++) {
        uint64_t number = ++outsider->posted[side->index];
        if (!side_post(side, post_new(side, DEED_MEET, outsider->index, number)))
            return;
    }
    LAW(comes_true(everybody_left, side), "a meeting of %u was left by %u; workers %u, limit %u",
        expected, atomic_load(&meeting->gone), side->workers, side->limit);
    if (atomic_load(&side->closing))
        return;
    count(&tally.meetings);
    atomic_store(&meeting->called, false);
}

/* Something to an end: more work, a cancel, misuse or its close. */
static void meddle(struct outsider *outsider, struct end *end)
{
    struct temper *temper = &outsider->trial->temper;
    struct dice *dice = &outsider->dice;
    if (dice_chance(dice, temper->closing) && end->goal != GOAL_LISTEN) {
        end_close(end, dice_chance(dice, 50) ? CLOSE_RESET : CLOSE_AT_ONCE);
        return;
    }
    pthread_rwlock_rdlock(&end->life);
    if (dice_chance(dice, temper->cancelling))
        end_cancel_one(end, dice_chance(dice, 60) ? &end->in : &end->out);
    else if (dice_chance(dice, temper->cancelling / 4))
        end_cancel_all(end);
    else if (dice_chance(dice, temper->misfits))
        end_misuse(end, dice);
    else if (end == end->side->listener)
        end_accept(end);
    else if (dice_chance(dice, 50))
        end_receive(end, random_receive(dice), RECEIVES_MAX);
    else
        end_send(end);
    pthread_rwlock_unlock(&end->life);
}

static void outsider_move(struct outsider *outsider)
{
    struct trial *trial = outsider->trial;
    struct temper *temper = &trial->temper;
    struct dice *dice = &outsider->dice;
    struct side *side = &trial->sides[dice_below(dice, SIDES)];
    struct end *end = random_end(trial, dice);
    if (dice_chance(dice, 25))
        open_one(outsider, side);
    else if (dice_chance(dice, temper->posting))
        post_some(outsider, side);
    else if (dice_chance(dice, 5))
        call_meeting(outsider, side);
    else if (end)
        meddle(outsider, end);
    if (temper->pause_us > 0 && dice_chance(dice, 30))
        os_sleep_ns(dice_below(dice, temper->pause_us) * UINT64_C(1000));
}

/* Whatever else happens on a port makes up for a wake-up that is lost. */
static bool nobody_waits_for_relief(void *context)
{
    struct trial *trial = context;
    return !trial->temper.hush || atomic_load(&trial->reliefs) == 0;
}

static void *outsider_run(void *argument)
{
    struct outsider *outsider = argument;
    struct trial *trial = outsider->trial;
    /* A section that blocks is a worker's affair: from here it has no effect. */
    cp_block_begin(trial->sides[0].port);
    while (outsider->moves-- > 0 && !atomic_load(&trial->draining)) {
        comes_true(nobody_waits_for_relief, trial);
        outsider_move(outsider);
    }
    cp_block_end(trial->sides[0].port);
    return NULL;
}

#endif
