/* When frames are due, and the counters of runs. */

#include <stdlib.h>

#include "base/os.h"
#include "base/tests/test.h"
#include "mock_servers/runs.h"
#include "mock_servers/stream.h"

static struct os_distance wall(int64_t ahead_ns)
{
    return (struct os_distance){ahead_ns, ahead_ns + 50};
}

TEST(test_schedule)
{
    struct protocol_go go = {.rate = 400, .seed = 9};
    struct schedule schedule, other;
    schedule_start(&schedule, &go, 0, 1000, wall(4999000));
    schedule_start(&other, &go, 1, 1000, wall(4999000));
    assert_true(schedule.first_ns >= 1000 && schedule.first_ns < 1000 + 2500000);
    assert_true(schedule.first_ns != other.first_ns);
    assert_true(schedule_due_ns(&schedule, 8) == schedule.first_ns + 20000000);
    assert_true(schedule_stamp_ns(&schedule, 8, 77) ==
                (uint64_t)schedule.first_ns + 20000000 + 4999000);
    go.rate = 0;
    schedule_start(&schedule, &go, 5, 1000, wall(-500)); /* a wall clock behind the monotonic one */
    assert_true(schedule_due_ns(&schedule, 1000000) == 1000);
    assert_true(schedule_stamp_ns(&schedule, 8, 7000) == 6500);
    go.rate = PROTOCOL_RATE_MIN;
    schedule_start(&schedule, &go, 5, 1000, wall(-500));
    assert_true(schedule_due_ns(&schedule, PROTOCOL_FRAMES_MAX) > INT64_MAX / 4);
}

/* A stream that began before this computer was started: its frames are as late as they are. */
TEST(test_a_schedule_from_before_the_start)
{
    const struct protocol_go go = {.rate = 1, .seed = 9, .ago_ns = 3600 * (uint64_t)OS_NS_PER_S};
    const uint64_t now_ns = 10 * (uint64_t)OS_NS_PER_S, wall_ns = UINT64_C(1800000000000000000);
    struct schedule schedule;
    schedule_start(&schedule, &go, 0, now_ns, wall((int64_t)(wall_ns - now_ns)));
    assert_true(schedule_due_ns(&schedule, 0) < 0);
    const uint64_t late_ns = wall_ns - schedule_stamp_ns(&schedule, 0, now_ns);
    assert_in_range(late_ns, 3599 * (uint64_t)OS_NS_PER_S, 3600 * (uint64_t)OS_NS_PER_S);
}

TEST(test_stamps_follow_the_wall_clock)
{
    const struct protocol_go go = {.rate = 0};
    struct schedule schedule;
    schedule_start(&schedule, &go, 0, 1000, wall(4000000));
    schedule_follow(&schedule, wall(4000050)); /* as well as the same */
    assert_true(schedule_stamp_ns(&schedule, 0, 2000) == 4002000);
    schedule_follow(&schedule, wall(4000051));
    assert_true(schedule_stamp_ns(&schedule, 0, 2000) == 4002051);
    schedule_follow(&schedule, wall(1000000));
    assert_true(schedule_stamp_ns(&schedule, 0, 2000) == 1002000);
}

TEST(test_phases_are_spread)
{
    struct protocol_go go = {.rate = 1, .seed = 1};
    unsigned quarters[4] = {0};
    for (uint32_t device = 0; device < 400; device++) {
        struct schedule schedule;
        schedule_start(&schedule, &go, device, 0, wall(0));
        quarters[schedule.first_ns / 250000000]++;
    }
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(quarters[i], 60, 140);
}

/* ---- counters by run ---- */

static struct runs runs;

static void run_once(uint64_t id)
{
    const struct protocol_stats asked = {.connections = 1};
    struct run *run = runs_hold(&runs, id);
    runs_add(&runs, run, &asked);
    runs_release(&runs, run);
}

/* How many connections have asked for the run; 0: it is not known. */
static uint64_t connections_of(uint64_t id)
{
    struct run *run = runs_hold(&runs, id);
    const uint64_t connections = run->done.connections;
    runs_release(&runs, run);
    return connections;
}

TEST(a_run_is_kept_while_it_lasts)
{
    const struct protocol_stats done = {.frames = 2, .bytes = 3, .faults = 1, .connections = 1};
    runs_init(&runs);
    struct run *lasting = runs_hold(&runs, 1000);
    runs_add(&runs, lasting, &done);
    for (uint64_t id = 0; id < 3 * RUNS_ENDED_MAX; id++)
        run_once(id);
    struct run *again = runs_hold(&runs, 1000);
    assert_ptr_equal(again, lasting);
    runs_release(&runs, again);
    runs_add(&runs, lasting, &done);
    assert_true(lasting->done.bytes == 6 && lasting->done.connections == 2);
    assert_true(runs.total.frames == 4 && runs.total.connections == 2 + 3 * RUNS_ENDED_MAX);
    runs_release(&runs, lasting);
    runs_free(&runs);
}

TEST(ended_runs_are_forgotten_the_longest_ended_first)
{
    runs_init(&runs);
    for (uint64_t id = 0; id < RUNS_ENDED_MAX; id++)
        run_once(id);
    assert_int_equal(connections_of(0), 1); /* and is now the one that ended last */
    run_once(RUNS_ENDED_MAX);
    assert_int_equal(connections_of(1), 0);
    assert_int_equal(connections_of(2), 1);
    assert_int_equal(connections_of(0), 1);
    runs_free(&runs);
}

TEST(questions_about_unknown_runs_do_not_forget_known_ones)
{
    runs_init(&runs);
    run_once(7);
    for (uint64_t id = 100; id < 100 + 2 * RUNS_ENDED_MAX; id++)
        assert_int_equal(connections_of(id), 0);
    assert_int_equal(connections_of(7), 1);
    runs_free(&runs);
}

TEST(cpu_time_counts_while_frames_are_sent)
{
    runs_init(&runs);
    struct run *run = runs_hold(&runs, 1);
    assert_int_equal(run_stats(run, 500).cpu_ns, 0);
    run_send_begin(run, 1000);
    run_send_begin(run, 1100);
    run_send_end(run, 1300);
    assert_int_equal(run_stats(run, 1400).cpu_ns, 400);
    run_send_end(run, 1500);
    assert_int_equal(run_stats(run, 9000).cpu_ns, 500);
    run_send_begin(run, 10000);
    run_send_end(run, 10007);
    assert_int_equal(run_stats(run, 20000).cpu_ns, 507);
    runs_release(&runs, run);
    runs_free(&runs);
}
