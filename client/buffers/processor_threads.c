/* Processing threads, each with a stack of receives that workers push to.
 *
 * Receives travel whole: the blocks of one receive, linked by next, are one entry of the stack, so
 * one exchange publishes all frames and pieces of frames in them. Blocks go back one by one, linked
 * by queue_next, a chain for each cache. */
#include "client/buffers/processor_threads.h"

#include <assert.h>
#include <errno.h>

#include "base/os.h"

enum { RETURN_BLOCKS = 8 }; /* go back together */

struct processor_thread {
    struct mpsc_stack inbox;
    struct processor_threads *threads;
    pthread_t thread;
    struct processor processor;
};

/* The batch is for one cache, and linked by queue_next. */
static void send_back(struct processor_threads *threads, struct block_batch *batch)
{
    if (batch->count == 0)
        return;
    mpsc_stack_push(&batch->first->home->back, batch->first, batch->last);
    *batch = (struct block_batch){0};
    wait_list_resume(&threads->base->waiters);
}

static void pack(struct processor_threads *threads, struct block_batch *batch, struct block *block)
{
    if (batch->count > 0 && batch->first->home != block->home)
        send_back(threads, batch);
    block->queue_next = batch->first;
    batch->first = block;
    if (batch->count++ == 0)
        batch->last = block;
    if (batch->count == RETURN_BLOCKS)
        send_back(threads, batch);
}

/* The stack comes last in, first out. */
static struct block *in_order(struct block *receives)
{
    struct block *first = NULL;
    while (receives != NULL) {
        struct block *below = receives->queue_next;
        receives->queue_next = first;
        first = receives;
        receives = below;
    }
    return first;
}

static void process_receives(struct processor_thread *thread, struct block *receives)
{
    struct processor_threads *threads = thread->threads;
    struct block_batch batch = {0};
    struct block *following, *next;
    for (struct block *receive = in_order(receives); receive != NULL; receive = following) {
        following = receive->queue_next;
        threads->process((struct scheme_run *)(void *)threads->base, &thread->processor,
                         receive->stream, receive);
        for (struct block *block = receive; block != NULL; block = next) {
            next = block->next;
            pack(threads, &batch, block);
        }
    }
    send_back(threads, &batch);
}

static void *process_all(void *argument)
{
    struct processor_thread *thread = argument;
    const _Atomic bool *ending = &thread->threads->ending;
    for (;;) {
        const bool last_look = atomic_load(ending); /* before taking, not after */
        struct block *receives = mpsc_stack_take(&thread->inbox);
        if (receives != NULL)
            process_receives(thread, receives);
        else if (last_look)
            return NULL;
        else if (mpsc_stack_prepare_sleep(&thread->inbox) && !atomic_load(ending))
            mpsc_stack_sleep(&thread->inbox);
        else
            mpsc_stack_wake(&thread->inbox);
    }
}

int processor_threads_open(struct processor_threads *threads, struct scheme_base *base,
                           process_receive *process)
{
    const unsigned count = base->config.processors;
    assert(count <= PROCESSOR_THREADS_MAX);
    *threads = (struct processor_threads){.base = base, .process = process};
    if (count == 0)
        return 0;
    threads->all = os_pages_map(PROCESSOR_THREADS_MAX * sizeof(struct processor_thread));
    if (threads->all == NULL)
        return -ENOMEM;
    for (; threads->count < count; threads->count++) {
        struct processor_thread *thread = &threads->all[threads->count];
        thread->threads = threads;
        processor_init(&thread->processor, &base->config.process, &base->budget);
        int result = os_thread_start(&thread->thread, OS_ROLE_BUFFER, 0, process_all, thread);
        if (result != 0)
            return result;
    }
    return 0;
}

void processor_threads_close(struct processor_threads *threads, struct scheme_figures *figures)
{
    if (threads->all == NULL)
        return;
    atomic_store(&threads->ending, true);
    for (unsigned i = 0; i < threads->count; i++) {
        mpsc_stack_wake(&threads->all[i].inbox);
        pthread_join(threads->all[i].thread, NULL);
        processor_sum_up(&threads->all[i].processor, figures);
        processor_end(&threads->all[i].processor);
    }
    os_pages_unmap(threads->all, PROCESSOR_THREADS_MAX * sizeof(struct processor_thread));
}

void processor_threads_push(struct processor_threads *threads, struct block_cache *cache,
                            struct stream *stream, struct block *blocks, unsigned count)
{
    assert(count > 0);
    for (struct block *block = blocks; block != NULL; block = block->next)
        block->home = cache;
    blocks->stream = stream;
    cache->outstanding += count;
    cache->hand_overs++;
    const struct scheme_run *run = (const struct scheme_run *)(const void *)threads->base;
    const uint32_t index = scheme_index(run, stream) % threads->count;
    mpsc_stack_push(&threads->all[index].inbox, blocks, blocks);
}

/* Sleep is prepared under the cache's lock after a re-check, so no wake-up is lost: a thread that
 * reclaims blocks for this cache meanwhile did so before the re-check, or finds only blocks whose
 * push has woken the sleeper. */
void processor_threads_throttle(struct block_cache *cache, unsigned blocks_max)
{
    bool too_many = true;
    while (too_many) {
        pthread_mutex_lock(&cache->lock);
        block_cache_reclaim(cache);
        too_many = cache->outstanding > blocks_max && !cache->asleep;
        if (too_many && mpsc_stack_prepare_sleep(&cache->back))
            cache->asleep = true;
        const bool sleeps = too_many && cache->asleep;
        pthread_mutex_unlock(&cache->lock);
        if (!sleeps)
            continue;
        mpsc_stack_sleep(&cache->back);
        pthread_mutex_lock(&cache->lock);
        cache->asleep = false;
        pthread_mutex_unlock(&cache->lock);
    }
}
