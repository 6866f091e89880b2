/* How long to wait, how often to try, and what an outage is. Time is a parameter. */
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
