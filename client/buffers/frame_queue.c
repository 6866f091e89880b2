/* A queue of frames for many producers and one consumer.
 *
 *      workers              waiting                         the consumer
 *               .-------------------------------.  take
 *      push --->| frame | frame | frame | ...   |---------> in hand: processed one by one
 *               '-------------------------------'  swaps the two lists
 *
 * WAKING. The consumer takes all frames at once, and is woken only by the first frame that comes
 * while it sleeps: a wake-up and its switch of threads cost about as much as receiving 16 kB.
 *
 * NOT TOO FAR AHEAD. Workers that outrun the consumer would fill memory with frames that go cold
 * before they are processed, at several times the cost per byte for both sides. With AHEAD_BYTES
 * waiting, a worker waits too, and TCP holds the servers back. That is a quarter of a processor's
 * own cache or less, with as much again in the consumer's hands.
 *
 * The wait is not declared to the port as a blocking section: the worker that took over would only
 * run ahead instead, at the price of two more switches of threads.
 *
 * The lists grow with need. At the cap, with frames of a few bytes, they may not: a worker then
 * waits for the consumer, which waits for nothing. */
#include "client/buffers/frame_queue.h"

#include <assert.h>
#include <stdlib.h>

#include "client/buffers/pool.h"

enum {
    FRAMES_AT_FIRST = 128,
    AHEAD_BYTES = 512 * 1024,
};

uint64_t frame_queue_charge(void)
{
    return 2 * FRAMES_AT_FIRST * sizeof(struct frame);
}

/* False: at the cap, or no memory. */
static bool grow(struct frame_queue *queue, struct frame_list *list)
{
    const unsigned capacity = list->capacity > 0 ? 2 * list->capacity : FRAMES_AT_FIRST;
    const uint64_t charge = (capacity - list->capacity) * sizeof(struct frame);

    if (!budget_charge(queue->budget, charge))
        return false;
    struct frame *frames = realloc(list->frames, capacity * sizeof(struct frame));
    if (frames == NULL) {
        budget_refund(queue->budget, charge);
        return false;
    }
    list->frames = frames;
    list->capacity = capacity;
    return true;
}

static void free_list(struct frame_queue *queue, struct frame_list *list)
{
    budget_refund(queue->budget, list->capacity * sizeof(struct frame));
    free(list->frames);
}

int frame_queue_open(struct frame_queue *queue, struct budget *budget)
{
    *queue = (struct frame_queue){.budget = budget};
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->taken, NULL);
    return grow(queue, &queue->waiting) && grow(queue, &queue->in_hand) ? 0 : -1;
}

void frame_queue_close(struct frame_queue *queue)
{
    assert(queue->waiting.count == 0);
    free_list(queue, &queue->waiting);
    free_list(queue, &queue->in_hand);
    pthread_cond_destroy(&queue->taken);
    pthread_mutex_destroy(&queue->lock);
}

void frame_queue_push(struct frame_queue *queue, const struct frame *frames, unsigned count)
{
    struct frame_list *waiting = &queue->waiting;

    assert(count > 0);
    pthread_mutex_lock(&queue->lock);
    assert(!queue->ending);
    while (queue->waiting_bytes >= AHEAD_BYTES)
        pthread_cond_wait(&queue->taken, &queue->lock);
    for (unsigned i = 0; i < count; i++) {
        while (waiting->count == waiting->capacity && !grow(queue, waiting)) {
            os_unpark(&queue->parker);
            pthread_cond_wait(&queue->taken, &queue->lock);
        }
        waiting->frames[waiting->count++] = frames[i];
        queue->waiting_bytes += frames[i].bytes;
    }
    const bool wake = queue->asleep;
    queue->asleep = false;
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        os_unpark(&queue->parker);
}

const struct frame_list *frame_queue_take(struct frame_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->waiting.count == 0 && !queue->ending) {
        queue->asleep = true;
        pthread_mutex_unlock(&queue->lock);
        os_park(&queue->parker, UINT64_MAX);
        pthread_mutex_lock(&queue->lock);
    }
    queue->asleep = false;
    const struct frame_list taken = queue->waiting;
    queue->waiting = (struct frame_list){queue->in_hand.frames, 0, queue->in_hand.capacity};
    queue->in_hand = taken;
    queue->waiting_bytes = 0;
    pthread_cond_broadcast(&queue->taken);
    pthread_mutex_unlock(&queue->lock);
    return taken.count > 0 ? &queue->in_hand : NULL;
}

void frame_queue_finish(struct frame_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->ending = true;
    pthread_mutex_unlock(&queue->lock);
    os_unpark(&queue->parker);
}
