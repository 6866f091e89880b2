/* The gate as a pure state machine: the vectors S1 to S9 of the kernel queue's behaviour, and random histories held
 * against the invariants. A waiter here is a record; "waking" it is letting it take its next step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/port/gate.h"

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
    struct cp_link link;
    int number;
};

static struct gate gate;
static struct gate_worker workers[WORKERS];
static struct packet packets[PACKETS];
static int has[WORKERS];       /* the first packet's number, or one of the words above */
static int has_count[WORKERS]; /* how many packets it got at once */
static unsigned batch;         /* what every wait asks for */

enum { A, B, C, D };

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
    for (struct cp_link *link; (link = gate_queue_pop(&taken));) {
        if (has_count[who]++ == 0)
            has[who] = ((struct packet *)link)->number;
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
    while (effects.wake || effects.kick) {
        struct gate_worker *worker = effects.wake;
        if (worker) {
            effects.wake = worker->wake_next;
        } else {
            effects.kick = false;
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

static void get_at_once(int who)
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

static void time_out(int who)
{
    struct gate_effects effects = {0};
    gate_timeout(&gate, &workers[who], &effects);
    has[who] = TIMEOUT;
    carry_out(effects);
}

static void post(int number)
{
    struct gate_effects effects = {0};
    packets[number].number = number;
    gate_post(&gate, &packets[number].link, &effects);
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

static int queued(void)
{
    int count = 0;
    for (struct cp_link *link = gate.queue.first; link; link = link->next)
        count++;
    return count;
}

static void s1_a_busy_port_hands_nothing_over(void **state)
{
    (void)state;
    start(1);
    get(A);
    get(B);
    post(1);
    post(2);
    assert_int_equal(has[B], 1);
    assert_int_equal(queued(), 1);
    get(B);
    assert_int_equal(has[B], 2);
    assert_int_equal(has[A], WAITING);
}

static void s2_a_worker_back_from_blocking_overshoots(void **state)
{
    (void)state;
    start(1);
    get(A);
    get(B);
    post(1);
    post(2);
    block(B);
    assert_int_equal(has[A], 2);
    assert_int_equal(gate.running, 1);
    resume(B);
    assert_int_equal(gate.running, 2);
    post(3);
    assert_int_equal(queued(), 1);
    get(A);
    assert_int_equal(has[A], WAITING);
    assert_int_equal(queued(), 1);
    get(B);
    assert_int_equal(has[B], 3);
}

static void s3_blocking_with_nothing_queued_frees_the_place(void **state)
{
    (void)state;
    start(1);
    get(A);
    get(B);
    post(1);
    assert_int_equal(has[B], 1);
    block(B);
    assert_int_equal(gate.running, 0);
    post(2);
    assert_int_equal(has[A], 2);
}

static void s4_the_newest_waiter_first(void **state)
{
    (void)state;
    start(2);
    get(A);
    get(B);
    get(C);
    post(1);
    post(2);
    post(3);
    assert_int_equal(has[C], 1);
    assert_int_equal(has[B], 2);
    assert_int_equal(queued(), 1);
    get(C);
    assert_int_equal(has[C], 3);
    assert_int_equal(has[A], WAITING);
}

static void s5_a_first_look_takes_a_place(void **state)
{
    (void)state;
    start(1);
    get(A);
    post(1);
    post(2);
    assert_int_equal(has[A], 1);
    get_at_once(B);
    assert_int_equal(has[B], TIMEOUT);
    assert_int_equal(gate.running, 2);
    get(A);
    assert_int_equal(has[A], WAITING);
    assert_int_equal(queued(), 1);
    block(B);
    assert_int_equal(has[A], 2);
}

static void s6_a_worker_that_leaves_gives_its_place(void **state)
{
    (void)state;
    start(1);
    get(A);
    get(B);
    post(1);
    post(2);
    assert_int_equal(has[B], 1);
    leave(B);
    assert_int_equal(has[A], 2);
}

static void s7_a_timeout_ignores_the_limit(void **state)
{
    (void)state;
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

static void s8_a_batch_is_one_place(void **state)
{
    (void)state;
    start(1);
    batch = 8;
    for (int number = 1; number <= 5; number++)
        post(number);
    get(A);
    assert_int_equal(has[A], 1);
    assert_int_equal(has_count[A], 5);
    assert_int_equal(gate.running, 1);
}

static void s9_one_thread_handles_a_slow_stream(void **state)
{
    (void)state;
    start(4);
    for (int who = A; who <= D; who++)
        get(who);
    for (int number = 1; number <= 8; number++) {
        post(number);
        assert_int_equal(has[D], number);
        get(D);
    }
    assert_int_equal(has[A], WAITING);
    assert_int_equal(has[B], WAITING);
    assert_int_equal(has[C], WAITING);
}

static void packets_leave_in_the_order_they_came(void **state)
{
    (void)state;
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

/* The engine's poll returns to `who` with one packet. */
static void poll_finds(int who, int number)
{
    struct gate_effects effects = {0};
    gate_back(&gate, &workers[who]);
    packets[number].number = number;
    gate_post(&gate, &packets[number].link, &effects);
    step(who, &effects);
    carry_out(effects);
}

static void a_poller_that_takes_a_packet_is_replaced(void **state)
{
    (void)state;
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
    poll_finds(B, 3);
    assert_int_equal(has[B], 3);
    assert_int_equal(workers[C].state, GATE_POLLING);
}

static void a_poller_hands_on_what_is_a_newer_waiters(void **state)
{
    (void)state;
    start(1);
    get(A);
    get(B);
    poll_finds(A, 1);
    assert_int_equal(has[B], 1);
    assert_int_equal(workers[A].state, GATE_PARKED);
    get(B);
    assert_int_equal(workers[B].state, GATE_POLLING);
}

static void blocking_has_somebody_else_poll(void **state)
{
    (void)state;
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
    struct gate_effects effects = {0};
    gate_back(&gate,
              &workers[A]); /* A's poll returns with nothing while B runs: no place, so it parks */
    step(A, &effects);
    carry_out(effects);
    assert_int_equal(workers[A].state, GATE_PARKED);
    block(B);
    assert_int_equal(workers[C].state, GATE_POLLING);
    assert_int_equal(workers[A].state, GATE_PARKED);
}

static void closing_wakes_everyone(void **state)
{
    (void)state;
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

static void closing_drops_what_is_queued(void **state)
{
    (void)state;
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

/* ---- random histories ------------------------------------------------------------------------------ */

static uint64_t random_state;

static unsigned below(unsigned bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % bound;
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

static void random_histories_keep_the_invariants(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        random_state = seed;
        start_with(1 + below(4), 1 + below(WORKERS));
        batch = 1 + below(BATCH_MAX);
        int posted = 0, overshoot = 0;
        for (int event = 0; event < 400; event++) {
            int waiting = queued();
            random_event(&posted, &(int){posted - waiting}, &overshoot);
            gate_check(&gate);
            if (!overshoot && gate.running > gate.limit)
                fail_msg("seed %u: %u run, the limit is %u", seed, gate.running, gate.limit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s1_a_busy_port_hands_nothing_over),
        cmocka_unit_test(s2_a_worker_back_from_blocking_overshoots),
        cmocka_unit_test(s3_blocking_with_nothing_queued_frees_the_place),
        cmocka_unit_test(s4_the_newest_waiter_first),
        cmocka_unit_test(s5_a_first_look_takes_a_place),
        cmocka_unit_test(s6_a_worker_that_leaves_gives_its_place),
        cmocka_unit_test(s7_a_timeout_ignores_the_limit),
        cmocka_unit_test(s8_a_batch_is_one_place),
        cmocka_unit_test(s9_one_thread_handles_a_slow_stream),
        cmocka_unit_test(packets_leave_in_the_order_they_came),
        cmocka_unit_test(a_poller_that_takes_a_packet_is_replaced),
        cmocka_unit_test(a_poller_hands_on_what_is_a_newer_waiters),
        cmocka_unit_test(blocking_has_somebody_else_poll),
        cmocka_unit_test(closing_wakes_everyone),
        cmocka_unit_test(closing_drops_what_is_queued),
        cmocka_unit_test(random_histories_keep_the_invariants),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
