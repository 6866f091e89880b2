/*      a thread's cache                              processing threads
 *     .---------------------.   handed over       .-----------.
 *     | free: a stack       |-------------------->|           |
 *     | back: what batch |<--------------------|  a chain  |
 *     '--^---------------|--'   one exchange      '-----------'
 *        | half          | half, the cold ones
 *     .--'---------------v--.
 *     |        pool         |
 *     '---------------------'
 *
 * AT THE CAP free blocks must not lie at the cache of a thread that has nothing to do while others
 * wait for them: so each cache has a lock, which is hardly ever contended, and who finds nothing
 * clears all of them (block_caches_flush). Where the pool may have few blocks caches keep none at
 * all. */
#include "client/buffers/block_cache.h"

#include <assert.h>

#include "client/buffers/scheme.h"
#include "base/os.h"

enum {
    HALF_BYTES = 256 << 10, /* a cache's blocks together stay well within a processor's own cache */
    HALF_BLOCKS_MAX = 16,
    SHARE = 8, /* of what the pool may have, all caches together keep less than one part of four */
};

static atomic_uint threads;              /* that have sat down so far */
static _Thread_local unsigned thread_at; /* this one's number, from 1 */

unsigned block_cache_magazine(size_t block_bytes, uint64_t pool_blocks, unsigned receivers)
{
    uint64_t half = block_bytes < HALF_BYTES ? HALF_BYTES / block_bytes : 1;

    assert(receivers > 0);
    if (half > HALF_BLOCKS_MAX)
        half = HALF_BLOCKS_MAX;
    if (half > pool_blocks / SHARE / receivers)
        half = pool_blocks / SHARE / receivers;
    return (unsigned)half;
}

int block_caches_open(struct block_caches *caches, unsigned receivers, struct pool *pool,
                      unsigned magazine_blocks, const struct process_config *config,
                      struct budget *budget)
{
    *caches =
        (struct block_caches){.count = receivers < BLOCK_CACHES_MAX ? receivers : BLOCK_CACHES_MAX,
                              .pool = pool,
                              .magazine_blocks = magazine_blocks};
    if (caches->count == 0)
        caches->count = 1;
    caches->all = os_pages_map(caches->count * sizeof(struct block_cache));
    if (caches->all == NULL)
        return -1;
    for (unsigned i = 0; i < caches->count; i++) {
        pthread_mutex_init(&caches->all[i].lock, NULL);
        processor_init(&caches->all[i].processor, config, budget);
        mpsc_stack_init(&caches->all[i].back);
    }
    return 0;
}

void block_caches_close(struct block_caches *caches)
{
    block_caches_flush(caches);
    for (unsigned i = 0; i < caches->count; i++) {
        assert(caches->all[i].away == 0);
        processor_end(&caches->all[i].processor);
        pthread_mutex_destroy(&caches->all[i].lock);
    }
    os_pages_unmap(caches->all, caches->count * sizeof(struct block_cache));
}

/* A thread's first choice is the same for its whole life. */
static unsigned first_choice(const struct block_caches *caches)
{
    if (thread_at == 0)
        thread_at = 1 + atomic_fetch_add(&threads, 1) % BLOCK_CACHES_MAX;
    return (thread_at - 1) % caches->count;
}

struct block_cache *block_cache_acquire(struct block_caches *caches)
{
    const unsigned first = first_choice(caches);

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

uint32_t block_cache_number(const struct block_caches *caches, const struct block_cache *cache)
{
    return (uint32_t)(cache - caches->all);
}

/* Whole halves move, so that the blocks of a cache, here and away, are a multiple of one: else a
 * cache that was emptied and filled in turn would end up with more than the plan has for it. */
static unsigned in_halves(const struct block_caches *caches, unsigned blocks)
{
    return caches->magazine_blocks > 0 ? blocks / caches->magazine_blocks * caches->magazine_blocks
                                       : blocks;
}

/* What comes from the pool is colder than what is here: it goes below. */
static void stock_up(struct block_caches *caches, struct block_cache *cache, unsigned want)
{
    const unsigned missing = want - cache->free_count;
    const unsigned spare = caches->magazine_blocks > 0 ? caches->magazine_blocks - 1 : 0;
    const unsigned refill = in_halves(caches, missing + spare);
    struct block **end = &cache->free;
    unsigned got;

    for (unsigned i = 0; i < cache->free_count; i++)
        end = &(*end)->next;
    *end = pool_take(caches->pool, refill, 0, &got);
    cache->free_count += got;
}

struct block *block_cache_take(struct block_caches *caches, struct block_cache *cache,
                               unsigned want, unsigned *got)
{
    assert(want > 0);
    if (cache->free_count < want)
        block_cache_reclaim(caches, cache);
    if (cache->free_count < want)
        stock_up(caches, cache, want);
    if (want > cache->free_count)
        want = cache->free_count;
    struct block *first = cache->free, **end = &first;
    for (unsigned i = 0; i < want; i++)
        end = &(*end)->next;
    cache->free = *end;
    *end = NULL;
    cache->free_count -= want;
    *got = want;
    return want > 0 ? first : NULL;
}

static void give_to_pool(struct block_caches *caches, struct block *first, unsigned count)
{
    struct block *last = first;

    if (count == 0)
        return;
    for (unsigned i = 1; i < count; i++)
        last = last->next;
    pool_give(caches->pool, first, last, count);
}

/* What lies lowest is cold: it goes. */
static void tidy_up(struct block_caches *caches, struct block_cache *cache)
{
    struct block **link = &cache->free;

    if (cache->free_count <= 2 * caches->magazine_blocks)
        return;
    const unsigned keep =
        cache->free_count - in_halves(caches, cache->free_count - caches->magazine_blocks);
    for (unsigned i = 0; i < keep; i++)
        link = &(*link)->next;
    give_to_pool(caches, *link, cache->free_count - keep);
    *link = NULL;
    cache->free_count = keep;
}

void block_cache_give(struct block_caches *caches, struct block_cache *cache,
                      struct block_batch *batch)
{
    if (batch->count == 0)
        return;
    batch->last->next = cache->free;
    cache->free = batch->first;
    cache->free_count += batch->count;
    *batch = (struct block_batch){0};
    tidy_up(caches, cache);
}

void block_cache_reclaim(struct block_caches *caches, struct block_cache *cache)
{
    struct block_batch batch = {0};
    struct block *next;

    for (struct block *block = mpsc_stack_take(&cache->back); block != NULL; block = next) {
        next = block->queue;
        block_batch_add(&batch, block);
    }
    assert(cache->away >= batch.count);
    cache->away -= batch.count;
    block_cache_give(caches, cache, &batch);
}

void block_caches_flush(struct block_caches *caches)
{
    for (unsigned i = 0; i < caches->count; i++) {
        struct block_cache *cache = &caches->all[i];
        pthread_mutex_lock(&cache->lock);
        block_cache_reclaim(caches, cache);
        give_to_pool(caches, cache->free, cache->free_count);
        cache->free = NULL;
        cache->free_count = 0;
        pthread_mutex_unlock(&cache->lock);
    }
}

void block_cache_sum_up(const struct block_cache *cache, struct scheme_figures *figures)
{
    figures->scanned_bytes += cache->scanned_bytes;
    figures->hand_overs += cache->hand_overs;
    processor_sum_up(&cache->processor, figures);
}
