#include "client/buffers/starving.h"

#include <assert.h>

void starving_init(struct starving *starving, const struct plenty *plenty)
{
    assert(plenty->reserve <= plenty->keep);
    starving->plenty = *plenty;
    pthread_mutex_init(&starving->lock, NULL);
    starving->first = NULL;
    starving->end = &starving->first;
    starving->privilege_served = false;
    atomic_init(&starving->count, 0);
    atomic_init(&starving->privileged, NULL);
    atomic_init(&starving->waits, 0);
}

void starving_end(struct starving *starving)
{
    assert(starving->first == NULL);
    pthread_mutex_destroy(&starving->lock);
}

static void privilege(struct starving *starving, struct waiting *waiting)
{
    starving->privilege_served = false;
    atomic_store(&starving->privileged, waiting);
}

static uint64_t free_units(struct starving *starving)
{
    return starving->plenty.free(starving->plenty.context);
}

/* With the lock held, so that its holder does not take from the reserve meanwhile. */
static bool privilege_is_free(struct starving *starving, uint64_t free)
{
    return atomic_load(&starving->privileged) == NULL ||
           (starving->privilege_served && free >= starving->plenty.reserve);
}

static void join(struct starving *starving, struct waiting *waiting)
{
    pthread_mutex_lock(&starving->lock);
    assert(!waiting->listed);
    waiting->listed = true;
    waiting->next = NULL;
    *starving->end = waiting;
    starving->end = &waiting->next;
    atomic_fetch_add(&starving->count, 1);
    if (privilege_is_free(starving, free_units(starving)))
        privilege(starving, waiting);
    pthread_mutex_unlock(&starving->lock);
}

static void unlink(struct starving *starving, struct waiting *waiting)
{
    struct waiting **link = &starving->first;

    while (*link != waiting)
        link = &(*link)->next;
    *link = waiting->next;
    if (starving->end == &waiting->next)
        starving->end = link;
    waiting->listed = false;
    atomic_fetch_sub(&starving->count, 1);
}

/* False: it was off the list already, so a resume has come or will. */
static bool leave(struct starving *starving, struct waiting *waiting)
{
    pthread_mutex_lock(&starving->lock);
    const bool listed = waiting->listed;
    if (listed)
        unlink(starving, waiting);
    pthread_mutex_unlock(&starving->lock);
    return listed;
}

bool starving_wait(struct starving *starving, struct waiting *waiting, unsigned want)
{
    const struct plenty *plenty = &starving->plenty;

    join(starving, waiting);
    if (plenty->take(plenty->context, waiting->stream, want) && leave(starving, waiting))
        return false;
    atomic_fetch_add_explicit(&starving->waits, 1, memory_order_relaxed);
    return true;
}

void starving_forget(struct starving *starving, struct waiting *waiting)
{
    pthread_mutex_lock(&starving->lock);
    if (waiting->listed)
        unlink(starving, waiting);
    if (atomic_load(&starving->privileged) == waiting)
        privilege(starving, starving->first);
    pthread_mutex_unlock(&starving->lock);
}

bool starving_hold(struct starving *starving, const struct waiting *waiting)
{
    if (atomic_load(&starving->privileged) != waiting)
        return false;
    pthread_mutex_lock(&starving->lock);
    if (atomic_load(&starving->privileged) == waiting)
        return true;
    pthread_mutex_unlock(&starving->lock);
    return false;
}

void starving_let_go(struct starving *starving)
{
    pthread_mutex_unlock(&starving->lock);
}

void starving_serve(struct starving *starving, const struct waiting *waiting)
{
    if (!starving_hold(starving, waiting))
        return;
    starving->privilege_served = true;
    starving_let_go(starving);
}

/* Takes a waiting one off the list and onto the chain of those to be resumed. */
static struct waiting **move(struct starving *starving, struct waiting *waiting,
                             struct waiting **chain)
{
    unlink(starving, waiting);
    waiting->next = NULL;
    *chain = waiting;
    return &waiting->next;
}

static struct waiting *choose(struct starving *starving)
{
    struct waiting *chosen = NULL, **chain = &chosen;
    const uint64_t keep = starving->plenty.keep;
    uint64_t free = free_units(starving);

    if (privilege_is_free(starving, free))
        privilege(starving, starving->first);
    struct waiting *privileged = atomic_load(&starving->privileged);
    if (privileged != NULL && privileged->listed && free > 0) {
        chain = move(starving, privileged, chain);
        free -= free > keep; /* else it is the reserve that it will take from */
    }
    for (; free > keep && starving->first != NULL; free--)
        chain = move(starving, starving->first, chain);
    return chosen;
}

void starving_resume(struct starving *starving)
{
    const struct scheme_events *events = starving->plenty.events;

    if (atomic_load(&starving->count) == 0)
        return;
    pthread_mutex_lock(&starving->lock);
    struct waiting *waiting = choose(starving);
    pthread_mutex_unlock(&starving->lock);

    /* Once it is resumed a stream may starve again: its link is read before. One that is not
     * resumed yet cannot be listed, for its offer has not been answered yet. */
    while (waiting != NULL) {
        struct waiting *next = waiting->next;
        events->resume(events->context, waiting->stream);
        waiting = next;
    }
}
