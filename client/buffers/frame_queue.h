/* The paper's common buffer: whole frames of all streams, in the order they were found, on their
 * way from the workers to the one thread that processes them. */
#ifndef FANIN_FRAME_QUEUE_H
#define FANIN_FRAME_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"
#include "client/buffers/scheme_base.h"

/* A whole frame: `bytes` from `offset` on in `first`, and on through the blocks behind it. */
struct frame {
    struct stream *stream;
    struct block *first;
    uint32_t offset, bytes;
};

struct frame_list {
    struct frame *frames;
    unsigned count, capacity;
};

enum { FRAME_QUEUE_LEAST_BYTES = 2 * 128 * sizeof(struct frame) }; /* of its two lists */

struct frame_queue {
    struct scheme_base *base;
    uint64_t ahead_bytes; /* with so many waiting, workers wait, too */
    bool takes_one;       /* a look does */

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t taken;
    unsigned held_back; /* workers that wait for it */
    struct frame_list waiting;
    uint64_t waiting_bytes; /* of these frames */
    bool asleep;            /* the thread, until a worker undertakes to wake it */
    bool ending;

    /* The thread's. */
    struct os_parker parker;
    struct frame_list in_hand;
    unsigned next; /* in hand, the first that is not processed */
    uint64_t started_ns, looks;
};

/* frame_queue_open: zeroed before; looks as the base's config says, and charges its budget. 0 or
 * -ENOMEM; frame_queue_close follows either way. */
int frame_queue_open(struct frame_queue *queue, struct scheme_base *base);
void frame_queue_close(struct frame_queue *queue);

/* frame_queue_put: under one lock; wakes the thread if it sleeps. Blocks while the thread is too
 * far behind. frame_queue_end: nothing more will be put. */
void frame_queue_put(struct frame_queue *queue, const struct frame *frames, unsigned count);
void frame_queue_end(struct frame_queue *queue);

/* The thread's side. frame_queue_start: the timer starts. frame_queue_look: blocks until there are
 * frames or, on a timer, until the next look, which may find none. False: there will be no more.
 * frame_queue_next: the next frame in hand; NULL: there is none. frame_queue_full: after a frame
 * was processed: it was all that a look takes. */
void frame_queue_start(struct frame_queue *queue);
bool frame_queue_look(struct frame_queue *queue);

static inline const struct frame *frame_queue_next(struct frame_queue *queue)
{
    const bool is_there = queue->next < queue->in_hand.count;
    return is_there ? &queue->in_hand.frames[queue->next++] : NULL;
}

/* A frame of a stream that has failed is dropped, so it is not the one that a look takes. */
static inline bool frame_queue_full(const struct frame_queue *queue, const struct frame *processed)
{
    return queue->takes_one && processed->stream->error == FRAME_OK &&
           !atomic_load_explicit(&queue->base->hurried, memory_order_relaxed);
}

#endif
