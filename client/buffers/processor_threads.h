/* The threads that process what workers have received, and the way to them. Each stream belongs to
 * one thread, so that its slices stay in order. */
#ifndef FANIN_PROCESSOR_THREADS_H
#define FANIN_PROCESSOR_THREADS_H

#include "client/buffers/block_cache.h"

enum { PROCESSOR_THREADS_MAX = 64 };

/* What a thread does with a chain of blocks (linked by next): the stream's next received bytes. */
typedef void process_receive(struct scheme_run *run, struct processor *processor,
                             struct stream *stream, struct block *blocks);

struct processor_threads {
    struct scheme_base *base;
    process_receive *process;
    struct processor_thread *all;
    unsigned count;
    _Atomic bool ending;
};

/* processor_threads_open: starts config.processors threads (role OS_ROLE_BUFFER), which may be
 * none. 0, or a negative errno value; processor_threads_close follows either way. */
int processor_threads_open(struct processor_threads *threads, struct scheme_base *base,
                           process_receive *process);

/* processor_threads_close: ends the threads after they have processed all that was pushed, blocking
 * until then, and adds what they did to the figures. Accepts zeroed threads. */
void processor_threads_close(struct processor_threads *threads, struct scheme_figures *figures);

/* processor_threads_push: the `count` blocks of one receive, from a cache that the caller has
 * acquired, to the stream's thread. One atomic exchange. They go back to the cache, and streams
 * that wait for blocks are resumed. */
void processor_threads_push(struct processor_threads *threads, struct block_cache *cache,
                            struct stream *stream, struct block *blocks, unsigned count);

/* processor_threads_throttle: waits, with no cache acquired, until at most `blocks_max` blocks of
 * the cache are outstanding: what runs ahead of processing only goes cold. */
void processor_threads_throttle(struct block_cache *cache, unsigned blocks_max);

#endif
