#include "cport/port.h"

#include <assert.h>

static bool completes(const struct cport *port)
{
    return !(port->engine->flags & ENGINE_READINESS);
}

/* Operations that need no word from the kernel before the first attempt. */
static bool eager(const struct cport *port, const struct cp_op *op)
{
    return completes(port) || op->kind == CP_CONNECT || op->kind == CP_SEND;
}

static struct cp_op *head(const struct lane *lane)
{
    return op_of(lane->ops.first);
}

/* If the head is worth an attempt, some worker is to make it. */
static void call(struct lane *lane, struct gate_effects *effects)
{
    struct cport *port = lane->socket->port;
    struct cp_op *op = head(lane);
    if (!op || lane->busy || lane->queued || lane->started || port->closed)
        return;
    if ((op->started || !eager(port, op)) && !lane->ready && !lane->hangup)
        return;
    lane->queued = true;
    lane->ready_link.is_lane = true;
    port_post(port, &lane->ready_link, effects);
}

/* ---- taking operations off ----------------------------------------------------------------- */

static void remove_op(struct lane *lane, struct cp_op *op)
{
    struct gate_queue kept = {0};
    if (head(lane) == op) {
        gate_queue_pop(&lane->ops);
        return;
    }
    for (struct cp_link *link; (link = gate_queue_pop(&lane->ops));)
        if (op_of(link) != op)
            gate_queue_push(&kept, link);
    lane->ops = kept;
}

/* Linux tells of a reset once, and to those that waited behind of an ordinary end. */
static bool ends_by_reset(const struct lane *lane, const struct cp_op *op, int64_t result)
{
    return op->kind == CP_RECEIVE && result == 0 && lane->socket->broken;
}

/* The operation is over: off its lane, its result set, nothing of the port's left in it. */
static void finish(struct lane *lane, struct cp_op *op, int64_t result)
{
    assert(result != ENGINE_PENDING);
    if (ends_by_reset(lane, op, result))
        result = lane->socket->broken;
    remove_op(lane, op);
    deadline_remove(lane->socket->port, op);
    op->result = result;
    op->key = lane->socket->key;
    socket_deliver(lane->socket, op, result);
}

static void finish_and_post(struct lane *lane, struct cp_op *op, int64_t result,
                            struct gate_effects *effects)
{
    finish(lane, op, result);
    port_post(lane->socket->port, &op->link, effects);
}

/* ---- turns --------------------------------------------------------------------------------- */

bool turn_begin(struct turn *turn, struct lane *lane)
{
    if (!head(lane) || lane->busy || lane->started)
        return false;
    lane->busy = true;
    /* Before the attempt, not after it: an event that comes during the attempt sets it again. */
    lane->ready = false;
    *turn = (struct turn){.lane = lane, .op = head(lane)};
    return true;
}

void turn_advance(struct turn *turn)
{
    struct cp_socket *socket = turn->lane->socket;
    turn->result = socket->port->engine->advance(socket->port, socket, turn->op, &turn->more);
}

/* The attempt did not complete the operation. True: it is to be finished all the same, with
 * *result. */
static bool give_up(struct lane *lane, struct cp_op *op, int64_t *result)
{
    struct cport *port = lane->socket->port;
    op->started = true;
    lane->started = completes(port) && !lane->ready;
    if (lane->done) {
        *result = op->result;
        return true;
    }
    if (op->reason == 0)
        return false;
    if (lane->started && !port->engine->cancel(port, lane->socket, op))
        return false;
    *result = op->reason;
    return true;
}

/* The operation if it is over. The lane may not go on before its packet has its place. */
static struct cp_op *turn_finish(struct turn *turn)
{
    struct lane *lane = turn->lane;
    struct cp_op *op = turn->op;
    lane->busy = false;
    lane->ready |= turn->more;
    if (turn->result == ENGINE_PENDING && !give_up(lane, op, &turn->result))
        return NULL;
    lane->started = lane->done = false;
    finish(lane, op, turn->result);
    return op;
}

static void go_on(struct lane *lane, struct gate_effects *effects)
{
    if (lane->socket->open)
        call(lane, effects);
    else
        socket_settle(lane->socket);
}

struct cp_op *turn_end(struct turn *turn, struct gate_effects *effects)
{
    struct cp_op *op = turn_finish(turn);
    go_on(turn->lane, effects);
    return op;
}

/* ---- submitting ---------------------------------------------------------------------------- */

void lane_submit(struct lane *lane, struct cp_op *op)
{
    struct cport *port = lane->socket->port;
    struct gate_effects effects = {0};
    struct turn turn;
    gate_queue_push(&lane->ops, &op->link);
    if (head(lane) != op || lane->queued || !eager(port, op) || !turn_begin(&turn, lane)) {
        call(lane, &effects);
        port_unlock(port, &effects);
        return;
    }
    pthread_mutex_unlock(&port->lock);
    turn_advance(&turn);
    port_lock(port);
    op = turn_finish(&turn);
    if (op)
        port_post(port, &op->link, &effects);
    go_on(lane, &effects);
    port_unlock(port, &effects);
}

/* ---- what engines report ------------------------------------------------------------------- */

void lane_ready(struct lane *lane, bool hangup, struct gate_effects *effects)
{
    lane->ready = true;
    lane->hangup |= hangup;
    lane->started = false;
    call(lane, effects);
}

void lane_complete(struct lane *lane, struct cp_op *op, int64_t result,
                   struct gate_effects *effects)
{
    assert(head(lane) == op);
    if (lane->busy) {
        op->result = result;
        lane->done = true;
        return;
    }
    assert(lane->started);
    lane->started = false;
    finish_and_post(lane, op, result, effects);
    go_on(lane, effects);
}

/* ---- taking back --------------------------------------------------------------------------- */

static void cancel_one(struct lane *lane, struct cp_op *op, int reason,
                       struct gate_effects *effects)
{
    struct cport *port = lane->socket->port;
    if (op->reason == 0)
        op->reason = reason;
    if (op == head(lane) && lane->busy)
        return; /* the end of the turn sees the reason */
    if (op == head(lane) && lane->started) {
        if (!port->engine->cancel(port, lane->socket, op))
            return; /* lane_complete comes */
        lane->started = false;
    }
    finish_and_post(lane, op, op->reason, effects);
}

unsigned lane_cancel(struct lane *lane, struct cp_op *op, int reason, struct gate_effects *effects)
{
    unsigned asked = 0;
    struct cp_link *next;
    for (struct cp_link *link = lane->ops.first; link; link = next) {
        next = link->next;
        if (op && op_of(link) != op)
            continue;
        cancel_one(lane, op_of(link), reason, effects);
        asked++;
    }
    if (asked > 0 && lane->socket->open)
        call(lane, effects);
    return asked;
}

void lane_drop(struct lane *lane)
{
    struct gate_queue kept = {0};
    for (struct cp_link *link; (link = gate_queue_pop(&lane->ops));) {
        struct cp_op *op = op_of(link);
        bool with_engine = !kept.first && (lane->busy || lane->started);
        if (with_engine && lane->busy)
            op->reason = CP_EABORTED;
        if (with_engine && (lane->busy || !lane->socket->port->engine->cancel(lane->socket->port,
                                                                              lane->socket, op))) {
            gate_queue_push(&kept, link);
            continue;
        }
        deadline_remove(lane->socket->port, op);
        op->pending = false;
        lane->started = lane->started && !with_engine;
    }
    lane->ops = kept;
}
