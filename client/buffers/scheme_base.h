/* What all schemes share: the base that every scheme's struct scheme_run starts with, and helpers
 * for those with a pool. The base checks the cap, counts memory, keeps the streams and the wait
 * list, and does its part of scheme_open, scheme_close, scheme_attach, scheme_detach and
 * scheme_rewind before or after the scheme's hooks. */
#ifndef FANIN_SCHEME_BASE_H
#define FANIN_SCHEME_BASE_H

#include <pthread.h>

#include "client/buffers/pool.h"
#include "client/buffers/scheme.h"
#include "client/buffers/wait_list.h"

struct scheme_base {
    const struct scheme *scheme;
    struct scheme_config config;
    struct budget budget;
    struct pool *pool;        /* NULL: none; opened by the scheme, closed by the base */
    struct wait_list waiters; /* a scheme that uses it sets its resource */

    pthread_mutex_t lock; /* over attaching */
    struct stream **streams;
    uint32_t stream_count;
};

/* What every scheme's table has: each hook and the stream's state are named after the scheme. */
#define SCHEME(scheme)                                                                             \
    .name = #scheme, .run_bytes = sizeof(struct scheme_run),                                       \
    .stream_bytes = sizeof(struct scheme##_stream), .need = scheme##_need, .open = scheme##_open,  \
    .release = scheme##_release, .offer = scheme##_offer, .received = scheme##_received,           \
    .retract = scheme##_retract

/* scheme_pool_open: the base's pool. 0, or -1 without memory. */
int scheme_pool_open(struct scheme_base *base, size_t block_bytes, unsigned first_blocks,
                     unsigned batch_blocks);

/* scheme_free_blocks: a wait list's `free` for blocks of the pool; `context` is the run. */
uint64_t scheme_free_blocks(void *context);

/* scheme_need_block: least_bytes where a block of `charge` bytes is enough to go on: under early
 * binding one for each stream, else one. */
void scheme_need_block(const struct scheme_config *config, uint64_t charge,
                       struct scheme_need *need);

/* scheme_blocks_wanted: how many blocks an offer may have that would like `want`: under early
 * binding with a cap, one, since the cap has one for each stream. */
unsigned scheme_blocks_wanted(const struct scheme_config *config, unsigned want, unsigned max);

/* scheme_offer_list: offers whole blocks from a list, up to `max`; returns how many. */
unsigned scheme_offer_list(const struct scheme_config *config, struct block *list,
                           struct cp_block *blocks, unsigned max);

#endif
