/* Timers on a heap. */
#include "mock_servers/timers.h"

#include <stdlib.h>

static void timer_moved(void *timer, size_t place)
{
    ((struct timer *)timer)->place = place;
}

int timers_reserve(struct timers *timers, size_t count)
{
    timers->heap.moved = timer_moved;
    return heap_reserve(&timers->heap, count);
}

void timers_end(struct timers *timers)
{
    free(timers->heap.slots);
    *timers = (struct timers){0};
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t due_ns)
{
    timer->due_ns = due_ns;
    heap_set(&timers->heap, timer->place, due_ns, timer);
}

void timers_clear(struct timers *timers, struct timer *timer)
{
    heap_remove(&timers->heap, timer->place);
}

uint64_t timers_next_ns(const struct timers *timers)
{
    return timers->heap.count == 0 ? UINT64_MAX : timers->heap.slots[1].key;
}

struct timer *timers_take(struct timers *timers, uint64_t now_ns)
{
    if (timers_next_ns(timers) > now_ns || timers->heap.count == 0)
        return NULL;
    struct timer *timer = timers->heap.slots[1].item;
    timers_clear(timers, timer);
    return timer;
}
