/* Rings that are mapped twice in a row, so that whatever lies in one is contiguous, also around its
 * end. Rings of a run have one size; those that nobody needs lie on a stack, so that the next to be
 * used is what is warm. */
#ifndef FANIN_RINGS_H
#define FANIN_RINGS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "client/buffers/pool.h"

struct ring_of_two {
    struct ring_of_two *next; /* on the stack */
    uint8_t *bytes;           /* [i] and [i + ring_bytes] are the same byte */
};

struct rings {
    size_t ring_bytes;
    struct budget *budget; /* charged ring_bytes a ring: the second view costs addresses only */
    pthread_mutex_t lock;  /* over what follows */
    struct ring_of_two *free;
    uint64_t free_count, count; /* count: all */
};

/* rings_size: the least size of a ring that holds `bytes`. */
size_t rings_size(size_t bytes);

/* rings_max: how many the system lets a process have; UINT64_MAX: not known. */
uint64_t rings_max(void);

/* rings_open: with one ring. 0, or -1: the budget, the memory or the system does not allow it. */
int rings_open(struct rings *rings, size_t ring_bytes, struct budget *budget);

/* rings_close: returns how many never came back (0 is the only good answer). */
uint64_t rings_close(struct rings *rings);

/* rings_take: NULL at the cap or when the system gives no more. */
struct ring_of_two *rings_take(struct rings *rings);
void rings_give(struct rings *rings, struct ring_of_two *ring);

/* rings_free: to be had without mapping one. */
uint64_t rings_free(struct rings *rings);

#endif
