/* What a thread that receives has at hand: free blocks, taken from the pool and given back to it by
 * half of what fits, and a processor. A thread sits down at the same cache each time, and at
 * another
 * if that one is taken, so that what it used last is still in its processor's cache. */
#ifndef FANIN_BLOCK_CACHE_H
#define FANIN_BLOCK_CACHE_H

#include <pthread.h>
#include <stdint.h>

#include "client/buffers/mpsc_stack.h"
#include "client/buffers/pool.h"
#include "client/buffers/process.h"

enum { BLOCK_CACHES_MAX = 64 };

struct block_cache {
    _Alignas(2 * BLOCK_ALIGN_BYTES) pthread_mutex_t lock; /* over all but `back` */
    struct block *free;                                   /* a stack, linked by next */
    unsigned free_count;
    unsigned away; /* blocks handed over that have not come back */
    bool resting;  /* a thread sleeps in `back` */
    uint64_t scanned_bytes, hand_overs;
    struct processor processor;
    struct mpsc_stack back; /* blocks that other threads are done with, a chain at a time */
};

struct block_caches {
    struct block_cache *all;
    unsigned count;
    struct pool *pool;
    unsigned
        magazine_blocks; /* moved between a cache and the pool together; 0: caches keep nothing */
};

/* block_cache_magazine: how many blocks make half a cache, where the pool may have `pool_blocks`
 * for
 * `receivers` threads. */
unsigned block_cache_magazine(size_t block_bytes, uint64_t pool_blocks, unsigned receivers);

/* block_caches_open: a cache for each of so many threads, one at least, BLOCK_CACHES_MAX at most.
 * 0, or -1 without
 * memory. The pool and what processors need outlive the caches. */
int block_caches_open(struct block_caches *caches, unsigned receivers, struct pool *pool,
                      unsigned magazine_blocks, const struct process_config *config,
                      struct budget *budget);

/* block_caches_close: gives all blocks to the pool. Nobody sits at a cache. */
void block_caches_close(struct block_caches *caches);

/* block_cache_acquire: a cache for the calling thread alone, until block_cache_release. Whoever
 * sits may not sit down
 * again, nor call anything that may. */
struct block_cache *block_cache_acquire(struct block_caches *caches);
void block_cache_release(struct block_cache *cache);

/* block_cache_number: what a block that was handed over has in `home`. */
uint32_t block_cache_number(const struct block_caches *caches, const struct block_cache *cache);

/* block_cache_take: a chain of up to `want` blocks as pool_take's; NULL: neither cache nor pool has
 * any. */
struct block *block_cache_take(struct block_caches *caches, struct block_cache *cache,
                               unsigned want, unsigned *got);

/* block_cache_give: takes back a chain, the blocks linked by next. `returned` is empty then. */
void block_cache_give(struct block_caches *caches, struct block_cache *cache,
                      struct block_batch *returned);

/* block_cache_reclaim: takes in what has come back from other threads. */
void block_cache_reclaim(struct block_caches *caches, struct block_cache *cache);

struct scheme_figures;

/* block_cache_sum_up: adds what was done at the cache. */
void block_cache_sum_up(const struct block_cache *cache, struct scheme_figures *figures);

/* block_caches_flush: gives all that lies free at any cache to the pool, for those who find nothing
 * elsewhere. Takes each cache's lock in turn. */
void block_caches_flush(struct block_caches *caches);

#endif
