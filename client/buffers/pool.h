/* Blocks of one size: reserved at start, grown in batches when empty, capped, handed out
 * last-in-first-out so that what is used is what is warm in the cache.
 *
 * Every byte of a scheme's buffers is charged to the budget; a pool charges its blocks as it grows.
 * A scheme at its budget's cap stops receiving: nothing is dropped. */
#ifndef FANIN_POOL_H
#define FANIN_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint64_t round_up(uint64_t count, uint64_t step)
{
    return (count + step - 1) / step * step;
}

/* Memory that a scheme may hold. Thread-safe. */
struct budget {
    uint64_t cap_bytes; /* UINT64_MAX: none */
    _Atomic uint64_t used_bytes;
    _Atomic uint64_t peak_bytes;
};

void budget_init(struct budget *budget, uint64_t cap_bytes);

/* budget_charge: false: it would exceed the cap; nothing is charged. */
bool budget_charge(struct budget *budget, uint64_t bytes);
void budget_refund(struct budget *budget, uint64_t bytes);

/* budget_realloc: realloc that charges the budget. NULL: at the cap or no memory; `memory` and its
 * charge stay as they are. */
void *budget_realloc(struct budget *budget, void *memory, size_t before_bytes, size_t bytes);

enum { BLOCK_ALIGN_BYTES = 64 }; /* a cache line, where header and data each begin */

/* A block: header and data in one allocation, so that only an address has to move. */
struct block {
    struct block *next;          /* in a chain, or in the pool's free list */
    _Atomic uint32_t references; /* frames and connections that still need the data */
    uint32_t used_bytes;         /* received into data */

    /* On its way from thread to thread (mpsc_stack.h, processor_threads.h). */
    struct block *queue_next;
    struct stream *stream;    /* whose data it holds */
    struct block_cache *home; /* goes back there */
    uint32_t frames;          /* that end in it */
    bool restarted;           /* the first of a chain: the unfinished frame before it was dropped */
    bool closed; /* the first of a chain: the server's close ended the frame before it */
    _Alignas(BLOCK_ALIGN_BYTES) uint8_t data[];
};

struct pool;

enum { POOL_BLOCK_BYTES_MAX = 1 << 30 };

/* pool_open: blocks of block_bytes of data, 1 .. POOL_BLOCK_BYTES_MAX. Allocates first_blocks at
 * once, and batch_blocks (at least 1) together when the pool is empty. The budget is charged for
 * every block with its header, and outlives the pool. NULL: no budget or memory. */
struct pool *pool_open(size_t block_bytes, unsigned first_blocks, unsigned batch_blocks,
                       struct budget *budget);

/* pool_close: returns how many blocks never came back (0 is the only good answer). */
uint64_t pool_close(struct pool *pool);

/* pool_block_charge: what one block of so many bytes of data costs the budget. */
uint64_t pool_block_charge(size_t block_bytes);

/* pool_take: a chain of up to `want` blocks (linked by next, each with references 1 and used 0);
 * *got says how many, 0 with NULL at the cap. Leaves `keep` free blocks alone and grows instead, as
 * long as the cap allows it: callers that may wait pass the reserve, its holder passes 0. */
struct block *pool_take(struct pool *pool, unsigned want, unsigned keep, unsigned *got);

/* pool_give: takes back a chain of `count` blocks, first to last. One lock whatever the count. */
void pool_give(struct pool *pool, struct block *first, struct block *last, unsigned count);

/* pool_blocks: allocated. pool_blocks_free: free without growing. */
uint64_t pool_blocks(struct pool *pool);
uint64_t pool_blocks_free(struct pool *pool);

/* Blocks on their way back to a pool, in a chain, so that many go back under one lock. */
struct block_batch {
    struct block *first, *last;
    unsigned count;
};

/* block_batch_add: adds an unused block; the block added last is taken again first.
 * block_batch_add_all: adds all blocks of a list, which is empty then.
 * block_batch_unref: drops one reference on a block, and adds the block if that was the last one.
 * block_batch_flush: gives the batch to the pool; the batch is empty then. */
void block_batch_add(struct block_batch *batch, struct block *block);
void block_batch_add_all(struct block_batch *batch, struct block **list);
void block_batch_unref(struct block_batch *batch, struct block *block);
void block_batch_flush(struct block_batch *batch, struct pool *pool);

#endif
