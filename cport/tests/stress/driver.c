/* The driver: a stress run from its seed to its last byte. */
#include "cport/tests/stress/stress.h"

const char *const op_names[OP_KINDS] = {
    "connect",       "accept", "receive", "peek",   "late receive", "send", "datagram receive",
    "datagram send", "post",   "meeting", "relief", "timer",        "key"};
struct tally tally;

/* ---- set-up -------------------------------------------------------------------------------- */

/* Some runs are busy, some are calm: a lost wake-up shows only if no other packet follows. */
static struct mix random_mix_of(struct rng *rng)
{
    bool calm = rng_chance(rng, 30), plain = rng_chance(rng, 25);
    return (struct mix){
        .quiet = calm || rng_chance(rng, 20),
        .lines_max = calm ? rng_below(rng, 4) : rng_between(rng, 4, 40),
        .moves = calm ? rng_between(rng, 10, 60) : rng_between(rng, 50, 500),
        .pause_us = calm ? 3000 : rng_below(rng, 2) * 300,
        .send_bits = rng_between(rng, 6, RUN_BITS - 1),
        .blocking = plain ? 0 : rng_below(rng, 30),
        .hopping = plain ? 0 : rng_below(rng, 2) * 4,
        .quitting = plain ? 0 : rng_below(rng, 2) * 2,
        .polling = plain ? 0 : rng_below(rng, 2) * 20,
        .cancelling = plain ? 0 : rng_below(rng, 12),
        .closing = plain ? 0 : rng_below(rng, 6),
        .posting = rng_between(rng, 5, 60),
        .misuses = 5,
    };
}

static struct end *listen_at(struct side *side, int backlog, struct net_address *address,
                             struct rng *rng)
{
    struct net_address any = net_ipv4(0x7f000001, 0);
    struct end *end = end_new(side, GOAL_LISTEN, false, rng);
    int code = cp_socket_open(side->port, net_family(&any), (uintptr_t)end, &end->socket);
    LAW(code == 0, "no socket: %s", cp_error_name(code));
    code = cp_listen(end->socket, net_sockaddr(&any), any.bytes, backlog);
    LAW(code == 0, "no listener on 127.0.0.1: %s", cp_error_name(code));
    *address = listener_address(end->socket);
    return end;
}

static void side_open(struct stress *stress, unsigned index)
{
    char why[256];
    struct rng *rng = &stress->rng;
    struct side *side = &stress->sides[index];
    side->stress = stress;
    side->index = index;
    pthread_rwlock_init(&side->handles, NULL);
    side->workers = rng_between(rng, 1, WORKERS_MAX);
    side->batch = (unsigned)rng_size(rng, 5);
    if (side->batch > BATCH_MAX)
        side->batch = BATCH_MAX;
    struct cp_config config = {.engine = running.engine,
                               .concurrency = rng_between(rng, 1, 6),
                               .watch = rng_chance(rng, 40)};
    int code = cp_open(&config, &side->port, why, sizeof why);
    if (code == CP_EUNSUPPORTED && config.watch) {
        config.watch = false;
        code = cp_open(&config, &side->port, why, sizeof why);
    }
    LAW(code == 0, "no port: %s", why);
    side->limit = cp_concurrency(side->port);
    LAW(side->limit == config.concurrency, "the limit is %u, not %u", side->limit,
        config.concurrency);
    side->gate_is_ours = strcmp(cp_gate_name(side->port), "user") == 0 && !config.watch;
    way_init(&side->posts, rng);
    for (unsigned each = 0; each < side->workers; each++)
        stress->workers[index][each] = (struct worker){.home = side, .rng = rng_child(rng)};
    side->listener = listen_at(side, 64, &side->address, rng);
    side->full = listen_at(side, 1, &side->full_address, rng);
    mailbox_open(side, rng);
}

static void side_start(struct side *side)
{
    struct stress *stress = side->stress;
    for (unsigned index = 0; index < side->workers; index++) {
        struct worker *worker = &stress->workers[side->index][index];
        thread_start(&worker->thread, OS_ROLE_WORKER, worker_run, worker);
    }
    pthread_rwlock_rdlock(&side->listener->life);
    for (unsigned accepts = 1 + rng_below(&stress->rng, RECEIVES_MAX); accepts > 0; accepts--)
        end_accept(side->listener);
    pthread_rwlock_unlock(&side->listener->life);
}

/* An address without a listener: that of a closed one. (If another process has taken it since, a
 * connect may succeed, which is allowed.) */
static void find_nobody(struct stress *stress)
{
    struct end *end = listen_at(&stress->sides[0], 1, &stress->nobody, &stress->rng);
    end_close(end, CLOSE_AT_ONCE);
}

static void submitters_start(struct stress *stress)
{
    stress->submitter_count = rng_between(&stress->rng, 1, SUBMITTERS_MAX);
    for (unsigned index = 0; index < stress->submitter_count; index++) {
        struct submitter *submitter = &stress->submitters[index];
        submitter->stress = stress;
        submitter->index = index;
        submitter->moves = stress->mix.moves;
        submitter->rng = rng_child(&stress->rng);
        thread_start(&submitter->thread, "fanin-submitter", submitter_run, submitter);
    }
}

/* ---- teardown ------------------------------------------------------------------------------ */

static void side_close(struct side *side)
{
    pthread_rwlock_wrlock(&side->handles);
    atomic_store(&side->closing, true);
    pthread_rwlock_unlock(&side->handles);
    cp_close(side->port);
    atomic_store(&side->closed, true);
    count(&tally.port_closes);
}

/* What this end sent need not arrive: one of the two ends is closed, or saw the other close. */
static bool stream_is_over(struct end *end)
{
    struct end *partner = atomic_load(&end->partner);
    if (atomic_load(&end->side->closing) || (partner && far_may_be_gone(end)))
        return true;
    if (atomic_load(&end->whole))
        return !partner;
    return atomic_load(&end->lost) || atomic_load(&end->closing) ||
           (partner && atomic_load(&partner->lost));
}

/* How much of what this end sent has arrived and been verified. */
static uint64_t arrived(struct end *end)
{
    struct end *partner = atomic_load(&end->partner);
    return partner ? atomic_load(&partner->position) : 0;
}

/* What this end sent has arrived as far as it has to. */
static bool stream_is_settled(struct end *end)
{
    bool connects = end->goal == GOAL_LINE || end->goal == GOAL_FULL;
    if (!connects || stream_is_over(end))
        return true;
    if (atomic_load(&end->whole))
        return atomic_load(&atomic_load(&end->partner)->finished);
    pthread_mutex_lock(&end->out.lock);
    bool idle = end->out.in_flight == 0;
    bool broken = end->stopped || atomic_load(&end->doubtful) != UINT64_MAX;
    pthread_mutex_unlock(&end->out.lock);
    return broken || (idle && arrived(end) == atomic_load(&end->sent));
}

static bool streams_are_settled(struct stress *stress)
{
    for (unsigned index = 0; index < atomic_load(&stress->end_count); index++)
        if (!stream_is_settled(end_at(stress, index)))
            return false;
    return true;
}

static void await_settled(struct stress *stress)
{
    bool settled = false;
    AWAIT(settled = streams_are_settled(stress));
    for (unsigned index = 0; !settled && index < atomic_load(&stress->end_count); index++) {
        struct end *end = end_at(stress, index);
        LAW(stream_is_settled(end),
            "of %" PRIu64 " bytes that were sent %" PRIu64 " arrived (submitted %" PRIu64
            ", %u receives and %u sends under way%s)",
            atomic_load(&end->sent), arrived(end), atomic_load(&end->submitted), end->in.in_flight,
            end->out.in_flight, atomic_load(&end->whole) ? ", and then the end, unseen" : "");
    }
}

/* Until no operation of this kind or those after it is in flight on either side, or it closes. */
static void await_none(struct stress *stress, enum op_kind first, const char *when)
{
    for (struct side *side = stress->sides; side < stress->sides + SIDES; side++)
        for (unsigned kind = first; kind < OP_KINDS; kind++) {
            atomic_uint *left = &side->in_flight[kind];
            LAW_SOON(atomic_load(left) == 0 || atomic_load(&side->closing),
                     "%u of the %ss never completed, %s; workers %u, limit %u", atomic_load(left),
                     op_names[kind], when, side->workers, side->limit);
        }
}

static void each_end(struct stress *stress, void (*act)(struct end *end, struct rng *rng))
{
    unsigned count = atomic_load(&stress->end_count);
    for (unsigned index = 0; index < count; index++)
        act(end_at(stress, index), &stress->rng);
}

/* A receive on each end, so that what was sent can arrive and a close be seen. */
static void end_keep_receiving(struct end *end, struct rng *rng)
{
    pthread_rwlock_rdlock(&end->life);
    if (!atomic_load(&end->lost))
        end_receive(end, OP_RECEIVE, 1);
    pthread_rwlock_unlock(&end->life);
    if (atomic_load(&end->lost))
        end_close(end, CLOSE_AT_ONCE);
}

/* Cancels everything on some ends, closes the others with operations in flight. */
static void end_cancel_some(struct end *end, struct rng *rng)
{
    bool cancel = rng_chance(rng, 50);
    if (!cancel) {
        end_close(end, rng_chance(rng, 30) ? CLOSE_RESET : CLOSE_AT_ONCE);
        return;
    }
    pthread_rwlock_rdlock(&end->life);
    pthread_mutex_lock(&end->in.lock); /* a submission under way is done now */
    pthread_mutex_unlock(&end->in.lock);
    end_cancel_all(end);
    pthread_rwlock_unlock(&end->life);
}

static void end_close_now(struct end *end, struct rng *rng)
{
    end_close(end, CLOSE_AT_ONCE);
}

/* Lets everything under way arrive; then cancels or closes, until nothing is in flight. */
static void drain(struct stress *stress)
{
    each_end(stress, end_keep_receiving);
    await_settled(stress);
    await_none(stress, OP_POST, "posts to an open port");
    atomic_store(&stress->ending, true);
    mailbox_close(&stress->sides[0]);
    mailbox_close(&stress->sides[1]);
    each_end(stress, end_cancel_some);
    await_none(stress, OP_CONNECT, "cancelled or their sockets closed");
    each_end(stress, end_close_now);
    await_none(stress, OP_CONNECT, "their sockets closed");
}

static void join_all(struct stress *stress)
{
    for (unsigned home = 0; home < SIDES; home++)
        for (unsigned index = 0; index < stress->sides[home].workers; index++) {
            struct worker *worker = &stress->workers[home][index];
            LAW_SOON(atomic_load(&worker->ended), "a closed port left a worker waiting");
            pthread_join(worker->thread, NULL);
        }
}

static void stress_free(struct stress *stress)
{
    for (unsigned index = 0; index < SIDES; index++) {
        cp_free(stress->sides[index].port);
        pthread_rwlock_destroy(&stress->sides[index].handles);
        way_free(&stress->sides[index].posts);
        mailbox_free(&stress->sides[index]);
    }
    for (unsigned index = 0; index < atomic_load(&stress->end_count); index++)
        end_free(end_at(stress, index));
    quarantine_clear();
}

void stress_run(uint64_t seed)
{
    int descriptors = descriptors_open();
    struct stress *stress = get_memory(sizeof *stress);
    running.seed = seed;
    stress->rng.state = seed;
    stress->mix = random_mix_of(&stress->rng);
    atomic_store(&stress->budget_bytes, (int64_t)rng_between(&stress->rng, 1, 16) << 20);
    side_open(stress, 0);
    side_open(stress, 1);
    find_nobody(stress);
    side_start(&stress->sides[0]);
    side_start(&stress->sides[1]);
    submitters_start(stress);
    unsigned end = rng_below(&stress->rng, 100);
    if (end < 30) {
        os_sleep_ns(rng_below(&stress->rng, 30000) * UINT64_C(1000));
        side_close(&stress->sides[end % SIDES]);
    }
    for (unsigned index = 0; index < stress->submitter_count; index++)
        pthread_join(stress->submitters[index].thread, NULL);
    if (end >= 30 && end < 45)
        side_close(&stress->sides[end % SIDES]);
    atomic_store(&stress->draining, true);
    if (end < 35)
        side_close(&stress->sides[1 - end % SIDES]);
    drain(stress);
    side_close(&stress->sides[0]);
    side_close(&stress->sides[1]);
    join_all(stress);
    stress_free(stress);
    free(stress);
    LAW(descriptors_open() <= descriptors, "%d descriptors are left open",
        descriptors_open() - descriptors);
    count(&tally.runs);
}
