/* Keeps the list in order of arrival; chooses whom to resume under the lock, and resumes after. */
#include "client/buffers/wait_list.h"

#include <assert.h>

void wait_list_init(struct wait_list *list, struct resource resource,
                    const struct scheme_events *events)
{
    *list = (struct wait_list){.resource = resource, .events = events};
    pthread_mutex_init(&list->lock, NULL);
    list->end = &list->first;
}

void wait_list_end(struct wait_list *list)
{
    assert(list->first == NULL);
    pthread_mutex_destroy(&list->lock);
}

/* With the lock held, so that the holder does not take from the reserve meanwhile. */
static void pass_reserve_on(struct wait_list *list, struct waiter *next, uint64_t free)
{
    if (atomic_load(&list->reserve_holder) != NULL &&
        !(list->holder_served && free >= list->resource.reserve))
        return;
    list->holder_served = false;
    atomic_store(&list->reserve_holder, next);
}

static void unlink(struct wait_list *list, struct waiter *waiter)
{
    struct waiter **link = &list->first;
    while (*link != waiter)
        link = &(*link)->next;
    *link = waiter->next;
    if (list->end == &waiter->next)
        list->end = link;
    waiter->listed = false;
    atomic_fetch_sub(&list->count, 1);
}

bool wait_list_wait(struct wait_list *list, struct waiter *waiter, struct stream *stream,
                    unsigned want)
{
    const struct resource *resource = &list->resource;
    bool waits = true;
    pthread_mutex_lock(&list->lock);
    assert(!waiter->listed);
    waiter->stream = stream;
    waiter->listed = true;
    waiter->next = NULL;
    *list->end = waiter;
    list->end = &waiter->next;
    atomic_fetch_add(&list->count, 1);
    pass_reserve_on(list, waiter, resource->free(resource->context));
    pthread_mutex_unlock(&list->lock);
    if (resource->take(resource->context, stream, want)) {
        pthread_mutex_lock(&list->lock);
        waits = !waiter->listed; /* it is off the list already: a resume has come or will */
        if (!waits)
            unlink(list, waiter);
        pthread_mutex_unlock(&list->lock);
    }
    if (waits)
        atomic_fetch_add_explicit(&list->waits, 1, memory_order_relaxed);
    return waits;
}

void wait_list_forget(struct wait_list *list, struct waiter *waiter)
{
    pthread_mutex_lock(&list->lock);
    if (waiter->listed)
        unlink(list, waiter);
    if (atomic_load(&list->reserve_holder) == waiter) {
        list->holder_served = false;
        atomic_store(&list->reserve_holder, list->first);
    }
    pthread_mutex_unlock(&list->lock);
}

bool wait_list_lock_reserve(struct wait_list *list, const struct waiter *waiter)
{
    if (atomic_load(&list->reserve_holder) != waiter)
        return false;
    pthread_mutex_lock(&list->lock);
    if (atomic_load(&list->reserve_holder) == waiter)
        return true;
    pthread_mutex_unlock(&list->lock);
    return false;
}

void wait_list_unlock_reserve(struct wait_list *list)
{
    pthread_mutex_unlock(&list->lock);
}

void wait_list_frame_done(struct wait_list *list, const struct waiter *waiter)
{
    if (!wait_list_lock_reserve(list, waiter))
        return;
    list->holder_served = true;
    pthread_mutex_unlock(&list->lock);
}

/* Moves a waiter from the list to the chain of those to be resumed; returns the chain's end. */
static struct waiter **move(struct wait_list *list, struct waiter *waiter, struct waiter **chain)
{
    unlink(list, waiter);
    waiter->next = NULL;
    *chain = waiter;
    return &waiter->next;
}

/* Those that can go on with what is free now, the holder first. */
static struct waiter *choose(struct wait_list *list)
{
    struct waiter *chosen = NULL, **chain = &chosen;
    const struct resource *resource = &list->resource;
    const uint64_t keep = resource->keep;
    uint64_t free = resource->free(resource->context);
    pass_reserve_on(list, list->first, free);
    struct waiter *holder = atomic_load(&list->reserve_holder);
    if (holder != NULL && holder->listed && free > 0) {
        chain = move(list, holder, chain);
        free -= free > keep; /* otherwise it will take from the reserve */
    }
    for (; free > keep && list->first != NULL; free--)
        chain = move(list, list->first, chain);
    return chosen;
}

void wait_list_resume(struct wait_list *list)
{
    const struct scheme_events *events = list->events;
    if (atomic_load(&list->count) == 0)
        return;
    pthread_mutex_lock(&list->lock);
    struct waiter *waiter = choose(list);
    pthread_mutex_unlock(&list->lock);

    /* A resumed stream may be listed again at once, so its link is read before. One that is not
     * resumed yet cannot be listed: its offer has not been answered yet. */
    while (waiter != NULL) {
        struct waiter *next = waiter->next;
        events->resume(events->context, waiter->stream);
        waiter = next;
    }
}
