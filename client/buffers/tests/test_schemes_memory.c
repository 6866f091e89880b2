/* Every allocation of every scheme fails once, in turn, and every cap from nothing on is tried:
 * what is not available is refused with a reason or waited for, and nothing is lost. */
#include "base/tests/failing_memory.h"
#include "client/buffers/tests/scheme_stage.h"

enum { STREAMS = 3, FRAMES = 6, FRAME_BYTES = 300, BLOCK_BYTES = 128 };

/* One life of a scheme, as far as memory lasts. True: nothing was refused. */
static bool live(struct stage *stage)
{
    struct feed feeds[STREAMS];
    unsigned attached = 0, finished = 0;
    stage->run = NULL;
    stage->why[0] = '\0';
    if (!stage_opens(stage)) {
        assert_true(strlen(stage->why) > 0);
        return false;
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        struct feed *feed = &feeds[attached];
        feed_init(feed, stage);
        const int left = atomic_exchange(&allocations_left, -1); /* the test's own must not fail */
        feed_add_many(feed, FRAMES, FRAME_BYTES, FRAME_BYTES, i);
        atomic_store(&allocations_left, left);
        if (feed_attaches(feed))
            attached++;
        else
            free(feed->bytes);
    }
    for (unsigned i = 0; i < attached; i++) {
        feed_finish(&feeds[i]);
        if (feeds[i].stream->error == FRAME_NO_MEMORY)
            continue;
        feed_check_finished(&feeds[i]);
        finished++;
    }
    stage_close(stage);
    return finished == STREAMS;
}

static void set(struct stage *stage, const struct scheme *scheme, bool early)
{
    stage_set(stage, scheme, early, "\r\n", BLOCK_BYTES, FRAME_BYTES);
    stage->config.streams_max = STREAMS;
}

SCHEME_TEST(test_every_allocation_fails_once)
{
    unsigned failures = 0;
    for (int allocation = 0;; allocation++) {
        struct stage stage;
        set(&stage, scheme, early);
        atomic_store(&allocation_failed, false);
        atomic_store(&allocations_left, allocation);
        const bool whole = live(&stage);
        atomic_store(&allocations_left, -1);
        if (!atomic_load(&allocation_failed)) {
            assert_true(whole);
            break;
        }
        failures++;
    }
    assert_true(failures >= 3);
}

SCHEME_TEST(test_every_cap)
{
    struct stage stage;
    unsigned refused = 0, worked = 0;
    set(&stage, scheme, early);
    const uint64_t least = stage_least_cap(&stage);
    for (uint64_t cap = 0; cap < 3 * least; cap += 1 + least / 50) {
        set(&stage, scheme, early);
        stage.config.pool_cap_bytes = cap;
        const bool whole = live(&stage);
        assert_int_equal(whole, cap >= least);
        refused += !whole;
        worked += whole;
    }
    assert_true(refused > 0);
    assert_true(worked > 0);
}

/* What each of very many connections costs a scheme while it waits, on 64-bit Linux. */
TEST(test_a_waiting_stream_is_small)
{
    assert_true(scheme_find("slices")->stream_bytes <= 72);
    assert_true(scheme_find("chain")->stream_bytes <= 80);
    assert_true(scheme_find("mirror")->stream_bytes <= 72);
    assert_true(scheme_find("drain")->stream_bytes <= 56);
}

/* A frame whose latency finds no memory is not counted, and ends its stream. */
TEST(test_a_latency_without_memory)
{
    static uint8_t frame[FRAME_BYTES];
    const struct process_config config = {
        .live = true, .frame_bytes_max = FRAME_BYTES, .marker = marker_text("\r\n")};
    struct budget budget;
    struct processor processor;
    static const struct stream_goal endless = {.frames = UINT64_MAX, .bytes = UINT64_MAX};
    struct stream stream = {.goal = &endless};
    budget_init(&budget, UINT64_MAX);
    processor_init(&processor, &config, &budget);
    protocol_frame_write(frame, FRAME_BYTES, 0, 1, 1, &config.marker);
    atomic_store(&allocations_left, 0);
    assert_int_equal(process_in_place(&processor, &stream, frame, FRAME_BYTES), FRAME_NO_MEMORY);
    atomic_store(&allocations_left, -1);
    assert_int_equal(stream.processed_frames, 0);
    assert_int_equal(processor.latency.count, 0);
    assert_int_equal(process_in_place(&processor, &stream, frame, FRAME_BYTES), FRAME_OK);
    assert_int_equal(processor.latency.count, 1);
    latency_free(&processor.latency);
    processor_end(&processor);
}
