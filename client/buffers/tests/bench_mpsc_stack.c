/* The cost of handing blocks to another thread: mpsc_stack beside a list under a mutex with a
 * condition variable, by how many blocks go at once. One run; each round measures both.
 *
 * One thread pushes all blocks, another takes until it has them all: nanoseconds of wall time per
 * block. A block of 16 KiB holds 64 frames of 256 bytes. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/buffers/mpsc_stack.h"
#include "base/os.h"
#include "base/tests/rounds.h"

enum { ROUNDS = 9, BLOCKS = 1 << 16, SIZES = 4 };

static const unsigned sizes[SIZES] = {1, 8, 32, 128};

static struct block blocks[BLOCKS];

/* ---- mpsc_stack ---------------------------------------------------------------------------- */

static struct mpsc_stack stack;

static void push(struct block *first, struct block *last)
{
    mpsc_stack_push(&stack, first, last);
}

static struct block *take(void)
{
    struct block *taken = mpsc_stack_take(&stack);
    if (taken == NULL && mpsc_stack_prepare_sleep(&stack))
        mpsc_stack_sleep(&stack);
    return taken;
}

/* ---- a list under a mutex ------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static struct block *list;

static void push_locked(struct block *first, struct block *last)
{
    pthread_mutex_lock(&lock);
    const bool was_empty = list == NULL;
    last->queue_next = list;
    list = first;
    pthread_mutex_unlock(&lock);
    if (was_empty)
        pthread_cond_signal(&filled);
}

static struct block *take_locked(void)
{
    pthread_mutex_lock(&lock);
    while (list == NULL)
        pthread_cond_wait(&filled, &lock);
    struct block *taken = list;
    list = NULL;
    pthread_mutex_unlock(&lock);
    return taken;
}

/* ---- rounds -------------------------------------------------------------------------------- */

struct way {
    const char *name;
    void (*push)(struct block *first, struct block *last);
    struct block *(*take)(void);
};

static const struct way ways[] = {{"mpsc_stack", push, take},
                                  {"mutex and list", push_locked, take_locked}};

enum { WAYS = sizeof ways / sizeof ways[0] };

static void *take_all(void *argument)
{
    const struct way *way = argument;
    unsigned count = 0;
    while (count < BLOCKS)
        for (struct block *block = way->take(); block != NULL; block = block->queue_next)
            count++;
    return NULL;
}

static double run_ns(const struct way *way, unsigned size)
{
    pthread_t taker;
    struct way copy = *way;
    if (pthread_create(&taker, NULL, take_all, &copy) != 0)
        exit(3);
    const uint64_t began_ns = os_now_ns();
    for (unsigned at = 0; at < BLOCKS; at += size) {
        for (unsigned i = at; i + 1 < at + size; i++)
            blocks[i].queue_next = &blocks[i + 1];
        way->push(&blocks[at], &blocks[at + size - 1]);
    }
    pthread_join(taker, NULL);
    return (double)(os_now_ns() - began_ns) / BLOCKS;
}

int main(void)
{
    static double spent_ns[WAYS][SIZES][ROUNDS];
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned size = 0; size < SIZES; size++)
            for (unsigned way = 0; way < WAYS; way++)
                spent_ns[way][size][round] = run_ns(&ways[way], sizes[size]);
    printf("%-16s %14s %9s  %s\n", "way", "blocks at once", "ns/block", "range");
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned size = 0; size < SIZES; size++) {
            const struct summary spent = summary_of(spent_ns[way][size], ROUNDS);
            printf("%-16s %14u %9.1f  %.1f..%.1f\n", ways[way].name, sizes[size], spent.median,
                   spent.least, spent.most);
        }
    return 0;
}
