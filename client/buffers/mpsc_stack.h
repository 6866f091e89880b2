/* Chains of blocks on their way from many threads to one, which may sleep: a push is one atomic
 * exchange, so is taking all that was pushed, and the sleeper is woken only by what comes first
 * after it lay down. */
#ifndef FANIN_MPSC_STACK_H
#define FANIN_MPSC_STACK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client/buffers/pool.h"
#include "base/os.h"

struct mpsc_stack {
    _Alignas(2 * BLOCK_ALIGN_BYTES) struct block *_Atomic top;
    struct os_parker parker; /* the taker's */
};

/* mpsc_stack_init: empty. Nothing has to be undone. */
void mpsc_stack_init(struct mpsc_stack *stack);

/* mpsc_stack_push: blocks from `first` to `last`, linked by `queue`. Any thread; does not block. */
void mpsc_stack_push(struct mpsc_stack *stack, struct block *first, struct block *last);

/* mpsc_stack_take: all that was pushed, the last first, linked by `queue`; NULL: nothing. */
struct block *mpsc_stack_take(struct mpsc_stack *stack);

/* mpsc_stack_prepare_sleep: the taker lies down. False: there is something to take, or it lies
 * already.
 * mpsc_stack_sleep: blocks until something is pushed after a doze that was true, or
 * mpsc_stack_wake. */
bool mpsc_stack_prepare_sleep(struct mpsc_stack *stack);
void mpsc_stack_sleep(struct mpsc_stack *stack);
void mpsc_stack_wake(struct mpsc_stack *stack);

#endif
