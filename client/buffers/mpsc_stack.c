/* A stack for many producers and one consumer, in one word.
 *
 *   top:   NULL ------- push -------> blocks ------- take -------> NULL
 *           |                           ^
 *           '- prepare_sleep -> asleep - push, and wakes
 *
 * Since everything is in one word, the exchange itself tells the producer whether the consumer
 * sleeps. Only the consumer removes blocks, and always all of them: so a block cannot come back to
 * the top, with anything below it changed, between a producer's look and its exchange. */
#include "client/buffers/mpsc_stack.h"

static struct block asleep; /* its address is the word */

void mpsc_stack_push(struct mpsc_stack *stack, struct block *first, struct block *last)
{
    struct block *top = atomic_load_explicit(&stack->top, memory_order_relaxed);
    do
        last->queue_next = top == &asleep ? NULL : top;
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
