/* What engines share of operations; deadlines. */
#include "cport/port.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void op_init(struct cp_op *op, enum cp_kind kind, struct cp_slot *slot)
{
    memset(op, 0, offsetof(struct cp_op, engine));
    op->kind = kind;
    op->accepted = CP_HANDLE_NONE;
    op->slot = slot;
}

int64_t op_failed(struct cp_op *op, int os_error)
{
    op->os_error = os_error;
    return cp_error_from_os(os_error);
}

/* ---- blocks -------------------------------------------------------------------------------- */

int op_copy_blocks(struct cp_op *op, const struct cp_block *blocks, unsigned count)
{
    const unsigned within = op->kind == CP_RECEIVE_FROM ? 1 : 2; /* as cp_op_part has room */
    op->blocks = op->part.copies;
    if (count > within) {
        op->blocks = calloc(count, sizeof *blocks);
        op->blocks_owned = op->blocks != NULL;
    }
    if (!op->blocks)
        return CP_ENOMEM;
    op->block_count = count;
    if (count > 0)
        memcpy(op->blocks, blocks, count * sizeof *blocks);
    return 0;
}

void op_free_blocks(struct cp_op *op)
{
    if (op->blocks_owned)
        free(op->blocks);
    op->blocks_owned = false;
}

int64_t op_take_blocks(struct cp_op *op)
{
    const struct cp_source *source = &op->part.source;
    op->block_count = source->take(source->context, op->blocks, op->block_room);
    assert(op->block_count <= op->block_room);
    return op->block_count > 0 ? 0 : CP_ENOBUFS;
}

void op_return_blocks(struct cp_op *op)
{
    const struct cp_source *source = &op->part.source;
    source->give(source->context, op->blocks, op->block_count);
    op->block_count = 0;
}

unsigned op_unsent(const struct cp_op *op, struct cp_block *blocks, unsigned max)
{
    size_t skip = op->done_bytes;
    unsigned count = 0;
    for (unsigned index = 0; index < op->block_count && count < max; index++) {
        const struct cp_block *block = &op->blocks[index];
        size_t from = skip < block->bytes ? skip : block->bytes;
        skip -= from;
        if (from < block->bytes)
            blocks[count++] = (struct cp_block){(char *)block->data + from, block->bytes - from};
    }
    return count;
}

int64_t op_listen(const struct cp_op *op, int option)
{
    const struct sockaddr *address = (const struct sockaddr *)&op->engine[1];
    struct cp_slot *slot = op->slot;
    int on = 1;
    setsockopt(slot->handle, SOL_SOCKET, option, (const char *)&on, sizeof on);
    if (bind(slot->handle, address, (socklen_t)op->engine[0]) != 0 ||
        listen(slot->handle, (int)op->result) != 0)
        return socket_error();
    slot->family = address->sa_family; /* that of an adopted socket was not known */
    return 0;
}

/* ---- deadlines: a heap --------------------------------------------------------------------- */

static void op_moved(void *op, size_t place)
{
    ((struct cp_op *)op)->timer_slot = (uint32_t)place;
}

static struct cp_op *first(const struct cport *port)
{
    return port->deadlines.count > 0 ? port->deadlines.slots[1].item : NULL;
}

static uint64_t first_due_ns(const struct cport *port)
{
    return first(port) ? port->deadlines.slots[1].key : NEVER_NS;
}

/* After a change. The alarm is set to the earliest deadline, unless it is set to that or to an
 * earlier moment that is still to come. */
static void note_earliest(struct cport *port, uint64_t now_ns, struct effects *effects)
{
    uint64_t earliest_ns = first_due_ns(port);
    port->earliest_ns = earliest_ns;
    if (earliest_ns == NEVER_NS || (port->alarm_ns > now_ns && port->alarm_ns <= earliest_ns))
        return;
    port->alarm_ns = earliest_ns;
    effects->set_alarm = true;
}

/* With the lock of the timers. */
static int put_in(struct cport *port, struct cp_op *op, uint64_t deadline_ns,
                  struct effects *effects)
{
    port->deadlines.moved = op_moved;
    if (heap_reserve(&port->deadlines, port->deadlines.count + 1) != 0)
        return CP_ENOMEM;
    op->deadline_ns = deadline_ns;
    heap_set(&port->deadlines, 0, deadline_ns, op);
    if (op->timer_slot == 1)
        note_earliest(port, os_now_ns(), effects);
    return 0;
}

int deadline_add(struct cp_op *op, uint64_t deadline_ns, struct effects *effects)
{
    struct cport *port = op->slot->port;
    pthread_mutex_lock(&port->timers_lock);
    int code = put_in(port, op, deadline_ns, effects);
    pthread_mutex_unlock(&port->timers_lock);
    return code;
}

/* With the lock of the timers. */
static void take_out(struct cport *port, struct cp_op *op)
{
    heap_remove(&port->deadlines, op->timer_slot);
    op->deadline_ns = 0;
    port->earliest_ns = first_due_ns(port);
}

void deadline_remove(struct cp_op *op)
{
    if (op->deadline_ns == 0)
        return;
    struct cport *port = op->slot->port;
    pthread_mutex_lock(&port->timers_lock);
    take_out(port, op);
    pthread_mutex_unlock(&port->timers_lock);
}

/* With the lock of the timers. */
static void end_timer(struct cport *port, struct cp_op *op, int result, struct effects *effects)
{
    take_out(port, op);
    op->result = result;
    op_set_state(op, OP_COMPLETE);
    gate_queue_push(&effects->posts, &op->node);
}

/* Ends the timers that are due. The slot of the first other operation if that is due; NULL: none
 * is. */
static struct cp_slot *due_slot(struct cport *port, uint64_t now_ns, struct effects *effects)
{
    struct cp_slot *slot = NULL;
    pthread_mutex_lock(&port->timers_lock);
    while (!slot && first_due_ns(port) <= now_ns) {
        slot = first(port)->slot;
        if (!slot)
            end_timer(port, first(port), 0, effects);
    }
    if (!slot)
        note_earliest(port, now_ns, effects);
    port_post(port, effects); /* before another thread ends later ones */
    pthread_mutex_unlock(&port->timers_lock);
    return slot;
}

/* With the slot's lock: the operation is still first, unless it has ended or left meanwhile. */
static struct cp_op *due_op(struct cp_slot *slot, uint64_t now_ns)
{
    struct cport *port = slot->port;
    pthread_mutex_lock(&port->timers_lock);
    struct cp_op *op = first(port);
    if (op && (op->slot != slot || op->deadline_ns > now_ns))
        op = NULL;
    if (op)
        take_out(port, op);
    pthread_mutex_unlock(&port->timers_lock);
    return op;
}

struct cp_op *deadline_next(struct cport *port, struct effects *effects)
{
    uint64_t earliest_ns = port->earliest_ns, now_ns;
    if (earliest_ns == NEVER_NS)
        return NULL;
    now_ns = os_now_ns();
    if (earliest_ns > now_ns && port->alarm_ns > now_ns && port->alarm_ns <= earliest_ns)
        return NULL;
    for (struct cp_slot *slot; (slot = due_slot(port, now_ns, effects));) {
        slot_lock(slot);
        struct cp_op *op = due_op(slot, now_ns);
        if (op)
            return op;
        slot_leave(slot, effects);
    }
    return NULL;
}

/* ---- timers: deadlines of no socket -------------------------------------------------------- */

int cp_timer(struct cport *port, struct cp_op *op, uintptr_t key, uint64_t after_ns)
{
    struct effects effects = NO_EFFECTS;
    if (!port || !op)
        return CP_EINVAL;
    uint64_t deadline_ns = os_deadline_ns(after_ns);
    pthread_mutex_lock(&port->timers_lock);
    int code = port->closed ? CP_ECLOSED : op_state(op) != OP_IDLE ? CP_EINVAL : 0;
    if (code == 0) {
        op_init(op, CP_TIMER, NULL);
        op->key = key;
        code = put_in(port, op, deadline_ns, &effects);
        op_set_state(op, code == 0 ? OP_PENDING : OP_IDLE);
    }
    pthread_mutex_unlock(&port->timers_lock);
    port_act(port, &effects);
    return code;
}

int cp_timer_cancel(struct cport *port, struct cp_op *op)
{
    struct effects effects = NO_EFFECTS;
    if (!port || !op)
        return CP_EINVAL;
    pthread_mutex_lock(&port->timers_lock);
    size_t place = op->timer_slot;
    bool is_timer = place > 0 && place <= port->deadlines.count &&
                    port->deadlines.slots[place].item == op && !op->slot;
    if (is_timer)
        end_timer(port, op, CP_ECANCELED, &effects);
    pthread_mutex_unlock(&port->timers_lock);
    port_post(port, &effects); /* of a port that was closed just now: it is the caller's again */
    port_act(port, &effects);
    if (port->closed)
        return CP_ECLOSED;
    return is_timer ? 0 : CP_ENOTFOUND;
}

static struct cp_op *any_timer(const struct cport *port)
{
    for (size_t place = 1; place <= port->deadlines.count; place++) {
        struct cp_op *op = port->deadlines.slots[place].item;
        if (!op->slot)
            return op;
    }
    return NULL;
}

void timers_drop(struct cport *port)
{
    pthread_mutex_lock(&port->timers_lock);
    for (struct cp_op *op; (op = any_timer(port));) {
        take_out(port, op);
        op_set_state(op, OP_IDLE);
    }
    pthread_mutex_unlock(&port->timers_lock);
}
