/* Rings that are mapped twice in a row, so that whatever lies in one is contiguous, also around its
 * end: [i] and [i + ring_bytes] are the same byte. Free ones lie on a stack, so that the next one
 * used is warm. */
#ifndef FANIN_RING_POOL_H
#define FANIN_RING_POOL_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffers/pool.h"

struct ring_pool {
    size_t ring_bytes;     /* of each, a multiple of os_mirror_step */
    struct budget *budget; /* charged ring_bytes a ring: the second view costs addresses only */
    pthread_mutex_t lock;  /* over what follows */
    void *free;            /* a stack: each begins with the address of the next */
    uint64_t free_count, count; /* count: all */
};

/* ring_pool_open: with one ring. 0, or -1: no budget, memory or maps; ring_pool_close follows
 * either way. ring_pool_close: returns how many rings never came back (0 is the only good answer).
 */
int ring_pool_open(struct ring_pool *pool, size_t ring_bytes, struct budget *budget);
uint64_t ring_pool_close(struct ring_pool *pool);

/* ring_pool_take: NULL at the cap or when the system gives no more. */
void *ring_pool_take(struct ring_pool *pool);
void ring_pool_give(struct ring_pool *pool, void *ring);

/* ring_pool_free: how many lie on the stack. */
uint64_t ring_pool_free(struct ring_pool *pool);

#endif
