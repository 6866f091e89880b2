/* Drives receive-buffer schemes without a port. */
#include "client/buffers/tests/scheme_stage.h"

#include <time.h>

void feed_notify(struct feed *feed, _Atomic unsigned *event)
{
    atomic_fetch_add(event, 1);
    os_unpark(feed->driver);
}

struct feed *feed_of(const struct stage *stage, const struct stream *stream)
{
    return stage->feeds[scheme_index(stage->run, stream)];
}

static void on_resume(void *context, struct stream *stream)
{
    struct feed *feed = feed_of(context, stream);
    assert_ptr_equal(context, feed->stage);
    feed_notify(feed, &feed->resumes);
}

static void on_finished(void *context, struct stream *stream)
{
    struct feed *feed = feed_of(context, stream);
    feed_notify(feed, &feed->finished);
}

static void on_failed(void *context, struct stream *stream)
{
    struct feed *feed = feed_of(context, stream);
    assert_int_not_equal(stream->error, FRAME_OK);
    feed_notify(feed, &feed->failed);
}

/* ---- stage ------------------------------------------------------------------------------- */

struct protocol_marker marker_text(const char *bytes)
{
    struct protocol_marker marker = {.count = (unsigned)strlen(bytes)};
    memcpy(marker.bytes, bytes, marker.count);
    return marker;
}

/* For schemes that leave the number of processing threads open. */
static unsigned stage_processors;

void stage_set(struct stage *stage, const struct scheme *scheme, bool early, const char *marker,
               size_t block_bytes, size_t frame_bytes_max)
{
    memset(stage, 0, sizeof *stage);
    stage->scheme = scheme;
    stage->config = (struct scheme_config){
        .block_bytes = block_bytes,
        .blocks_per_receive = 4,
        .pool_batch = 8,
        .pool_cap_bytes = UINT64_MAX,
        .early = early,
        .workers = STAGE_WORKERS,
        .batch = 1,
        .processors = stage_processors,
        .streams_max = FEEDS_MAX,
        .process = {.verify = VERIFY_FULL,
                    .frame_bytes_max = frame_bytes_max,
                    .marker = marker_text(marker)},
        .events = {.resume = on_resume,
                   .finished = on_finished,
                   .failed = on_failed,
                   .context = stage},
    };
    marker_init(&stage->config.marker, (const uint8_t *)marker, (unsigned)strlen(marker));
}

bool stage_opens(struct stage *stage)
{
    atomic_store(&stage->attached, 0);
    return scheme_open(stage->scheme, &stage->config, &stage->run, stage->why, sizeof stage->why) ==
           0;
}

void stage_open(struct stage *stage)
{
    if (!stage_opens(stage))
        fail_msg("%s: %s", stage->scheme->name, stage->why);
}

void stage_close(struct stage *stage)
{
    scheme_close(stage->run, &stage->figures);
    assert_int_equal(stage->figures.blocks_lost, 0);
    assert_true(stage->figures.buffer_peak_bytes <= stage->config.pool_cap_bytes);
}

void stage_check(const struct stage *stage, const struct feed *feeds, unsigned count)
{
    uint64_t bytes = 0, frames = 0;
    for (unsigned i = 0; i < count; i++) {
        bytes += feeds[i].count;
        frames += feeds[i].frames;
    }
    assert_int_equal(stage->figures.bytes, bytes);
    assert_int_equal(stage->figures.frames, stage_frames(stage) ? frames : 0);
    assert_int_equal(stage->figures.scanned_bytes, stage_frames(stage) ? bytes : 0);
}

bool is_scheme(const struct scheme *scheme, const char *name)
{
    return strcmp(scheme->name, name) == 0;
}

bool stage_frames(const struct stage *stage)
{
    return !is_scheme(stage->scheme, "drain");
}

uint64_t stage_least_cap(struct stage *stage)
{
    stage->config.pool_cap_bytes = 0;
    assert_false(stage_opens(stage));
    const char *least = strstr(stage->why, "at least ");
    assert_non_null(least);
    assert_non_null(strstr(stage->why, stage->scheme->name));
    return strtoull(least + strlen("at least "), NULL, 10);
}

/* ---- feeds ------------------------------------------------------------------------------- */

void feed_init(struct feed *feed, struct stage *stage)
{
    memset(feed, 0, sizeof *feed);
    feed->stage = stage;
    feed->driver = &stage->driver;
}

static void reserve(struct feed *feed, size_t bytes)
{
    if (bytes <= feed->capacity)
        return;
    feed->bytes = realloc(feed->bytes, bytes);
    feed->capacity = bytes;
    assert_non_null(feed->bytes);
}

void feed_add(struct feed *feed, uint32_t seq, uint32_t length, uint64_t seed)
{
    reserve(feed, feed->count + length);
    protocol_frame_write(feed->bytes + feed->count, length, seq,
                         feed->stage->config.process.live ? os_wall_ns() : 0, seed,
                         &feed->stage->config.process.marker);
    feed->count += length;
    feed->frames++;
}

void feed_add_many(struct feed *feed, uint32_t frames, uint32_t size_min, uint32_t size_max,
                   uint64_t seed)
{
    reserve(feed, feed->count + (size_t)frames * size_max);
    for (uint32_t seq = 0; seq < frames; seq++)
        feed_add(feed, seq, protocol_frame_length(seed, seq, size_min, size_max), seed);
}

bool feed_attaches(struct feed *feed)
{
    feed->goal = (struct stream_goal){.frames = feed->frames, .bytes = feed->count};
    const uint32_t index = atomic_fetch_add(&feed->stage->attached, 1);
    feed->stage->feeds[index] = feed;
    feed->stream = scheme_attach(feed->stage->run, index, &feed->goal);
    return feed->stream != NULL;
}

void feed_attach(struct feed *feed)
{
    assert_true(feed_attaches(feed));
}

void feed_open(struct feed *feed, struct stage *stage, uint32_t frames, uint32_t size_min,
               uint32_t size_max, uint64_t seed)
{
    feed_init(feed, stage);
    feed_add_many(feed, frames, size_min, size_max, seed);
    feed_attach(feed);
}

static bool feed_waits(const struct feed *feed)
{
    return atomic_load(&feed->resumes) < feed->refusals;
}

bool feed_receive(struct feed *feed, size_t most)
{
    const struct stage *stage = feed->stage;
    struct cp_block blocks[CP_BLOCKS_MAX];
    size_t filled = 0;
    if (feed_waits(feed) || feed->at == feed->count || feed->error != FRAME_OK)
        return false;
    const unsigned count =
        stage->scheme->offer(stage->run, feed->stream, blocks, stage->config.blocks_per_receive);
    if (count == 0) {
        feed->refusals++;
        return false;
    }
    if (most > feed->count - feed->at)
        most = feed->count - feed->at;
    for (unsigned i = 0; i < count; i++) {
        const size_t bytes = most - filled < blocks[i].bytes ? most - filled : blocks[i].bytes;
        memcpy(blocks[i].data, feed->bytes + feed->at + filled, bytes);
        filled += bytes;
    }
    feed->at += filled;
    feed->error = stage->scheme->received(stage->run, feed->stream, blocks, count, filled);
    return feed->error == FRAME_OK;
}

bool feed_over(const struct feed *feed)
{
    return atomic_load(&feed->finished) + atomic_load(&feed->failed) > 0 || feed->error != FRAME_OK;
}

void driver_wait(struct os_parker *driver)
{
    if (os_park(driver, (uint64_t)PATIENCE_S * OS_NS_PER_S))
        return;
    fprintf(stderr, "nothing happened for %d seconds\n", PATIENCE_S);
    abort(); /* on whatever thread this is */
}

void feed_step(struct feed *feed, size_t most)
{
    if (!feed_receive(feed, most) && feed_waits(feed))
        driver_wait(feed->driver);
}

void feed_up_to(struct feed *feed, size_t to, size_t most)
{
    while (feed->at < to && !feed_over(feed))
        feed_step(feed, to - feed->at < most ? to - feed->at : most);
}

void feed_detach(struct feed *feed)
{
    scheme_detach(feed->stage->run, feed->stream);
    free(feed->bytes);
    feed->detached = true;
}

void feed_await(struct feed *feed)
{
    while (!feed_over(feed))
        driver_wait(feed->driver);
}

void feed_finish(struct feed *feed)
{
    feed_up_to(feed, feed->count, SIZE_MAX);
    feed_await(feed);
    feed_detach(feed);
}

void feed_check_finished(const struct feed *feed)
{
    assert_int_equal(feed->error, FRAME_OK);
    assert_int_equal(atomic_load(&feed->failed), 0);
    assert_int_equal(atomic_load(&feed->finished), 1);
    assert_int_equal(atomic_load(&feed->resumes), feed->refusals);
    assert_int_equal(feed->stream->received_bytes, feed->count);
    if (stage_frames(feed->stage))
        assert_int_equal(feed->stream->processed_frames, feed->frames);
}

void feed_close(struct feed *feed)
{
    feed_finish(feed);
    feed_check_finished(feed);
}

void stage_run(struct stage *stage, uint32_t frames, uint32_t frame_bytes, size_t first_receive)
{
    struct feed feed;
    stage_open(stage);
    feed_open(&feed, stage, frames, frame_bytes, frame_bytes, 1);
    feed_up_to(&feed, first_receive, SIZE_MAX);
    feed_close(&feed);
    stage_close(stage);
}

/* ---- every scheme ------------------------------------------------------------------------ */

void each_scheme(void **state)
{
    static const unsigned numbers[] = {0, 1, 3};
    void (*test)(const struct scheme *, bool) = (void (*)(const struct scheme *, bool)) * state;
    for (unsigned i = 0; scheme_list(i) != NULL; i++)
        for (unsigned j = 0; j < (is_scheme(scheme_list(i), "slices") ? 3 : 1); j++) {
            stage_processors = numbers[j];
            test(scheme_list(i), false);
            test(scheme_list(i), true);
        }
    stage_processors = 0;
}

__attribute__((constructor)) static void seed_rand(void)
{
    const char *given = getenv("FANIN_SEED");
    const unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("FANIN_SEED=%u repeats this\n", seed);
    srand(seed);
}
