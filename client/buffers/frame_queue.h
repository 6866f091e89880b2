/* A queue of whole frames of all streams, as addresses, in the order they were found, on their way
 * to the one thread that processes them: the paper's common buffer. */
#ifndef FANIN_FRAME_QUEUE_H
#define FANIN_FRAME_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/scheme.h"
#include "base/os.h"

/* A whole frame: `bytes` from `offset` on in `first`, and on through the blocks behind it. It holds
 * one reference on each of these blocks. */
struct frame {
    struct stream *stream;
    struct block *first;
    uint32_t offset, bytes;
};

struct frame_list {
    struct frame *frames;
    unsigned count, capacity;
};

struct frame_queue {
    pthread_mutex_t lock; /* over all below but `in_hand` and the parker */
    pthread_cond_t taken;
    struct frame_list waiting;
    uint64_t waiting_bytes; /* of these frames */
    bool asleep;            /* the consumer, until a producer undertakes to wake it */
    bool ending;
    struct frame_list in_hand; /* the consumer's */
    struct os_parker parker;   /* the consumer's */
    struct budget *budget;     /* charged for the lists */
};

/* frame_queue_charge: what frame_queue_open costs the budget. */
uint64_t frame_queue_charge(void);

/* frame_queue_open: 0, or -1 without memory. frame_queue_close: the queue is empty, its consumer
 * gone; accepts a queue that frame_queue_open has refused. */
int frame_queue_open(struct frame_queue *queue, struct budget *budget);
void frame_queue_close(struct frame_queue *queue);

/* frame_queue_push: appends `count` frames, under one lock, and wakes the consumer if it sleeps.
 * Blocks while the consumer is far behind, and at the cap until there is room. */
void frame_queue_push(struct frame_queue *queue, const struct frame *frames, unsigned count);

/* frame_queue_take: for the consumer: takes all frames of the queue, under one lock. Blocks while
 * there are none. They are valid until the next call. NULL: frame_queue_finish was called and the
 * queue is empty. */
const struct frame_list *frame_queue_take(struct frame_queue *queue);

/* frame_queue_finish: nothing more will be pushed. */
void frame_queue_finish(struct frame_queue *queue);

#endif
