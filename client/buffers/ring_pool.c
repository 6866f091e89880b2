/* A pool of rings that are mapped twice in a row. */
#include "client/buffers/ring_pool.h"

#include <assert.h>
#include <stdlib.h>

#include "base/os.h"

size_t ring_pool_ring_bytes(size_t bytes)
{
    return round_up(bytes, os_mirror_step());
}

uint64_t ring_pool_max(void)
{
    return os_mirrors_max();
}

static struct ring *make(struct ring_pool *pool)
{
    if (!budget_charge(pool->budget, pool->ring_bytes))
        return NULL;
    struct ring *ring = malloc(sizeof *ring);
    if (ring == NULL)
        goto refund;
    ring->bytes = os_mirror_map(pool->ring_bytes);
    if (ring->bytes == NULL)
        goto free_ring;
    return ring;

free_ring:
    free(ring);
refund:
    budget_refund(pool->budget, pool->ring_bytes);
    return NULL;
}

int ring_pool_open(struct ring_pool *pool, size_t ring_bytes, struct budget *budget)
{
    assert(ring_bytes == ring_pool_ring_bytes(ring_bytes));
    *pool = (struct ring_pool){.ring_bytes = ring_bytes, .budget = budget};
    pthread_mutex_init(&pool->lock, NULL);
    struct ring *ring = ring_pool_take(pool);
    if (ring == NULL)
        return -1;
    ring_pool_give(pool, ring);
    return 0;
}

uint64_t ring_pool_close(struct ring_pool *pool)
{
    const uint64_t lost = pool->count - pool->free_count;

    while (pool->free != NULL) {
        struct ring *ring = pool->free;
        pool->free = ring->next;
        os_mirror_unmap(ring->bytes, pool->ring_bytes);
        free(ring);
        budget_refund(pool->budget, pool->ring_bytes);
    }
    pthread_mutex_destroy(&pool->lock);
    return lost;
}

struct ring *ring_pool_take(struct ring_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct ring *ring = pool->free;
    if (ring != NULL) {
        pool->free = ring->next;
        pool->free_count--;
    }
    pthread_mutex_unlock(&pool->lock);
    if (ring != NULL)
        return ring;

    /* Mapping takes system calls: not under the lock. */
    ring = make(pool);
    if (ring == NULL)
        return NULL;
    pthread_mutex_lock(&pool->lock);
    pool->count++;
    pthread_mutex_unlock(&pool->lock);
    return ring;
}

void ring_pool_give(struct ring_pool *pool, struct ring *ring)
{
    pthread_mutex_lock(&pool->lock);
    ring->next = pool->free;
    pool->free = ring;
    pool->free_count++;
    pthread_mutex_unlock(&pool->lock);
}

uint64_t ring_pool_free(struct ring_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const uint64_t count = pool->free_count;
    pthread_mutex_unlock(&pool->lock);
    return count;
}
