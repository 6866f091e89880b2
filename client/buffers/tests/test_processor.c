/* The processing step that all schemes share, and the latency histogram. */
#include "base/quantile.h"
#include "base/random.h"
#include "client/buffers/tests/scheme_stage.h"

enum { FRAME_BYTES = 300, FRAME_MOST = 1000 };

static struct {
    struct process_config config;
    struct budget budget;
    struct processor processor;
    struct stream_goal goal;
    struct stream stream;
    uint8_t frame[FRAME_MOST];
} bench;

/* Verifies in full, unless the test changes that. */
static int set_up(void **state)
{
    memset(&bench, 0, sizeof bench);
    bench.goal = (struct stream_goal){.frames = UINT64_MAX, .bytes = UINT64_MAX};
    bench.stream.goal = &bench.goal;
    bench.config.frame_bytes_max = FRAME_MOST;
    bench.config.marker = marker_text("\r\n");
    budget_init(&bench.budget, UINT64_MAX);
    processor_init(&bench.processor, &bench.config, &bench.budget);
    protocol_frame_write(bench.frame, FRAME_BYTES, 0, os_wall_ns(), 1, &bench.config.marker);
    return 0;
}

static int tear_down(void **state)
{
    processor_end(&bench.processor);
    return atomic_load(&bench.budget.used_bytes) == 0 ? 0 : -1;
}

static void append(const uint8_t *piece, size_t bytes)
{
    processor_append(&bench.processor, &bench.stream, piece, bytes);
}

/* The frame's result, after which the stream goes on. */
static enum frame_error finish(void)
{
    processor_finish(&bench.processor, &bench.stream);
    const enum frame_error error = bench.stream.error;
    bench.stream.error = FRAME_OK;
    return error;
}

static enum frame_error process(size_t bytes)
{
    append(bench.frame, bytes);
    assert_int_equal(bench.stream.error, FRAME_OK);
    return finish();
}

TEST(test_counts_on_both, set_up, tear_down)
{
    append(bench.frame, 1);
    append(bench.frame + 1, 199);
    append(bench.frame + 200, 100);
    assert_int_equal(finish(), FRAME_OK);
    assert_int_equal(bench.stream.processed_frames, 1);
    assert_int_equal(bench.processor.frames, 1);
    assert_int_equal(bench.processor.bytes, FRAME_BYTES);
    assert_int_equal(bench.processor.copied_bytes, FRAME_BYTES);
    assert_int_equal(bench.processor.latency.count, 0);
}

static enum frame_error take_in_place(void)
{
    return process_in_place(&bench.processor, &bench.stream, bench.frame, FRAME_BYTES);
}

TEST(test_a_whole_frame_is_taken_where_it_is, set_up, tear_down)
{
    assert_int_equal(take_in_place(), FRAME_OK);
    assert_int_equal(bench.processor.bytes, FRAME_BYTES);
    assert_int_equal(bench.processor.frames, 1);
    assert_int_equal(bench.processor.copied_bytes, 0);
    assert_int_equal(take_in_place(), FRAME_BAD_ORDER);
    bench.stream.processed_frames = 0;
    bench.frame[100] ^= 1;
    assert_int_equal(take_in_place(), FRAME_BAD_CHECK);
}

TEST(test_errors_are_named, set_up, tear_down)
{
    assert_int_equal(process(FRAME_BYTES - 1), FRAME_TRUNCATED);
    assert_int_equal(process(FRAME_BYTES + 1), FRAME_BAD_LENGTH);
    assert_int_equal(process(PROTOCOL_HEADER_BYTES), FRAME_BAD_HEADER);
    assert_int_equal(process(1), FRAME_BAD_HEADER);
    bench.stream.processed_frames = 1;
    assert_int_equal(process(FRAME_BYTES), FRAME_BAD_ORDER);
    bench.stream.processed_frames = 0;
    bench.frame[100] ^= 1;
    assert_int_equal(process(FRAME_BYTES), FRAME_BAD_CHECK);
    bench.frame[0] = '!';
    assert_int_equal(process(FRAME_BYTES), FRAME_BAD_HEADER);
    assert_int_equal(bench.stream.processed_frames, 0);
    assert_int_equal(bench.processor.frames, 0);
}

TEST(test_checks_only_what_is_asked, set_up, tear_down)
{
    bench.config.verify = VERIFY_HEADER;
    bench.frame[100] ^= 1;
    assert_int_equal(process(FRAME_BYTES), FRAME_OK);
    assert_int_equal(process(FRAME_BYTES), FRAME_BAD_ORDER);
    bench.config.verify = VERIFY_NONE;
    bench.config.live = true;
    assert_int_equal(process(1), FRAME_OK);
    assert_int_equal(process(7), FRAME_OK);
    assert_int_equal(bench.processor.latency.count, 0);
}

TEST(test_live_frames_have_latencies, set_up, tear_down)
{
    bench.config.live = true;
    assert_int_equal(process(FRAME_BYTES), FRAME_OK);
    protocol_frame_write(bench.frame, FRAME_BYTES, 1, os_wall_ns() + OS_NS_PER_S * UINT64_C(3600),
                         1, &bench.config.marker); /* a clock that is ahead */
    assert_int_equal(process(FRAME_BYTES), FRAME_OK);
    assert_int_equal(bench.processor.latency.count, 1);
    assert_int_equal(bench.processor.latency.negative, 1);
    bench.goal.clock_ahead_ns = (int64_t)OS_NS_PER_S * 3600; /* known, and corrected */
    protocol_frame_write(bench.frame, FRAME_BYTES, 2, os_wall_ns() + OS_NS_PER_S * UINT64_C(3600),
                         1, &bench.config.marker);
    assert_int_equal(process(FRAME_BYTES), FRAME_OK);
    assert_int_equal(bench.processor.latency.count, 2);
    assert_int_equal(bench.processor.latency.negative, 1);
    latency_free(&bench.processor.latency);
}

TEST(test_buffer_grows_within_the_budget, set_up, tear_down)
{
    bench.config.verify = VERIFY_NONE;
    bench.budget.cap_bytes = 500;
    append(bench.frame, 100);
    append(bench.frame, 100);
    assert_int_equal(bench.processor.capacity_bytes, 200);
    assert_int_equal(bench.stream.error, FRAME_OK);
    append(bench.frame, 301);
    assert_int_equal(finish(), FRAME_NO_MEMORY);
    assert_int_equal(bench.processor.filled_bytes, 0);
    assert_int_equal(processor_reserve(&bench.processor, 501), -1);
    assert_int_equal(bench.processor.capacity_bytes, 0);
    assert_int_equal(processor_reserve(&bench.processor, 500), 0);
    assert_int_equal(processor_reserve(&bench.processor, 20), 0);
    assert_int_equal(process(500), FRAME_OK);
    assert_int_equal(atomic_load(&bench.budget.peak_bytes), 500);
}

TEST(test_error_names)
{
    for (unsigned i = 0; i < FRAME_ERROR_COUNT; i++) {
        assert_non_null(frame_error_name((enum frame_error)i));
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(frame_error_name((enum frame_error)i),
                                    frame_error_name((enum frame_error)j));
    }
}

/* ---- latencies --------------------------------------------------------------------------- */

enum { VALUES = 20000 };

static int compare(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The quantile of the histogram against that of the sorted values. */
static void assert_quantiles(const struct latency *latency, uint64_t *values_ns, unsigned count)
{
    static const double shares[] = {0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
    qsort(values_ns, count, sizeof *values_ns, compare);
    assert_int_equal(latency->count, count);
    assert_true(latency->min_ns == values_ns[0] && latency->max_ns == values_ns[count - 1]);
    for (unsigned i = 0; i < sizeof shares / sizeof *shares; i++) {
        const uint64_t found_ns = latency_quantile_ns(latency, shares[i]);
        const uint64_t exact_ns = values_ns[quantile_rank(shares[i], count) - 1];
        const uint64_t off_ns = found_ns > exact_ns ? found_ns - exact_ns : exact_ns - found_ns;
        assert_true(found_ns >= values_ns[0] && found_ns <= values_ns[count - 1]);
        assert_true(off_ns <= exact_ns / 100);
    }
    assert_true(latency_quantile_ns(latency, 0) == values_ns[0]);
    assert_true(latency_quantile_ns(latency, 1) == values_ns[count - 1]);
}

/* Of all magnitudes: from 1 ns to 2^bits ns. */
TEST(test_quantiles_of_random_values)
{
    static uint64_t values_ns[VALUES];
    for (unsigned bits = 1; bits <= 64; bits += 7) {
        for (unsigned count = 1; count <= VALUES; count = count * 4 + 3) {
            struct latency latency = {0};
            for (unsigned i = 0; i < count; i++) {
                const uint64_t random = random_mix(bits * VALUES + i);
                values_ns[i] = random >> (64 - 1 - random_mix(random) % bits);
                assert_int_equal(latency_add(&latency, values_ns[i]), 0);
            }
            assert_quantiles(&latency, values_ns, count);
            latency_free(&latency);
        }
    }
}

TEST(test_every_magnitude_is_within_a_hundredth)
{
    for (uint64_t value_ns = 1; value_ns < UINT64_MAX / 2; value_ns += 1 + value_ns / 7) {
        struct latency latency = {0};
        uint64_t values_ns[] = {0, value_ns, value_ns, value_ns, UINT64_MAX};
        for (unsigned i = 0; i < 5; i++)
            latency_add(&latency, values_ns[i]);
        assert_quantiles(&latency, values_ns, 5);
        latency_free(&latency);
    }
}

TEST(test_equal_values_have_their_own_value)
{
    struct latency latency = {0};
    for (unsigned i = 0; i < 1000; i++)
        latency_add(&latency, OS_NS_PER_MS);
    assert_int_equal(latency_quantile_ns(&latency, 0.5), OS_NS_PER_MS);
    assert_int_equal(latency_quantile_ns(&latency, 0.999), OS_NS_PER_MS);
    latency_free(&latency);
}

/* As the threads of a run do, one of which had nothing to do. */
TEST(test_threads_are_put_together)
{
    enum { THREADS = 4 };
    static uint64_t values_ns[VALUES];
    struct latency threads[THREADS] = {{0}}, all = {0};
    for (unsigned i = 0; i < VALUES; i++) {
        const unsigned thread = i % (THREADS - 1);
        values_ns[i] = 1 + random_mix(i) % ((uint64_t)OS_NS_PER_MS << (4 * thread));
        latency_add(&threads[thread], values_ns[i]);
    }
    threads[1].negative = 3;
    threads[THREADS - 1].negative = 4;
    for (unsigned i = 0; i < THREADS; i++) {
        latency_move(&all, &threads[i]);
        assert_int_equal(threads[i].count, 0);
        latency_move(&all, &threads[i]); /* nothing is counted twice */
    }
    assert_int_equal(all.negative, 7);
    assert_quantiles(&all, values_ns, VALUES);
    latency_free(&all);
}
