#include "mock_servers/timers.h"

#include <assert.h>
#include <stdlib.h>

int timers_reserve(struct timers *timers, size_t count)
{
    if (count <= timers->capacity)
        return 0;
    size_t capacity = 2 * count;
    struct timer **heap = realloc(timers->heap, (capacity + 1) * sizeof *heap);
    if (heap == NULL)
        return -1;
    timers->heap = heap;
    timers->capacity = capacity;
    return 0;
}

void timers_end(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}

static void put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place] = timer;
    timer->place = place;
}

static void rise(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;

    for (; place > 1 && timers->heap[place / 2]->due_ns > timer->due_ns; place /= 2)
        put(timers, place, timers->heap[place / 2]);
    put(timers, place, timer);
}

static void sink(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place, child;

    while ((child = 2 * place) <= timers->count) {
        if (child < timers->count && timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns)
            child++;
        if (timers->heap[child]->due_ns >= timer->due_ns)
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, timer);
}

void timers_set(struct timers *timers, struct timer *timer, uint64_t due_ns)
{
    if (timer->place == 0) {
        assert(timers->count < timers->capacity);
        timer->place = ++timers->count;
    }
    timer->due_ns = due_ns;
    put(timers, timer->place, timer);
    rise(timers, timer);
    sink(timers, timer);
}

void timers_clear(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;

    if (place == 0)
        return;
    assert(timers->heap[place] == timer);
    struct timer *last = timers->heap[timers->count--];
    timer->place = 0;
    if (last == timer)
        return;
    put(timers, place, last);
    rise(timers, last);
    sink(timers, last);
}

struct timer *timers_take(struct timers *timers, uint64_t now_ns)
{
    if (timers->count == 0 || timers->heap[1]->due_ns > now_ns)
        return NULL;
    struct timer *timer = timers->heap[1];
    timers_clear(timers, timer);
    return timer;
}

uint64_t timers_next_ns(const struct timers *timers)
{
    return timers->count == 0 ? UINT64_MAX : timers->heap[1]->due_ns;
}
