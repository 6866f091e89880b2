/* The gate as a pure state machine: the vectors of the kernel queue's behaviour, what polling adds,
 * and random histories held against the invariants. Workers and packets are records; a worker that
 * is woken takes its next step. */
#include <string.h>

#include "base/random.h"
#include "base/tests/test.h"
#include "cport/gate.h"
#include "cport/tests/conformance/vectors.h"

enum { WORKERS = 8, PACKETS = 64, BATCH_MAX = 16 };

struct packet {
    struct cp_node node;
    int number;
};

static struct gate gate;
static struct gate_worker workers[WORKERS];
static struct packet packets[PACKETS];
static int has[WORKERS];       /* the first packet's number, or WAITING, TIMED_OUT, CLOSED */
static int has_count[WORKERS]; /* how many packets it got at once */
static unsigned batch;         /* what every wait asks for */

enum { A = WORKER_A, B, C, D };

static void start_with(unsigned limit, unsigned pollers_max)
{
    gate_init(&gate, limit, pollers_max);
    memset(workers, 0, sizeof workers);
    memset(has, 0, sizeof has);
    batch = 1;
}

static void start(unsigned limit)
{
    start_with(limit, WORKERS);
}

static void step(int who, struct gate_effects *effects)
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

static void carry_out(struct gate_effects effects)
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

static void get(int who)
{
    struct gate_effects effects = {0};
    gate_arrive(&gate, &workers[who]);
    step(who, &effects);
    carry_out(effects);
}

static void poll_once(int who)
{
    struct gate_effects effects = {0};
    gate_arrive(&gate, &workers[who]);
    step(who, &effects);
    if (has[who] == WAITING) {
        gate_timeout(&gate, &workers[who], &effects);
        has[who] = TIMED_OUT;
    }
    carry_out(effects);
}

static void time_out(int who)
{
    struct gate_effects effects = {0};
    gate_timeout(&gate, &workers[who], &effects);
    has[who] = TIMED_OUT;
    carry_out(effects);
}

static void post(int number)
{
    struct gate_effects effects = {0};
    packets[number].number = number;
    gate_post(&gate, &packets[number].node, &effects);
    carry_out(effects);
}

static void block(int who)
{
    struct gate_effects effects = {0};
    gate_block(&gate, &workers[who], &effects);
    carry_out(effects);
}

static void resume(int who)
{
    gate_unblock(&gate, &workers[who]);
    gate_check(&gate);
}

static void leave(int who)
{
    struct gate_effects effects = {0};
    gate_leave(&gate, &workers[who], &effects);
    carry_out(effects);
}

/* ---- the vectors --------------------------------------------------------------------------- */

static void step_run(const struct step *expected)
{
    int who = expected->worker, value = expected->value;
    switch (expected->action) {
    case STEP_BATCH:
        batch = (unsigned)value;
        break;
    case STEP_GET:
        get(who);
        break;
    case STEP_POLL:
        poll_once(who);
        break;
    case STEP_BLOCK:
        block(who);
        break;
    case STEP_RESUME:
        resume(who);
        break;
    case STEP_LEAVE:
    case STEP_HOP:
        leave(who);
        break;
    case STEP_POST:
        post(value);
        break;
    case STEP_HAS:
        assert_int_equal(has[who], value);
        break;
    case STEP_HAS_COUNT:
        assert_int_equal(has_count[who], value);
        break;
    case STEP_RUNNING:
        assert_int_equal(gate.running, value);
        break;
    case STEP_QUEUED:
        assert_int_equal(gate_queue_count(&gate.queue), value);
        break;
    case STEP_END:
        break;
    }
}

TEST(the_vectors_hold)
{
    for (unsigned index = 0; index < VECTORS; index++) {
        print_message("%s: %s\n", vectors[index].number, vectors[index].name);
        start(vectors[index].limit);
        for (const struct step *each = vectors[index].steps; each->action != STEP_END; each++)
            step_run(each);
    }
}

TEST(a_waiter_that_times_out_runs_over_the_limit)
{
    start(1);
    get(A);
    get(B);
    post(1);
    assert_int_equal(has[B], 1);
    time_out(A);
    assert_int_equal(gate.running, 2);
    get(A);
    assert_int_equal(gate.running, 1);
    assert_int_equal(has[A], WAITING);
}

TEST(packets_leave_in_the_order_they_came)
{
    start(1);
    batch = 4;
    for (int number = 1; number <= 6; number++)
        post(number);
    get(A);
    assert_int_equal(has[A], 1);
    assert_int_equal(has_count[A], 4);
    get(A);
    assert_int_equal(has[A], 5);
    assert_int_equal(has_count[A], 2);
}

/* The engine's poll returns to `who` with one packet; number 0: with nothing. */
static void poll_returns(int who, int number)
{
    struct gate_effects effects = {0};
    gate_back(&gate, &workers[who]);
    packets[number].number = number;
    if (number > 0)
        gate_post(&gate, &packets[number].node, &effects);
    step(who, &effects);
    carry_out(effects);
}

TEST(a_poller_that_takes_a_packet_is_replaced)
{
    start_with(2, 1);
    get(A);
    get(B);
    assert_int_equal(workers[A].state, GATE_POLLING);
    assert_int_equal(workers[B].state, GATE_PARKED);
    post(1);
    post(2);
    assert_int_equal(has[B], 1);
    assert_int_equal(has[A], 2);
    get(C);
    get(B);
    assert_int_equal(workers[B].state, GATE_POLLING);
    leave(A);
    assert_int_equal(workers[C].state, GATE_PARKED);
    poll_returns(B, 3);
    assert_int_equal(has[B], 3);
    assert_int_equal(workers[C].state, GATE_POLLING);
}

TEST(a_poller_hands_a_packet_to_a_newer_waiter)
{
    start(1);
    get(A);
    get(B);
    poll_returns(A, 1);
    assert_int_equal(has[B], 1);
    assert_int_equal(workers[A].state, GATE_PARKED);
    get(B);
    assert_int_equal(workers[B].state, GATE_POLLING);
}

/* A post whose wake-up is still on its way: the pollers do not know of the packet. */
static void post_unnoticed(int number)
{
    struct gate_effects effects = {0};
    packets[number].number = number;
    gate_post(&gate, &packets[number].node, &effects);
    assert_null(effects.wake);
    gate_check(&gate);
}

/* The first worker takes them all, and no later packet before an earlier one. */
TEST(a_batch_begins_with_what_pollers_were_granted)
{
    start(2);
    batch = 4;
    get(A);
    get(B);
    post_unnoticed(1);
    post_unnoticed(2);
    post_unnoticed(3);
    poll_returns(B, 0);
    assert_int_equal(has[B], 1);
    assert_int_equal(has_count[B], 3);
    assert_int_equal(gate.running, 1);
    assert_int_equal(has[A], WAITING);
}

/* Otherwise that worker could soon take the earlier packet after the later one. */
TEST(a_parked_worker_is_handed_what_is_oldest)
{
    start_with(2, 1);
    get(A);
    get(B);
    post(1);
    post(2);
    get(C);
    get(A);
    assert_int_equal(workers[A].state, GATE_POLLING);
    assert_int_equal(workers[C].state, GATE_PARKED);
    post_unnoticed(3);
    block(B);
    post(4);
    assert_int_equal(has[C], 3);
    assert_int_equal(has[A], 4);
}

TEST(no_worker_is_woken_for_a_place_that_an_awake_one_takes)
{
    start(2);
    get(A);
    get(B);
    post(1);
    post(2);
    get(C); /* parks under the two */
    get(A);
    get(B);
    assert_int_equal(workers[C].state, GATE_PARKED);
    struct gate_effects effects = {0};
    gate_back(&gate, &workers[A]);
    packets[3].number = 3;
    gate_post(&gate, &packets[3].node, &effects); /* B's, the newest */
    assert_null(effects.wake);
    step(A, &effects);
    carry_out(effects);
    assert_int_equal(workers[C].state, GATE_PARKED);
    assert_int_equal(gate.pollers, 1);
    assert_int_equal(gate.running, 1);
}

TEST(blocking_makes_another_worker_poll)
{
    start(1);
    get(A);
    get(B);
    post(1);
    assert_int_equal(has[B], 1);
    assert_int_equal(workers[A].state, GATE_POLLING);
    get(B);
    assert_int_equal(workers[B].state, GATE_PARKED);
    post(2);
    get(C);
    assert_int_equal(has[B], 2);
    poll_returns(A, 0); /* while B runs: no place, so it parks */
    assert_int_equal(workers[A].state, GATE_PARKED);
    block(B);
    assert_int_equal(workers[C].state, GATE_POLLING);
    assert_int_equal(workers[A].state, GATE_PARKED);
}

TEST(closing_wakes_everyone)
{
    start_with(2, WORKERS);
    for (int who = A; who <= D; who++)
        get(who);
    struct gate_effects effects = {0};
    struct gate_queue dropped = {0};
    gate_close(&gate, &dropped, &effects);
    carry_out(effects);
    for (int who = A; who <= D; who++)
        assert_int_equal(has[who], CLOSED);
    assert_null(gate.newest);
}

TEST(closing_drops_what_is_queued)
{
    start(1);
    get(A);
    post(1);
    post(2);
    post(3);
    struct gate_effects effects = {0};
    struct gate_queue dropped = {0};
    gate_close(&gate, &dropped, &effects);
    carry_out(effects);
    assert_int_equal(((struct packet *)gate_queue_pop(&dropped))->number, 2);
    assert_int_equal(((struct packet *)gate_queue_pop(&dropped))->number, 3);
    assert_null(gate_queue_pop(&dropped));
    get(A);
    assert_int_equal(has[A], CLOSED);
}

/* ---- random histories ---------------------------------------------------------------------- */

static uint64_t random_state;

static unsigned below(unsigned bound)
{
    return (unsigned)(random_next(&random_state) % bound);
}

static void random_event(int *posted, int *delivered, int *overshoot)
{
    int who = (int)below(WORKERS);
    struct gate_worker *worker = &workers[who];
    if (below(3) == 0) {
        if (*posted - *delivered < PACKETS - 1)
            post(1 + (*posted)++ % (PACKETS - 1));
        return;
    }
    switch (worker->state) {
    case GATE_OUTSIDE:
    case GATE_RUNNING:
        if (below(5) == 0 && worker->state == GATE_RUNNING)
            block(who);
        else if (below(9) == 0)
            leave(who);
        else
            get(who);
        break;
    case GATE_BLOCKED:
        resume(who);
        *overshoot = 1;
        break;
    case GATE_PARKED:
    case GATE_POLLING:
        if (below(4) == 0 && gate.grants == 0) {
            time_out(who);
            *overshoot = 1;
        }
        break;
    default:
        fail_msg("worker %d is in state %d between events", who, worker->state);
    }
}

TEST(random_histories_keep_the_invariants)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        random_state = seed;
        start_with(1 + below(4), 1 + below(WORKERS));
        batch = 1 + below(BATCH_MAX);
        int posted = 0, overshoot = 0;
        for (int event = 0; event < 400; event++) {
            int waiting = (int)gate_queue_count(&gate.queue);
            random_event(&posted, &(int){posted - waiting}, &overshoot);
            gate_check(&gate);
            if (!overshoot && gate.running > gate.limit)
                fail_msg("seed %u: %u run, the limit is %u", seed, gate.running, gate.limit);
        }
    }
}
