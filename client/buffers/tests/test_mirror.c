/* The rings that are mapped twice in a row, and the scheme mirror. */
#include "client/buffers/tests/scheme_stage.h"

#include <sys/resource.h>

#include "client/buffers/ring_pool.h"

enum { FRAME_BYTES = 700 };

/* ---- the stack --------------------------------------------------------------------------- */

TEST(test_the_ring_used_last_is_the_next)
{
    struct budget budget;
    struct ring_pool rings;
    budget_init(&budget, 3 * os_mirror_step());
    assert_int_equal(ring_pool_open(&rings, os_mirror_step(), &budget), 0);
    void *taken[3];
    for (unsigned i = 0; i < 3; i++)
        assert_non_null(taken[i] = ring_pool_take(&rings));
    assert_null(ring_pool_take(&rings)); /* the cap */
    ring_pool_give(&rings, taken[0]);
    ring_pool_give(&rings, taken[2]);
    assert_int_equal(ring_pool_free(&rings), 2);
    assert_ptr_equal(ring_pool_take(&rings), taken[2]);
    ring_pool_give(&rings, taken[2]);
    assert_int_equal(ring_pool_close(&rings), 1); /* one never came back */
    budget_init(&budget, os_mirror_step() - 1);
    assert_int_equal(ring_pool_open(&rings, os_mirror_step(), &budget), -1);
    os_mirror_unmap(taken[1], os_mirror_step());
}

TEST(test_no_descriptor_no_ring)
{
    struct budget budget;
    struct ring_pool rings;
    struct rlimit old, none;
    budget_init(&budget, UINT64_MAX);
    assert_int_equal(ring_pool_open(&rings, os_mirror_step(), &budget), 0);
    void *first = ring_pool_take(&rings);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    void *second = ring_pool_take(&rings);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_null(second);
    assert_int_equal(atomic_load(&budget.used_bytes), os_mirror_step()); /* nothing stays charged */
    ring_pool_give(&rings, first);
    assert_int_equal(ring_pool_close(&rings), 0);
}

/* ---- the scheme -------------------------------------------------------------------------- */

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
