/* One direction of a socket: queues its operations and hands them to the engine one at a time. */
#include "cport/port.h"

#include <assert.h>
#include <sys/socket.h>

/* ---- the operations: a ring ---------------------------------------------------------------- */

static struct cp_op *head(const struct direction *direction)
{
    return direction->last ? op_of(direction->last->next) : NULL;
}

static void append(struct direction *direction, struct cp_op *op)
{
    struct cp_node *last = direction->last;
    op->node.next = last ? last->next : &op->node;
    if (last)
        last->next = &op->node;
    direction->last = &op->node;
}

static void take_out(struct direction *direction, struct cp_op *op)
{
    struct cp_node *before = direction->last;
    while (before->next != &op->node)
        before = before->next;
    before->next = op->node.next;
    if (direction->last == &op->node)
        direction->last = before == &op->node ? NULL : before;
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
    struct cport *port = slot_of(direction)->port;
    pthread_mutex_lock(&port->timers_lock);
    port->held_until_ns = os_now_ns() + HOLD_NS;
    if (!direction->held)
        gate_queue_push(&port->held, &direction->ready_node);
    direction->held = true;
    port->holds = true;
    pthread_mutex_unlock(&port->timers_lock);
}

static void unhold(struct direction *direction)
{
    struct cport *port = slot_of(direction)->port;
    struct gate_queue kept = {0};
    pthread_mutex_lock(&port->timers_lock);
    for (struct cp_node *each; (each = gate_queue_pop(&port->held));)
        if (each != &direction->ready_node)
            gate_queue_push(&kept, each);
    port->held = kept;
    port->holds = kept.first != NULL;
    direction->held = false;
    pthread_mutex_unlock(&port->timers_lock);
}

static uint64_t held_until_ns(struct cport *port)
{
    pthread_mutex_lock(&port->timers_lock);
    uint64_t until_ns = port->held_until_ns;
    pthread_mutex_unlock(&port->timers_lock);
    return until_ns;
}

/* The head of a held direction waits for its deadline. False: it is not held, or no longer. */
static bool is_held(struct direction *direction, struct effects *effects)
{
    struct cp_op *op = head(direction);
    if (!direction->held || op->deadline_ns != 0)
        return direction->held;
    uint64_t until_ns = held_until_ns(slot_of(direction)->port);
    if (until_ns <= os_now_ns() || deadline_add(op, until_ns, effects) != 0)
        unhold(direction);
    return direction->held;
}

/* ---- scheduling ---------------------------------------------------------------------------- */

/* Operations whose first attempt needs no event from the kernel. */
static bool is_eager(const struct cport *port, const struct cp_op *op)
{
    return !port->engine->readiness || op_direction(op) == DIRECTION_OUT;
}

static bool worth_an_attempt(struct direction *direction)
{
    struct cp_op *op = head(direction);
    if (!op || direction->busy || direction->queued || direction->started)
        return false;
    bool eager = is_eager(slot_of(direction)->port, op) && !op->started;
    return eager || direction->ready || direction->hangup;
}

/* The last send that was accepted is over. What the call says is not of use: a connection that the
 * peer has reset reports that otherwise. */
static void end_sending(struct direction *direction)
{
    struct cp_slot *slot = slot_of(direction);
    if (direction->name != DIRECTION_OUT || direction->last)
        return;
    slot->sending = SENDING_OVER;
    shutdown(slot->handle, SHUT_WR);
}

/* If the head is worth an attempt, queues a packet for the worker that is to make it. */
static void schedule_attempt(struct direction *direction, struct effects *effects)
{
    if (slot_of(direction)->sending == SENDING_ENDS)
        end_sending(direction);
    if (!worth_an_attempt(direction) || slot_of(direction)->port->closed ||
        is_held(direction, effects))
        return;
    direction->queued = true;
    direction->ready_node.is_direction = true;
    gate_queue_push(&effects->posts, &direction->ready_node);
}

static void continue_or_release(struct direction *direction, struct effects *effects)
{
    if (slot_of(direction)->open)
        schedule_attempt(direction, effects);
    else
        slot_release(slot_of(direction), effects);
}

/* ---- completing operations ----------------------------------------------------------------- */

static bool breaks_connection(int64_t result)
{
    return result == CP_ERESET || result == CP_EUNREACHABLE || result == CP_ETIMEDOUT;
}

/* Linux reports a reset once and an ordinary end of stream from then on; Windows repeats it. So the
 * socket remembers it: for receives that were queued behind, and to refuse later operations. */
static int64_t record_result(struct cp_slot *slot, const struct cp_op *op, int64_t result)
{
    if (slot->datagrams) { /* they have no connection that could break */
        if (op->kind == CP_CONNECT)
            slot->role = result == 0 ? ROLE_CONNECTED : ROLE_FRESH;
        return result;
    }
    if (op->kind == CP_RECEIVE && result == 0 && slot->broken)
        result = slot->broken;
    if (op->kind == CP_CONNECT)
        slot->role = result == 0 ? ROLE_CONNECTED : ROLE_FAILED;
    else if (op->kind != CP_ACCEPT && breaks_connection(result))
        slot->broken = (int)result;
    return result;
}

static void finish(struct direction *direction, struct cp_op *op, int64_t result)
{
    assert(result != ENGINE_PENDING);
    take_out(direction, op);
    deadline_remove(op);
    op_free_blocks(op);
    if (op->kind == CP_ACCEPT && lacks_resources(result) && slot_of(direction)->open)
        hold(direction);
    op->result = record_result(slot_of(direction), op, result);
    op->key = slot_of(direction)->key;
    op_set_state(op, OP_COMPLETE);
}

static void finish_and_post(struct direction *direction, struct cp_op *op, int64_t result,
                            struct effects *effects)
{
    finish(direction, op, result);
    gate_queue_push(&effects->posts, &op->node);
}

/* ---- attempts ------------------------------------------------------------------------------ */

bool attempt_begin(struct attempt *attempt, struct direction *direction, struct effects *effects)
{
    direction->queued = false;
    if (!direction->last || direction->busy || direction->started || direction->held) {
        if (!slot_of(direction)->open)
            slot_release(slot_of(direction), effects);
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
    const struct engine *engine = slot_of(direction)->port->engine;
    op->started = true;
    direction->started = !engine->readiness && !direction->ready;
    if (direction->done) {
        *result = op->result;
        return true;
    }
    if (op->reason == 0)
        return false;
    if (direction->started && !engine->cancel(op))
        return false;
    *result = op->reason;
    return true;
}

/* A send's result that depends on what the socket knows by now. A receive that is under way may be
 * about to report a reset; it then breaks the connection itself. */
static struct cp_op *finish_unsure(struct direction *direction, struct cp_op *op)
{
    struct cp_slot *slot = slot_of(direction);
    bool receiving = slot->directions[DIRECTION_IN].busy;
    int broken = slot->failed ? CP_ERESET : slot->broken;
    finish(direction, op, broken ? broken : receiving ? CP_ERESET : CP_ESHUTDOWN);
    slot->broken = broken;
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

struct cp_op *attempt_end(struct attempt *attempt, struct effects *effects)
{
    struct cp_op *op = attempt_finish(attempt);
    continue_or_release(attempt->direction, effects);
    return op;
}

/* Whether the submitting thread makes the first attempt. */
static bool is_attempted_at_once(struct direction *direction, const struct cp_op *op)
{
    const struct cp_slot *slot = slot_of(direction);
    bool eager = is_eager(slot->port, op) || (slot->skip && op->kind != CP_ACCEPT);
    return eager && head(direction) == op && worth_an_attempt(direction);
}

/* Returns with the lock. CP_DONE: the operation is over and has no packet. */
static int attempt_at_once(struct attempt *attempt, struct effects *effects)
{
    struct cp_slot *slot = slot_of(attempt->direction);
    slot_leave(slot, effects);
    slot->port->engine->attempt(slot->port, attempt, 1);
    slot_lock(slot);
    struct cp_op *op = attempt_finish(attempt);
    bool skips = op && slot->skip && op->result >= 0;
    if (skips)
        op_set_state(op, OP_IDLE);
    else if (op) /* its packet is queued before the direction goes on */
        gate_queue_push(&effects->posts, &op->node);
    continue_or_release(attempt->direction, effects);
    return skips ? CP_DONE : 0;
}

int direction_submit(struct direction *direction, struct cp_op *op, struct effects *effects)
{
    struct attempt attempt;
    int code = 0;
    append(direction, op);
    if (is_attempted_at_once(direction, op) && attempt_begin(&attempt, direction, effects))
        code = attempt_at_once(&attempt, effects);
    else
        schedule_attempt(direction, effects);
    slot_unlock(slot_of(direction), effects);
    return code;
}

/* ---- reports from engines ------------------------------------------------------------------ */

void direction_ready(struct direction *direction, bool hangup, struct effects *effects)
{
    direction->ready = true;
    direction->hangup |= hangup;
    direction->started = false;
    schedule_attempt(direction, effects);
}

void direction_complete(struct direction *direction, struct cp_op *op, int64_t result,
                        struct effects *effects)
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

void direction_expired(struct cp_op *op, struct effects *effects)
{
    struct direction *directions = op->slot->directions;
    if (op->kind == CP_CONNECT) {
        direction_cancel(&directions[DIRECTION_OUT], op, CP_ETIMEDOUT, effects);
        return;
    }
    unhold(&directions[DIRECTION_IN]);
    schedule_attempt(&directions[DIRECTION_IN], effects);
}

static struct cp_slot *first_held(struct cport *port)
{
    pthread_mutex_lock(&port->timers_lock);
    struct cp_node *node = port->held.first;
    struct cp_slot *slot = node ? slot_of(direction_of(node)) : NULL;
    pthread_mutex_unlock(&port->timers_lock);
    return slot;
}

void directions_unhold(struct cport *port)
{
    for (struct cp_slot *slot; (slot = first_held(port));) {
        struct direction *direction = &slot->directions[DIRECTION_IN];
        struct effects effects = NO_EFFECTS;
        slot_lock(slot);
        if (direction->held) { /* unless another thread was faster */
            unhold(direction);
            if (head(direction))
                deadline_remove(head(direction));
            schedule_attempt(direction, &effects);
        }
        slot_unlock(slot, &effects);
    }
}

/* ---- cancelling ---------------------------------------------------------------------------- */

static void cancel_one(struct direction *direction, struct cp_op *op, int reason,
                       struct effects *effects)
{
    const struct engine *engine = slot_of(direction)->port->engine;
    if (op->reason == 0)
        op->reason = reason;
    if (op == head(direction) && direction->busy)
        return; /* the end of the attempt sees the reason */
    if (op == head(direction) && direction->started) {
        if (!engine->cancel(op))
            return; /* direction_complete will follow */
        direction->started = false;
    }
    finish_and_post(direction, op, op->reason, effects);
}

unsigned direction_cancel(struct direction *direction, struct cp_op *op, int reason,
                          struct effects *effects)
{
    unsigned asked = 0;
    const struct cp_node *last = direction->last;
    struct cp_node *node, *next = last ? last->next : NULL;
    while ((node = next)) {
        next = node == last ? NULL : node->next; /* read before the operation leaves */
        if (op && op_of(node) != op)
            continue;
        cancel_one(direction, op_of(node), reason, effects);
        asked++;
    }
    if (asked > 0 && slot_of(direction)->open)
        schedule_attempt(direction, effects);
    return asked;
}

void direction_end_sending(struct direction *direction, struct effects *effects)
{
    struct cp_slot *slot = slot_of(direction);
    if (slot->sending == SENDING_OPEN)
        slot->sending = SENDING_ENDS;
    schedule_attempt(direction, effects);
}

void direction_close(struct direction *direction, struct effects *effects)
{
    if (direction->held)
        unhold(direction);
    direction_cancel(direction, NULL, CP_EABORTED, effects);
}

/* Whether the engine keeps the head for now, of a port that is closing. */
static bool engine_keeps(struct direction *direction, struct cp_op *op)
{
    const struct engine *engine = slot_of(direction)->port->engine;
    if (direction->busy)
        op->reason = CP_EABORTED;
    else if (direction->started)
        direction->started = !engine->cancel(op);
    return direction->busy || direction->started;
}

/* The next operation to forget: not the one that is kept. */
static struct cp_op *other(const struct direction *direction, const struct cp_op *kept)
{
    struct cp_op *op = head(direction);
    if (op && op == kept)
        op = op_of(op->node.next);
    return op != kept ? op : NULL;
}

void direction_drop(struct direction *direction)
{
    struct cp_op *kept = head(direction);
    if (direction->held)
        unhold(direction);
    if (kept && !engine_keeps(direction, kept))
        kept = NULL;
    for (struct cp_op *op; (op = other(direction, kept));) {
        take_out(direction, op);
        deadline_remove(op);
        op_free_blocks(op);
        op_set_state(op, OP_IDLE);
    }
}
