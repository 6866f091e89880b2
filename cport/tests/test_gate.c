/* The gate as a pure state machine: the vectors S1 to S9 of the kernel queue's behaviour, and
 * what polling adds. */
#include "cport/tests/gate_stage.h"

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
    gate_post(&gate, &packets[number].node, &effects);
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

/* A post whose wake-up is still on its way: the pollers do not know of the packet. */
static void post_unheard(int number)
{
    struct gate_effects effects = {0};
    packets[number].number = number;
    gate_post(&gate, &packets[number].node, &effects);
    assert_null(effects.wake);
    gate_check(&gate);
}

/* Whoever comes first takes them all, and no later packet before an earlier one. */
static void a_batch_begins_with_what_pollers_were_granted(void **state)
{
    (void)state;
    start(2);
    batch = 4;
    get(A);
    get(B);
    post_unheard(1);
    post_unheard(2);
    post_unheard(3);
    struct gate_effects effects = {0};
    gate_back(&gate, &workers[B]);
    step(B, &effects);
    carry_out(effects);
    assert_int_equal(has[B], 1);
    assert_int_equal(has_count[B], 3);
    assert_int_equal(gate.running, 1);
    assert_int_equal(has[A], WAITING);
}

/* Else that worker, back in no time, would take the earlier packet after the later one. */
static void a_parked_worker_is_handed_what_is_oldest(void **state)
{
    (void)state;
    start_with(2, 1);
    get(A);
    get(B);
    post(1);
    post(2);
    get(C);
    get(A);
    assert_int_equal(workers[A].state, GATE_POLLING);
    assert_int_equal(workers[C].state, GATE_PARKED);
    post_unheard(3);
    block(B);
    post(4);
    assert_int_equal(has[C], 3);
    assert_int_equal(has[A], 4);
}

static void nobody_is_woken_for_a_place_that_an_awake_worker_takes(void **state)
{
    (void)state;
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
        cmocka_unit_test(a_batch_begins_with_what_pollers_were_granted),
        cmocka_unit_test(a_parked_worker_is_handed_what_is_oldest),
        cmocka_unit_test(nobody_is_woken_for_a_place_that_an_awake_worker_takes),
        cmocka_unit_test(blocking_has_somebody_else_poll),
        cmocka_unit_test(closing_wakes_everyone),
        cmocka_unit_test(closing_drops_what_is_queued),
    };
    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
