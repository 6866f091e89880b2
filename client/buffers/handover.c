/*   top:   NULL ------- push -------> blocks ------- take -------> NULL
 *           |                           ^
 *           '--- doze ---> asleep --- push, and wakes
 *
 * Everything is in one word, so that who pushes learns from the exchange itself whether the taker
 * sleeps. Only the taker removes, and always all: a block cannot come back to the top between a
 * pusher's look and its exchange with anything below it changed. */
#include "client/buffers/handover.h"

#include <assert.h>

static struct block asleep; /* its address is the word */

void handover_init(struct handover *handover)
{
    atomic_init(&handover->top, NULL);
    handover->parker = (struct os_parker){0};
}

void handover_push(struct handover *handover, struct block *first, struct block *last)
{
    struct block *top = atomic_load_explicit(&handover->top, memory_order_relaxed);

    do
        last->queue = top == &asleep ? NULL : top;
    while (!atomic_compare_exchange_weak(&handover->top, &top, first));
    if (top == &asleep)
        os_unpark(&handover->parker);
}

struct block *handover_take(struct handover *handover)
{
    struct block *top = atomic_load_explicit(&handover->top, memory_order_relaxed);

    if (top == NULL || top == &asleep)
        return NULL;
    return atomic_exchange(&handover->top, NULL);
}

bool handover_doze(struct handover *handover)
{
    struct block *empty = NULL;

    return atomic_compare_exchange_strong(&handover->top, &empty, &asleep);
}

void handover_sleep(struct handover *handover)
{
    while (atomic_load(&handover->top) == &asleep)
        os_park(&handover->parker, UINT64_MAX);
}

void handover_wake(struct handover *handover)
{
    struct block *top = &asleep;

    if (atomic_compare_exchange_strong(&handover->top, &top, NULL))
        os_unpark(&handover->parker);
}
