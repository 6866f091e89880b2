/* The event loop of one thread: sockets, timers, and handlers that are ready at once. */
#ifndef FANIN_LOOP_H
#define FANIN_LOOP_H

#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/net.h"

/* Something that the loop calls: a field of its owner. */
struct handler {
    size_t timer; /* its place in loop.timers; 0: no timer is set */
    struct net_watched watched;
    struct list_node ready; /* in loop.ready */
    /* `signs` of enum net_sign; 0: its timer is due, or it was scheduled. */
    void (*handle)(struct handler *handler, unsigned signs);
};

struct loop {
    struct net_watch *watch;
    struct heap timers;     /* handlers by when they are due */
    struct list_node ready; /* handlers that have more to do at once */
    struct list_node mark;  /* in `ready`, behind those of this round */
    size_t handlers;
    struct net_event *events; /* of this round, that are still to be handled */
    int event_count;
};

int loop_open(struct loop *loop); /* 0, or -1: no memory or no descriptor */
void loop_close(struct loop *loop);

/* loop_add: makes room for one handler's timer. 0, or -1 without memory; Call
 * loop_remove in either case: it also drops timer, ready entry, socket, and the socket's events
 * that this round has not handled yet: the handler is not called any more and may be freed. */
int loop_add(struct loop *loop);
void loop_remove(struct loop *loop, struct handler *handler);

/* loop_watch: calls the handler when its socket has something new. 0, or a negative errno value. */
int loop_watch(struct loop *loop, struct handler *handler, intptr_t socket);

void loop_wake_at(struct loop *loop, struct handler *handler, uint64_t due_ns);
void loop_schedule(struct loop *loop, struct handler *handler); /* once more in this round */

/* loop_round: waits up to `timeout_ns` for something to do, and does it. */
void loop_round(struct loop *loop, uint64_t timeout_ns);

#endif
