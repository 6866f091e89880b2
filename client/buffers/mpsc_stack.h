/* A stack of blocks with many producers and one consumer, which may sleep. A push is one atomic
 * exchange, and so is taking all; only the first push after prepare_sleep wakes the consumer. */
#ifndef FANIN_MPSC_STACK_H
#define FANIN_MPSC_STACK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client/buffers/pool.h"
#include "base/os.h"

/* Zeroed: empty. */
struct mpsc_stack {
    _Alignas(2 * BLOCK_ALIGN_BYTES) struct block *_Atomic top;
    struct os_parker parker; /* the consumer's */
};

/* mpsc_stack_push: blocks from `first` to `last`, linked by queue_next. Any thread. No wait. */
void mpsc_stack_push(struct mpsc_stack *stack, struct block *first, struct block *last);

/* mpsc_stack_take: all that was pushed, the last first, linked by queue_next; NULL: nothing. */
struct block *mpsc_stack_take(struct mpsc_stack *stack);

/* mpsc_stack_prepare_sleep: false: there is something to take, or sleep is prepared already.
 * mpsc_stack_sleep: blocks until something is pushed after a prepare_sleep that was true, or until
 * mpsc_stack_wake. */
bool mpsc_stack_prepare_sleep(struct mpsc_stack *stack);
void mpsc_stack_sleep(struct mpsc_stack *stack);
void mpsc_stack_wake(struct mpsc_stack *stack);

#endif
