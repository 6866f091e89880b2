/* A pool of blocks, the budget that it is charged to, and batches of blocks on their way back.
 *
 *      pool          slab (pages from the system, one for each batch)
 *      .------.      .------------------------------------------------.
 *      | slabs+----->| head | header data | header data | header data |---> the next slab
 *      | free +--.   '----------^-------------^-----------------------'
 *      '------'  '--> ...next---'----next-----'
 *
 * The free list is a stack: what was given back last is warm and is taken first; the reserve that
 * `keep` leaves alone is its cold bottom. Under AddressSanitizer the data of a free block is
 * poisoned, which catches a scheme that still uses a block it has given back. */
#include "client/buffers/pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/os.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
static const bool poisoned_when_free = true;
#else
static const bool poisoned_when_free = false;
#define __asan_poison_memory_region(address, bytes)   ((void)(address), (void)(bytes))
#define __asan_unpoison_memory_region(address, bytes) ((void)(address), (void)(bytes))
#endif

void budget_init(struct budget *budget, uint64_t cap_bytes)
{
    *budget = (struct budget){.cap_bytes = cap_bytes};
}

bool budget_charge(struct budget *budget, uint64_t bytes)
{
    /* Sequentially consistent: a stream that finds no room is already on the wait list. */
    uint64_t used = atomic_load(&budget->used_bytes);
    do {
        if (used > budget->cap_bytes || bytes > budget->cap_bytes - used)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used_bytes, &used, used + bytes));
    used += bytes;
    uint64_t peak = atomic_load_explicit(&budget->peak_bytes, memory_order_relaxed);
    while (peak < used && !atomic_compare_exchange_weak(&budget->peak_bytes, &peak, used))
        continue;
    return true;
}

void budget_refund(struct budget *budget, uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub(&budget->used_bytes, bytes);
    assert(before >= bytes);
    (void)before;
}

void *budget_realloc(struct budget *budget, void *memory, size_t before_bytes, size_t bytes)
{
    if (!budget_charge(budget, bytes - before_bytes))
        return NULL;
    void *larger = realloc(memory, bytes);
    if (larger == NULL)
        budget_refund(budget, bytes - before_bytes);
    return larger;
}

struct slab {
    struct slab *next;
    size_t bytes;
    unsigned blocks;
    _Alignas(BLOCK_ALIGN_BYTES) uint8_t room[];
};

struct pool {
    size_t block_bytes;
    size_t stride_bytes; /* from one block to the next */
    unsigned batch_blocks;
    struct budget *budget;
    pthread_mutex_t lock; /* over all below */
    struct slab *slabs;
    struct block *free;
    uint64_t free_blocks, blocks;
};

uint64_t pool_block_charge(size_t block_bytes)
{
    return offsetof(struct block, data) + round_up(block_bytes, BLOCK_ALIGN_BYTES);
}

static void poison(const struct pool *pool, struct block *block)
{
    __asan_poison_memory_region(block->data, pool->block_bytes);
}

static void unpoison(const struct pool *pool, struct block *block)
{
    __asan_unpoison_memory_region(block->data, pool->block_bytes);
}

static bool slab_add(struct pool *pool, unsigned blocks)
{
    const uint64_t charge = blocks * (uint64_t)pool->stride_bytes;
    const size_t bytes = sizeof(struct slab) + charge;
    if (!budget_charge(pool->budget, charge))
        return false;
    struct slab *slab = os_pages_map(bytes);
    if (slab == NULL) {
        budget_refund(pool->budget, charge);
        return false;
    }
    *slab = (struct slab){.next = pool->slabs, .bytes = bytes, .blocks = blocks};
    pool->slabs = slab;
    for (unsigned i = blocks; i-- > 0;) {
        struct block *block = (struct block *)(void *)(slab->room + i * pool->stride_bytes);
        block->next = pool->free;
        pool->free = block;
        poison(pool, block);
    }
    pool->free_blocks += blocks;
    pool->blocks += blocks;
    return true;
}

/* Near the cap a whole batch may be too much where a smaller one still fits. */
static void grow(struct pool *pool, uint64_t blocks_wanted)
{
    unsigned batch = pool->batch_blocks;
    while (pool->free_blocks < blocks_wanted && batch > 0)
        if (!slab_add(pool, batch))
            batch /= 2;
}

struct pool *pool_open(size_t block_bytes, unsigned first_blocks, unsigned batch_blocks,
                       struct budget *budget)
{
    assert(block_bytes >= 1 && block_bytes <= POOL_BLOCK_BYTES_MAX && batch_blocks >= 1);
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    *pool = (struct pool){.block_bytes = block_bytes,
                          .stride_bytes = pool_block_charge(block_bytes),
                          .batch_blocks = batch_blocks,
                          .budget = budget};
    pthread_mutex_init(&pool->lock, NULL);
    if (first_blocks > 0 && !slab_add(pool, first_blocks)) {
        pool_close(pool);
        return NULL;
    }
    return pool;
}

uint64_t pool_close(struct pool *pool)
{
    const uint64_t lost = pool->blocks - pool->free_blocks;
    while (pool->slabs != NULL) {
        struct slab *slab = pool->slabs;
        pool->slabs = slab->next;
        budget_refund(pool->budget, slab->blocks * (uint64_t)pool->stride_bytes);
        __asan_unpoison_memory_region(slab, slab->bytes);
        os_pages_unmap(slab, slab->bytes);
    }
    pthread_mutex_destroy(&pool->lock);
    free(pool);
    return lost;
}

struct block *pool_take(struct pool *pool, unsigned want, unsigned keep, unsigned *got)
{
    struct block *first = NULL, **end = &first;
    unsigned count = 0;
    assert(want > 0);
    pthread_mutex_lock(&pool->lock);
    if (pool->free_blocks < (uint64_t)want + keep)
        grow(pool, (uint64_t)want + keep);
    for (; count < want && pool->free_blocks > keep; count++, pool->free_blocks--) {
        struct block *block = pool->free;
        pool->free = block->next;
        unpoison(pool, block);
        atomic_store_explicit(&block->references, 1, memory_order_relaxed);
        block->used_bytes = 0;
        *end = block;
        end = &block->next;
    }
    *end = NULL;
    pthread_mutex_unlock(&pool->lock);
    *got = count;
    return first;
}

void pool_give(struct pool *pool, struct block *first, struct block *last, unsigned count)
{
    assert(count > 0);
    if (poisoned_when_free)
        for (struct block *block = first;; block = block->next) {
            poison(pool, block);
            if (block == last)
                break;
        }
    pthread_mutex_lock(&pool->lock);
    last->next = pool->free;
    pool->free = first;
    pool->free_blocks += count;
    assert(pool->free_blocks <= pool->blocks);
    pthread_mutex_unlock(&pool->lock);
}

uint64_t pool_blocks(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    uint64_t blocks = pool->blocks;
    pthread_mutex_unlock(&pool->lock);
    return blocks;
}

uint64_t pool_blocks_free(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    uint64_t blocks = pool->free_blocks;
    pthread_mutex_unlock(&pool->lock);
    return blocks;
}

void block_batch_add(struct block_batch *batch, struct block *block)
{
    block->next = batch->first;
    batch->first = block;
    if (batch->count++ == 0)
        batch->last = block;
}

void block_batch_add_all(struct block_batch *batch, struct block **list)
{
    while (*list != NULL) {
        struct block *block = *list;
        *list = block->next;
        block_batch_add(batch, block);
    }
}

/* Only holders of a reference add references: a thread that sees its own alone stays the only
 * holder, and needs no atomic write. */
void block_batch_unref(struct block_batch *batch, struct block *block)
{
    if (atomic_load_explicit(&block->references, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1)
        block_batch_add(batch, block);
}

void block_batch_flush(struct block_batch *batch, struct pool *pool)
{
    if (batch->count > 0)
        pool_give(pool, batch->first, batch->last, batch->count);
    *batch = (struct block_batch){0};
}
