/* A stage for receive-buffer schemes without a port: feeds play the connections. A feed has bytes
 * to deliver, calls the hooks as the port and the collector would, and records what it is told. */
#ifndef FANIN_TESTS_SCHEME_STAGE_H
#define FANIN_TESTS_SCHEME_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/buffers/scheme.h"
#include "base/os.h"
#include "base/protocol.h"

enum {
    FEEDS_MAX = 600,
    WHY_BYTES = 400,
    STAGE_WORKERS = 3,
    PATIENCE_S = 30, /* far more than a loaded machine needs; only failures wait that long */
};

struct stage {
    const struct scheme *scheme;
    struct scheme_config config;
    struct scheme_run *run;
    struct scheme_figures figures;
    char why[WHY_BYTES];
};

/* Who drives feeds: one thread. */
struct driver {
    struct os_parker parker;
};

struct feed {
    struct stage *stage;
    struct driver *driver;
    struct stream *stream;
    uint8_t *bytes; /* what the server sends */
    size_t count, at;
    uint32_t frames;
    bool detached;
    unsigned refusals; /* how often offer answered 0 */
    _Atomic unsigned resumes, finished, failed;
    enum frame_error error; /* of received */
};

static inline void feed_told(struct feed *feed, _Atomic unsigned *what)
{
    atomic_fetch_add(what, 1);
    os_unpark(&feed->driver->parker);
}

static inline void on_resume(void *context, struct stream *stream)
{
    struct feed *feed = stream->owner;
    assert_ptr_equal(context, feed->stage);
    feed_told(feed, &feed->resumes);
}

static inline void on_finished(void *context, struct stream *stream)
{
    struct feed *feed = stream->owner;
    (void)context;
    feed_told(feed, &feed->finished);
}

static inline void on_failed(void *context, struct stream *stream)
{
    struct feed *feed = stream->owner;
    (void)context;
    assert_int_not_equal(stream->error, FRAME_OK);
    feed_told(feed, &feed->failed);
}

/* ---- stage ------------------------------------------------------------------------------- */

static inline struct protocol_marker marker_text(const char *bytes)
{
    struct protocol_marker marker = {.count = (unsigned)strlen(bytes)};
    memcpy(marker.bytes, bytes, marker.count);
    return marker;
}

/* Of schemes that leave the number of processing threads open; each_scheme tries several. */
static unsigned stage_processors;

static inline void stage_set(struct stage *stage, const struct scheme *scheme, const char *marker,
                             size_t block_bytes, size_t frame_bytes_max)
{
    memset(stage, 0, sizeof *stage);
    stage->scheme = scheme;
    stage->config = (struct scheme_config){
        .block_bytes = block_bytes,
        .blocks_per_receive = 4,
        .pool_batch = 8,
        .pool_cap_bytes = UINT64_MAX,
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

static inline bool stage_opens(struct stage *stage)
{
    return scheme_open(stage->scheme, &stage->config, &stage->run, stage->why, sizeof stage->why) ==
           0;
}

static inline void stage_open(struct stage *stage)
{
    if (!stage_opens(stage))
        fail_msg("%s: %s", stage->scheme->name, stage->why);
}

/* What every run has to show at its end, however it went. */
static inline void stage_close(struct stage *stage)
{
    scheme_close(stage->run, &stage->figures);
    assert_int_equal(stage->figures.blocks_lost, 0);
    assert_true(stage->figures.buffer_peak_bytes <= stage->config.pool_cap_bytes);
}

static inline bool stage_frames(const struct stage *stage)
{
    return strcmp(stage->scheme->name, "drain") != 0;
}

/* The smallest cap that the scheme takes for this config, in its own words. */
static inline uint64_t stage_least_cap(struct stage *stage)
{
    stage->config.pool_cap_bytes = 0;
    assert_false(stage_opens(stage));
    const char *least = strstr(stage->why, "at least ");
    assert_non_null(least);
    assert_non_null(strstr(stage->why, stage->scheme->name));
    return strtoull(least + strlen("at least "), NULL, 10);
}

/* ---- feeds ------------------------------------------------------------------------------- */

static inline void feed_init(struct feed *feed, struct stage *stage, struct driver *driver)
{
    memset(feed, 0, sizeof *feed);
    feed->stage = stage;
    feed->driver = driver;
}

/* Puts a frame behind the others; it belongs at position `seq` of its stream. */
static inline void feed_add(struct feed *feed, uint32_t seq, uint32_t length, uint64_t seed)
{
    feed->bytes = realloc(feed->bytes, feed->count + length);
    assert_non_null(feed->bytes);
    protocol_frame_write(feed->bytes + feed->count, length, seq,
                         feed->stage->config.process.live ? os_wall_ns() : 0, seed,
                         &feed->stage->config.process.marker);
    feed->count += length;
    feed->frames++;
}

static inline void feed_add_many(struct feed *feed, uint32_t frames, uint32_t size_min,
                                 uint32_t size_max, uint64_t seed)
{
    for (uint32_t seq = 0; seq < frames; seq++)
        feed_add(feed, seq, protocol_frame_length(seed, seq, size_min, size_max), seed);
}

static inline void feed_attach(struct feed *feed)
{
    feed->stream = scheme_attach(feed->stage->run, feed, feed->frames, feed->count);
    assert_non_null(feed->stream);
}

static inline bool feed_waits(const struct feed *feed)
{
    return atomic_load(&feed->resumes) < feed->refusals;
}

/* One receive of at most `most` bytes. False: it has to wait, is at its end, or failed. */
static inline bool feed_receive(struct feed *feed, size_t most)
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

static inline bool feed_over(const struct feed *feed)
{
    return atomic_load(&feed->finished) + atomic_load(&feed->failed) > 0 || feed->error != FRAME_OK;
}

static inline void driver_wait(struct driver *driver)
{
    if (os_park(&driver->parker, (uint64_t)PATIENCE_S * OS_NS_PER_S))
        return;
    fprintf(stderr, "nothing happened for %d seconds\n", PATIENCE_S);
    abort(); /* on whatever thread this is */
}

/* All up to position `to`, in receives of at most `most` bytes. */
static inline void feed_up_to(struct feed *feed, size_t to, size_t most)
{
    while (feed->at < to && !feed_over(feed))
        if (!feed_receive(feed, to - feed->at < most ? to - feed->at : most) && feed_waits(feed))
            driver_wait(feed->driver);
}

static inline void feed_detach(struct feed *feed)
{
    scheme_detach(feed->stage->run, feed->stream);
    feed->detached = true;
}

static inline void feed_await(struct feed *feed)
{
    while (!feed_over(feed))
        driver_wait(feed->driver);
}

/* The stream's whole life but for the attach: it has to finish. */
static inline void feed_finish(struct feed *feed)
{
    feed_up_to(feed, feed->count, SIZE_MAX);
    feed_await(feed);
    feed_detach(feed);
}

static inline void feed_check_finished(const struct feed *feed)
{
    assert_int_equal(feed->error, FRAME_OK);
    assert_int_equal(atomic_load(&feed->failed), 0);
    assert_int_equal(atomic_load(&feed->finished), 1);
    assert_int_equal(atomic_load(&feed->resumes), feed->refusals);
    assert_int_equal(feed->stream->received_bytes, feed->count);
    assert_int_equal(feed->stream->processed_bytes, feed->count);
    if (stage_frames(feed->stage))
        assert_int_equal(feed->stream->processed_frames, feed->frames);
}

static inline void feed_free(struct feed *feed)
{
    free(feed->bytes);
}

/* ---- every scheme ------------------------------------------------------------------------ */

/* Runs `test` for each scheme under each binding, and with several numbers of processing threads
 * where they can be chosen. */
static inline void each_scheme(void (*test)(const struct scheme *scheme, bool early))
{
    static const unsigned numbers[] = {1, 3};
    for (unsigned i = 0; scheme_list(i) != NULL; i++) {
        test(scheme_list(i), false);
        test(scheme_list(i), true);
        if (strcmp(scheme_list(i)->name, "slices") != 0)
            continue;
        for (unsigned j = 0; j < sizeof numbers / sizeof numbers[0]; j++) {
            stage_processors = numbers[j];
            test(scheme_list(i), false);
            test(scheme_list(i), true);
        }
        stage_processors = 0;
    }
}

#endif
