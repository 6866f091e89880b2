#include "client/buffers/returned.h"

void returned_add(struct returned *returned, struct block *block)
{
    block->next = returned->first;
    returned->first = block;
    if (returned->count++ == 0)
        returned->last = block;
}

/* Only holders add references: who sees his own alone is sure to stay alone, without an atomic
 * write. */
void returned_release(struct returned *returned, struct block *block)
{
    if (atomic_load_explicit(&block->references, memory_order_acquire) == 1 ||
        atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1)
        returned_add(returned, block);
}

void returned_give(struct returned *returned, struct pool *pool)
{
    if (returned->count > 0)
        pool_give(pool, returned->first, returned->last, returned->count);
    *returned = (struct returned){0};
}
