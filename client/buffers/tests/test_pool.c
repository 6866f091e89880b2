/* The pool: budget, growth, order, reserve, and behaviour at the cap. */
#include "client/buffers/tests/scheme_stage.h"

enum { BLOCK_BYTES = 1000, BATCH = 8 };

static struct budget budget;

static struct pool *open_with(unsigned first_blocks, uint64_t cap_blocks)
{
    budget_init(&budget,
                cap_blocks == 0 ? UINT64_MAX : cap_blocks * pool_block_charge(BLOCK_BYTES));
    return pool_open(BLOCK_BYTES, first_blocks, BATCH, &budget);
}

/* Takes up to `want` blocks, of which there have to be `there`. */
static struct block *take(struct pool *pool, unsigned want, unsigned keep, unsigned there)
{
    unsigned got;
    struct block *first = pool_take(pool, want, keep, &got);
    assert_int_equal(got, there);
    assert_int_equal(first != NULL, there > 0);
    return first;
}

static void give_one(struct pool *pool, struct block *block)
{
    pool_give(pool, block, block, 1);
}

static void give_chain(struct pool *pool, struct block *first)
{
    struct block_batch batch = {0};
    while (first != NULL) {
        struct block *next = first->next;
        block_batch_unref(&batch, first);
        first = next;
    }
    block_batch_flush(&batch, pool);
}

TEST(test_budget)
{
    budget_init(&budget, 100);
    assert_true(budget_charge(&budget, 60));
    assert_false(budget_charge(&budget, 41));
    assert_false(budget_charge(&budget, UINT64_MAX));
    assert_true(budget_charge(&budget, 40));
    budget_refund(&budget, 100);
    assert_true(budget_charge(&budget, 1));
    assert_int_equal(atomic_load(&budget.used_bytes), 1);
    assert_int_equal(atomic_load(&budget.peak_bytes), 100);
}

TEST(test_blocks_are_ready_for_use)
{
    struct pool *pool = open_with(3, 0);
    assert_int_equal(pool_blocks(pool), 3);
    assert_int_equal(atomic_load(&budget.used_bytes), 3 * pool_block_charge(BLOCK_BYTES));
    struct block *first = take(pool, 3, 0, 3);
    unsigned count = 0;
    for (struct block *block = first; block != NULL; block = block->next, count++) {
        assert_int_equal(atomic_load(&block->references), 1);
        assert_int_equal(block->used_bytes, 0);
        assert_int_equal((uintptr_t)block->data % BLOCK_ALIGN_BYTES, 0);
        assert_int_equal(block->data - (uint8_t *)block, BLOCK_ALIGN_BYTES);
        memset(block->data, 0xee, BLOCK_BYTES);
    }
    assert_int_equal(count, 3);
    assert_int_equal(pool_blocks_free(pool), 0);
    give_chain(pool, first);
    assert_int_equal(pool_blocks_free(pool), 3);
    assert_int_equal(pool_close(pool), 0);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
}

TEST(test_last_in_first_out)
{
    struct pool *pool = open_with(8, 0);
    struct block *blocks[4];
    for (unsigned i = 0; i < 4; i++)
        blocks[i] = take(pool, 1, 0, 1);
    for (unsigned i = 0; i < 4; i++)
        give_one(pool, blocks[i]);
    for (unsigned i = 4; i-- > 0;)
        assert_ptr_equal(take(pool, 1, 0, 1), blocks[i]);
    struct block_batch batch = {0};
    for (unsigned i = 0; i < 4; i++)
        block_batch_add(&batch, blocks[i]);
    assert_int_equal(batch.count, 4);
    block_batch_flush(&batch, pool);
    assert_int_equal(batch.count, 0);
    assert_ptr_equal(take(pool, 1, 0, 1), blocks[3]);
    give_one(pool, blocks[3]);
    assert_int_equal(pool_close(pool), 0);
}

TEST(test_grows_in_batches)
{
    struct pool *pool = open_with(0, 0);
    assert_int_equal(pool_blocks(pool), 0);
    struct block *one = take(pool, 1, 0, 1);
    assert_int_equal(pool_blocks(pool), BATCH);
    struct block *many = take(pool, 2 * BATCH, 0, 2 * BATCH);
    assert_int_equal(pool_blocks(pool), 3 * BATCH);
    give_chain(pool, many);
    give_one(pool, one);
    assert_int_equal(pool_blocks_free(pool), 3 * BATCH);
    assert_int_equal(pool_close(pool), 0);
}

TEST(test_takes_what_the_cap_leaves)
{
    struct pool *pool = open_with(0, 11); /* no whole number of batches */
    struct block *first = take(pool, 9, 0, 9);
    struct block *second = take(pool, 9, 0, 2);
    take(pool, 1, 0, 0);
    give_chain(pool, second);
    second = take(pool, 1, 0, 1);
    give_chain(pool, first);
    give_chain(pool, second);
    assert_int_equal(pool_blocks(pool), 11);
    assert_int_equal(pool_close(pool), 0);
}

TEST(test_keeps_a_reserve)
{
    struct pool *pool = open_with(4, 6);
    struct block *first = take(pool, 5, 4, 2); /* grown by two: four stay */
    take(pool, 1, 4, 0);
    struct block *second = take(pool, 5, 0, 4);
    take(pool, 1, 0, 0);
    give_chain(pool, second);
    take(pool, 1, 4, 0);
    give_chain(pool, first);
    first = take(pool, 5, 4, 2);
    give_chain(pool, first);
    assert_int_equal(pool_close(pool), 0);
}

TEST(test_lost_blocks_are_counted)
{
    struct pool *pool = open_with(4, 0);
    take(pool, 3, 0, 3);
    assert_int_equal(pool_close(pool), 3);
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
}

TEST(test_a_pool_that_does_not_fit)
{
    assert_null(open_with(5, 4));
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
    budget_init(&budget, UINT64_MAX);
    assert_null(pool_open(POOL_BLOCK_BYTES_MAX, UINT32_MAX, 1, &budget)); /* 4 exabytes */
    assert_int_equal(atomic_load(&budget.used_bytes), 0);
}

TEST(test_references)
{
    struct pool *pool = open_with(1, 0);
    struct block_batch batch = {0};
    struct block *block = take(pool, 1, 0, 1);
    atomic_fetch_add(&block->references, 2);
    block_batch_unref(&batch, block);
    block_batch_unref(&batch, block);
    assert_int_equal(batch.count, 0);
    block_batch_unref(&batch, block);
    assert_int_equal(batch.count, 1);
    block_batch_flush(&batch, pool);
    block_batch_flush(&batch, pool); /* nothing gathered: nothing given */
    assert_int_equal(pool_close(pool), 0);
}

static void *take_and_give(void *argument)
{
    struct pool *pool = argument;
    for (unsigned i = 0; i < 2000; i++) {
        unsigned count;
        struct block *first = pool_take(pool, 1 + i % 5, i % 3, &count);
        for (struct block *block = first; block != NULL; block = block->next)
            memset(block->data, (int)i, 16);
        give_chain(pool, first);
    }
    return NULL;
}

TEST(test_threads)
{
    enum { THREADS = 4 };
    struct pool *pool = open_with(2, 12);
    pthread_t threads[THREADS];
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, pool), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(pool_blocks(pool), 2, 12);
    assert_int_equal(pool_close(pool), 0);
}
