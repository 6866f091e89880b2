/* One direction of a socket: queues its operations and hands them to the engine one at a time. */
#include "cport/port.h"

#include <assert.h>

/* Operations whose first attempt needs no event from the kernel. */
static bool is_eager(const struct cport *port, const struct cp_op *op)
{
    return !port->engine->readiness || op->kind == CP_CONNECT || op->kind == CP_SEND;
}

static struct cp_op *head(const struct direction *direction)
{
    return op_of(direction->ops.first);
}

static void remove_node(struct gate_queue *queue, const struct cp_node *node)
{
    struct gate_queue kept = {0};
    if (queue->first == node) {
        gate_queue_pop(queue);
        return;
    }
    for (struct cp_node *each; (each = gate_queue_pop(queue));)
        if (each != node)
            gate_queue_push(&kept, each);
    *queue = kept;
}

/* ---- holding accepts ----------------------------------------------------------------------- */

/* An accept that failed for want of descriptors or memory would fail again at once, and its
 * connection still waits: without a pause, posting it again would spin. */
#define HOLD_NS (10 * OS_NS_PER_MS)

static bool lacks_resources(int64_t result)
{
    return result == CP_EMFILE || result == CP_ENFILE || result == CP_ENOMEM;
}

static void hold(struct direction *direction)
{
    struct cport *port = direction->socket->port;
    port->held_until_ns = os_now_ns() + HOLD_NS;
    if (direction->held)
        return;
    direction->held = true;
    gate_queue_push(&port->held, &direction->ready_node);
}

static void unhold(struct direction *direction)
{
    remove_node(&direction->socket->port->held, &direction->ready_node);
    direction->held = false;
}

/* The head of a held direction waits for its deadline. False: it is not held, or no longer. */
static bool is_held(struct direction *direction)
{
    struct cp_op *op = head(direction);
    if (!direction->held || op->timer_slot != 0)
        return direction->held;
    op->deadline_ns = direction->socket->port->held_until_ns;
    if (op->deadline_ns <= os_now_ns() || deadline_add(op) != 0)
        unhold(direction);
    return direction->held;
}

/* ---- scheduling ---------------------------------------------------------------------------- */

/* If the head is worth an attempt, queues a packet for the worker that is to make it. */
static void schedule_attempt(struct direction *direction, struct gate_effects *effects)
{
    struct cport *port = direction->socket->port;
    struct cp_op *op = head(direction);
    if (!op || direction->busy || direction->queued || direction->started || port->closed)
        return;
    if ((op->started || !is_eager(port, op)) && !direction->ready && !direction->hangup)
        return;
    if (is_held(direction))
        return;
    direction->queued = true;
    direction->ready_node.is_direction = true;
    port_post(port, &direction->ready_node, effects);
}

static void direction_release(struct direction *direction, struct gate_effects *effects)
{
    struct cp_socket *socket = direction->socket;
    socket_release(socket);
    if (socket->handle == CP_HANDLE_NONE)
        directions_unhold(socket->port, effects);
}

static void continue_or_release(struct direction *direction, struct gate_effects *effects)
{
    if (direction->socket->open)
        schedule_attempt(direction, effects);
    else
        direction_release(direction, effects);
}

/* ---- completing operations ----------------------------------------------------------------- */

static bool breaks_connection(int64_t result)
{
    return result == CP_ERESET || result == CP_EUNREACHABLE || result == CP_ETIMEDOUT;
}

/* Linux reports a reset once and an ordinary end of stream from then on; Windows repeats it. So the
 * socket remembers it: for receives that were queued behind, and to refuse later operations. */
static int64_t record_result(struct cp_socket *socket, const struct cp_op *op, int64_t result)
{
    if (op->kind == CP_RECEIVE && result == 0 && socket->broken)
        result = socket->broken;
    if (op->kind == CP_CONNECT)
        socket->role = result == 0 ? ROLE_CONNECTED : ROLE_FAILED;
    else if (op->kind != CP_ACCEPT && breaks_connection(result))
        socket->broken = (int)result;
    return result;
}

static void finish(struct direction *direction, struct cp_op *op, int64_t result)
{
    assert(result != ENGINE_PENDING);
    remove_node(&direction->ops, &op->node);
    deadline_remove(op);
    if (op->kind == CP_ACCEPT && lacks_resources(result))
        hold(direction);
    op->result = record_result(direction->socket, op, result);
    op->key = direction->socket->key;
}

static void finish_and_post(struct direction *direction, struct cp_op *op, int64_t result,
                            struct gate_effects *effects)
{
    finish(direction, op, result);
    port_post(direction->socket->port, &op->node, effects);
}

/* ---- attempts ------------------------------------------------------------------------------ */

bool attempt_begin(struct attempt *attempt, struct direction *direction)
{
    direction->queued = false;
    if (!head(direction) || direction->busy || direction->started || direction->held) {
        if (!direction->socket->open)
            socket_release(direction->socket);
        return false;
    }
    direction->busy = true;
    /* Before the attempt, not after it: an event that comes during the attempt sets it again. */
    direction->ready = false;
    *attempt = (struct attempt){.direction = direction, .op = head(direction)};
    return true;
}

/* The attempt is pending. True: the operation is to be finished all the same, with *result. */
static bool pending_ends(struct direction *direction, struct cp_op *op, int64_t *result)
{
    struct cport *port = direction->socket->port;
    op->started = true;
    direction->started = !port->engine->readiness && !direction->ready;
    if (direction->done) {
        *result = op->result;
        return true;
    }
    if (op->reason == 0)
        return false;
    if (direction->started && !port->engine->cancel(op))
        return false;
    *result = op->reason;
    return true;
}

/* A send's result that depends on what the socket knows by now. A receive that is under way may be
 * about to report a reset; it then breaks the connection itself. */
static struct cp_op *finish_unsure(struct direction *direction, struct cp_op *op)
{
    struct cp_socket *socket = direction->socket;
    bool receiving = socket->directions[DIRECTION_IN].busy;
    int broken = socket->failed ? CP_ERESET : socket->broken;
    finish(direction, op, broken ? broken : receiving ? CP_ERESET : CP_ESHUTDOWN);
    socket->broken = broken;
    return op;
}

/* The operation if it is over. */
static struct cp_op *attempt_finish(struct attempt *attempt)
{
    struct direction *direction = attempt->direction;
    struct cp_op *op = attempt->op;
    direction->busy = false;
    direction->ready |= attempt->more;
    if (attempt->result == ENGINE_PENDING && !pending_ends(direction, op, &attempt->result))
        return NULL;
    direction->started = direction->done = false;
    if (attempt->unsure)
        return finish_unsure(direction, op);
    finish(direction, op, attempt->result);
    return op;
}

struct cp_op *attempt_end(struct attempt *attempt, struct gate_effects *effects)
{
    struct cp_op *op = attempt_finish(attempt);
    continue_or_release(attempt->direction, effects);
    return op;
}

void direction_submit(struct direction *direction, struct cp_op *op)
{
    struct cport *port = direction->socket->port;
    struct gate_effects effects = {0};
    struct attempt attempt;
    bool was_queued = direction->queued;
    gate_queue_push(&direction->ops, &op->node);
    if (was_queued || head(direction) != op || !is_eager(port, op) ||
        !attempt_begin(&attempt, direction)) {
        schedule_attempt(direction, &effects);
        port_unlock(port, &effects);
        return;
    }
    pthread_mutex_unlock(&port->lock);
    port->engine->attempt(port, &attempt, 1);
    port_lock(port);
    op = attempt_finish(&attempt);
    if (op) /* its packet is queued before the direction goes on */
        port_post(port, &op->node, &effects);
    continue_or_release(direction, &effects);
    port_unlock(port, &effects);
}

/* ---- reports from engines ------------------------------------------------------------------ */

void direction_ready(struct direction *direction, bool hangup, struct gate_effects *effects)
{
    direction->ready = true;
    direction->hangup |= hangup;
    direction->started = false;
    schedule_attempt(direction, effects);
}

void direction_complete(struct direction *direction, struct cp_op *op, int64_t result,
                        struct gate_effects *effects)
{
    assert(head(direction) == op);
    if (direction->busy) {
        op->result = result;
        direction->done = true;
        return;
    }
    assert(direction->started);
    direction->started = false;
    finish_and_post(direction, op, result, effects);
    continue_or_release(direction, effects);
}

/* ---- deadlines ----------------------------------------------------------------------------- */

void direction_expired(struct cp_op *op, struct gate_effects *effects)
{
    struct direction *directions = op->socket->directions;
    if (op->kind == CP_CONNECT) {
        direction_cancel(&directions[DIRECTION_OUT], op, CP_ETIMEDOUT, effects);
        return;
    }
    unhold(&directions[DIRECTION_IN]);
    schedule_attempt(&directions[DIRECTION_IN], effects);
}

void directions_unhold(struct cport *port, struct gate_effects *effects)
{
    while (port->held.first) {
        struct direction *direction = direction_of(port->held.first);
        unhold(direction);
        if (head(direction))
            deadline_remove(head(direction));
        if (direction->socket->open)
            schedule_attempt(direction, effects);
    }
}

/* ---- cancelling ---------------------------------------------------------------------------- */

static void cancel_one(struct direction *direction, struct cp_op *op, int reason,
                       struct gate_effects *effects)
{
    struct cport *port = direction->socket->port;
    if (op->reason == 0)
        op->reason = reason;
    if (op == head(direction) && direction->busy)
        return; /* the end of the attempt sees the reason */
    if (op == head(direction) && direction->started) {
        if (!port->engine->cancel(op))
            return; /* direction_complete will follow */
        direction->started = false;
    }
    finish_and_post(direction, op, op->reason, effects);
}

unsigned direction_cancel(struct direction *direction, struct cp_op *op, int reason,
                          struct gate_effects *effects)
{
    unsigned asked = 0;
    struct cp_node *next;
    for (struct cp_node *node = direction->ops.first; node; node = next) {
        next = node->next;
        if (op && op_of(node) != op)
            continue;
        cancel_one(direction, op_of(node), reason, effects);
        asked++;
    }
    if (asked > 0 && direction->socket->open)
        schedule_attempt(direction, effects);
    return asked;
}

/* Whether the engine keeps the head for now, of a port that is closing. */
static bool engine_keeps(struct direction *direction, struct cp_op *op)
{
    struct cport *port = direction->socket->port;
    if (direction->busy)
        op->reason = CP_EABORTED;
    else if (direction->started)
        direction->started = !port->engine->cancel(op);
    return direction->busy || direction->started;
}

void direction_drop(struct direction *direction)
{
    struct gate_queue kept = {0};
    for (struct cp_node *node; (node = gate_queue_pop(&direction->ops));) {
        struct cp_op *op = op_of(node);
        if (!kept.first && engine_keeps(direction, op)) {
            gate_queue_push(&kept, node);
            continue;
        }
        deadline_remove(op);
        op->pending = false;
    }
    direction->ops = kept;
}
