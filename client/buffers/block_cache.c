/* Caches of blocks in front of the pool.
 *
 *      a worker's cache                             processing threads
 *     .---------------------.   handed over       .-----------.
 *     | free: a stack       |-------------------->|           |
 *     | back: returned      |<--------------------|  a chain  |
 *     '--^---------------|--'   one exchange      '-----------'
 *        | magazine      | magazine, the cold one
 *     .--'---------------v--.
 *     |        pool         |
 *     '---------------------'
 *
 * AT THE CAP free blocks must not lie in the cache of an idle thread while others wait for them. So
 * each cache has a lock, which is hardly ever contended, and a thread that finds no block flushes
 * all caches (block_caches_flush). Where the pool may have few blocks, caches keep none at all. */
#include "client/buffers/block_cache.h"

#include <assert.h>
#include <errno.h>

#include "base/os.h"

enum {
    MAGAZINE_BYTES = 256 << 10, /* a cache's blocks stay well within a processor's own cache */
    MAGAZINE_BLOCKS_MAX = 16,
    SHARE = 8, /* of what the pool may have, all caches together keep less than one part of four */
};

static atomic_uint threads;              /* that have acquired a cache so far */
static _Thread_local unsigned thread_at; /* this one's number, from 1 */

unsigned block_cache_magazine(size_t block_bytes, uint64_t pool_blocks, unsigned workers)
{
    uint64_t blocks = block_bytes < MAGAZINE_BYTES ? MAGAZINE_BYTES / block_bytes : 1;
    assert(workers > 0);
    if (blocks > MAGAZINE_BLOCKS_MAX)
        blocks = MAGAZINE_BLOCKS_MAX;
    if (blocks > pool_blocks / SHARE / workers)
        blocks = pool_blocks / SHARE / workers;
    return (unsigned)blocks;
}

int block_caches_open(struct block_caches *caches, struct scheme_base *base,
                      unsigned magazine_blocks)
{
    const unsigned workers = base->config.workers;
    *caches = (struct block_caches){.pool = base->pool, .magazine_blocks = magazine_blocks};
    caches->count = workers < BLOCK_CACHES_MAX ? workers : BLOCK_CACHES_MAX;
    caches->all = os_pages_map(caches->count * sizeof(struct block_cache));
    if (caches->all == NULL)
        return -ENOMEM;
    for (unsigned i = 0; i < caches->count; i++) {
        caches->all[i].caches = caches;
        pthread_mutex_init(&caches->all[i].lock, NULL);
        processor_init(&caches->all[i].processor, &base->config.process, &base->budget);
    }
    return 0;
}

void block_caches_close(struct block_caches *caches, struct scheme_figures *figures)
{
    if (caches->all == NULL)
        return;
    block_caches_flush(caches);
    for (unsigned i = 0; i < caches->count; i++) {
        struct block_cache *cache = &caches->all[i];
        assert(cache->outstanding == 0);
        figures->hand_overs += cache->hand_overs;
        processor_sum_up(&cache->processor, figures);
        processor_end(&cache->processor);
        pthread_mutex_destroy(&cache->lock);
    }
    os_pages_unmap(caches->all, caches->count * sizeof(struct block_cache));
}

struct block_cache *block_cache_acquire(struct block_caches *caches)
{
    /* A thread's first choice is the same for its whole life. */
    if (thread_at == 0)
        thread_at = 1 + atomic_fetch_add(&threads, 1) % BLOCK_CACHES_MAX;
    const unsigned first = (thread_at - 1) % caches->count;
    for (unsigned i = 0; i < caches->count; i++) {
        struct block_cache *cache = &caches->all[(first + i) % caches->count];
        if (pthread_mutex_trylock(&cache->lock) == 0)
            return cache;
    }
    pthread_mutex_lock(&caches->all[first].lock);
    return &caches->all[first];
}

void block_cache_release(struct block_cache *cache)
{
    pthread_mutex_unlock(&cache->lock);
}

/* Whole magazines move, so that the blocks of a cache, free and outstanding, are a multiple of one.
 * Otherwise a cache that is emptied and filled in turn would end up with more than slices_need has
 * for it. */
static unsigned whole_magazines(const struct block_cache *cache, unsigned blocks)
{
    const unsigned magazine = cache->caches->magazine_blocks;
    return magazine > 0 ? blocks / magazine * magazine : blocks;
}

/* What comes from the pool is colder than what is here: it goes below. */
static void refill(struct block_cache *cache, unsigned want)
{
    const unsigned missing = want - cache->free_count;
    const unsigned magazine = cache->caches->magazine_blocks;
    const unsigned spare = magazine > 0 ? magazine - 1 : 0;
    struct block **end = &cache->free;
    unsigned got;
    for (unsigned i = 0; i < cache->free_count; i++)
        end = &(*end)->next;
    *end = pool_take(cache->caches->pool, whole_magazines(cache, missing + spare), 0, &got);
    cache->free_count += got;
}

struct block *block_cache_take(struct block_cache *cache, unsigned want)
{
    assert(want > 0);
    if (cache->free_count < want)
        block_cache_reclaim(cache);
    if (cache->free_count < want)
        refill(cache, want);
    if (want > cache->free_count)
        want = cache->free_count;
    struct block *first = cache->free, **end = &first;
    for (unsigned i = 0; i < want; i++)
        end = &(*end)->next;
    cache->free = *end;
    *end = NULL;
    cache->free_count -= want;
    return want > 0 ? first : NULL;
}

/* Gives all but the `keep` topmost blocks to the pool: what lies lowest is cold. */
static void trim(struct block_cache *cache, unsigned keep)
{
    struct block **end = &cache->free;
    const unsigned count = cache->free_count - keep;
    if (count == 0)
        return;
    for (unsigned i = 0; i < keep; i++)
        end = &(*end)->next;
    struct block *first = *end, *last = first;
    for (unsigned i = 1; i < count; i++)
        last = last->next;
    *end = NULL;
    cache->free_count = keep;
    pool_give(cache->caches->pool, first, last, count);
}

void block_cache_give(struct block_cache *cache, struct block_batch *batch)
{
    const unsigned magazine = cache->caches->magazine_blocks;
    if (batch->count == 0)
        return;
    batch->last->next = cache->free;
    cache->free = batch->first;
    cache->free_count += batch->count;
    *batch = (struct block_batch){0};
    if (cache->free_count > 2 * magazine)
        trim(cache, cache->free_count - whole_magazines(cache, cache->free_count - magazine));
}

void block_cache_reclaim(struct block_cache *cache)
{
    struct block_batch batch = {0};
    struct block *next;
    for (struct block *block = mpsc_stack_take(&cache->back); block != NULL; block = next) {
        next = block->queue_next;
        block_batch_add(&batch, block);
    }
    assert(cache->outstanding >= batch.count);
    cache->outstanding -= batch.count;
    block_cache_give(cache, &batch);
}

void block_caches_flush(struct block_caches *caches)
{
    for (unsigned i = 0; i < caches->count; i++) {
        struct block_cache *cache = &caches->all[i];
        pthread_mutex_lock(&cache->lock);
        block_cache_reclaim(cache);
        trim(cache, 0);
        pthread_mutex_unlock(&cache->lock);
    }
}
