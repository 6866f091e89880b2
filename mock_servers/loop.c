/* The event loop: sockets first, then timers, then ready handlers. */
#include "mock_servers/loop.h"

#include <stdlib.h>

#include "base/os.h"

enum { EVENTS_MAX = 256 };

static void timer_moved(void *handler, size_t place)
{
    ((struct handler *)handler)->timer = place;
}

int loop_open(struct loop *loop)
{
    *loop = (struct loop){.watch = net_watch_open(NET_EDGE), .timers.moved = timer_moved};
    list_init(&loop->ready);
    return loop->watch == NULL ? -1 : 0;
}

void loop_close(struct loop *loop)
{
    free(loop->timers.slots);
    net_watch_close(loop->watch);
}

int loop_add(struct loop *loop)
{
    return heap_reserve(&loop->timers, ++loop->handlers);
}

void loop_remove(struct loop *loop, struct handler *handler)
{
    heap_remove(&loop->timers, handler->timer);
    list_remove(&handler->ready);
    net_watch_remove(&handler->watched);
    for (int i = 0; i < loop->event_count; i++)
        if (loop->events[i].watched == &handler->watched)
            loop->events[i].watched = NULL;
    loop->handlers--;
}

int loop_watch(struct loop *loop, struct handler *handler, intptr_t socket)
{
    return net_watch_add(loop->watch, &handler->watched, socket);
}

void loop_wake_at(struct loop *loop, struct handler *handler, uint64_t due_ns)
{
    heap_set(&loop->timers, handler->timer, due_ns, handler);
}

void loop_schedule(struct loop *loop, struct handler *handler)
{
    if (!list_has(&handler->ready))
        list_append(&loop->ready, &handler->ready);
}

static uint64_t next_due_ns(const struct loop *loop)
{
    return loop->timers.count == 0 ? UINT64_MAX : loop->timers.slots[1].key;
}

static uint64_t wait_ns(const struct loop *loop, uint64_t timeout_ns)
{
    uint64_t now_ns = os_now_ns(), next_ns = next_due_ns(loop);
    if (list_first(&loop->ready) != NULL || next_ns <= now_ns)
        return 0;
    return next_ns - now_ns < timeout_ns ? next_ns - now_ns : timeout_ns;
}

static void serve_events(struct loop *loop, uint64_t timeout_ns)
{
    struct net_event events[EVENTS_MAX];
    loop->events = events;
    loop->event_count = net_watch_wait(loop->watch, events, EVENTS_MAX, timeout_ns);
    while (loop->event_count > 0) {
        const struct net_event event = *loop->events++;
        loop->event_count--;
        if (event.watched == NULL)
            continue; /* its handler was removed by one before it */
        struct handler *handler = LIST_MEMBER(event.watched, struct handler, watched);
        handler->handle(handler, event.signs);
    }
}

static void serve_timers(struct loop *loop)
{
    uint64_t now_ns = os_now_ns();
    while (next_due_ns(loop) <= now_ns) {
        struct handler *handler = loop->timers.slots[1].item;
        heap_remove(&loop->timers, handler->timer);
        handler->handle(handler, 0);
    }
}

/* Calls each handler that is ready now; one that is scheduled again waits for the next round. The
 * mark is behind the last one: that one may be removed by those before it. */
static void serve_ready(struct loop *loop)
{
    struct list_node *node;
    list_append(&loop->ready, &loop->mark);
    while ((node = list_first(&loop->ready)) != &loop->mark) {
        struct handler *handler = LIST_MEMBER(node, struct handler, ready);
        list_remove(node);
        handler->handle(handler, 0);
    }
    list_remove(&loop->mark);
}

void loop_round(struct loop *loop, uint64_t timeout_ns)
{
    serve_events(loop, wait_ns(loop, timeout_ns));
    serve_timers(loop);
    serve_ready(loop);
}
