/* The frame queue: who waits for whom, and when the thread looks.
 *
 *      workers              waiting                         the thread
 *               .-------------------------------.  look
 *       put --->| frame | frame | frame | ...   |---------> in hand: processed one by one
 *               '-------------------------------'  swaps the two lists
 *
 * WAKING. The thread takes all frames at once, and is woken only by the first frame that comes
 * while it sleeps: a wake-up and its switch of threads cost about as much as receiving 16 kB.
 *
 * NOT TOO FAR AHEAD. Workers that outrun the thread would fill memory with frames that go cold
 * before they are processed, at several times the cost per byte for both sides. With AHEAD_BYTES
 * waiting, a worker waits too, and TCP holds the servers back. That is a quarter of a processor's
 * own cache or less, with as much again in hand. The wait is not declared to the port as a blocking
 * section: the worker that took over would only run ahead instead, at the price of two more
 * switches of threads. Workers go on one after the other, each waking the next as long as there is
 * room: many at once would only wait for the lock, and most of them for room again.
 *
 * ON A TIMER (config.look) the thread is the paper's: it looks at the queue at multiples of an
 * interval from its start, takes one frame or all, and sleeps again. A look that it is late for is
 * not made up for. The paper's common buffer has no bound but its pool, and frames are meant to
 * wait for the timer: so no number of them is too far ahead, and only the cap holds workers back.
 * When the run is to end early (scheme_hurry) the thread takes all that wait, without its timer.
 *
 * At the cap, with frames of a few bytes, the lists may not grow: a worker then waits for the
 * thread, which waits for nothing but its next look. */
#include "client/buffers/frame_queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    FRAMES_AT_FIRST = 128, /* room in a list, which grows with need */
    AHEAD_BYTES = 512 * 1024,
};

static bool is_timed(const struct frame_queue *queue)
{
    return queue->base->config.look.every_ns > 0;
}

static bool is_hurried(const struct frame_queue *queue)
{
    return atomic_load_explicit(&queue->base->hurried, memory_order_relaxed);
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* False: at the cap, or no memory. */
static bool grow(struct frame_queue *queue, struct frame_list *list)
{
    const unsigned capacity = list->capacity > 0 ? 2 * list->capacity : FRAMES_AT_FIRST;
    struct frame *frames =
        budget_realloc(&queue->base->budget, list->frames, list->capacity * sizeof(struct frame),
                       capacity * sizeof(struct frame));
    if (frames == NULL)
        return false;
    list->frames = frames;
    list->capacity = capacity;
    return true;
}

static void free_list(struct frame_queue *queue, struct frame_list *list)
{
    budget_refund(&queue->base->budget, list->capacity * sizeof(struct frame));
    free(list->frames);
}

int frame_queue_open(struct frame_queue *queue, struct scheme_base *base)
{
    _Static_assert(FRAME_QUEUE_LEAST_BYTES == 2 * FRAMES_AT_FIRST * sizeof(struct frame),
                   "two lists");
    queue->base = base;
    queue->takes_one = is_timed(queue) && base->config.look.one;
    queue->ahead_bytes = is_timed(queue) ? UINT64_MAX : AHEAD_BYTES;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->taken, NULL);
    return grow(queue, &queue->waiting) && grow(queue, &queue->in_hand) ? 0 : -ENOMEM;
}

void frame_queue_close(struct frame_queue *queue)
{
    assert(queue->waiting.count == 0);
    free_list(queue, &queue->waiting);
    free_list(queue, &queue->in_hand);
    pthread_cond_destroy(&queue->taken);
    pthread_mutex_destroy(&queue->lock);
}

/* ---- the workers' side ---------------------------------------------------------------------- */

static void await_taken(struct frame_queue *queue)
{
    queue->held_back++;
    pthread_cond_wait(&queue->taken, &queue->lock);
    queue->held_back--;
}

void frame_queue_put(struct frame_queue *queue, const struct frame *frames, unsigned count)
{
    struct frame_list *waiting = &queue->waiting;
    pthread_mutex_lock(&queue->lock);
    assert(!queue->ending);
    while (queue->waiting_bytes >= queue->ahead_bytes)
        await_taken(queue);
    for (unsigned i = 0; i < count; i++) {
        while (waiting->count == waiting->capacity && !grow(queue, waiting)) {
            os_unpark(&queue->parker);
            await_taken(queue);
        }
        waiting->frames[waiting->count++] = frames[i];
        queue->waiting_bytes += frames[i].bytes;
    }
    const bool wake = queue->asleep;
    const bool next = queue->held_back > 0 && queue->waiting_bytes < queue->ahead_bytes;
    queue->asleep = false;
    pthread_mutex_unlock(&queue->lock);
    if (wake)
        os_unpark(&queue->parker);
    if (next)
        pthread_cond_signal(&queue->taken);
}

void frame_queue_end(struct frame_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->ending = true;
    pthread_mutex_unlock(&queue->lock);
    os_unpark(&queue->parker);
}

/* ---- the thread's side ---------------------------------------------------------------------- */

void frame_queue_start(struct frame_queue *queue)
{
    queue->started_ns = os_now_ns();
}

/* With the lock held: blocks until there are frames, or there will be no more. */
static void await_frames(struct frame_queue *queue)
{
    while (queue->waiting.count == 0 && !queue->ending) {
        queue->asleep = true;
        pthread_mutex_unlock(&queue->lock);
        os_park(&queue->parker, UINT64_MAX);
        pthread_mutex_lock(&queue->lock);
    }
    queue->asleep = false;
}

/* Nothing will come any more, and nothing waits; or after Ctrl-C nobody wants to wait for it. */
static bool is_over(struct frame_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    const bool empty = queue->waiting.count == 0 && queue->next == queue->in_hand.count;
    const bool over = queue->ending && (empty || os_interrupted());
    pthread_mutex_unlock(&queue->lock);
    return over;
}

/* Blocks until the next multiple of the interval, unless the run ends. */
static void await_tick(struct frame_queue *queue)
{
    const uint64_t every_ns = queue->base->config.look.every_ns;
    uint64_t now_ns = os_now_ns();
    const uint64_t passed = (now_ns - queue->started_ns) / every_ns;
    const uint64_t tick_ns = queue->started_ns + (passed + 1) * every_ns;
    while (now_ns < tick_ns && !is_hurried(queue) && !is_over(queue)) {
        os_park(&queue->parker, os_slice_ns(tick_ns - now_ns));
        now_ns = os_now_ns();
    }
}

/* Takes all frames in hand: once there are some, or on a timer those that there are. False: there
 * will be no more. */
static bool take(struct frame_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    if (!is_timed(queue) || is_hurried(queue))
        await_frames(queue);
    const bool ending = queue->ending, next = queue->held_back > 0;
    const struct frame_list taken = queue->waiting;
    queue->waiting = (struct frame_list){queue->in_hand.frames, 0, queue->in_hand.capacity};
    queue->in_hand = taken;
    queue->next = 0;
    queue->waiting_bytes = 0;
    pthread_mutex_unlock(&queue->lock);
    if (next)
        pthread_cond_signal(&queue->taken);
    return taken.count > 0 || !ending;
}

bool frame_queue_look(struct frame_queue *queue)
{
    if (is_timed(queue))
        await_tick(queue);
    queue->looks++;
    return queue->next < queue->in_hand.count || take(queue);
}
