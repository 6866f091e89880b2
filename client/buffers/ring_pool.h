/* Rings that are mapped twice in a row, so that whatever lies in one is contiguous, also around its
 * end. All rings of a pool have one size. Free ones lie on a stack, so that the next one used is
 * warm. */
#ifndef FANIN_RING_POOL_H
#define FANIN_RING_POOL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffers/pool.h"

struct ring {
    struct ring *next; /* on the stack */
    uint8_t *bytes;    /* [i] and [i + ring_bytes] are the same byte */
};

struct ring_pool {
    size_t ring_bytes;
    struct budget *budget; /* charged ring_bytes a ring: the second view costs addresses only */
    pthread_mutex_t lock;  /* over what follows */
    struct ring *free;
    uint64_t free_count, count; /* count: all */
};

/* ring_pool_ring_bytes: the least size of a ring that holds `bytes`. ring_pool_max: how many rings
 * the system lets a process have; UINT64_MAX: not known. */
size_t ring_pool_ring_bytes(size_t bytes);
uint64_t ring_pool_max(void);

/* ring_pool_open: with one ring. 0, or -1: no budget, memory or maps. ring_pool_close: returns how
 * many rings never came back (0 is the only good answer). Accepts a pool that ring_pool_open has
 * refused. */
int ring_pool_open(struct ring_pool *pool, size_t ring_bytes, struct budget *budget);
uint64_t ring_pool_close(struct ring_pool *pool);

/* ring_pool_take: NULL at the cap or when the system gives no more. */
struct ring *ring_pool_take(struct ring_pool *pool);
void ring_pool_give(struct ring_pool *pool, struct ring *ring);

/* ring_pool_free: how many lie on the stack. */
uint64_t ring_pool_free(struct ring_pool *pool);

#endif
