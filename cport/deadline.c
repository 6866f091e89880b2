/* Deadlines of connects: a heap. An operation knows its place (timer_slot), so that it leaves in
 * O(log n) when it completes in time. The engine's alarm is set to the earliest. */
#include "cport/port.h"

#include <assert.h>

static void op_moved(void *op, size_t place)
{
    ((struct cp_op *)op)->timer_slot = (uint32_t)place;
}

/* Keeps the alarm at the earliest deadline. One that went off for an operation that has
 * completed since, or that was cut short by an earlier deadline, is set anew. */
static void set_alarm(struct cport *port, uint64_t now_ns)
{
    if (port->deadlines.count == 0)
        return;
    uint64_t earliest_ns = port->deadlines.slots[1].key;
    if (port->alarm_ns > now_ns && port->alarm_ns <= earliest_ns)
        return;
    port->alarm_ns = earliest_ns;
    port->engine->kick(port, earliest_ns);
}

int deadline_add(struct cport *port, struct cp_op *op)
{
    assert(op->timer_slot == 0);
    port->deadlines.moved = op_moved;
    if (heap_reserve(&port->deadlines, port->deadlines.count + 1) != 0)
        return CP_ENOMEM;
    heap_set(&port->deadlines, 0, op->deadline_ns, op);
    if (op->timer_slot == 1)
        set_alarm(port, os_now_ns());
    return 0;
}

void deadline_remove(struct cport *port, struct cp_op *op)
{
    heap_remove(&port->deadlines, op->timer_slot);
}

void deadline_expire(struct cport *port, struct gate_effects *effects)
{
    if (port->deadlines.count == 0)
        return;
    uint64_t now_ns = os_now_ns();
    while (port->deadlines.count > 0 && port->deadlines.slots[1].key <= now_ns) {
        struct cp_op *op = port->deadlines.slots[1].item;
        deadline_remove(port, op);
        lane_cancel(&op->socket->lanes[LANE_OUT], op, CP_ETIMEDOUT, effects);
    }
    set_alarm(port, now_ns);
}
