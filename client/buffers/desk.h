/* What a thread that receives has at hand: free blocks, taken from the pool and given back to it by
 * half of what fits, and a processor. A thread sits down at the same desk each time, and at another
 * if that one is taken, so that what it used last is still in its processor's cache. */
#ifndef FANIN_DESK_H
#define FANIN_DESK_H

#include <pthread.h>
#include <stdint.h>

#include "client/buffers/handover.h"
#include "client/buffers/pool.h"
#include "client/buffers/process.h"
#include "client/buffers/returned.h"

enum { DESKS_MAX = 64 };

struct desk {
    _Alignas(2 * BLOCK_ALIGN_BYTES) pthread_mutex_t lock; /* over all but `back` */
    struct block *free;                                   /* a stack, linked by next */
    unsigned free_count;
    unsigned away; /* blocks handed over that have not come back */
    bool resting;  /* a thread sleeps in `back` */
    uint64_t scanned_bytes, hand_overs;
    struct processor processor;
    struct handover back; /* blocks that other threads are done with, a chain at a time */
};

struct desks {
    struct desk *all;
    unsigned count;
    struct pool *pool;
    unsigned half_blocks; /* moved between a desk and the pool together; 0: desks keep nothing */
};

/* desks_half_blocks: how many blocks make half a desk, where the pool may have `pool_blocks` for
 * `receivers` threads. */
unsigned desks_half_blocks(size_t block_bytes, uint64_t pool_blocks, unsigned receivers);

/* desks_open: a desk for each of so many threads, one at least, DESKS_MAX at most. 0, or -1 without
 * memory. The pool and what processors need outlive the desks. */
int desks_open(struct desks *desks, unsigned receivers, struct pool *pool, unsigned half_blocks,
               const struct process_config *config, struct budget *budget);

/* desks_close: gives all blocks to the pool. Nobody sits at a desk. */
void desks_close(struct desks *desks);

/* desks_sit: a desk for the calling thread alone, until desk_leave. Whoever sits may not sit down
 * again, nor call anything that may. */
struct desk *desks_sit(struct desks *desks);
void desk_leave(struct desk *desk);

/* desk_number: what a block that was handed over has in `home`. */
uint32_t desk_number(const struct desks *desks, const struct desk *desk);

/* desk_take: a chain of up to `want` blocks as pool_take's; NULL: neither desk nor pool has any. */
struct block *desk_take(struct desks *desks, struct desk *desk, unsigned want, unsigned *got);

/* desk_give: takes back a chain, the blocks linked by next. `returned` is empty then. */
void desk_give(struct desks *desks, struct desk *desk, struct returned *returned);

/* desk_fetch: takes in what has come back from other threads. */
void desk_fetch(struct desks *desks, struct desk *desk);

struct scheme_figures;

/* desk_sum_up: adds what was done at the desk. */
void desk_sum_up(const struct desk *desk, struct scheme_figures *figures);

/* desks_gather: gives all that lies free at any desk to the pool, for those who find nothing
 * elsewhere. Takes each desk's lock in turn. */
void desks_gather(struct desks *desks);

#endif
