/* Chains of blocks on their way from many threads to one, which may sleep: a push is one atomic
 * exchange, so is taking all that was pushed, and the sleeper is woken only by what comes first
 * after it lay down. */
#ifndef FANIN_HANDOVER_H
#define FANIN_HANDOVER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client/buffers/pool.h"
#include "base/os.h"

struct handover {
    _Alignas(2 * BLOCK_ALIGN_BYTES) struct block *_Atomic top;
    struct os_parker parker; /* the taker's */
};

/* handover_init: empty. Nothing has to be undone. */
void handover_init(struct handover *handover);

/* handover_push: blocks from `first` to `last`, linked by `queue`. Any thread; does not block. */
void handover_push(struct handover *handover, struct block *first, struct block *last);

/* handover_take: all that was pushed, the last first, linked by `queue`; NULL: nothing. */
struct block *handover_take(struct handover *handover);

/* handover_doze: the taker lies down. False: there is something to take, or it lies already.
 * handover_sleep: blocks until something is pushed after a doze that was true, or handover_wake. */
bool handover_doze(struct handover *handover);
void handover_sleep(struct handover *handover);
void handover_wake(struct handover *handover);

#endif
