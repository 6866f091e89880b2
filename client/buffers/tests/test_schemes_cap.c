/* Schemes with many streams, several threads and hardly any memory: nothing is lost, no stream
 * waits for ever, every refused offer is followed by one resume, the cap holds. */
#include "client/buffers/tests/scheme_stage.h"

enum { STREAMS = 8, FRAMES = 25, SIZE_LEAST = 66, SIZE_MOST = 5000, BLOCK_BYTES = 512 };

static struct feed feeds[STREAMS];

/* Drives the feeds whose number leaves `first` when divided by `step`. */
struct thread {
    pthread_t thread;
    struct os_parker driver;
    unsigned first, step, seed;
    size_t receive_bytes; /* at most; 0: at random */
    bool evens_leave;     /* when they have half of what they are sent */
};

static size_t next_receive(struct thread *thread)
{
    if (thread->receive_bytes > 0)
        return thread->receive_bytes;
    return 1 + (size_t)rand_r(&thread->seed) % (2 * SIZE_MOST);
}

static bool leaves(const struct thread *thread, unsigned i)
{
    const struct feed *feed = &feeds[i];
    return feed_over(feed) || (thread->evens_leave && i % 2 == 0 && feed->at > feed->count / 2);
}

/* One receive of each, in turn: a resumed feed has to go on, others may wait for that. False: all
 * are over. */
static bool go_round(struct thread *thread)
{
    bool left = false, moved = false;
    for (unsigned i = thread->first; i < STREAMS; i += thread->step) {
        struct feed *feed = &feeds[i];
        if (feed->detached)
            continue;
        left = true;
        moved |= feed_receive(feed, next_receive(thread));
        if (leaves(thread, i)) {
            feed_detach(feed);
            moved = true;
        }
    }
    if (left && !moved)
        driver_wait(&thread->driver);
    return left;
}

static void *drive(void *argument)
{
    while (go_round(argument))
        continue;
    return NULL;
}

static void set(struct stage *stage, const struct scheme *scheme, bool early)
{
    stage_set(stage, scheme, early, "\r\n", BLOCK_BYTES, SIZE_MOST);
    stage->config.streams_max = STREAMS;
}

static void set_cap(struct stage *stage, double of_the_least)
{
    stage->config.pool_cap_bytes = (uint64_t)((double)stage_least_cap(stage) * of_the_least);
}

static void run_threads(struct stage *stage, unsigned thread_count, size_t receive_bytes)
{
    struct thread threads[STREAMS];
    stage_open(stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], stage, FRAMES, SIZE_LEAST, SIZE_MOST, i);
        feeds[i].driver = &threads[i % thread_count].driver;
    }
    for (unsigned i = 0; i < thread_count; i++) {
        threads[i] = (struct thread){.first = i,
                                     .step = thread_count,
                                     .seed = (unsigned)rand(),
                                     .receive_bytes = receive_bytes};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, drive, &threads[i]), 0);
    }
    for (unsigned i = 0; i < thread_count; i++)
        pthread_join(threads[i].thread, NULL);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_check_finished(&feeds[i]);
    stage_close(stage);
    stage_check(stage, feeds, STREAMS);
}

SCHEME_TEST(test_several_threads)
{
    struct stage stage;
    for (unsigned threads = 1; threads <= 4; threads++) {
        set(&stage, scheme, early);
        run_threads(&stage, threads, 0);
        assert_int_equal(stage.figures.buffer_cap_waits, 0);
    }
}

/* From the least cap that the scheme accepts. Small receives in turn bring all streams into the
 * middle of a frame at once. */
SCHEME_TEST(test_at_the_cap)
{
    static const double caps[] = {1, 1.03, 1.25, 1.7, 3};
    struct stage stage;
    for (unsigned i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        for (size_t receive_bytes = 0; receive_bytes <= 300; receive_bytes += 300) {
            set(&stage, scheme, early);
            set_cap(&stage, caps[i]);
            run_threads(&stage, 1 + i % 3, receive_bytes);
        }
    }
}

/* Where frames wait for the timer of a thread, the cap is what holds workers back. */
TEST(test_a_timer_at_the_cap)
{
    enum { EVERY_US = 100 };
    for (unsigned i = 0; i < 8; i++) {
        struct stage stage;
        set(&stage, scheme_find("chain"), i & 1);
        set_cap(&stage, i & 4 ? 1.25 : 1);
        stage.config.look =
            (struct look_config){.every_ns = EVERY_US * UINT64_C(1000), .one = i & 2};
        run_threads(&stage, 2, 300);
        assert_in_range(stage.figures.looks, i & 2 ? STREAMS * FRAMES : 1, UINT64_MAX - 1);
        assert_true(stage.figures.buffer_cap_waits > 0);
    }
}

SCHEME_TEST(test_waits_are_counted)
{
    struct stage stage;
    if (early || is_scheme(scheme, "drain") || is_scheme(scheme, "slices"))
        return; /* has enough for all; never holds anything for long */
    set(&stage, scheme, early);
    set_cap(&stage, 1);
    run_threads(&stage, 2, 300);
    assert_true(stage.figures.buffer_cap_waits > 0);
}

/* One byte less than the least cap is refused, with the least one named; the expected memory is
 * never above the cap. */
SCHEME_TEST(test_a_cap_that_could_deadlock_is_refused)
{
    struct stage stage;
    set(&stage, scheme, early);
    const uint64_t least = stage_least_cap(&stage);
    stage.config.pool_cap_bytes = least - 1;
    assert_false(stage_opens(&stage));
    assert_null(strchr(stage.why, '\n'));
    stage.config.pool_cap_bytes = least;
    assert_in_range(scheme_memory(scheme, &stage.config, 1000, SIZE_MOST), 1, least);
    stage_open(&stage);
    stage_close(&stage);
}

/* Every other stream is detached in the middle of its frame, the holder of the reserve too: the
 * others go on. */
SCHEME_TEST(test_detach_gives_the_reserve_on)
{
    struct thread thread = {.step = 1, .receive_bytes = 100, .evens_leave = true};
    struct stage stage;
    set(&stage, scheme, early);
    set_cap(&stage, 1);
    stage_open(&stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], &stage, 1, SIZE_MOST, SIZE_MOST, i);
        feeds[i].driver = &thread.driver;
    }
    drive(&thread);
    stage_close(&stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        assert_int_equal(atomic_load(&feeds[i].finished), i % 2);
        assert_int_equal(atomic_load(&feeds[i].failed), 0);
    }
}
