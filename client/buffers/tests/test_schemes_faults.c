/* A fault in one stream ends that stream, with the right error name, and no other. */
#include "client/buffers/tests/scheme_stage.h"

enum { FRAME_BYTES = 400, FRAMES = 4, BLOCK_BYTES = 128 };

/* One stream with a fault between two without. */
struct trio {
    struct stage stage;
    struct feed feeds[3];
};

enum { HEALTHY_BEFORE, FAULTY, HEALTHY_AFTER };

static void set_up(struct stage *stage, const struct scheme *scheme, bool early)
{
    stage_set(stage, scheme, early, "\r\n", BLOCK_BYTES, FRAME_BYTES);
}

static void trio_open(struct trio *trio, const struct scheme *scheme, bool early)
{
    memset(trio, 0, sizeof *trio);
    set_up(&trio->stage, scheme, early);
    stage_open(&trio->stage);
    for (unsigned i = 0; i < 3; i++)
        feed_open(&trio->feeds[i], &trio->stage, FRAMES, FRAME_BYTES, FRAME_BYTES, i);
}

/* All three side by side; the healthy ones have to finish. */
static void trio_run(struct trio *trio)
{
    for (size_t at = 50; at <= (FRAMES + 2) * FRAME_BYTES; at += 50)
        for (unsigned i = 0; i < 3; i++)
            feed_up_to(&trio->feeds[i], at < trio->feeds[i].count ? at : trio->feeds[i].count,
                       SIZE_MAX);
    for (unsigned i = 0; i < 3; i++)
        feed_await(&trio->feeds[i]);
}

static void trio_close(struct trio *trio)
{
    feed_check_finished(&trio->feeds[HEALTHY_BEFORE]);
    feed_check_finished(&trio->feeds[HEALTHY_AFTER]);
    for (unsigned i = 0; i < 3; i++)
        feed_detach(&trio->feeds[i]);
    stage_close(&trio->stage);
}

/* ---- found by the processing side -------------------------------------------------------- */

static uint8_t *frame_at(struct trio *trio, unsigned frame)
{
    return trio->feeds[FAULTY].bytes + (size_t)frame * FRAME_BYTES;
}

static const enum frame_error faults[] = {FRAME_BAD_CHECK, FRAME_BAD_HEADER, FRAME_BAD_ORDER,
                                          FRAME_TRUNCATED, FRAME_BAD_LENGTH};

/* Puts the fault into the faulty stream's third frame. */
static void spoil(struct trio *trio, enum frame_error fault)
{
    const struct protocol_marker *marker = &trio->stage.config.process.marker;
    uint8_t *frame = frame_at(trio, 2), *payload = frame + PROTOCOL_HEADER_BYTES;
    if (fault == FRAME_BAD_CHECK)
        payload[7] = payload[7] == 'x' ? 'y' : 'x';
    else if (fault == FRAME_BAD_HEADER)
        memset(frame, '?', 8);
    else if (fault == FRAME_BAD_ORDER)
        protocol_frame_write(frame, FRAME_BYTES, 7, 0, 1, marker);
    else if (fault == FRAME_TRUNCATED)
        memcpy(frame + FRAME_BYTES / 2, marker->bytes, 2);
    else { /* its marker is missing where it says it ends */
        protocol_frame_write(frame, FRAME_BYTES - 10, 2, 0, 1, marker);
        memset(frame + FRAME_BYTES - 12, 'z', 10);
        memcpy(frame + FRAME_BYTES - 2, marker->bytes, 2);
    }
}

/* The receiving side may have found something too by then, if it was faster. */
static void check_fault(struct trio *trio, enum frame_error error)
{
    const struct feed *faulty = &trio->feeds[FAULTY];
    while (atomic_load(&faulty->failed) == 0)
        driver_wait(&trio->stage.driver);
    assert_int_equal(atomic_load(&faulty->failed), 1);
    assert_int_equal(atomic_load(&faulty->finished), 0);
    assert_int_equal(faulty->stream->error, error);
    assert_int_equal(faulty->stream->processed_frames, 2);
}

SCHEME_TEST(test_faults_found_while_processing)
{
    for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct trio trio;
        trio_open(&trio, scheme, early);
        spoil(&trio, faults[i]);
        trio_run(&trio);
        if (stage_frames(&trio.stage))
            check_fault(&trio, faults[i]);
        else
            feed_check_finished(&trio.feeds[FAULTY]);
        trio_close(&trio);
        if (stage_frames(&trio.stage))
            assert_int_equal(trio.stage.figures.frames, 2 * FRAMES + 2);
    }
}

/* ---- found by the receiving side --------------------------------------------------------- */

SCHEME_TEST(test_overlong_frames)
{
    struct trio trio;
    trio_open(&trio, scheme, early);
    memset(frame_at(&trio, 2) - 2, 'x', 2);
    trio_run(&trio);
    trio_close(&trio);
    if (!stage_frames(&trio.stage))
        return;
    assert_int_equal(trio.feeds[FAULTY].error, FRAME_OVERLONG);
    assert_int_equal(atomic_load(&trio.feeds[FAULTY].failed), 0);
    assert_int_equal(trio.stage.figures.frames, 2 * FRAMES + 1);
}

/* The surplus comes with the last frame in one receive, or after it; what was asked for is
 * processed. */
SCHEME_TEST(test_surplus_frames)
{
    for (unsigned behind = 0; behind < 2; behind++) {
        struct trio trio;
        trio_open(&trio, scheme, early);
        struct feed *faulty = &trio.feeds[FAULTY];
        const size_t asked = faulty->count;
        feed_add(faulty, FRAMES, FRAME_BYTES, 1);
        faulty->frames = FRAMES;
        feed_up_to(faulty, asked - 30, SIZE_MAX);
        if (behind == 0)
            feed_up_to(faulty, asked, SIZE_MAX);
        while (faulty->error == FRAME_OK)
            feed_step(faulty, 60);
        for (unsigned i = 0; i < 3; i++)
            feed_up_to(&trio.feeds[i], trio.feeds[i].count, SIZE_MAX);
        feed_await(&trio.feeds[HEALTHY_BEFORE]);
        feed_await(&trio.feeds[HEALTHY_AFTER]);
        trio_close(&trio);
        assert_int_equal(faulty->error, FRAME_SURPLUS);
        assert_int_equal(atomic_load(&faulty->finished), 1);
        assert_int_equal(atomic_load(&faulty->failed), 0);
        assert_int_equal(trio.stage.figures.frames, stage_frames(&trio.stage) ? 3 * FRAMES : 0);
    }
}

/* ---- ends in the middle ------------------------------------------------------------------ */

/* Frames that were handed over before the detach are processed all the same, the unfinished one is
 * not. */
SCHEME_TEST(test_detach_in_the_middle_of_a_frame)
{
    for (size_t at = 1; at < 3 * FRAME_BYTES; at += 61) {
        struct trio trio;
        trio_open(&trio, scheme, early);
        struct feed *gone = &trio.feeds[FAULTY];
        feed_up_to(gone, at, SIZE_MAX);
        assert_int_equal(gone->stream->partial_bytes,
                         stage_frames(&trio.stage) ? at % FRAME_BYTES : 0);
        feed_detach(gone);
        feed_finish(&trio.feeds[HEALTHY_BEFORE]);
        feed_finish(&trio.feeds[HEALTHY_AFTER]);
        stage_close(&trio.stage);
        assert_int_equal(atomic_load(&gone->finished) + atomic_load(&gone->failed), 0);
        if (stage_frames(&trio.stage))
            assert_int_equal(trio.stage.figures.frames, 2 * FRAMES + at / FRAME_BYTES);
    }
}

/* The server's close ends the third frame, and another connection goes on (`again`), or not. */
static void run_to_a_close(const struct scheme *scheme, bool early, bool again, size_t part)
{
    struct stage stage;
    struct feed feed;
    set_up(&stage, scheme, early);
    stage.config.process.verify = VERIFY_NONE;
    stage_open(&stage);
    feed_init(&feed, &stage);
    feed_add_many(&feed, FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    feed.frames = FRAMES + 1; /* two of them made of one */
    feed_attach(&feed);
    feed_up_to(&feed, 2 * FRAME_BYTES + part, SIZE_MAX);
    assert_int_equal(feed.stream->partial_bytes, part);
    scheme_finish(stage.run, feed.stream);
    assert_int_equal(feed.stream->found_frames, 3);
    assert_int_equal(feed.stream->found_bytes, 2 * FRAME_BYTES + part);
    if (again) {
        scheme_rewind(stage.run, feed.stream, 0);
        feed_close(&feed);
    } else {
        feed_detach(&feed);
    }
    stage_close(&stage);
    assert_int_equal(stage.figures.frames, again ? FRAMES + 1 : 3);
    assert_int_equal(stage.figures.bytes, again ? FRAMES * FRAME_BYTES : 2 * FRAME_BYTES + part);
}

SCHEME_TEST(test_a_close_may_end_a_frame)
{
    if (is_scheme(scheme, "drain"))
        return;
    for (size_t part = 1; part < FRAME_BYTES; part += 57)
        for (unsigned again = 0; again < 2; again++)
            run_to_a_close(scheme, early, again, part);
}

SCHEME_TEST(test_retract)
{
    struct stage stage;
    struct feed feed;
    struct cp_block blocks[CP_BLOCKS_MAX];
    set_up(&stage, scheme, early);
    stage_open(&stage);
    feed_open(&feed, &stage, FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    while (feed.at < feed.count) {
        if (scheme->offer(stage.run, feed.stream, blocks, stage.config.blocks_per_receive) > 0)
            scheme->retract(stage.run, feed.stream);
        else
            feed.refusals++;
        feed_step(&feed, 37);
    }
    feed_close(&feed);
    stage_close(&stage);
}

static const struct stream_goal one_byte = {.frames = 1, .bytes = 1};

/* Some of those that may come never do. */
SCHEME_TEST(test_streams_keep_their_indexes)
{
    static const uint32_t indexes[] = {6, 0, 3};
    struct stage stage;
    set_up(&stage, scheme, early);
    stage.config.streams_max = 7;
    stage_open(&stage);
    struct stream *streams[3];
    for (unsigned i = 0; i < 3; i++) {
        streams[i] = scheme_attach(stage.run, indexes[i], &one_byte);
        assert_non_null(streams[i]);
        assert_int_equal(scheme_index(stage.run, streams[i]), indexes[i]);
    }
    for (unsigned i = 0; i < 3; i++)
        scheme_detach(stage.run, streams[i]);
    stage_close(&stage);
}

SCHEME_TEST(test_threads_are_as_the_paper_says)
{
    enum { STREAMS = 5 };
    const bool own = is_scheme(scheme, "fixed") || is_scheme(scheme, "ring");
    const bool one = is_scheme(scheme, "chain");
    struct stage stage;
    struct stream *streams[STREAMS];
    set_up(&stage, scheme, early);
    stage_open(&stage);
    for (unsigned i = 0; i < STREAMS; i++)
        streams[i] = scheme_attach(stage.run, i, &one_byte);
    const unsigned chosen = is_scheme(scheme, "slices") ? stage.config.processors : 0;
    assert_int_equal(os_thread_count(OS_ROLE_BUFFER), own ? STREAMS : one + chosen);
    for (unsigned i = 0; i < STREAMS; i++)
        scheme_detach(stage.run, streams[i]);
    stage_close(&stage);
}
