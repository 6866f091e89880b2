/* How long to wait, how often to try, what an outage is, and when a time limit is over. Time is a
 * parameter. */
#include "client/collector/run.h"
#include "base/os.h"
#include "client/collector/tests/results.h"

static const struct collector_options options = {
    .seed = 7,
    .reconnect = true,
    .reconnect_delay_ms_min = 100,
    .reconnect_delay_ms_max = 3000,
    .reconnect_tries = 3,
};

TEST(waits_double_up_to_the_longest)
{
    enum { SERVERS = 2000 };
    for (uint32_t failures = 1; failures < 40; failures++) {
        uint64_t most_ms = failures < 5 ? 100u << failures : 3000, longest_ns = 0, sum_ns = 0;
        for (uint32_t index = 0; index < SERVERS; index++) {
            uint64_t delay_ns = reconnect_delay_ns(&options, index, failures, failures);
            assert_true(delay_ns <= most_ms * OS_NS_PER_MS);
            longest_ns = delay_ns > longest_ns ? delay_ns : longest_ns;
            sum_ns += delay_ns;
        }
        /* Evenly spread: the longest of 2000 is near the end, their mean near the middle. */
        assert_true(longest_ns > most_ms * OS_NS_PER_MS / 100 * 98);
        assert_in_range(sum_ns / SERVERS, most_ms * OS_NS_PER_MS / 100 * 46,
                        most_ms * OS_NS_PER_MS / 100 * 54);
    }
}

TEST(the_same_seed_waits_the_same)
{
    struct collector_options other = options;
    other.seed++;
    assert_int_equal(reconnect_delay_ns(&options, 5, 2, 2), reconnect_delay_ns(&options, 5, 2, 2));
    assert_int_not_equal(reconnect_delay_ns(&options, 5, 2, 2),
                         reconnect_delay_ns(&other, 5, 2, 2));
    assert_int_not_equal(reconnect_delay_ns(&options, 5, 2, 2),
                         reconnect_delay_ns(&options, 6, 2, 2));
    assert_int_not_equal(reconnect_delay_ns(&options, 5, 2, 2),
                         reconnect_delay_ns(&options, 5, 3, 2));
}

TEST(tries_count_in_a_row_without_a_frame)
{
    struct reconnect reconnect = {0};
    for (uint64_t frames = 1; frames < 20; frames++)
        assert_true(reconnect_begin(&reconnect, &options, 0, frames, frames));
    for (unsigned i = 1; i < 3; i++)
        assert_true(reconnect_begin(&reconnect, &options, 0, 19, 100));
    assert_false(reconnect_begin(&reconnect, &options, 0, 19, 100));
    free(reconnect.text);
}

/* From the first loss to the return, however many tries that takes. */
TEST(an_outage_lasts_until_the_return)
{
    struct reconnect reconnect = {0};
    assert_true(reconnect_begin(&reconnect, &options, 0, 1, 1000));
    assert_true(reconnect_begin(&reconnect, &options, 0, 1, 3000));
    assert_int_equal(reconnect.wait_ns, reconnect_delay_ns(&options, 0, 0, 2));
    reconnect_end(&reconnect, 9000);
    assert_int_equal(reconnect.longest_ns, 8000);
    reconnect_end(&reconnect, 50000);
    assert_int_equal(reconnect.longest_ns, 8000);
    assert_true(reconnect_begin(&reconnect, &options, 0, 2, 60000));
    reconnect_end(&reconnect, 61000);
    assert_int_equal(reconnect.longest_ns, 8000);
    free(reconnect.text);
}

/* ---- time limits ----------------------------------------------------------------------------- */

/* Of one that waits since tick 10, for up to 20. A late main thread sees few ticks, late workers
 * have served few. */
TEST(a_limit_is_over_when_the_workers_have_served_it)
{
    assert_int_equal(patience_of(UINT32_MAX, 20, 1000, 1000), PATIENCE_LEFT); /* nobody waits */
    assert_int_equal(patience_of(10, 20, 10, 10), PATIENCE_LEFT);
    assert_int_equal(patience_of(10, 20, 27, 0), PATIENCE_LEFT);
    assert_int_equal(patience_of(10, 20, 28, 0), PATIENCE_MARK);
    for (uint32_t tick = 31; tick < 5000; tick++)
        assert_int_equal(patience_of(10, 20, tick, 30), PATIENCE_MARK);
    assert_int_equal(patience_of(10, 20, 31, 31), PATIENCE_OVER);
    assert_int_equal(patience_of(10, UINT32_MAX, UINT32_MAX, UINT32_MAX), PATIENCE_LEFT);
}

/* A marker may come back before what the kernel had when it was sent: the one before it says what
 * was served. */
TEST(two_markers_say_what_was_served)
{
    static struct run run;
    run_marker_back(&run, 7);
    assert_int_equal(run.served_tick, 0);
    run_marker_back(&run, 9);
    assert_int_equal(run.served_tick, 7);
    run_marker_back(&run, 12);
    assert_int_equal(run.served_tick, 9);
}

TEST(a_duration_has_no_tick_too_few)
{
    assert_int_equal(run_ticks(0), 0);
    assert_int_equal(run_ticks(1), 1);
    assert_int_equal(run_ticks(300 * (uint64_t)OS_NS_PER_MS), 3);
    assert_int_equal(run_ticks(301 * (uint64_t)OS_NS_PER_MS), 4);
    assert_int_equal(run_ticks(UINT64_MAX), UINT32_MAX);
}
