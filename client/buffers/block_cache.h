/* What a worker has at hand: free blocks, which come from the pool and go back to it by the
 * magazine, and a processor. A worker takes the same cache each time, or another one while that is
 * taken, so that what it used last is still warm. */
#ifndef FANIN_BLOCK_CACHE_H
#define FANIN_BLOCK_CACHE_H

#include <pthread.h>
#include <stdint.h>

#include "client/buffers/mpsc_stack.h"
#include "client/buffers/pool.h"
#include "client/buffers/scheme_base.h"

enum { BLOCK_CACHES_MAX = 64 };

struct block_cache {
    _Alignas(2 * BLOCK_ALIGN_BYTES) pthread_mutex_t lock; /* over all but `back` */
    struct block *free;                                   /* a stack, linked by next */
    unsigned free_count;
    struct block_caches *caches;
    unsigned outstanding; /* blocks handed over that have not come back */
    bool asleep;          /* a thread sleeps in `back` */
    uint64_t hand_overs;
    struct processor processor;
    struct mpsc_stack back; /* blocks that processing threads are done with */
};

struct block_caches {
    struct block_cache *all;
    unsigned count;
    struct pool *pool;
    unsigned magazine_blocks; /* moved between cache and pool together; 0: caches keep nothing */
};

/* block_cache_magazine: how many blocks make a magazine, where the pool may have `pool_blocks` for
 * `workers` threads. A cache keeps two at most. */
unsigned block_cache_magazine(size_t block_bytes, uint64_t pool_blocks, unsigned workers);

/* block_caches_open: a cache for each worker, BLOCK_CACHES_MAX at most. The base's pool may be NULL
 * if only the processors are used. 0 or -ENOMEM. block_caches_close: adds what was done
 * to the figures and gives all blocks to the pool; accepts zeroed caches. */
int block_caches_open(struct block_caches *caches, struct scheme_base *base,
                      unsigned magazine_blocks);
void block_caches_close(struct block_caches *caches, struct scheme_figures *figures);

/* block_cache_acquire: a cache for the calling thread alone, until block_cache_release. A thread
 * may have one at a time, and none during block_caches_flush. */
struct block_cache *block_cache_acquire(struct block_caches *caches);
void block_cache_release(struct block_cache *cache);

/* block_cache_take: a chain of up to `want` blocks as pool_take's; NULL: neither cache nor pool has
 * any. block_cache_give: takes back a batch, which is empty then. */
struct block *block_cache_take(struct block_cache *cache, unsigned want);
void block_cache_give(struct block_cache *cache, struct block_batch *batch);

/* block_cache_reclaim: takes in what has come back from processing threads. */
void block_cache_reclaim(struct block_cache *cache);

/* block_caches_flush: gives all free blocks of all caches to the pool, for threads that find none
 * elsewhere. Takes each cache's lock in turn. */
void block_caches_flush(struct block_caches *caches);

#endif
