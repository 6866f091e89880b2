/* Deadlines of connects: a heap. An operation knows its index (timer_slot), so that removing it
 * takes O(log n). */
#include "cport/port.h"

static void op_moved(void *op, size_t place)
{
    ((struct cp_op *)op)->timer_slot = (uint32_t)place;
}

/* Sets the engine's alarm to the earliest deadline, unless it is set to that or to an earlier
 * moment that is still to come. */
static void set_alarm(struct cport *port, uint64_t now_ns)
{
    if (port->deadlines.count == 0)
        return;
    uint64_t earliest_ns = port->deadlines.slots[1].key;
    if (port->alarm_ns > now_ns && port->alarm_ns <= earliest_ns)
        return;
    port->alarm_ns = earliest_ns;
    port->engine->wake_poller(port, earliest_ns);
}

int deadline_add(struct cp_op *op)
{
    struct cport *port = op->socket->port;
    port->deadlines.moved = op_moved;
    if (heap_reserve(&port->deadlines, port->deadlines.count + 1) != 0)
        return CP_ENOMEM;
    heap_set(&port->deadlines, 0, op->deadline_ns, op);
    if (op->timer_slot == 1)
        set_alarm(port, os_now_ns());
    return 0;
}

void deadline_remove(struct cp_op *op)
{
    heap_remove(&op->socket->port->deadlines, op->timer_slot);
}

struct cp_op *deadline_pop(struct cport *port)
{
    if (port->deadlines.count == 0)
        return NULL;
    uint64_t now_ns = os_now_ns();
    struct cp_op *op = port->deadlines.slots[1].item;
    if (op->deadline_ns > now_ns) {
        set_alarm(port, now_ns);
        return NULL;
    }
    deadline_remove(op);
    return op;
}
