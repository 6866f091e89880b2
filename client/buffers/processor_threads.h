/* The threads that process what others have received, and the way there: each stream belongs to one
 * of them, so that its slices stay in order. */
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
    struct processor_thread *members;
    unsigned count;
    _Atomic bool ending;
};

/* processor_threads_open: starts `count` threads (role OS_ROLE_BUFFER), which may be 0. 0, or -1:
 * no memory or
 * no thread. */
int processor_threads_open(struct processor_threads *threads, unsigned count,
                           const struct processor_task *task, struct block_caches *caches,
                           const struct process_config *config, struct budget *budget);

/* processor_threads_finish: ends the threads after all that was handed over is processed; blocks.
 * */
void processor_threads_finish(struct processor_threads *threads);
const struct processor *processor_threads_processor(const struct processor_threads *threads,
                                                    unsigned index);
void processor_threads_close(struct processor_threads *threads);

/* processor_threads_push: a chain of `count` blocks of one receive, from a cache that the caller
 * sits at, to
 * the member that `stream_id` belongs to. One atomic exchange. */
void processor_threads_push(struct processor_threads *threads, struct block_cache *cache,
                            uint32_t stream_id, void *owner, struct block *blocks, unsigned count);

/* processor_threads_throttle: waits, sitting nowhere, until no more than `blocks_max` blocks of the
 * cache are on
 * their way: what runs ahead of processing only goes cold. */
void processor_threads_throttle(struct processor_threads *threads, struct block_cache *cache,
                                unsigned blocks_max);

#endif
