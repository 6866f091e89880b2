/* The common buffer: whole frames of all streams, as addresses, in the order they were found, on
 * their way to the one thread that processes them. */
#ifndef FANIN_COMMON_H
#define FANIN_COMMON_H

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

struct common {
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

/* common_records_charge: what the records that common_open takes cost the budget. */
uint64_t common_records_charge(void);

/* common_open: 0, or -1 without memory. */
int common_open(struct common *common, struct budget *budget);
void common_close(struct common *common); /* empty, its consumer gone */

/* common_hand_over: moves `count` frames to the tail of the buffer, under one lock, and wakes the
 * consumer if it sleeps. At the cap it may have to wait until the consumer gives records back. */
void common_hand_over(struct common *common, const struct frame *frames, unsigned count);

/* common_take: by the consumer: gives back the `done` records (a chain, may be NULL) and takes
 * everything that is in the buffer, under one lock. Blocks while there is nothing; NULL once
 * common_finish was called and the buffer is empty. */
struct frame *common_take(struct common *common, struct frame *done);

/* common_finish: nothing more will be handed over. */
void common_finish(struct common *common);

#endif
