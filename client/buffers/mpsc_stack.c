/*   top:   NULL ------- push -------> blocks ------- take -------> NULL
 *           |                           ^
 *           '--- doze ---> asleep --- push, and wakes
 *
 * Everything is in one word, so that who pushes learns from the exchange itself whether the taker
 * sleeps. Only the taker removes, and always all: a block cannot come back to the top between a
 * pusher's look and its exchange with anything below it changed. */
#include "client/buffers/mpsc_stack.h"

#include <assert.h>

static struct block asleep; /* its address is the word */

void mpsc_stack_init(struct mpsc_stack *stack)
{
    atomic_init(&stack->top, NULL);
    stack->parker = (struct os_parker){0};
}

void mpsc_stack_push(struct mpsc_stack *stack, struct block *first, struct block *last)
{
    struct block *top = atomic_load_explicit(&stack->top, memory_order_relaxed);

    do
        last->queue = top == &asleep ? NULL : top;
    while (!atomic_compare_exchange_weak(&stack->top, &top, first));
    if (top == &asleep)
        os_unpark(&stack->parker);
}

struct block *mpsc_stack_take(struct mpsc_stack *stack)
{
    struct block *top = atomic_load_explicit(&stack->top, memory_order_relaxed);

    if (top == NULL || top == &asleep)
        return NULL;
    return atomic_exchange(&stack->top, NULL);
}

bool mpsc_stack_prepare_sleep(struct mpsc_stack *stack)
{
    struct block *empty = NULL;

    return atomic_compare_exchange_strong(&stack->top, &empty, &asleep);
}

void mpsc_stack_sleep(struct mpsc_stack *stack)
{
    while (atomic_load(&stack->top) == &asleep)
        os_park(&stack->parker, UINT64_MAX);
}

void mpsc_stack_wake(struct mpsc_stack *stack)
{
    struct block *top = &asleep;

    if (atomic_compare_exchange_strong(&stack->top, &top, NULL))
        os_unpark(&stack->parker);
}
