/* The port's lock and its queue of packets. */
#include "cport/port.h"

void port_wake(struct cport *port, const struct gate_effects *effects)
{
    for (struct gate_worker *each = effects->wake; each;) {
        struct gate_worker *next = each->wake_next; /* read before the worker can run on */
        os_unpark(&worker_of(each)->parker);
        each = next;
    }
    if (effects->wake_poller)
        port->engine->wake_poller(port, 0);
}

void port_poll_done(struct cport *port, struct gate_worker *worker)
{
    port_lock(port);
    if (worker)
        gate_back(&port->gate, worker);
}

void port_drop(struct cport *port, struct cp_node *node)
{
    if (node->is_direction) {
        direction_of(node)->queued = false;
        return;
    }
    struct cp_op *op = op_of(node);
    struct cp_socket orphan = {.port = port, .handle = op->accepted};
    if (op->kind == CP_ACCEPT && op->accepted != CP_HANDLE_NONE)
        port->engine->detach(port, &orphan); /* closes the connection of a dropped accept */
    op->accepted = CP_HANDLE_NONE;
    op->pending = false;
}
