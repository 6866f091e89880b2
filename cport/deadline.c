/* Deadlines of connects: a binary heap, the earliest at [1]; an operation knows its place
 * (timer_slot), so that it leaves in O(log n) when it completes in time. The engine's alarm is
 * set to the earliest. */
#include "cport/port.h"

#include <assert.h>
#include <stdlib.h>

static void place(struct cport *port, uint32_t slot, struct cp_op *op)
{
    port->deadlines[slot] = op;
    op->timer_slot = slot;
}

static void sift_up(struct cport *port, uint32_t slot, struct cp_op *op)
{
    while (slot > 1 && port->deadlines[slot / 2]->deadline_ns > op->deadline_ns) {
        place(port, slot, port->deadlines[slot / 2]);
        slot /= 2;
    }
    place(port, slot, op);
}

static void sift_down(struct cport *port, uint32_t slot, struct cp_op *op)
{
    for (;;) {
        uint32_t child = 2 * slot;
        if (child > port->deadline_count)
            break;
        if (child < port->deadline_count &&
            port->deadlines[child + 1]->deadline_ns < port->deadlines[child]->deadline_ns)
            child++;
        if (port->deadlines[child]->deadline_ns >= op->deadline_ns)
            break;
        place(port, slot, port->deadlines[child]);
        slot = child;
    }
    place(port, slot, op);
}

static int grow(struct cport *port)
{
    uint32_t room = port->deadline_room ? 2 * port->deadline_room : 64;
    struct cp_op **deadlines = realloc(port->deadlines, room * sizeof *deadlines);
    if (!deadlines)
        return CP_ENOMEM;
    port->deadlines = deadlines;
    port->deadline_room = room;
    return 0;
}

/* Keeps the alarm at the earliest deadline. One that went off for an operation that has
 * completed since, or that was cut short by an earlier deadline, is set anew. */
static void set_alarm(struct cport *port, uint64_t now_ns)
{
    if (port->deadline_count == 0)
        return;
    uint64_t earliest_ns = port->deadlines[1]->deadline_ns;
    if (port->alarm_ns > now_ns && port->alarm_ns <= earliest_ns)
        return;
    port->alarm_ns = earliest_ns;
    port->engine->kick(port, earliest_ns);
}

int deadline_add(struct cport *port, struct cp_op *op)
{
    assert(op->timer_slot == 0);
    if (port->deadline_count + 1 >= port->deadline_room && grow(port) != 0)
        return CP_ENOMEM;
    sift_up(port, ++port->deadline_count, op);
    if (op->timer_slot == 1)
        set_alarm(port, os_now_ns());
    return 0;
}

void deadline_remove(struct cport *port, struct cp_op *op)
{
    if (op->timer_slot == 0)
        return;
    uint32_t slot = op->timer_slot;
    assert(port->deadlines[slot] == op);
    op->timer_slot = 0;
    struct cp_op *last = port->deadlines[port->deadline_count--];
    if (last == op)
        return;
    if (slot > 1 && port->deadlines[slot / 2]->deadline_ns > last->deadline_ns)
        sift_up(port, slot, last);
    else
        sift_down(port, slot, last);
}

void deadline_expire(struct cport *port, struct gate_effects *effects)
{
    if (port->deadline_count == 0)
        return;
    uint64_t now_ns = os_now_ns();
    while (port->deadline_count > 0 && port->deadlines[1]->deadline_ns <= now_ns) {
        struct cp_op *op = port->deadlines[1];
        deadline_remove(port, op);
        lane_cancel(&op->socket->lanes[LANE_OUT], op, CP_ETIMEDOUT, effects);
    }
    set_alarm(port, now_ns);
}
