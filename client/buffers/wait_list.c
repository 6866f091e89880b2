#include "client/buffers/wait_list.h"

#include <assert.h>

void wait_list_init(struct wait_list *waiters, const struct resource *resource)
{
    assert(resource->reserve <= resource->keep);
    waiters->resource = *resource;
    pthread_mutex_init(&waiters->lock, NULL);
    waiters->first = NULL;
    waiters->end = &waiters->first;
    waiters->privilege_served = false;
    atomic_init(&waiters->count, 0);
    atomic_init(&waiters->privileged, NULL);
    atomic_init(&waiters->waits, 0);
}

void wait_list_end(struct wait_list *waiters)
{
    assert(waiters->first == NULL);
    pthread_mutex_destroy(&waiters->lock);
}

static void privilege(struct wait_list *waiters, struct waiter *waiting)
{
    waiters->privilege_served = false;
    atomic_store(&waiters->privileged, waiting);
}

static uint64_t free_units(struct wait_list *waiters)
{
    return waiters->resource.free(waiters->resource.context);
}

/* With the lock held, so that its holder does not take from the reserve meanwhile. */
static bool privilege_is_free(struct wait_list *waiters, uint64_t free)
{
    return atomic_load(&waiters->privileged) == NULL ||
           (waiters->privilege_served && free >= waiters->resource.reserve);
}

static void join(struct wait_list *waiters, struct waiter *waiting)
{
    pthread_mutex_lock(&waiters->lock);
    assert(!waiting->listed);
    waiting->listed = true;
    waiting->next = NULL;
    *waiters->end = waiting;
    waiters->end = &waiting->next;
    atomic_fetch_add(&waiters->count, 1);
    if (privilege_is_free(waiters, free_units(waiters)))
        privilege(waiters, waiting);
    pthread_mutex_unlock(&waiters->lock);
}

static void unlink(struct wait_list *waiters, struct waiter *waiting)
{
    struct waiter **link = &waiters->first;

    while (*link != waiting)
        link = &(*link)->next;
    *link = waiting->next;
    if (waiters->end == &waiting->next)
        waiters->end = link;
    waiting->listed = false;
    atomic_fetch_sub(&waiters->count, 1);
}

/* False: it was off the list already, so a resume has come or will. */
static bool leave(struct wait_list *waiters, struct waiter *waiting)
{
    pthread_mutex_lock(&waiters->lock);
    const bool listed = waiting->listed;
    if (listed)
        unlink(waiters, waiting);
    pthread_mutex_unlock(&waiters->lock);
    return listed;
}

bool wait_list_wait(struct wait_list *waiters, struct waiter *waiting, unsigned want)
{
    const struct resource *resource = &waiters->resource;

    join(waiters, waiting);
    if (resource->take(resource->context, waiting->stream, want) && leave(waiters, waiting))
        return false;
    atomic_fetch_add_explicit(&waiters->waits, 1, memory_order_relaxed);
    return true;
}

void wait_list_forget(struct wait_list *waiters, struct waiter *waiting)
{
    pthread_mutex_lock(&waiters->lock);
    if (waiting->listed)
        unlink(waiters, waiting);
    if (atomic_load(&waiters->privileged) == waiting)
        privilege(waiters, waiters->first);
    pthread_mutex_unlock(&waiters->lock);
}

bool wait_list_lock_reserve(struct wait_list *waiters, const struct waiter *waiting)
{
    if (atomic_load(&waiters->privileged) != waiting)
        return false;
    pthread_mutex_lock(&waiters->lock);
    if (atomic_load(&waiters->privileged) == waiting)
        return true;
    pthread_mutex_unlock(&waiters->lock);
    return false;
}

void wait_list_unlock_reserve(struct wait_list *waiters)
{
    pthread_mutex_unlock(&waiters->lock);
}

void wait_list_frame_done(struct wait_list *waiters, const struct waiter *waiting)
{
    if (!wait_list_lock_reserve(waiters, waiting))
        return;
    waiters->privilege_served = true;
    wait_list_unlock_reserve(waiters);
}

/* Takes a waiting one off the list and onto the chain of those to be resumed. */
static struct waiter **move(struct wait_list *waiters, struct waiter *waiting,
                            struct waiter **chain)
{
    unlink(waiters, waiting);
    waiting->next = NULL;
    *chain = waiting;
    return &waiting->next;
}

static struct waiter *choose(struct wait_list *waiters)
{
    struct waiter *chosen = NULL, **chain = &chosen;
    const uint64_t keep = waiters->resource.keep;
    uint64_t free = free_units(waiters);

    if (privilege_is_free(waiters, free))
        privilege(waiters, waiters->first);
    struct waiter *privileged = atomic_load(&waiters->privileged);
    if (privileged != NULL && privileged->listed && free > 0) {
        chain = move(waiters, privileged, chain);
        free -= free > keep; /* else it is the reserve that it will take from */
    }
    for (; free > keep && waiters->first != NULL; free--)
        chain = move(waiters, waiters->first, chain);
    return chosen;
}

void wait_list_resume(struct wait_list *waiters)
{
    const struct scheme_events *events = waiters->resource.events;

    if (atomic_load(&waiters->count) == 0)
        return;
    pthread_mutex_lock(&waiters->lock);
    struct waiter *waiting = choose(waiters);
    pthread_mutex_unlock(&waiters->lock);

    /* Once it is resumed a stream may starve again: its link is read before. One that is not
     * resumed yet cannot be listed, for its offer has not been answered yet. */
    while (waiting != NULL) {
        struct waiter *next = waiting->next;
        events->resume(events->context, waiting->stream);
        waiting = next;
    }
}
