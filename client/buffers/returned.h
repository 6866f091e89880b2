/* Blocks on their way back to a pool: gathered into a chain, so that many go back under one
 * lock. */
#ifndef FANIN_RETURNED_H
#define FANIN_RETURNED_H

#include "client/buffers/pool.h"

struct returned {
    struct block *first, *last;
    unsigned count;
};

/* returned_add: a block that nobody needs. The one added last will be the first to be taken
 * again. */
void returned_add(struct returned *returned, struct block *block);

/* returned_release: gives up one reference on a block, and adds it if that was the last one. */
void returned_release(struct returned *returned, struct block *block);

/* returned_give: gives what was gathered to the pool; nothing is gathered any more. */
void returned_give(struct returned *returned, struct pool *pool);

#endif
