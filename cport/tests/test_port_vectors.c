/* The conformance suite's vectors over the script engine, which allows one poller: the suite
 * itself runs them over the engines with real sockets. */
#include "cport/tests/port_fixture.h"

#include "cport/tests/conformance/threads.h"

struct vector {
    const char *(*run)(struct stage *stage);
    unsigned limit, actors;
};

static void vector_holds(void **state)
{
    const struct vector *vector = *state;
    struct stage stage = {.engine = "scripted", .port = port_of("scripted", vector->limit)};
    stage.far = port_of("scripted", 1); /* another port, for the worker that hops */
    assert_true(actors_start(stage.port, vector->actors));
    const char *problem = vector->run(&stage);
    actors_end(stage.port); /* closes the port, also without actors */
    stage_close(&stage);
    if (problem)
        fail_msg("%s", problem);
}

int main(void)
{
    static struct vector vectors[] = {
        {s1_a_busy_port_hands_nothing_over, 1, 2},
        {s2_a_worker_back_from_blocking_overshoots, 1, 2},
        {s3_blocking_frees_the_place, 1, 2},
        {s4_the_newest_waiter_first, 2, 3},
        {s5_a_first_look_takes_a_place, 1, 2},
        {s6_a_worker_that_ends_gives_its_place, 1, 2},
        {s6_a_worker_that_hops_gives_its_place, 1, 2},
        {s7_a_timeout_counts_as_running, 1, 2},
        {s8_a_batch_is_one_place, 1, 2},
        {s9_one_thread_handles_a_slow_stream, 4, 4},
        {under_the_limit_nothing_blocks, 1, 2},
        {never_more_than_the_limit, 1, 0},
        {a_limit_of_0_is_the_processors, 0, 0},
    };
    static const char *const names[] = {
        "s1_a_busy_port_hands_nothing_over",
        "s2_a_worker_back_from_blocking_overshoots",
        "s3_blocking_frees_the_place",
        "s4_the_newest_waiter_first",
        "s5_a_first_look_takes_a_place",
        "s6_a_worker_that_ends_gives_its_place",
        "s6_a_worker_that_hops_gives_its_place",
        "s7_a_timeout_counts_as_running",
        "s8_a_batch_is_one_place",
        "s9_one_thread_handles_a_slow_stream",
        "under_the_limit_nothing_blocks",
        "never_more_than_the_limit",
        "a_limit_of_0_is_the_processors",
    };
    enum { COUNT = sizeof vectors / sizeof vectors[0] };
    struct CMUnitTest tests[COUNT];
    for (unsigned index = 0; index < COUNT; index++)
        tests[index] = (struct CMUnitTest){names[index], vector_holds, NULL, NULL, &vectors[index]};
    return cmocka_run_group_tests_name("port: vectors", tests, NULL, NULL);
}
