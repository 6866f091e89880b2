/* Timers: a heap by due time, for any number of them. Time is a parameter. */
#ifndef FANIN_TIMERS_H
#define FANIN_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

struct timer {
    uint64_t due_ns;
    size_t place; /* in the heap, from 1; 0: not set */
};

struct timers {
    struct heap heap;
};

/* timers_reserve: room for `count` timers at once, so that setting one never fails. 0, or -1
 * without memory. */
int timers_reserve(struct timers *timers, size_t count);
void timers_end(struct timers *timers);

void timers_set(struct timers *timers, struct timer *timer,
                uint64_t due_ns);                              /* also if it is set */
void timers_clear(struct timers *timers, struct timer *timer); /* also if it is not set */

/* timers_take: the earliest timer that is due, no longer set; NULL: none is. */
struct timer *timers_take(struct timers *timers, uint64_t now_ns);

uint64_t timers_next_ns(const struct timers *timers); /* UINT64_MAX: none is set */

#endif
