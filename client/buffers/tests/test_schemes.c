/* One contract for every scheme: in whatever pieces the bytes come, every frame is processed once,
 * whole and in order, and the figures are right. */
#include "client/buffers/scheme_base.h"
#include "client/buffers/tests/scheme_stage.h"

static const char *const markers[] = {"\n", "\r\n", "\r\r\n", "abcabcab", "0123456789abcdef"};
enum { MARKERS = sizeof markers / sizeof markers[0] };

/* Every stream is split once, each at another place. Blocks of 7 bytes: markers lie in up to 4 of
 * them. */
static void split_everywhere(const struct scheme *scheme, bool early, const char *marker,
                             size_t block_bytes)
{
    static struct feed feeds[FEEDS_MAX];
    struct stage stage;
    unsigned count = 0;
    stage_set(&stage, scheme, early, marker, block_bytes, 100);
    stage_open(&stage);
    for (size_t split = 0;; split++) {
        struct feed *feed = &feeds[count++];
        feed_open(feed, &stage, 3, PROTOCOL_FRAME_BYTES_MIN, PROTOCOL_FRAME_BYTES_MIN + 8, split);
        feed_up_to(feed, split, SIZE_MAX);
        feed_finish(feed);
        if (split >= feed->count)
            break;
    }
    stage_close(&stage);
    stage_check(&stage, feeds, count);
}

SCHEME_TEST(test_every_split_point)
{
    for (unsigned m = 0; m < MARKERS; m++) {
        split_everywhere(scheme, early, markers[m], 7);
        split_everywhere(scheme, early, markers[m], 256);
    }
}

/* ---- sizes of receives ------------------------------------------------------------------- */

struct delivery {
    size_t block_bytes;
    uint32_t frames, size_min, size_max;
    size_t receive_bytes; /* at most; 0: at random */
};

static void deliver(struct stage *stage, const struct delivery *how)
{
    struct feed feed;
    stage_open(stage);
    feed_open(&feed, stage, how->frames, how->size_min, how->size_max, 1);
    while (feed.at < feed.count && !feed_over(&feed)) {
        const size_t most =
            how->receive_bytes > 0 ? how->receive_bytes : 1 + (size_t)rand() % (2 * how->size_max);
        feed_step(&feed, most);
    }
    feed_close(&feed);
    stage_close(stage);
    stage_check(stage, &feed, 1);
}

SCHEME_TEST(test_every_size_of_receives)
{
    static const struct delivery deliveries[] = {
        {16, 20, 70, 200, 1},           /* byte by byte */
        {1, 3, 70, 90, SIZE_MAX},       /* a block a byte */
        {16384, 300, 66, 66, SIZE_MAX}, /* hundreds of frames in a receive */
        {100, 50, 100, 100, 100},       /* frames that fill blocks */
        {100, 50, 99, 101, 0},          {4096, 60, 66, 20000, 0}, {333, 100, 66, 1000, 0},
    };
    for (unsigned i = 0; i < sizeof deliveries / sizeof deliveries[0]; i++) {
        struct stage stage;
        stage_set(&stage, scheme, early, markers[i % MARKERS], deliveries[i].block_bytes,
                  deliveries[i].size_max);
        deliver(&stage, &deliveries[i]);
    }
}

/* More frames at once than records, lists of lengths and what is handed over under one lock
 * hold. */
SCHEME_TEST(test_frames_of_one_byte)
{
    enum { LINES = 5000 };
    struct stage stage;
    struct feed feed;
    stage_set(&stage, scheme, early, "\n", 4096, 10);
    stage.config.process.verify = VERIFY_NONE;
    feed_init(&feed, &stage);
    feed.frames = LINES;
    feed.count = LINES;
    feed.bytes = malloc(LINES);
    assert_non_null(feed.bytes);
    memset(feed.bytes, '\n', LINES);
    stage.config.pool_cap_bytes = stage_frames(&stage) ? stage_least_cap(&stage) : UINT64_MAX;
    stage_open(&stage);
    feed_attach(&feed);
    feed_close(&feed);
    stage_close(&stage);
    stage_check(&stage, &feed, 1);
}

/* ---- figures ----------------------------------------------------------------------------- */

/* Receives that end with frames: nothing unfinished has to be moved. */
SCHEME_TEST(test_copies_are_counted)
{
    enum { FRAME_BYTES = 1000, FRAMES = 50 };
    const struct delivery how = {4096, FRAMES, FRAME_BYTES, FRAME_BYTES, FRAME_BYTES};
    const bool in_place =
        is_scheme(scheme, "drain") || is_scheme(scheme, "slices") || is_scheme(scheme, "mirror");
    const unsigned copies = in_place ? 0 : is_scheme(scheme, "fixed") ? 2 : 1;
    struct stage stage;
    stage_set(&stage, scheme, early, "\r\n", how.block_bytes, FRAME_BYTES);
    deliver(&stage, &how);
    assert_int_equal(stage.figures.copied_bytes, copies * FRAMES * FRAME_BYTES);
    assert_int_equal(stage.figures.buffer_cap_waits, 0);
}

SCHEME_TEST(test_latencies_are_merged)
{
    const struct delivery how = {4096, 10, 500, 500, SIZE_MAX};
    struct stage stage;
    stage_set(&stage, scheme, early, "\r\n", how.block_bytes, 500);
    stage.config.process.live = true;
    deliver(&stage, &how);
    const struct latency *latency = &stage.figures.latency;
    assert_int_equal(latency->count, stage_frames(&stage) ? 10 : 0);
    assert_int_equal(latency->negative, 0);
    if (stage_frames(&stage))
        assert_in_range(latency_quantile_ns(latency, 0.5), latency->min_ns, latency->max_ns);
    latency_free(&stage.figures.latency);
}

/* Streams between frames hold no block, so few blocks serve many streams. */
SCHEME_TEST(test_idle_streams_hold_no_block)
{
    enum { STREAMS = 40 };
    static struct feed feeds[STREAMS];
    struct stage stage;
    if (early)
        return;
    stage_set(&stage, scheme, early, "\r\n", 4096, 300);
    stage.config.pool_batch = 1;
    stage_open(&stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], &stage, 1, 300, 300, i);
        feed_up_to(&feeds[i], 300, SIZE_MAX);
        feed_await(&feeds[i]);
    }
    for (unsigned i = 0; i < STREAMS; i++)
        feed_detach(&feeds[i]);
    stage_close(&stage);
    /* What a processing thread has not given back yet is in use, not idle. */
    assert_in_range(stage.figures.pool_blocks, 0, STREAMS / 2);
}

/* Streams in the middle of a frame: the scheme's own formula covers what they take, and is not
 * far above it. */
SCHEME_TEST(test_memory_is_as_predicted)
{
    enum { STREAMS = 10, FRAME_BYTES = 100000 };
    static struct feed feeds[STREAMS];
    struct stage stage;
    stage_set(&stage, scheme, early, "\r\n", 4096, FRAME_BYTES);
    stage.config.workers = 1;
    stage_open(&stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], &stage, 1, FRAME_BYTES, FRAME_BYTES, i);
        feed_up_to(&feeds[i], FRAME_BYTES - 1, SIZE_MAX);
    }
    const uint64_t predicted = scheme_memory(scheme, &stage.config, STREAMS, FRAME_BYTES);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_detach(&feeds[i]);
    stage_close(&stage);
    /* How far behind processing threads will be is not known beforehand; the limit is. */
    const uint64_t least = stage.config.processors == 0 ? predicted / 2 : 1;
    assert_in_range(stage.figures.buffer_peak_bytes, least, predicted);
}

TEST(test_names)
{
    for (unsigned i = 0; scheme_list(i) != NULL; i++) {
        assert_ptr_equal(scheme_find(scheme_list(i)->name), scheme_list(i));
        assert_true(strlen(scheme_list(i)->summary) > 0);
    }
    assert_null(scheme_find("no-such-scheme"));
}

/* The bytes that the feed is offered for its next receive. */
static size_t room_of(struct feed *feed)
{
    const struct stage *stage = feed->stage;
    struct cp_block blocks[CP_BLOCKS_MAX];
    size_t room = 0;
    const unsigned count =
        stage->scheme->offer(stage->run, feed->stream, blocks, stage->config.blocks_per_receive);
    for (unsigned i = 0; i < count; i++)
        room += blocks[i].bytes;
    stage->scheme->retract(stage->run, feed->stream);
    return room;
}

/* Where frames are as long as each other, a receive ends with one: its memory is free while it is
 * hot. Early binding asks before anything has come, and offers what it has. */
SCHEME_TEST(test_a_receive_ends_with_a_frame)
{
    enum { FRAMES = 6, FRAME_BYTES = 3000, BLOCK_BYTES = 1024 };
    const bool is_chain = is_scheme(scheme, "chain");
    struct stage stage;
    struct feed feed;
    if ((is_chain && early) || (!is_chain && !is_scheme(scheme, "mirror")))
        return;
    stage_set(&stage, scheme, early, "\r\n", BLOCK_BYTES, FRAME_BYTES);
    stage_open(&stage);
    const size_t most = BLOCK_BYTES * stage.config.blocks_per_receive;
    feed_init(&feed, &stage);
    feed_add_many(&feed, FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    feed_add(&feed, FRAMES, FRAME_BYTES / 2, 1);
    feed_attach(&feed);
    feed_up_to(&feed, FRAME_BYTES, SIZE_MAX);
    assert_int_equal(room_of(&feed), most); /* one frame alone says nothing */
    feed_up_to(&feed, 2 * FRAME_BYTES, SIZE_MAX);
    assert_int_equal(room_of(&feed), early ? most : FRAME_BYTES);
    feed_up_to(&feed, 2 * FRAME_BYTES + 1000, SIZE_MAX);
    assert_int_equal(room_of(&feed), early ? most : FRAME_BYTES - 1000);
    feed_up_to(&feed, feed.count, SIZE_MAX); /* a shorter one comes last */
    feed_close(&feed);
    stage_close(&stage);
    stage_check(&stage, &feed, 1);
}

TEST(test_guesses_of_a_length)
{
    struct length_guess guess = {0};
    length_guess_note(&guess, 300);
    assert_int_equal(length_guess_room(&guess, 0, 1000), 1000);
    length_guess_note(&guess, 300);
    assert_int_equal(length_guess_room(&guess, 0, 1000), 900);
    assert_int_equal(length_guess_room(&guess, 299, 1000), 901);
    assert_int_equal(length_guess_room(&guess, 0, 299), 299);   /* not to its end */
    assert_int_equal(length_guess_room(&guess, 300, 500), 500); /* it is longer */
    length_guess_note(&guess, 301);
    assert_int_equal(length_guess_room(&guess, 0, 1000), 1000);
}
