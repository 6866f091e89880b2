/* Schemes with many streams, several threads, and hardly any memory: nothing is lost, nobody waits
 * for ever, every offer that was refused is followed by one resume, the cap holds. */
#include "client/buffers/tests/scheme_stage.h"

#include <time.h>

enum { STREAMS = 8, FRAMES = 25, SIZE_LEAST = 66, SIZE_MOST = 5000, BLOCK_BYTES = 512 };

/* Drives the feeds whose number leaves `first` when divided by `step`. */
struct crew {
    struct driver driver;
    struct feed *feeds;
    unsigned first, step, seed;
    size_t receive_bytes; /* at most; 0: at random */
    bool evens_leave;     /* when they have half of what they are sent */
};

static size_t next_receive(struct crew *crew)
{
    if (crew->receive_bytes > 0)
        return crew->receive_bytes;
    return 1 + (size_t)rand_r(&crew->seed) % (2 * SIZE_MOST);
}

static bool leaves(const struct crew *crew, unsigned i)
{
    const struct feed *feed = &crew->feeds[i];
    return feed_over(feed) || (crew->evens_leave && i % 2 == 0 && feed->at > feed->count / 2);
}

/* One receive of each, in turn: who was resumed has to get on, others may wait for that. False: all
 * are over. */
static bool go_round(struct crew *crew)
{
    bool left = false, moved = false;
    for (unsigned i = crew->first; i < STREAMS; i += crew->step) {
        struct feed *feed = &crew->feeds[i];
        if (feed->detached)
            continue;
        left = true;
        moved |= feed_receive(feed, next_receive(crew));
        if (leaves(crew, i)) {
            feed_detach(feed);
            moved = true;
        }
    }
    if (left && !moved)
        driver_wait(&crew->driver);
    return left;
}

static void *drive(void *argument)
{
    while (go_round(argument))
        continue;
    return NULL;
}

static void run_crews(struct stage *stage, struct feed *feeds, unsigned crew_count,
                      size_t receive_bytes)
{
    struct crew crews[STREAMS] = {0};
    pthread_t threads[STREAMS];
    stage->config.streams_max = STREAMS;
    stage_open(stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_init(&feeds[i], stage, &crews[i % crew_count].driver);
        feed_add_many(&feeds[i], FRAMES, SIZE_LEAST, SIZE_MOST, i);
        feed_attach(&feeds[i]);
    }
    for (unsigned i = 0; i < crew_count; i++) {
        crews[i].feeds = feeds;
        crews[i].first = i;
        crews[i].step = crew_count;
        crews[i].seed = (unsigned)rand();
        crews[i].receive_bytes = receive_bytes;
        assert_int_equal(pthread_create(&threads[i], NULL, drive, &crews[i]), 0);
    }
    for (unsigned i = 0; i < crew_count; i++)
        pthread_join(threads[i], NULL);
    stage_close(stage);
    uint64_t bytes = 0;
    for (unsigned i = 0; i < STREAMS; i++) {
        bytes += feeds[i].count;
        assert_int_equal(atomic_load(&feeds[i].failed), 0);
        assert_int_equal(feeds[i].error, FRAME_OK);
        assert_int_equal(atomic_load(&feeds[i].finished), 1);
        assert_int_equal(atomic_load(&feeds[i].resumes), feeds[i].refusals);
        feed_free(&feeds[i]);
    }
    assert_int_equal(stage->figures.bytes, bytes);
}

static void set(struct stage *stage, const struct scheme *scheme, bool early)
{
    stage_set(stage, scheme, "\r\n", BLOCK_BYTES, SIZE_MOST);
    stage->config.early = early;
    stage->config.streams_max = STREAMS;
}

static void without_cap(const struct scheme *scheme, bool early)
{
    static struct feed feeds[STREAMS];
    struct stage stage;
    for (unsigned crews = 1; crews <= 4; crews++) {
        set(&stage, scheme, early);
        run_crews(&stage, feeds, crews, 0);
        assert_int_equal(stage.figures.buffer_cap_waits, 0);
    }
}

static void test_several_threads(void **state)
{
    (void)state;
    each_scheme(without_cap);
}

/* From the least cap that the scheme takes on. Small receives in turn bring all streams into the
 * middle of a frame at once. */
static void at_the_cap(const struct scheme *scheme, bool early)
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
            run_crews(&stage, feeds, 1 + i % 3, receives[j]);
        }
    }
}

static void test_at_the_cap(void **state)
{
    (void)state;
    each_scheme(at_the_cap);
}

static void waits(const struct scheme *scheme, bool early)
{
    static struct feed feeds[STREAMS];
    struct stage stage;
    if (early || strcmp(scheme->name, "drain") == 0 || strcmp(scheme->name, "slices") == 0)
        return; /* has enough for all; never holds anything for long */
    set(&stage, scheme, early);
    stage.config.pool_cap_bytes = stage_least_cap(&stage);
    run_crews(&stage, feeds, 2, 300);
    assert_true(stage.figures.buffer_cap_waits > 0);
}

static void test_waits_are_counted(void **state)
{
    (void)state;
    each_scheme(waits);
}

/* One byte less than the least cap is refused, with the least one named; memory() never promises
 * more than the cap. */
static void refuses_less(const struct scheme *scheme, bool early)
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

static void test_a_cap_that_could_deadlock_is_refused(void **state)
{
    (void)state;
    each_scheme(refuses_less);
}

/* Every other stream is detached in the middle of its frame, the holder of the reserve too: the
 * others go on. */
static void privileged_leaves(const struct scheme *scheme, bool early)
{
    static struct feed feeds[STREAMS];
    struct crew crew = {.feeds = feeds, .step = 1, .receive_bytes = 100, .evens_leave = true};
    struct stage stage;
    set(&stage, scheme, early);
    stage.config.pool_cap_bytes = stage_least_cap(&stage);
    stage_open(&stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_init(&feeds[i], &stage, &crew.driver);
        feed_add_many(&feeds[i], 1, SIZE_MOST, SIZE_MOST, i);
        feed_attach(&feeds[i]);
    }
    drive(&crew);
    stage_close(&stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        assert_int_equal(atomic_load(&feeds[i].finished), i % 2);
        assert_int_equal(atomic_load(&feeds[i].failed), 0);
        feed_free(&feeds[i]);
    }
}

static void test_detach_gives_the_reserve_on(void **state)
{
    (void)state;
    each_scheme(privileged_leaves);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_threads),
        cmocka_unit_test(test_at_the_cap),
        cmocka_unit_test(test_waits_are_counted),
        cmocka_unit_test(test_a_cap_that_could_deadlock_is_refused),
        cmocka_unit_test(test_detach_gives_the_reserve_on),
    };
    const unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
