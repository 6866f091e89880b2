/* When frames are due, and the counters of the last runs. */

#include <stdlib.h>

#include "base/tests/test.h"
#include "mock_servers/runs.h"
#include "mock_servers/stream.h"

TEST(test_schedule)
{
    struct protocol_go go = {.rate = 400, .seed = 9};
    struct schedule schedule, other;
    schedule_start(&schedule, &go, 0, 1000, 5000000);
    schedule_start(&other, &go, 1, 1000, 5000000);
    assert_true(schedule.first_ns >= 1000 && schedule.first_ns < 1000 + 2500000);
    assert_true(schedule.first_ns != other.first_ns);
    assert_true(schedule_due_ns(&schedule, 8) == schedule.first_ns + 20000000);
    assert_true(schedule_stamp_ns(&schedule, 8, 77) == schedule.first_ns + 20000000 + 4999000);
    go.rate = 0;
    schedule_start(&schedule, &go, 5, 1000, 500); /* a wall clock behind the monotonic one */
    assert_true(schedule_due_ns(&schedule, 1000000) == 1000);
    assert_true(schedule_stamp_ns(&schedule, 8, 7000) == 6500);
    go.rate = PROTOCOL_RATE_MIN;
    schedule_start(&schedule, &go, 5, 1000, 500);
    assert_true(schedule_due_ns(&schedule, PROTOCOL_FRAMES_MAX) > INT64_MAX / 4);
}

TEST(test_phases_are_spread)
{
    struct protocol_go go = {.rate = 1, .seed = 1};
    unsigned quarters[4] = {0};
    for (uint32_t device = 0; device < 400; device++) {
        struct schedule schedule;
        schedule_start(&schedule, &go, device, 0, 0);
        quarters[schedule.first_ns / 250000000]++;
    }
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(quarters[i], 60, 140);
}

TEST(test_runs)
{
    static struct runs runs;
    struct protocol_stats done = {.frames = 2, .bytes = 3, .faults = 1, .connections = 1};
    assert_null(runs_find(&runs, 0));
    for (uint64_t id = 0; id < RUNS_MAX; id++)
        runs_begin(&runs, id);
    runs_add(&runs, 0, &done);
    runs_add(&runs, 0, &done);
    assert_true(runs_begin(&runs, 0)->bytes == 6);
    runs_begin(&runs, RUNS_MAX); /* in the place of the oldest */
    assert_null(runs_find(&runs, 0));
    assert_non_null(runs_find(&runs, 1));
    runs_add(&runs, 0, &done); /* of a forgotten run: to the total only */
    assert_null(runs_find(&runs, 0));
    assert_true(runs.total.frames == 6 && runs.total.bytes == 9 && runs.total.faults == 3);
    assert_true(runs_find(&runs, RUNS_MAX)->frames == 0);
}
