/* What `slices` promises beyond the contract of all schemes: no copies but of a straddling header,
 * memory that does not depend on streams and frames, few hand-overs, and no harm from a
 * stalled processing thread. */
#include "client/buffers/tests/scheme_stage.h"

#include <sys/resource.h>
#include <unistd.h>

#include "client/buffers/block_cache.h"

enum { BLOCK_BYTES = 4096, FRAME_BYTES = 100000 };

static void open_slices(struct stage *stage, size_t block_bytes, size_t frame_bytes_max)
{
    stage_set(stage, scheme_find("slices"), false, "\r\n", block_bytes, frame_bytes_max);
}

/* Whether the scheme opens where the process may have so many more bytes of addresses. */
static bool opens_within(struct stage *stage, rlim_t more_bytes)
{
    unsigned long pages = 0;
    struct rlimit before, limit;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    limit = before;
    limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more_bytes;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
    const bool opens = stage_opens(stage);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    return opens;
}

/* Runs first: a thread that has ended leaves a stack that the next one can have. */
TEST(test_what_the_system_does_not_give_is_named)
{
    struct stage stage;
    if (SANITIZED) { /* its own addresses take terabytes */
        print_message("skip: a sanitizer's addresses cannot be limited\n");
        skip();
    }
    open_slices(&stage, BLOCK_BYTES, FRAME_BYTES);
    stage.config.workers = BLOCK_CACHES_MAX;
    stage.config.processors = 1;
    assert_false(opens_within(&stage, 0));
    assert_non_null(strstr(stage.why, "no memory"));
    assert_false(opens_within(&stage, 2 << 20)); /* less than a stack */
    assert_non_null(strstr(stage.why, "no thread"));
    stage_open(&stage);
    stage_close(&stage);
}

static uint64_t copied(enum verify verify, size_t first_receive)
{
    struct stage stage;
    open_slices(&stage, BLOCK_BYTES, FRAME_BYTES);
    stage.config.process.verify = verify;
    stage_run(&stage, 1, FRAME_BYTES, first_receive);
    assert_int_equal(stage.figures.scanned_bytes, FRAME_BYTES);
    return stage.figures.copied_bytes;
}

TEST(test_only_a_straddling_header_is_copied)
{
    assert_int_equal(copied(VERIFY_FULL, PROTOCOL_HEADER_BYTES), 0);
    assert_int_equal(copied(VERIFY_FULL, PROTOCOL_HEADER_BYTES - 1), PROTOCOL_HEADER_BYTES);
    assert_int_equal(copied(VERIFY_HEADER, 1), PROTOCOL_HEADER_BYTES);
    assert_int_equal(copied(VERIFY_NONE, 1), 0);
}

enum { JUDGED_BYTES = 200 };

/* Checks `bytes` of a frame in up to three pieces, which end at `first` and `second`. */
static enum frame_error judge(const struct process_config *config, const uint8_t *frame,
                              size_t bytes, size_t first, size_t second)
{
    static struct processor processor;
    const size_t ends[] = {first, second, bytes};
    static const struct stream_goal endless = {.frames = UINT64_MAX, .bytes = UINT64_MAX};
    struct stream stream = {.goal = &endless, .processed_frames = 5};
    struct incremental_check *check = NULL;
    enum frame_error error = FRAME_OK;
    processor_init(&processor, config, NULL);
    for (size_t i = 0, at = 0; i < 3; at = ends[i++]) {
        assert_int_equal(error, FRAME_OK);
        if (ends[i] > at)
            error = incremental_check_feed(&check, &processor, &stream, frame + at, ends[i] - at,
                                           i == 2);
    }
    assert_int_equal(processor.bytes, error == FRAME_OK ? bytes : 0);
    assert_int_equal(stream.processed_frames, error == FRAME_OK ? 6 : 5);
    assert_null(check);
    incremental_check_drop(&processor.spare);
    return error;
}

/* In any two or three pieces a frame gets the same result as whole, whatever its length. */
static unsigned compare_all_splits(const struct process_config *config, const uint8_t *frame)
{
    unsigned errors_seen = 0;
    for (size_t bytes = 1; bytes <= JUDGED_BYTES; bytes += bytes < 60 || bytes >= 190 ? 1 : 13) {
        const enum frame_error whole = judge(config, frame, bytes, 0, 0);
        errors_seen |= 1u << whole;
        for (size_t first = 1; first < bytes; first++)
            assert_int_equal(judge(config, frame, bytes, first, first), whole);
        for (size_t first = 1; first + 1 < bytes; first += 7)
            assert_int_equal(judge(config, frame, bytes, first, first + (bytes - first) / 2),
                             whole);
    }
    return errors_seen;
}

TEST(test_pieces_are_judged_as_the_whole)
{
    struct process_config config = {.frame_bytes_max = JUDGED_BYTES, .marker = marker_text("\r\n")};
    uint8_t frame[JUDGED_BYTES];
    unsigned errors_seen = 0;
    for (int verify = VERIFY_FULL; verify <= VERIFY_NONE; verify++) {
        config.verify = (enum verify)verify;
        for (uint32_t length = JUDGED_BYTES - 5; length <= JUDGED_BYTES; length += 5) {
            memset(frame, 'x', sizeof frame);
            protocol_frame_write(frame, length, 5, 0, 1, &config.marker);
            errors_seen |= compare_all_splits(&config, frame);
        }
        frame[100] ^= 1;
        errors_seen |= compare_all_splits(&config, frame);
        protocol_frame_write(frame, JUDGED_BYTES, 4, 0, 1, &config.marker);
        errors_seen |= compare_all_splits(&config, frame);
    }
    assert_int_equal(errors_seen, 1u << FRAME_OK | 1u << FRAME_TRUNCATED | 1u << FRAME_BAD_HEADER |
                                      1u << FRAME_BAD_LENGTH | 1u << FRAME_BAD_CHECK |
                                      1u << FRAME_BAD_ORDER);
}

/* Ten or five hundred streams in the middle of long frames: the same few blocks. */
static uint64_t peak(unsigned streams)
{
    static struct feed feeds[FEEDS_MAX];
    struct stage stage;
    open_slices(&stage, BLOCK_BYTES, FRAME_BYTES);
    stage_open(&stage);
    for (unsigned i = 0; i < streams; i++) {
        feed_open(&feeds[i], &stage, 1, FRAME_BYTES, FRAME_BYTES, i);
        feed_up_to(&feeds[i], FRAME_BYTES - 1, SIZE_MAX);
    }
    for (unsigned i = 0; i < streams; i++)
        feed_finish(&feeds[i]);
    stage_close(&stage);
    assert_int_equal(stage.figures.frames, streams);
    return stage.figures.buffer_peak_bytes;
}

TEST(test_memory_does_not_follow_the_streams)
{
    assert_int_equal(peak(10), peak(500));
}

TEST(test_a_cache_does_not_hoard_what_is_scarce)
{
    assert_int_equal(block_cache_magazine(16 << 10, UINT64_MAX, 2), 16);
    assert_int_equal(block_cache_magazine(16 << 10, 64, 2), 4);
    assert_int_equal(block_cache_magazine(16 << 10, 10, 2), 0);
    assert_int_equal(block_cache_magazine(64 << 20, UINT64_MAX, 2), 1);
}

static unsigned offered_after(struct feed *feed, size_t bytes)
{
    const struct stage *stage = feed->stage;
    struct cp_block blocks[CP_BLOCKS_MAX];
    feed_up_to(feed, feed->at + bytes, bytes);
    const unsigned count =
        stage->scheme->offer(stage->run, feed->stream, blocks, stage->config.blocks_per_receive);
    stage->scheme->retract(stage->run, feed->stream);
    return count;
}

/* Twice as much after a receive that was filled, a block less after one that was hardly used. */
TEST(test_receives_are_as_large_as_needed)
{
    enum { MOST = 6, PART = BLOCK_BYTES / 2 };
    struct stage stage;
    struct feed feed;
    open_slices(&stage, BLOCK_BYTES, FRAME_BYTES);
    stage.config.blocks_per_receive = MOST;
    stage_open(&stage);
    feed_open(&feed, &stage, 1, FRAME_BYTES, FRAME_BYTES, 1);
    assert_int_equal(offered_after(&feed, PART), 1);
    assert_int_equal(offered_after(&feed, BLOCK_BYTES), 2);
    assert_int_equal(offered_after(&feed, 2 * BLOCK_BYTES), 4);
    assert_int_equal(offered_after(&feed, 2 * BLOCK_BYTES), 4);
    assert_int_equal(offered_after(&feed, 4 * BLOCK_BYTES), MOST);
    for (unsigned left = MOST; left > 2; left--)
        assert_int_equal(offered_after(&feed, PART / 2), left - 1);
    assert_int_equal(offered_after(&feed, PART / 2), 1);
    assert_int_equal(offered_after(&feed, PART / 2), 1);
    feed_close(&feed);
    stage_close(&stage);
}

TEST(test_one_hand_over_for_many_small_frames)
{
    enum { FRAMES = 2000, SMALL_BYTES = 256, FRAMES_PER_HAND_OVER = 8 };
    struct stage stage;
    open_slices(&stage, BLOCK_BYTES, SMALL_BYTES);
    stage.config.processors = 1;
    stage_run(&stage, FRAMES, SMALL_BYTES, SIZE_MAX);
    assert_in_range(stage.figures.hand_overs, 1, FRAMES / FRAMES_PER_HAND_OVER);
}

enum { STREAMS = 6, FRAMES = 200, SMALL_BYTES = 1000, CAP_BLOCKS = 24, DOOR_MS = 50 };

/* The application: blocks inside finished of the first stream until the door opens. */
struct standstill {
    struct stage stage; /* first: the context of events */
    struct feed feeds[STREAMS];
    struct os_parker door;
    _Atomic bool stands;
};

static void on_finished_stand_still(void *context, struct stream *stream)
{
    struct standstill *still = context;
    if (stream == still->feeds[0].stream) {
        atomic_store(&still->stands, true);
        os_park(&still->door, UINT64_MAX);
    }
    struct feed *feed = feed_of(still->feeds[0].stage, stream);
    feed_notify(feed, &feed->finished);
}

static void *feed_others(void *argument)
{
    struct standstill *still = argument;
    bool left = true;
    while (left) {
        bool moved = left = false;
        for (unsigned i = 1; i < STREAMS; i++) {
            moved |= feed_receive(&still->feeds[i], SIZE_MAX);
            left |= still->feeds[i].at < still->feeds[i].count;
        }
        if (left && !moved)
            driver_wait(&still->stage.driver);
    }
    return NULL;
}

TEST(test_a_stalled_thread_costs_no_more_than_the_cap)
{
    static struct standstill still;
    struct stage *stage = &still.stage;
    pthread_t thread;
    memset(&still, 0, sizeof still);
    open_slices(stage, BLOCK_BYTES, SMALL_BYTES);
    stage->config.processors = 1;
    stage->config.pool_cap_bytes = CAP_BLOCKS * pool_block_charge(2 * BLOCK_BYTES);
    stage->config.events.finished = on_finished_stand_still;
    stage_open(stage);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_open(&still.feeds[i], stage, i == 0 ? 1 : FRAMES, SMALL_BYTES, SMALL_BYTES, i);
    feed_up_to(&still.feeds[0], SMALL_BYTES, SIZE_MAX);
    while (!atomic_load(&still.stands))
        os_sleep_ns(OS_NS_PER_MS);
    assert_int_equal(pthread_create(&thread, NULL, feed_others, &still), 0);
    os_sleep_ns((uint64_t)DOOR_MS * OS_NS_PER_MS);
    for (unsigned i = 1; i < STREAMS; i++)
        assert_int_equal(atomic_load(&still.feeds[i].finished), 0);
    os_unpark(&still.door);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_close(&still.feeds[i]);
    stage_close(stage); /* which looks at the cap, too */
    stage_check(stage, still.feeds, STREAMS);
}

TEST(test_too_many_processing_threads_are_refused)
{
    struct stage stage;
    open_slices(&stage, BLOCK_BYTES, FRAME_BYTES);
    stage.config.processors = 65;
    assert_false(stage_opens(&stage));
    assert_non_null(strstr(stage.why, "at most 64"));
}
