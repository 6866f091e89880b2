/* A pool of rings that are mapped twice in a row. */
#include "client/buffers/ring_pool.h"

#include "base/os.h"

int ring_pool_open(struct ring_pool *pool, size_t ring_bytes, struct budget *budget)
{
    *pool = (struct ring_pool){.ring_bytes = ring_bytes, .budget = budget};
    pthread_mutex_init(&pool->lock, NULL);
    void *ring = ring_pool_take(pool);
    if (ring == NULL)
        return -1;
    ring_pool_give(pool, ring);
    return 0;
}

static void *pop(struct ring_pool *pool)
{
    void *ring = pool->free;
    if (ring != NULL) {
        pool->free = *(void **)ring;
        pool->free_count--;
    }
    return ring;
}

uint64_t ring_pool_close(struct ring_pool *pool)
{
    const uint64_t lost = pool->count - pool->free_count;
    for (void *ring = pop(pool); ring != NULL; ring = pop(pool)) {
        os_mirror_unmap(ring, pool->ring_bytes);
        budget_refund(pool->budget, pool->ring_bytes);
    }
    pthread_mutex_destroy(&pool->lock);
    return lost;
}

void *ring_pool_take(struct ring_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    void *ring = pop(pool);
    pthread_mutex_unlock(&pool->lock);
    if (ring != NULL || !budget_charge(pool->budget, pool->ring_bytes))
        return ring;

    /* Mapping takes system calls: not under the lock. */
    ring = os_mirror_map(pool->ring_bytes);
    if (ring == NULL) {
        budget_refund(pool->budget, pool->ring_bytes);
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    pool->count++;
    pthread_mutex_unlock(&pool->lock);
    return ring;
}

void ring_pool_give(struct ring_pool *pool, void *ring)
{
    pthread_mutex_lock(&pool->lock);
    *(void **)ring = pool->free;
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
