/* Locking a slot or the gate, queueing packets, and what has to wait until no lock is held. */
#include "cport/port.h"

#include <stdlib.h>

/* Frees what a packet carries that will not be delivered. */
static void drop(struct cport *port, struct cp_node *node)
{
    struct cp_op *op = op_of(node);
    if (node->is_direction)
        return; /* of a closed port no direction is queued again */
    if (node->is_key) {
        free(node);
        return;
    }
    if (op->kind == CP_ACCEPT && op->accepted != CP_HANDLE_NONE)
        port->engine->detach(port, op->accepted);
    op->accepted = CP_HANDLE_NONE;
    op_set_state(op, OP_IDLE);
}

static void set_alarm(struct cport *port)
{
    uint64_t when_ns;
    do { /* another thread may set it meanwhile */
        when_ns = port->alarm_ns;
        port->engine->wake_poller(port, when_ns);
    } while (when_ns != port->alarm_ns);
}

static void wake(struct cport *port, const struct gate_effects *effects)
{
    for (struct gate_worker *each = effects->wake; each;) {
        struct gate_worker *next = each->wake_next; /* read before the worker can run on */
        os_unpark(&worker_of(each)->parker);
        each = next;
    }
    if (effects->wake_poller)
        port->engine->wake_poller(port, 0);
    if (effects->wake_watcher)
        watcher_wake(port);
}

void port_close_handle(struct cport *port, struct effects *effects)
{
    if (effects->closing == CP_HANDLE_NONE)
        return;
    port->engine->detach(port, effects->closing);
    effects->closing = CP_HANDLE_NONE;
    if (port->holds)
        directions_unhold(port);
}

void port_perform(struct cport *port, struct effects *effects)
{
    struct effects now = *effects;
    *effects = NO_EFFECTS;
    effects->posts = now.posts;
    port_close_handle(port, &now);
    for (struct cp_node *node; (node = gate_queue_pop(&now.dropped));)
        drop(port, node);
    if (now.set_alarm)
        set_alarm(port);
    if (now.gate.wake || now.gate.wake_poller || now.gate.wake_watcher)
        wake(port, &now.gate);
}

void port_queue(struct cport *port, struct effects *effects)
{
    for (struct cp_node *node; (node = gate_queue_pop(&effects->posts));)
        if (port->gate.closed)
            gate_queue_push(&effects->dropped, node);
        else
            gate_post(&port->gate, node, &effects->gate);
}

void port_post(struct cport *port, struct effects *effects)
{
    if (!effects->posts.first)
        return;
    pthread_mutex_lock(&port->lock);
    port_queue(port, effects);
    pthread_mutex_unlock(&port->lock);
}
