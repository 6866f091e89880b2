/*      workers                       common buffer                    the consumer
 *                      .-----------------------------------.
 *   hand_over -------->| first -> frame -> frame -> frame  |-------> take (all of it)
 *        ^             '-----------------------------------'             |
 *        '---- spare records <-------- done <--- processed <-------------'
 *
 * WAKING. The consumer takes all that there is, and is woken only by what comes into an empty
 * buffer while it sleeps: a wake-up and the switch of threads that it brings cost about as much as
 * receiving 16 kB.
 *
 * NOT TOO FAR AHEAD. Workers that outrun the consumer would fill memory with frames that go cold
 * before they are processed, at several times the cost a byte for both sides. With AHEAD_BYTES
 * waiting a worker waits too, and TCP holds the servers back. That is a quarter of a processor's
 * own cache or less, with as much again in the consumer's hands.
 *
 * The wait is not declared to the port as a blocking section: the worker that took over would only
 * run ahead in its stead, at the price of two more switches of threads.
 *
 * RECORDS grow with need. At the cap, with frames of a few bytes, they may run out: a worker then
 * waits for the consumer, which waits for nobody. */
#include "client/buffers/frame_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "client/buffers/pool.h"

enum {
    SLAB_FRAMES = 256,
    AHEAD_BYTES = 512 * 1024,
};

struct frame_slab {
    struct frame_slab *next;
    struct frame frames[SLAB_FRAMES];
};

uint64_t frame_queue_charge(void)
{
    return sizeof(struct frame_slab);
}

/* With the lock held. False: at the cap, or no memory. */
static bool add_records(struct frame_queue *common)
{
    if (!budget_charge(common->budget, sizeof(struct frame_slab)))
        return false;
    struct frame_slab *slab = malloc(sizeof *slab);
    if (slab == NULL) {
        budget_refund(common->budget, sizeof *slab);
        return false;
    }
    slab->next = common->slabs;
    common->slabs = slab;
    for (unsigned i = 0; i < SLAB_FRAMES; i++) {
        slab->frames[i].next = common->spare;
        common->spare = &slab->frames[i];
    }
    return true;
}

int frame_queue_open(struct frame_queue *common, struct budget *budget)
{
    *common = (struct frame_queue){.budget = budget};
    common->end = &common->first;
    if (!add_records(common))
        return -1;
    pthread_mutex_init(&common->lock, NULL);
    pthread_cond_init(&common->records_back, NULL);
    pthread_cond_init(&common->taken, NULL);
    return 0;
}

void frame_queue_close(struct frame_queue *common)
{
    assert(common->first == NULL);
    while (common->slabs != NULL) {
        struct frame_slab *slab = common->slabs;
        common->slabs = slab->next;
        budget_refund(common->budget, sizeof *slab);
        free(slab);
    }
    pthread_cond_destroy(&common->taken);
    pthread_cond_destroy(&common->records_back);
    pthread_mutex_destroy(&common->lock);
}

/* With the lock held; lets go of it while it waits. */
static struct frame *take_record(struct frame_queue *common)
{
    while (common->spare == NULL && !add_records(common)) {
        os_unpark(&common->parker);
        pthread_cond_wait(&common->records_back, &common->lock);
    }
    struct frame *frame = common->spare;
    common->spare = frame->next;
    return frame;
}

void frame_queue_push(struct frame_queue *common, const struct frame *frames, unsigned count)
{
    assert(count > 0);
    pthread_mutex_lock(&common->lock);
    assert(!common->ending);
    while (common->waiting_bytes >= AHEAD_BYTES)
        pthread_cond_wait(&common->taken, &common->lock);
    for (unsigned i = 0; i < count; i++) {
        struct frame *frame = take_record(common);
        *frame = frames[i];
        frame->next = NULL;
        *common->end = frame;
        common->end = &frame->next;
        common->waiting_bytes += frame->bytes;
    }
    const bool wake = common->asleep;
    common->asleep = false;
    pthread_mutex_unlock(&common->lock);
    if (wake)
        os_unpark(&common->parker);
}

static void give_records(struct frame_queue *common, struct frame *done)
{
    if (done == NULL)
        return;
    struct frame *last = done;
    while (last->next != NULL)
        last = last->next;
    last->next = common->spare;
    common->spare = done;
    pthread_cond_broadcast(&common->records_back);
}

struct frame *frame_queue_take(struct frame_queue *common, struct frame *done)
{
    pthread_mutex_lock(&common->lock);
    give_records(common, done);
    while (common->first == NULL && !common->ending) {
        common->asleep = true;
        pthread_mutex_unlock(&common->lock);
        os_park(&common->parker, UINT64_MAX);
        pthread_mutex_lock(&common->lock);
    }
    common->asleep = false;
    struct frame *first = common->first;
    common->first = NULL;
    common->end = &common->first;
    common->waiting_bytes = 0;
    pthread_cond_broadcast(&common->taken);
    pthread_mutex_unlock(&common->lock);
    return first;
}

void frame_queue_finish(struct frame_queue *common)
{
    pthread_mutex_lock(&common->lock);
    common->ending = true;
    pthread_mutex_unlock(&common->lock);
    os_unpark(&common->parker);
}
