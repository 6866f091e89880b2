/* The scheme mirror and its rings. */
#include "client/buffers/tests/scheme_stage.h"

#include "base/tests/limit.h"

enum { FRAME_BYTES = 700, RINGS = 3 };

/* Opens mirror with a cap of RINGS rings, and one stream more than that. Returns a ring's size. */
static size_t open_full(struct stage *stage, struct feed *feeds)
{
    stage_set(stage, scheme_find("mirror"), false, "\r\n", 4096, FRAME_BYTES);
    const uint64_t ring_bytes = stage_least_cap(stage);
    stage->config.pool_cap_bytes = RINGS * ring_bytes;
    stage_open(stage);
    for (unsigned i = 0; i <= RINGS; i++)
        feed_open(&feeds[i], stage, 1, FRAME_BYTES, FRAME_BYTES, i);
    return ring_bytes;
}

/* Where the ring begins that the feed is offered; NULL: none. */
static void *offered(struct feed *feed)
{
    struct cp_block blocks[CP_BLOCKS_MAX];
    const struct stage *stage = feed->stage;
    return stage->scheme->offer(stage->run, feed->stream, blocks, 1) > 0 ? blocks[0].data : NULL;
}

static void retract(struct feed *feed)
{
    feed->stage->scheme->retract(feed->stage->run, feed->stream);
}

TEST(test_the_ring_used_last_is_the_next)
{
    struct stage stage;
    struct feed feeds[RINGS + 1];
    void *rings[RINGS];
    const size_t ring_bytes = open_full(&stage, feeds);
    for (unsigned i = 0; i < RINGS; i++)
        assert_non_null(rings[i] = offered(&feeds[i]));
    assert_null(offered(&feeds[RINGS])); /* the cap */
    retract(&feeds[0]);
    assert_int_equal(atomic_load(&feeds[RINGS].resumes), 1);
    retract(&feeds[2]);
    assert_ptr_equal(offered(&feeds[RINGS]), rings[2]);
    for (unsigned i = 0; i <= RINGS; i++)
        if (i != 1)
            feed_detach(&feeds[i]);
    free(feeds[1].bytes);
    scheme_close(stage.run, &stage.figures);
    assert_int_equal(stage.figures.pool_blocks, RINGS);
    assert_int_equal(stage.figures.blocks_lost, 1); /* one never came back */
    os_mirror_unmap(rings[1], ring_bytes);
}

/* Nothing stays charged for the ring that could not be mapped: scheme_close looks at that. */
TEST(test_no_descriptor_no_ring)
{
    struct stage stage;
    struct feed feeds[RINGS + 1];
    open_full(&stage, feeds);
    const void *ring = offered(&feeds[0]);
    struct rlimit old = limit_lower(RLIMIT_NOFILE, 0);
    const void *second = offered(&feeds[1]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_null(second);
    retract(&feeds[0]);
    assert_ptr_equal(offered(&feeds[1]), ring);
    for (unsigned i = 0; i <= RINGS; i++)
        feed_detach(&feeds[i]);
    stage_close(&stage);
    assert_int_equal(stage.figures.pool_blocks, 1);
    assert_int_equal(stage.figures.buffer_peak_bytes, stage.config.pool_cap_bytes / RINGS * 2);
}

/* However a frame lies, also around the ring's end, nothing is copied and each byte is searched
 * once. */
TEST(test_no_byte_is_copied)
{
    enum { FRAMES = 100 };
    for (size_t first = 1; first < FRAME_BYTES; first += 97) {
        struct stage stage;
        stage_set(&stage, scheme_find("mirror"), false, "\r\n", 1024, FRAME_BYTES);
        stage_run(&stage, FRAMES, FRAME_BYTES, first);
        assert_int_equal(stage.figures.copied_bytes, 0);
        assert_int_equal(stage.figures.frames, FRAMES);
        assert_in_range(stage.figures.scanned_bytes, FRAMES * FRAME_BYTES,
                        FRAMES * FRAME_BYTES * 101 / 100);
        assert_int_equal(stage.figures.pool_blocks, 1);
    }
}

/* Connections between frames leave the ring to others; those in the middle of one have one each. */
TEST(test_rings_are_for_unfinished_frames)
{
    enum { STREAMS = 20, UNFINISHED = 3 };
    static struct feed feeds[STREAMS];
    struct stage stage;
    stage_set(&stage, scheme_find("mirror"), false, "\r\n", 4096, FRAME_BYTES);
    stage_open(&stage);
    for (unsigned i = 0; i < STREAMS; i++) {
        feed_open(&feeds[i], &stage, 2, FRAME_BYTES, FRAME_BYTES, i);
        feed_up_to(&feeds[i], FRAME_BYTES + (i < UNFINISHED), FRAME_BYTES);
        feed_up_to(&feeds[i], feeds[i].at + (i < UNFINISHED), FRAME_BYTES);
    }
    for (unsigned i = 0; i < STREAMS; i++)
        feed_close(&feeds[i]);
    stage_close(&stage);
    assert_int_equal(stage.figures.pool_blocks, UNFINISHED + 1);
    assert_int_equal(stage.figures.buffer_cap_waits, 0);
}

/* Early binding on a system with fewer maps than connections is refused before any is made. */
TEST(test_too_many_maps_are_refused)
{
    struct stage stage;
    if (os_mirrors_max() == UINT64_MAX || os_mirrors_max() >= UINT32_MAX)
        skip(); /* no limit known */
    stage_set(&stage, scheme_find("mirror"), false, "\r\n", 4096, 700);
    stage.config.early = true;
    stage.config.streams_max = (unsigned)os_mirrors_max() + 1;
    assert_false(stage_opens(&stage));
    assert_non_null(strstr(stage.why, "vm.max_map_count"));
    stage.config.early = false;
    assert_true(stage_opens(&stage));
    stage_close(&stage);
}
