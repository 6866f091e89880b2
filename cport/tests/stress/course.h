/* The course of a trial, from its seed to its last byte. */
#ifndef FANIN_TRIAL_COURSE_H
#define FANIN_TRIAL_COURSE_H

#include "cport/tests/stress/outsider.h"

/* ---- beginning ----------------------------------------------------------------------------- */

/* Some trials are crowds, some are calm: a wake-up that is lost shows only where no other packet
 * comes to the rescue. */
static struct temper random_temper(struct dice *dice)
{
    bool calm = dice_chance(dice, 30), plain = dice_chance(dice, 25);
    return (struct temper){
        .hush = calm || dice_chance(dice, 20),
        .lines_max = calm ? dice_below(dice, 4) : dice_between(dice, 4, 40),
        .moves = calm ? dice_between(dice, 10, 60) : dice_between(dice, 50, 500),
        .pause_us = calm ? 3000 : dice_below(dice, 2) * 300,
        .send_bits = dice_between(dice, 6, RUN_BITS - 1),
        .blocking = plain ? 0 : dice_below(dice, 30),
        .hopping = plain ? 0 : dice_below(dice, 2) * 4,
        .quitting = plain ? 0 : dice_below(dice, 2) * 2,
        .polling = plain ? 0 : dice_below(dice, 2) * 20,
        .cancelling = plain ? 0 : dice_below(dice, 12),
        .closing = plain ? 0 : dice_below(dice, 6),
        .posting = dice_between(dice, 5, 60),
        .misfits = 5,
    };
}

static struct end *listen_at(struct side *side, int backlog, struct net_address *address,
                             struct dice *dice)
{
    char unread[64];
    struct net_address any;
    struct end *end = end_new(side, GOAL_LISTEN, false, dice);
    LAW(net_resolve("127.0.0.1", 0, &any, unread, sizeof unread) == 0, "no address 127.0.0.1");
    int code = cp_socket_open(side->port, net_family(&any), (uintptr_t)end, &end->socket);
    LAW(code == 0, "no socket: %s", cp_error_name(code));
    code = cp_listen(end->socket, net_sockaddr(&any), any.bytes, backlog);
    LAW(code == 0, "no listener on 127.0.0.1: %s", cp_error_name(code));
    *address = listener_address(end->socket);
    return end;
}

static void side_open(struct trial *trial, unsigned index)
{
    char why[256];
    struct dice *dice = &trial->dice;
    struct side *side = &trial->sides[index];
    side->trial = trial;
    side->index = index;
    pthread_rwlock_init(&side->handles, NULL);
    side->workers = dice_between(dice, 1, WORKERS_MAX);
    side->batch = (unsigned)dice_size(dice, 5);
    if (side->batch > BATCH_MAX)
        side->batch = BATCH_MAX;
    struct cp_config config = {running.engine, dice_between(dice, 1, 6)};
    LAW(cp_open(&config, &side->port, why, sizeof why) == 0, "no port: %s", why);
    side->limit = cp_concurrency(side->port);
    LAW(side->limit == config.concurrency, "the limit is %u, not %u", side->limit,
        config.concurrency);
    side->gate_is_ours = strcmp(cp_gate_name(side->port), "user") == 0;
    way_init(&side->posts, dice);
    for (unsigned each = 0; each < side->workers; each++)
        trial->workers[index][each] =
            (struct worker){.trial = trial, .home = index, .dice = dice_child(dice)};
    side->listener = listen_at(side, 64, &side->address, dice);
    side->full = listen_at(side, 1, &side->full_address, dice);
}

static void side_start(struct side *side)
{
    struct trial *trial = side->trial;
    for (unsigned index = 0; index < side->workers; index++) {
        struct worker *worker = &trial->workers[side->index][index];
        int code = os_thread_start(&worker->thread, OS_ROLE_WORKER, 0, worker_run, worker);
        LAW(code == 0, "no thread for the test itself");
    }
    pthread_rwlock_rdlock(&side->listener->life);
    for (unsigned accepts = 1 + dice_below(&trial->dice, RECEIVES_MAX); accepts > 0; accepts--)
        end_accept(side->listener);
    pthread_rwlock_unlock(&side->listener->life);
}

/* An address where nobody listens: of a listener that is gone. (If a stranger has taken it since,
 * a connect may succeed, which is well.) */
static void find_nobody(struct trial *trial)
{
    struct end *end = listen_at(&trial->sides[0], 1, &trial->nobody, &trial->dice);
    end_close(end, CLOSE_AT_ONCE);
}

static void outsiders_start(struct trial *trial)
{
    trial->outsider_count = dice_between(&trial->dice, 1, OUTSIDERS_MAX);
    for (unsigned index = 0; index < trial->outsider_count; index++) {
        struct outsider *outsider = &trial->outsiders[index];
        outsider->trial = trial;
        outsider->index = index;
        outsider->moves = trial->temper.moves;
        outsider->dice = dice_child(&trial->dice);
        int code = os_thread_start(&outsider->thread, "fanin-outsider", 0, outsider_run, outsider);
        LAW(code == 0, "no thread for the test itself");
    }
}

/* ---- ending -------------------------------------------------------------------------------- */

static void side_close(struct side *side)
{
    pthread_rwlock_wrlock(&side->handles);
    atomic_store(&side->closing, true);
    pthread_rwlock_unlock(&side->handles);
    cp_close(side->port);
    atomic_store(&side->closed, true);
    count(&tally.port_closes);
}

/* Nobody waits for what this end sent: one of the two is closed, or has seen that the other is. */
static bool stream_is_over(struct end *end)
{
    struct end *partner = atomic_load(&end->partner);
    if (atomic_load(&end->side->closing))
        return true;
    if (partner && (atomic_load(&partner->closing) || atomic_load(&partner->side->closing)))
        return true;
    if (atomic_load(&end->whole))
        return !partner;
    return atomic_load(&end->lost) || atomic_load(&end->closing) ||
           (partner && atomic_load(&partner->lost));
}

/* What this end sent has arrived as far as it has to. */
static bool stream_is_settled(struct end *end)
{
    bool connects = end->goal == GOAL_LINE || end->goal == GOAL_FULL;
    if (!connects || stream_is_over(end))
        return true;
    if (atomic_load(&end->whole))
        return atomic_load(&end->whole_seen);
    pthread_mutex_lock(&end->out.lock);
    bool idle = end->out.in_flight == 0;
    bool broken = end->stopped || atomic_load(&end->doubtful) != UINT64_MAX;
    pthread_mutex_unlock(&end->out.lock);
    return broken || (idle && atomic_load(&end->arrived) == atomic_load(&end->sent));
}

static bool streams_are_settled(void *context)
{
    struct trial *trial = context;
    unsigned count = atomic_load(&trial->end_count);
    for (unsigned index = 0; index < count; index++) {
        struct end *end = atomic_load(&trial->ends[index]);
        if (end && !stream_is_settled(end))
            return false;
    }
    return true;
}

static bool posts_are_out(void *context)
{
    struct side *side = context;
    unsigned left = 0;
    for (unsigned kind = DEED_POST; kind < DEED_KINDS; kind++)
        left += atomic_load(&side->in_flight[kind]);
    return atomic_load(&side->closing) || left == 0;
}

static bool nothing_is_in_flight(void *context)
{
    struct side *side = context;
    return atomic_load(&side->closing) || side_in_flight(side) == 0;
}

static void await_settled(struct trial *trial)
{
    if (comes_true(streams_are_settled, trial))
        return;
    for (unsigned index = 0; index < atomic_load(&trial->end_count); index++) {
        struct end *end = atomic_load(&trial->ends[index]);
        LAW(stream_is_settled(end),
            "of %" PRIu64 " bytes that were sent %" PRIu64 " arrived (submitted %" PRIu64
            ", %u receives and %u sends under way%s)",
            atomic_load(&end->sent), atomic_load(&end->arrived), end->submitted, end->in.in_flight,
            end->out.in_flight, atomic_load(&end->whole) ? ", and then the end, unseen" : "");
    }
}

static void await_side(struct side *side, bool (*so)(void *context), const char *when)
{
    if (comes_true(so, side))
        return;
    for (unsigned kind = 0; kind < DEED_KINDS; kind++) {
        unsigned left = atomic_load(&side->in_flight[kind]);
        LAW(left == 0, "%u of the %ss never completed, %s; workers %u, limit %u", left,
            deed_names[kind], when, side->workers, side->limit);
    }
}

/* Calls `act` on every end of the trial. */
static void each_end(struct trial *trial, void (*act)(struct end *end, struct dice *dice))
{
    unsigned count = atomic_load(&trial->end_count);
    for (unsigned index = 0; index < count; index++)
        act(atomic_load(&trial->ends[index]), &trial->dice);
}

/* A receive on each end, so that what was sent can arrive and a close be seen. */
static void end_listen_on(struct end *end, struct dice *dice)
{
    (void)dice;
    pthread_rwlock_rdlock(&end->life);
    if (!atomic_load(&end->lost))
        end_receive(end, DEED_RECEIVE, 1);
    pthread_rwlock_unlock(&end->life);
    if (atomic_load(&end->lost))
        end_close(end, CLOSE_AT_ONCE);
}

/* On some ends everything is cancelled, the others are closed over it. */
static void end_cancel_some(struct end *end, struct dice *dice)
{
    bool cancel = dice_chance(dice, 50);
    if (!cancel) {
        end_close(end, dice_chance(dice, 30) ? CLOSE_RESET : CLOSE_AT_ONCE);
        return;
    }
    pthread_rwlock_rdlock(&end->life);
    pthread_mutex_lock(&end->in.lock); /* whoever submits still has done so by now */
    pthread_mutex_unlock(&end->in.lock);
    end_cancel_all(end);
    pthread_rwlock_unlock(&end->life);
}

static void end_close_now(struct end *end, struct dice *dice)
{
    (void)dice;
    end_close(end, CLOSE_AT_ONCE);
}

/* Everything under way is to arrive, then to be taken back or closed over; nothing is left. */
static void drain(struct trial *trial)
{
    struct side *sides = trial->sides;
    each_end(trial, end_listen_on);
    await_settled(trial);
    for (unsigned index = 0; index < SIDES; index++)
        await_side(&sides[index], posts_are_out, "posts to an open port");
    atomic_store(&trial->ending, true);
    each_end(trial, end_cancel_some);
    for (unsigned index = 0; index < SIDES; index++)
        await_side(&sides[index], nothing_is_in_flight, "cancelled or closed over");
    each_end(trial, end_close_now);
    for (unsigned index = 0; index < SIDES; index++)
        await_side(&sides[index], nothing_is_in_flight, "closed over");
}

static void join_all(struct trial *trial)
{
    for (unsigned home = 0; home < SIDES; home++)
        for (unsigned index = 0; index < trial->sides[home].workers; index++) {
            struct worker *worker = &trial->workers[home][index];
            LAW(comes_true(worker_has_ended, worker), "a closed port left a worker waiting");
            pthread_join(worker->thread, NULL);
        }
}

static void trial_free(struct trial *trial)
{
    for (unsigned index = 0; index < SIDES; index++) {
        cp_free(trial->sides[index].port);
        pthread_rwlock_destroy(&trial->sides[index].handles);
        way_free(&trial->sides[index].posts);
    }
    for (unsigned index = 0; index < atomic_load(&trial->end_count); index++)
        end_free(atomic_load(&trial->ends[index]));
    attic_clear();
}

static void trial_run(uint64_t seed)
{
    int descriptors = descriptors_open();
    struct trial *trial = get_memory(sizeof *trial);
    running.seed = seed;
    trial->dice.state = seed;
    trial->temper = random_temper(&trial->dice);
    atomic_store(&trial->budget_bytes, (int64_t)dice_between(&trial->dice, 1, 16) << 20);
    side_open(trial, 0);
    side_open(trial, 1);
    find_nobody(trial);
    side_start(&trial->sides[0]);
    side_start(&trial->sides[1]);
    outsiders_start(trial);
    unsigned end = dice_below(&trial->dice, 100);
    if (end < 30) {
        os_sleep_ns(dice_below(&trial->dice, 30000) * UINT64_C(1000));
        side_close(&trial->sides[end % SIDES]);
    }
    for (unsigned index = 0; index < trial->outsider_count; index++)
        pthread_join(trial->outsiders[index].thread, NULL);
    if (end >= 30 && end < 45)
        side_close(&trial->sides[end % SIDES]);
    atomic_store(&trial->draining, true);
    if (end < 35)
        side_close(&trial->sides[1 - end % SIDES]);
    drain(trial);
    side_close(&trial->sides[0]);
    side_close(&trial->sides[1]);
    join_all(trial);
    trial_free(trial);
    free(trial);
    LAW(descriptors_open() <= descriptors, "%d descriptors are left open",
        descriptors_open() - descriptors);
    count(&tally.trials);
}

#endif
