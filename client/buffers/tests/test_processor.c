/* The processing step that all schemes share, and the latency histogram. */
#include "client/buffers/tests/scheme_stage.h"

enum { FRAME_BYTES = 300, FRAME_MOST = 1000 };

static struct {
    struct process_config config;
    struct budget budget;
    struct processor processor;
    struct stream stream;
    uint8_t frame[FRAME_MOST];
} bench;

/* Verifies in full, unless the test changes that. */
static int set_up(void **state)
{
    memset(&bench, 0, sizeof bench);
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
    assert_int_equal(bench.stream.processed_bytes, FRAME_BYTES);
    assert_int_equal(bench.stream.next_seq, 1);
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
    assert_int_equal(bench.stream.processed_bytes, FRAME_BYTES);
    assert_int_equal(bench.processor.frames, 1);
    assert_int_equal(bench.processor.copied_bytes, 0);
    assert_int_equal(take_in_place(), FRAME_BAD_ORDER);
    bench.stream.next_seq = 0;
    bench.frame[100] ^= 1;
    assert_int_equal(take_in_place(), FRAME_BAD_CHECK);
}

TEST(test_errors_are_named, set_up, tear_down)
{
    assert_int_equal(process(FRAME_BYTES - 1), FRAME_TRUNCATED);
    assert_int_equal(process(FRAME_BYTES + 1), FRAME_BAD_LENGTH);
    assert_int_equal(process(PROTOCOL_HEADER_BYTES), FRAME_BAD_HEADER);
    assert_int_equal(process(1), FRAME_BAD_HEADER);
    bench.stream.next_seq = 1;
    assert_int_equal(process(FRAME_BYTES), FRAME_BAD_ORDER);
    bench.stream.next_seq = 0;
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
    protocol_frame_write(bench.frame, FRAME_BYTES, 1, os_wall_ns() + OS_NS_PER_S, 1,
                         &bench.config.marker); /* a clock that is ahead */
    assert_int_equal(process(FRAME_BYTES), FRAME_OK);
    assert_int_equal(bench.processor.latency.count, 2);
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

TEST(test_two_digits_from_a_microsecond_on)
{
    for (uint64_t value_ns = 1000; value_ns < 900 * (uint64_t)OS_NS_PER_S;
         value_ns += value_ns / 7) {
        struct latency latency = {0};
        latency_add(&latency, value_ns);
        const uint64_t edge_ns = latency_quantile_ns(&latency, 0.5);
        assert_true(edge_ns > value_ns);
        assert_true((edge_ns - value_ns) * 10 <= value_ns);
        assert_int_equal(latency.max_ns, value_ns);
    }
}

TEST(test_values_beyond_the_scale)
{
    struct latency latency = {0};
    latency_add(&latency, 0);
    assert_in_range(latency_quantile_ns(&latency, 1), 1, 1000);
    latency_add(&latency, UINT64_MAX);
    assert_true(latency_quantile_ns(&latency, 1) >= 999 * (uint64_t)OS_NS_PER_S);
    assert_true(latency.max_ns == UINT64_MAX);
}

TEST(test_quantiles)
{
    struct latency latency = {0}, other = {0}, merged = {0};
    assert_int_equal(latency_quantile_ns(&latency, 0.5), 0);
    for (uint64_t i = 1; i <= 99; i++)
        latency_add(i % 2 == 0 ? &latency : &other, i * OS_NS_PER_MS);
    latency_add(&other, 5 * (uint64_t)OS_NS_PER_S);
    latency_merge(&merged, &latency);
    latency_merge(&merged, &other);
    assert_int_equal(merged.count, 100);
    assert_true(merged.max_ns == 5 * (uint64_t)OS_NS_PER_S);
    assert_int_equal(latency_quantile_ns(&merged, 0.5), 51 * OS_NS_PER_MS);
    assert_int_equal(latency_quantile_ns(&merged, 0.99), 100 * OS_NS_PER_MS);
    assert_int_equal(latency_quantile_ns(&merged, 0), (uint64_t)1100 * 1000);
    assert_true(latency_quantile_ns(&merged, 1) > 5 * (uint64_t)OS_NS_PER_S);
}
