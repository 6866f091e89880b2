/* Chain's thread on a timer: when it looks, what it takes, and that nothing is lost by it; and the
 * workers that wait for it. */
#include "client/buffers/tests/scheme_stage.h"

enum { STREAMS = 3, FRAME_BYTES = 300 };

static struct stage stage;
static struct feed feeds[STREAMS];
static uint64_t opened_ns;

/* Frames of FRAME_BYTES, or less, in blocks with room for many. */
static void set_look(uint64_t every_us, bool one)
{
    stage_set(&stage, scheme_find("chain"), false, "\r\n", 16384, FRAME_BYTES);
    stage.config.look = (struct look_config){.every_ns = every_us * 1000, .one = one};
}

static void open_look(uint64_t every_us, bool one)
{
    set_look(every_us, one);
    opened_ns = os_now_ns();
    stage_open(&stage);
}

/* Looks are at multiples of the interval from the start, so there are no more than there is time
 * for; the last one may be for the end. */
static void close_look(void)
{
    stage_close(&stage);
    const uint64_t passed_ns = os_now_ns() - opened_ns;
    assert_in_range(stage.figures.looks, 1, passed_ns / stage.config.look.every_ns + 1);
}

static void feed_all(unsigned frames)
{
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], &stage, frames, FRAME_BYTES / 2, FRAME_BYTES, i);
        feed_up_to(&feeds[i], feeds[i].count, SIZE_MAX);
    }
}

TEST(test_one_frame_a_look)
{
    open_look(1000, true);
    feed_all(20);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_close(&feeds[i]);
    close_look();
    stage_check(&stage, feeds, STREAMS);
    assert_in_range(stage.figures.looks, STREAMS * 20, UINT64_MAX - 1);
}

TEST(test_all_frames_a_look)
{
    enum { FRAMES = 100 };
    open_look(100000, false);
    feed_all(FRAMES);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_close(&feeds[i]);
    close_look();
    stage_check(&stage, feeds, STREAMS);
    assert_in_range(stage.figures.looks, 1, FRAMES);
}

/* A look that comes too late takes the place of those that were missed. */
TEST(test_missed_looks_are_not_made_up_for)
{
    enum { FRAMES = 10, EVERY_US = 200, RECORD_MS = 5 };
    set_look(EVERY_US, true);
    stage.config.process.work =
        (struct work_config){.kind = WORK_SPIN, .record_ns = (double)RECORD_MS * OS_NS_PER_MS};
    opened_ns = os_now_ns();
    stage_open(&stage);
    feed_open(&feeds[0], &stage, FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    feed_close(&feeds[0]);
    stage_close(&stage);
    const uint64_t passed_ns = os_now_ns() - opened_ns;
    const uint64_t worked_ns = (uint64_t)FRAMES * RECORD_MS * OS_NS_PER_MS;
    const uint64_t idle_ns = passed_ns - worked_ns;
    assert_in_range(stage.figures.looks, FRAMES, FRAMES + idle_ns / (EVERY_US * 1000) + 2);
}

/* More than a worker may be ahead of a thread that is woken. */
TEST(test_a_timer_lets_any_number_of_frames_wait)
{
    enum { BYTES = 2 << 20 };
    open_look(10000000, true);
    assert_true(scheme_memory(stage.scheme, &stage.config, 1, FRAME_BYTES) == UINT64_MAX);
    feed_open(&feeds[0], &stage, BYTES / FRAME_BYTES, FRAME_BYTES, FRAME_BYTES, 1);
    feed_up_to(&feeds[0], feeds[0].count, SIZE_MAX);
    scheme_hurry(stage.run);
    feed_close(&feeds[0]);
    stage_close(&stage);
    stage_check(&stage, feeds, 1);
    assert_in_range(stage.figures.buffer_peak_bytes, BYTES / 2, SIZE_MAX);
}

/* Nobody waits for them any more, as when the servers have closed. */
TEST(test_frames_that_wait_at_the_end_are_taken_on_the_timer)
{
    enum { FRAMES = 30 };
    open_look(1000, true);
    feed_open(&feeds[0], &stage, FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    feed_up_to(&feeds[0], feeds[0].count, SIZE_MAX);
    const struct feed fed = feeds[0];
    feed_detach(&feeds[0]);
    close_look();
    stage_check(&stage, &fed, 1);
    assert_in_range(stage.figures.looks, FRAMES, UINT64_MAX - 1);
}

TEST(test_a_hurried_run_does_not_wait_for_looks)
{
    enum { FRAMES = 30 };
    open_look(10000000, true);
    feed_open(&feeds[0], &stage, FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    feed_up_to(&feeds[0], feeds[0].count, SIZE_MAX);
    const struct feed fed = feeds[0];
    feed_detach(&feeds[0]);
    scheme_hurry(stage.run);
    stage_close(&stage);
    stage_check(&stage, &fed, 1);
    assert_in_range(stage.figures.looks, 1, FRAMES - 1);
}

/* What follows a wrong frame is dropped at the same look, and a frame of another stream taken. */
TEST(test_frames_of_a_failed_stream_take_no_looks)
{
    enum { FRAMES = 50 };
    open_look(200000, true);
    feed_init(&feeds[0], &stage);
    feed_add_many(&feeds[0], FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    feeds[0].bytes[100] ^= 1;
    feed_attach(&feeds[0]);
    feed_open(&feeds[1], &stage, 1, FRAME_BYTES, FRAME_BYTES, 2);
    for (unsigned i = 0; i < 2; i++)
        feed_up_to(&feeds[i], feeds[i].count, SIZE_MAX);
    feed_close(&feeds[1]);
    assert_int_equal(atomic_load(&feeds[0].failed), 1);
    feed_detach(&feeds[0]);
    close_look();
    assert_int_equal(stage.figures.frames, 1);
    assert_in_range(stage.figures.looks, 1, FRAMES - 1);
}

TEST(test_a_thread_that_is_woken_looks_as_often_as_it_is)
{
    enum { FRAMES = 20 };
    set_look(0, false);
    stage_run(&stage, FRAMES, FRAME_BYTES, FRAME_BYTES);
    assert_in_range(stage.figures.looks, 1, FRAMES + 1);
}

SCHEME_TEST(test_only_a_common_buffer_is_looked_at)
{
    stage_set(&stage, scheme, early, "\r\n", 4096, FRAME_BYTES);
    stage_run(&stage, 3, FRAME_BYTES, FRAME_BYTES);
    assert_int_equal(stage.figures.looks > 0, scheme->common_buffer);
}

/* ---- workers that run ahead ------------------------------------------------------------------ */

static void *finish(void *feed)
{
    feed_finish(feed);
    return NULL;
}

/* Each wakes the next: none may be forgotten. */
TEST(test_workers_that_are_held_back_all_go_on)
{
    enum { CROWD = 12, FRAMES = 40, LONG_BYTES = 100000 };
    static struct feed crowd[CROWD];
    static struct os_parker drivers[CROWD];
    pthread_t threads[CROWD];
    stage_set(&stage, scheme_find("chain"), false, "\r\n", 16384, LONG_BYTES);
    stage.config.workers = CROWD;
    stage_open(&stage);
    for (unsigned i = 0; i < CROWD; i++) {
        feed_open(&crowd[i], &stage, FRAMES, LONG_BYTES, LONG_BYTES, i);
        crowd[i].driver = &drivers[i];
    }
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, finish, &crowd[i]), 0);
    for (unsigned i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < CROWD; i++)
        feed_check_finished(&crowd[i]);
    stage_close(&stage);
    stage_check(&stage, crowd, CROWD);
}
