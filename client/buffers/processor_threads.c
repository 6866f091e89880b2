/* RECEIVES travel whole: the blocks of one receive, linked by next, are one entry of the queue, and
 * so one exchange publishes all frames and pieces of frames in them. Blocks go back one by one,
 * linked by queue, a chain for each cache. */
#include "client/buffers/processor_threads.h"

#include <assert.h>
#include <stdlib.h>

enum { RETURN_BLOCKS = 8 }; /* go back together */

struct processor_thread {
    struct mpsc_stack inbox;
    struct processor_threads *threads;
    pthread_t thread;
    struct processor processor;
};

/* Blocks on their way back to one cache. */
struct parcel {
    struct block *first, *last;
    unsigned count;
};

static void send_back(struct processor_threads *threads, struct parcel *parcel)
{
    if (parcel->count == 0)
        return;
    mpsc_stack_push(&threads->caches->all[parcel->first->home].back, parcel->first, parcel->last);
    *parcel = (struct parcel){0};
    threads->task.returned(threads->task.context);
}

static void pack(struct processor_threads *threads, struct parcel *parcel, struct block *block)
{
    if (parcel->count > 0 && parcel->first->home != block->home)
        send_back(threads, parcel);
    block->queue = parcel->first;
    parcel->first = block;
    if (parcel->count++ == 0)
        parcel->last = block;
    if (parcel->count == RETURN_BLOCKS)
        send_back(threads, parcel);
}

/* The queue comes last in, first out. */
static struct block *in_order(struct block *receives)
{
    struct block *first = NULL;

    while (receives != NULL) {
        struct block *below = receives->queue;
        receives->queue = first;
        first = receives;
        receives = below;
    }
    return first;
}

static void work_off(struct processor_thread *member, struct block *receives)
{
    struct processor_threads *threads = member->threads;
    struct parcel parcel = {0};
    struct block *following, *next;

    for (struct block *receive = in_order(receives); receive != NULL; receive = following) {
        following = receive->queue;
        threads->task.process(threads->task.context, &member->processor, receive->owner, receive);
        for (struct block *block = receive; block != NULL; block = next) {
            next = block->next;
            pack(threads, &parcel, block);
        }
    }
    send_back(threads, &parcel);
}

static void *work(void *argument)
{
    struct processor_thread *member = argument;

    for (;;) {
        const bool ending =
            atomic_load(&member->threads->ending); /* before the look, not after it */
        struct block *receives = mpsc_stack_take(&member->inbox);
        if (receives != NULL)
            work_off(member, receives);
        else if (ending)
            return NULL;
        else if (mpsc_stack_prepare_sleep(&member->inbox) && !atomic_load(&member->threads->ending))
            mpsc_stack_sleep(&member->inbox);
        else
            mpsc_stack_wake(&member->inbox);
    }
}

int processor_threads_open(struct processor_threads *threads, unsigned count,
                           const struct processor_task *task, struct block_caches *caches,
                           const struct process_config *config, struct budget *budget)
{
    assert(count <= PROCESSOR_THREADS_MAX);
    *threads = (struct processor_threads){.task = *task, .caches = caches};
    if (count == 0)
        return 0;
    threads->members = os_pages_map(PROCESSOR_THREADS_MAX * sizeof(struct processor_thread));
    if (threads->members == NULL)
        return -1;
    while (threads->count < count) {
        struct processor_thread *member = &threads->members[threads->count];
        member->threads = threads;
        mpsc_stack_init(&member->inbox);
        processor_init(&member->processor, config, budget);
        if (os_thread_start(&member->thread, OS_ROLE_BUFFER, 0, work, member) != 0)
            break;
        threads->count++;
    }
    if (threads->count == count)
        return 0;
    processor_threads_finish(threads);
    processor_threads_close(threads);
    return -1;
}

void processor_threads_finish(struct processor_threads *threads)
{
    atomic_store(&threads->ending, true);
    for (unsigned i = 0; i < threads->count; i++) {
        mpsc_stack_wake(&threads->members[i].inbox);
        pthread_join(threads->members[i].thread, NULL);
    }
}

const struct processor *processor_threads_processor(const struct processor_threads *threads,
                                                    unsigned index)
{
    assert(index < threads->count);
    return &threads->members[index].processor;
}

void processor_threads_close(struct processor_threads *threads)
{
    if (threads->members != NULL)
        os_pages_unmap(threads->members, PROCESSOR_THREADS_MAX * sizeof(struct processor_thread));
    threads->members = NULL;
}

void processor_threads_push(struct processor_threads *threads, struct block_cache *cache,
                            uint32_t stream_id, void *owner, struct block *blocks, unsigned count)
{
    assert(count > 0);
    for (struct block *block = blocks; block != NULL; block = block->next)
        block->home = block_cache_number(threads->caches, cache);
    blocks->owner = owner;
    cache->away += count;
    cache->hand_overs++;
    mpsc_stack_push(&threads->members[stream_id % threads->count].inbox, blocks, blocks);
}

/* Who lies down does so under the cache's lock, after a look: whoever takes blocks in for the cache
 * meanwhile was before that look, or finds only blocks whose coming has woken the sleeper. */
void processor_threads_throttle(struct processor_threads *threads, struct block_cache *cache,
                                unsigned blocks_max)
{
    bool sleeping = true;

    while (sleeping) {
        pthread_mutex_lock(&cache->lock);
        block_cache_reclaim(threads->caches, cache);
        sleeping = cache->away > blocks_max && !cache->resting;
        if (sleeping && mpsc_stack_prepare_sleep(&cache->back))
            cache->resting = true;
        const bool dozes = sleeping && cache->resting;
        pthread_mutex_unlock(&cache->lock);
        if (!dozes)
            continue;
        mpsc_stack_sleep(&cache->back);
        pthread_mutex_lock(&cache->lock);
        cache->resting = false;
        pthread_mutex_unlock(&cache->lock);
    }
}
