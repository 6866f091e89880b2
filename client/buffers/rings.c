#include "client/buffers/rings.h"

#include <assert.h>
#include <stdlib.h>

#include "base/os.h"

size_t rings_size(size_t bytes)
{
    const size_t step = os_mirror_step();

    return (bytes + step - 1) / step * step;
}

uint64_t rings_max(void)
{
    return os_mirrors_max();
}

static struct ring_of_two *make(struct rings *rings)
{
    if (!budget_charge(rings->budget, rings->ring_bytes))
        return NULL;
    struct ring_of_two *ring = malloc(sizeof *ring);
    if (ring == NULL)
        goto refund;
    ring->bytes = os_mirror_map(rings->ring_bytes);
    if (ring->bytes == NULL)
        goto free_ring;
    return ring;

free_ring:
    free(ring);
refund:
    budget_refund(rings->budget, rings->ring_bytes);
    return NULL;
}

int rings_open(struct rings *rings, size_t ring_bytes, struct budget *budget)
{
    assert(ring_bytes == rings_size(ring_bytes));
    *rings = (struct rings){.ring_bytes = ring_bytes, .budget = budget};
    rings->free = make(rings);
    if (rings->free == NULL)
        return -1;
    rings->free->next = NULL;
    rings->free_count = rings->count = 1;
    pthread_mutex_init(&rings->lock, NULL);
    return 0;
}

uint64_t rings_close(struct rings *rings)
{
    const uint64_t lost = rings->count - rings->free_count;

    while (rings->free != NULL) {
        struct ring_of_two *ring = rings->free;
        rings->free = ring->next;
        os_mirror_unmap(ring->bytes, rings->ring_bytes);
        free(ring);
        budget_refund(rings->budget, rings->ring_bytes);
    }
    pthread_mutex_destroy(&rings->lock);
    return lost;
}

struct ring_of_two *rings_take(struct rings *rings)
{
    pthread_mutex_lock(&rings->lock);
    struct ring_of_two *ring = rings->free;
    if (ring != NULL) {
        rings->free = ring->next;
        rings->free_count--;
    }
    pthread_mutex_unlock(&rings->lock);
    if (ring != NULL)
        return ring;

    /* Mapping takes system calls: nobody else waits for them. */
    ring = make(rings);
    if (ring == NULL)
        return NULL;
    pthread_mutex_lock(&rings->lock);
    rings->count++;
    pthread_mutex_unlock(&rings->lock);
    return ring;
}

void rings_give(struct rings *rings, struct ring_of_two *ring)
{
    pthread_mutex_lock(&rings->lock);
    ring->next = rings->free;
    rings->free = ring;
    rings->free_count++;
    pthread_mutex_unlock(&rings->lock);
}

uint64_t rings_free(struct rings *rings)
{
    pthread_mutex_lock(&rings->lock);
    const uint64_t count = rings->free_count;
    pthread_mutex_unlock(&rings->lock);
    return count;
}
