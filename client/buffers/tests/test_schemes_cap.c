/* Schemes with many streams, several threads and hardly any memory: nothing is lost, no stream
 * waits for ever, every refused offer is followed by one resume, the cap holds. */
#include "client/buffers/tests/scheme_stage.h"

enum { STREAMS = 8, FRAMES = 25, SIZE_LEAST = 66, SIZE_MOST = 5000, BLOCK_BYTES = 512 };

/* Drives the feeds whose number leaves `first` when divided by `step`. */
struct thread {
    pthread_t thread;
    struct os_parker driver;
    struct feed *feeds;
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
    const struct feed *feed = &thread->feeds[i];
    return feed_over(feed) || (thread->evens_leave && i % 2 == 0 && feed->at > feed->count / 2);
}

/* One receive of each, in turn: a resumed feed has to go on, others may wait for that. False: all
 * are over. */
static bool go_round(struct thread *thread)
{
    bool left = false, moved = false;
    for (unsigned i = thread->first; i < STREAMS; i += thread->step) {
        struct feed *feed = &thread->feeds[i];
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

static void run_threads(struct stage *stage, struct feed *feeds, unsigned thread_count,
                        size_t receive_bytes)
{
    struct thread threads[STREAMS];
    stage->config.streams_max = STREAMS;
    stage_open(stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], stage, FRAMES, SIZE_LEAST, SIZE_MOST, i);
        feeds[i].driver = &threads[i % thread_count].driver;
    }
    for (unsigned i = 0; i < thread_count; i++) {
        threads[i] = (struct thread){.feeds = feeds,
                                     .first = i,
                                     .step = thread_count,
                                     .seed = (unsigned)rand(),
                                     .receive_bytes = receive_bytes};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, drive, &threads[i]), 0);
    }
    for (unsigned i = 0; i < thread_count; i++)
        pthread_join(threads[i].thread, NULL);
    stage_close(stage);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        bytes += feeds[i].count;
        assert_int_equal(atomic_load(&feeds[i].failed), 0);
        assert_int_equal(feeds[i].error, FRAME_OK);
        assert_int_equal(atomic_load(&feeds[i].finished), 1);
        assert_int_equal(atomic_load(&feeds[i].resumes), feeds[i].refusals);
    }
    assert_int_equal(stage->figures.bytes, bytes);
}

static void set(struct stage *stage, const struct scheme *scheme, bool early)
{
    stage_set(stage, scheme, early, "\r\n", BLOCK_BYTES, SIZE_MOST);
    stage->config.streams_max = STREAMS;
}

SCHEME_TEST(test_several_threads)
{
    static struct feed feeds[STREAMS];
    struct stage stage;
    for (unsigned threads = 1; threads <= 4; threads++) {
        set(&stage, scheme, early);
        run_threads(&stage, feeds, threads, 0);
        assert_int_equal(stage.figures.buffer_cap_waits, 0);
    }
}

/* From the least cap that the scheme accepts. Small receives in turn bring all streams into the
 * middle of a frame at once. */
SCHEME_TEST(test_at_the_cap)
{
    static const double caps[] = {1, 1.03, 1.25, 1.7, 3};
    static const size_t receives[] = {0, 300};
    static struct feed feeds[STREAMS];
    struct stage stage;
    for (unsigned i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        for (unsigned j = 0; j < 2; j++) {
            set(&stage, scheme, early);
            const uint64_t least = stage_least_cap(&stage);
            stage.config.pool_cap_bytes = (uint64_t)((double)least * caps[i]);
            run_threads(&stage, feeds, 1 + i % 3, receives[j]);
        }
    }
}

SCHEME_TEST(test_waits_are_counted)
{
    static struct feed feeds[STREAMS];
    struct stage stage;
    if (early || is_scheme(scheme, "drain") || is_scheme(scheme, "slices"))
        return; /* has enough for all; never holds anything for long */
    set(&stage, scheme, early);
    stage.config.pool_cap_bytes = stage_least_cap(&stage);
    run_threads(&stage, feeds, 2, 300);
    assert_true(stage.figures.buffer_cap_waits > 0);
}

/* One byte less than the least cap is refused, with the least one named; the expected memory is
 * never
 * above the cap. */
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
    static struct feed feeds[STREAMS];
    struct thread thread = {.feeds = feeds, .step = 1, .receive_bytes = 100, .evens_leave = true};
    struct stage stage;
    set(&stage, scheme, early);
    stage.config.pool_cap_bytes = stage_least_cap(&stage);
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

int main(void)
{
    seed_rand();
    return tests_run(NULL, NULL);
}
