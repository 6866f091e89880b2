/* Block caches, and how seldom slices goes further than its cache. The Makefile links this with
 * --wrap for what is counted: visits to the pool, pushes to another thread, wake-ups. */
#include "client/buffers/tests/scheme_stage.h"

#include "client/buffers/block_cache.h"
#include "client/buffers/mpsc_stack.h"

__typeof__(pool_take) __real_pool_take, __wrap_pool_take;
__typeof__(pool_give) __real_pool_give, __wrap_pool_give;
__typeof__(block_cache_take) __real_block_cache_take, __wrap_block_cache_take;
__typeof__(mpsc_stack_push) __real_mpsc_stack_push, __wrap_mpsc_stack_push;
__typeof__(os_unpark) __real_os_unpark, __wrap_os_unpark;

/* ---- counting ---------------------------------------------------------------------------- */

static struct {
    _Atomic uint64_t pool_visits, blocks_taken, pushes, wake_ups;
} counted;

static void reset_counters(void)
{
    counted.pool_visits = counted.blocks_taken = counted.pushes = counted.wake_ups = 0;
}

struct block *__wrap_pool_take(struct pool *pool, unsigned want, unsigned keep, unsigned *got)
{
    atomic_fetch_add(&counted.pool_visits, 1);
    return __real_pool_take(pool, want, keep, got);
}

void __wrap_pool_give(struct pool *pool, struct block *first, struct block *last, unsigned count)
{
    atomic_fetch_add(&counted.pool_visits, 1);
    __real_pool_give(pool, first, last, count);
}

struct block *__wrap_block_cache_take(struct block_cache *cache, unsigned want)
{
    struct block *first = __real_block_cache_take(cache, want);
    for (const struct block *block = first; block != NULL; block = block->next)
        counted.blocks_taken++;
    return first;
}

void __wrap_mpsc_stack_push(struct mpsc_stack *stack, struct block *first, struct block *last)
{
    atomic_fetch_add(&counted.pushes, 1);
    __real_mpsc_stack_push(stack, first, last);
}

void __wrap_os_unpark(struct os_parker *parker)
{
    atomic_fetch_add(&counted.wake_ups, 1);
    __real_os_unpark(parker);
}

/* ---- a cache ------------------------------------------------------------------------------ */

enum { MAGAZINE = 16, BLOCK_BYTES = 16 << 10, BLOCKS_MAX = 2 * MAGAZINE + 1 };

static struct {
    struct scheme_base base;
    struct block_caches caches;
    struct block_cache *cache;
} room;

static int room_open(void **state)
{
    memset(&room, 0, sizeof room);
    room.base.config.workers = 1;
    budget_init(&room.base.budget, UINT64_MAX);
    assert_int_equal(scheme_pool_open(&room.base, BLOCK_BYTES, 4 * MAGAZINE, MAGAZINE), 0);
    assert_int_equal(block_caches_open(&room.caches, &room.base, MAGAZINE), 0);
    room.cache = block_cache_acquire(&room.caches);
    reset_counters();
    return 0;
}

static int room_close(void **state)
{
    struct scheme_figures figures = {0};
    block_cache_release(room.cache);
    block_caches_close(&room.caches, &figures);
    return (int)pool_close(room.base.pool);
}

static void take(struct block **blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        blocks[i] = block_cache_take(room.cache, 1);
        assert_non_null(blocks[i]);
    }
}

static void give(struct block **blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct block_batch batch = {0};
        block_batch_add(&batch, blocks[i]);
        block_cache_give(room.cache, &batch);
    }
}

TEST(test_what_was_given_last_is_taken_first, room_open, room_close)
{
    struct block *blocks[BLOCKS_MAX], *again[BLOCKS_MAX];
    for (unsigned count = 1; count <= 2 * MAGAZINE; count++) {
        take(blocks, count);
        give(blocks, count);
        take(again, count);
        for (unsigned i = 0; i < count; i++)
            assert_ptr_equal(again[i], blocks[count - 1 - i]);
        give(again, count);
        assert_int_equal(room_close(state), 0);
        room_open(state);
    }
}

TEST(test_a_magazine_comes_and_goes_at_once, room_open, room_close)
{
    struct block *blocks[BLOCKS_MAX], *again[MAGAZINE];
    take(blocks, MAGAZINE);
    assert_int_equal(counted.pool_visits, 1);
    take(blocks + MAGAZINE, MAGAZINE);
    assert_int_equal(counted.pool_visits, 2);
    take(blocks + 2 * MAGAZINE, 1);
    assert_int_equal(counted.pool_visits, 3);
    assert_int_equal(room.cache->free_count, MAGAZINE - 1);

    give(blocks, MAGAZINE + 1);
    assert_int_equal(counted.pool_visits, 3);
    give(blocks + MAGAZINE + 1, MAGAZINE);
    assert_int_equal(counted.pool_visits, 4);
    assert_in_range(room.cache->free_count, MAGAZINE, 2 * MAGAZINE);
    take(again, MAGAZINE);
    for (unsigned i = 0; i < MAGAZINE; i++)
        assert_ptr_equal(again[i], blocks[2 * MAGAZINE - i]); /* the cold magazine went */
    assert_int_equal(counted.pool_visits, 4);
    give(again, MAGAZINE);
}

/* Emptied and filled by changing numbers: the cache does not grow. */
TEST(test_a_cache_has_whole_magazines, room_open, room_close)
{
    struct block *blocks[4 * MAGAZINE];
    unsigned out = 0;
    for (unsigned step = 0; step < 1000; step++) {
        const unsigned change = 1 + step * 7 % (2 * MAGAZINE);
        if (step % 2 == 0) {
            for (unsigned i = 0; i < change && out < 3 * MAGAZINE; i++)
                take(&blocks[out++], 1);
        } else {
            for (unsigned i = 0; i < change && out > 0; i++)
                give(&blocks[--out], 1);
        }
        assert_int_equal((room.cache->free_count + out) % MAGAZINE, 0);
        assert_in_range(room.cache->free_count, 0, 2 * MAGAZINE);
    }
    give(blocks, out);
}

TEST(test_only_a_sleeper_is_woken_and_once)
{
    static struct mpsc_stack stack;
    struct block blocks[4] = {0};
    reset_counters();
    assert_null(mpsc_stack_take(&stack));
    mpsc_stack_push(&stack, &blocks[0], &blocks[0]);
    assert_false(mpsc_stack_prepare_sleep(&stack));
    assert_int_equal(counted.wake_ups, 0);
    assert_ptr_equal(mpsc_stack_take(&stack), &blocks[0]);
    assert_true(mpsc_stack_prepare_sleep(&stack));
    assert_false(mpsc_stack_prepare_sleep(&stack));
    assert_null(mpsc_stack_take(&stack));
    mpsc_stack_push(&stack, &blocks[1], &blocks[1]);
    blocks[2].queue_next = &blocks[3];
    mpsc_stack_push(&stack, &blocks[2], &blocks[3]);
    assert_int_equal(counted.wake_ups, 1);
    mpsc_stack_sleep(&stack);
    assert_ptr_equal(mpsc_stack_take(&stack), &blocks[2]);
    assert_ptr_equal(blocks[3].queue_next, &blocks[1]);
    assert_null(blocks[1].queue_next);
    assert_true(mpsc_stack_prepare_sleep(&stack));
    mpsc_stack_wake(&stack);
    mpsc_stack_sleep(&stack);
    assert_null(mpsc_stack_take(&stack));
}

enum {
    STREAMS = 20,
    FRAMES = 4000, /* of a stream */
    FRAME_BYTES = 256,
    BLOCKS_PER_VISIT = 32,
    FRAMES_PER_PUBLICATION = 8,
    FRAMES_PER_RETURN = 16,
    FRAMES_PER_WAKE_UP = 100,
};

static void load(struct stage *stage, unsigned processors)
{
    static struct feed feeds[STREAMS];
    stage_set(stage, scheme_find("slices"), false, "\r\n", BLOCK_BYTES, FRAME_BYTES);
    stage->config.blocks_per_receive = 8;
    stage->config.processors = processors;
    stage->config.process.verify = VERIFY_HEADER;
    stage_open(stage);
    for (unsigned i = 0; i < STREAMS; i++)
        feed_open(&feeds[i], stage, FRAMES, FRAME_BYTES, FRAME_BYTES, 1);
    reset_counters();
    for (bool moved = true; moved;) {
        moved = false;
        for (unsigned i = 0; i < STREAMS; i++)
            moved |= feed_receive(&feeds[i], SIZE_MAX);
    }
    for (unsigned i = 0; i < STREAMS; i++)
        feed_close(&feeds[i]);
    stage_close(stage);
    stage_check(stage, feeds, STREAMS);
}

TEST(test_slices_keeps_to_its_cache)
{
    static const unsigned processors[] = {0, 1, 3};
    struct stage stage;
    for (unsigned i = 0; i < sizeof processors / sizeof processors[0]; i++) {
        load(&stage, processors[i]);
        const uint64_t frames = stage.figures.frames, published = stage.figures.hand_overs;
        const uint64_t returned = counted.pushes - published;
        print_message("%u processors: %llu frames, %llu blocks: %llu visits to the pool, %llu "
                      "publications, %llu returns, %llu wake-ups\n",
                      processors[i], (unsigned long long)frames,
                      (unsigned long long)counted.blocks_taken,
                      (unsigned long long)counted.pool_visits, (unsigned long long)published,
                      (unsigned long long)returned, (unsigned long long)counted.wake_ups);
        assert_in_range(counted.pool_visits, 1, counted.blocks_taken / BLOCKS_PER_VISIT);
        assert_in_range(published, processors[i] > 0, frames / FRAMES_PER_PUBLICATION);
        assert_in_range(returned, processors[i] > 0, frames / FRAMES_PER_RETURN);
        assert_in_range(counted.wake_ups, 0, frames / FRAMES_PER_WAKE_UP);
        if (processors[i] == 0)
            assert_int_equal(counted.pushes, 0);
    }
}
