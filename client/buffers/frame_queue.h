/* The common buffer: whole frames of all streams, as addresses, in the order they were found, on
 * their way to the one thread that processes them. */
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
    struct frame *next;
    struct stream *stream;
    struct block *first;
    uint32_t offset, bytes;
};

struct frame_slab;

struct frame_queue {
    pthread_mutex_t lock; /* over all below but the parker */
    pthread_cond_t records_back, taken;
    struct frame *first, **end; /* waiting to be processed */
    uint64_t waiting_bytes;     /* of these frames */
    struct frame *spare;        /* free records */
    struct frame_slab *slabs;
    bool asleep; /* the consumer, until somebody undertakes to wake it */
    bool ending;
    struct os_parker parker; /* the consumer's */
    struct budget *budget;   /* charged for the records */
};

/* frame_queue_charge: what the records that frame_queue_open takes cost the budget. */
uint64_t frame_queue_charge(void);

/* frame_queue_open: 0, or -1 without memory. */
int frame_queue_open(struct frame_queue *common, struct budget *budget);
void frame_queue_close(struct frame_queue *common); /* empty, its consumer gone */

/* frame_queue_push: moves `count` frames to the tail of the buffer, under one lock, and wakes the
 * consumer if it sleeps. At the cap it may have to wait until the consumer gives records back. */
void frame_queue_push(struct frame_queue *common, const struct frame *frames, unsigned count);

/* frame_queue_take: by the consumer: gives back the `done` records (a chain, may be NULL) and takes
 * everything that is in the buffer, under one lock. Blocks while there is nothing; NULL once
 * frame_queue_finish was called and the buffer is empty. */
struct frame *frame_queue_take(struct frame_queue *common, struct frame *done);

/* frame_queue_finish: nothing more will be handed over. */
void frame_queue_finish(struct frame_queue *common);

#endif
