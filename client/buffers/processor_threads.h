/* The threads that process what workers have received, and the way to them. Each stream belongs to
 * one thread, so that its slices stay in order. */
#ifndef FANIN_PROCESSOR_THREADS_H
#define FANIN_PROCESSOR_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "client/buffers/block_cache.h"
#include "client/buffers/mpsc_stack.h"

enum { PROCESSOR_THREADS_MAX = 64 };

/* What the threads do. Called from them. */
struct processor_task {
    /* process: a chain of blocks (linked by next) with the next received bytes of `owner`. */
    void (*process)(void *context, struct processor *processor, void *owner, struct block *blocks);
    /* returned: blocks have gone back to their caches. */
    void (*returned)(void *context);
    void *context;
};

struct processor_thread;

struct processor_threads {
    struct processor_task task;
    struct block_caches *caches;
    struct processor_thread *all;
    unsigned count;
    _Atomic bool ending;
};

/* processor_threads_open: starts `count` threads (role OS_ROLE_BUFFER), which may be 0. 0, or -1:
 * no memory or no thread; processor_threads_close follows either way. */
int processor_threads_open(struct processor_threads *threads, unsigned count,
                           const struct processor_task *task, struct block_caches *caches,
                           struct scheme_base *base);

/* processor_threads_close: ends the threads after they have processed all that was pushed, blocking
 * until then, and adds what they did to the figures. Accepts zeroed threads. */
void processor_threads_close(struct processor_threads *threads, struct scheme_figures *figures);

/* processor_threads_push: a chain of `count` blocks of one receive, from a cache that the caller
 * has acquired, to the thread that `stream_id` belongs to. One atomic exchange. */
void processor_threads_push(struct processor_threads *threads, struct block_cache *cache,
                            uint32_t stream_id, void *owner, struct block *blocks, unsigned count);

/* processor_threads_throttle: waits, with no cache acquired, until at most `blocks_max` blocks of
 * the cache are outstanding: what runs ahead of processing only goes cold. */
void processor_threads_throttle(struct processor_threads *threads, struct block_cache *cache,
                                unsigned blocks_max);

#endif
