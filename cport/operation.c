/* What engines share of operations and adopted sockets; deadlines; packets that are dropped. */
#include "cport/port.h"

#include <assert.h>
#include <sys/socket.h>

int64_t op_failed(struct cp_op *op, int os_error)
{
    op->os_error = os_error;
    return cp_error_from_os(os_error);
}

int64_t op_take_blocks(struct cp_op *op)
{
    op->block_count = op->source.take(op->source.context, op->blocks, op->block_room);
    assert(op->block_count <= op->block_room);
    return op->block_count > 0 ? 0 : CP_ENOBUFS;
}

void op_return_blocks(struct cp_op *op)
{
    op->source.give(op->source.context, op->blocks, op->block_count);
    op->block_count = 0;
}

unsigned op_unsent(const struct cp_op *op, struct cp_block *blocks)
{
    size_t skip = op->done_bytes;
    unsigned count = 0;
    for (unsigned index = 0; index < op->block_count; index++) {
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
    cp_handle handle = op->socket->handle;
    int on = 1;
    setsockopt(handle, SOL_SOCKET, option, (const char *)&on, sizeof on);
    if (bind(handle, address, (socklen_t)op->engine[0]) != 0 ||
        listen(handle, (int)op->result) != 0)
        return socket_error();
    op->socket->family = address->sa_family; /* that of an adopted socket was not known */
    return 0;
}

int socket_recognise(struct cp_socket *socket)
{
    cp_handle handle = socket->handle;
    struct sockaddr_storage address;
    char byte;
    int type = 0, listening = 0;
    socklen_t bytes = sizeof type;
    if (getsockopt(handle, SOL_SOCKET, SO_TYPE, (char *)&type, &bytes) != 0)
        return socket_error();
    int code = type == SOCK_STREAM ? socket_unblock(handle) : CP_EINVAL;
    if (code != 0)
        return code;
    bytes = sizeof listening;
    getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listening, &bytes);
    bytes = sizeof address;
    if (listening && getsockname(handle, (struct sockaddr *)&address, &bytes) == 0)
        socket->family = address.ss_family;
    if (listening) {
        socket->role = ROLE_LISTENING;
        return 0;
    }
    /* A connection that was reset before it was adopted may have no peer any more, like a fresh
     * socket. Unlike that, it has an error to report, once, or data. */
    bytes = sizeof address;
    if (getpeername(handle, (struct sockaddr *)&address, &bytes) != 0 &&
        recv(handle, &byte, 1, MSG_PEEK) < 0)
        code = socket_error();
    if (code != CP_ENOTCONN) {
        socket->role = ROLE_CONNECTED;
        socket->broken = code;
    }
    return 0;
}

/* ---- deadlines: a heap --------------------------------------------------------------------- */

static void op_moved(void *op, size_t place)
{
    ((struct cp_op *)op)->timer_slot = (uint32_t)place;
}

/* Sets the engine's alarm to the earliest deadline, unless it is set to that or to an earlier
 * moment that is still to come. */
static void set_alarm(struct cport *port, uint64_t now_ns)
{
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

/* ---- the port's lock and queue --------------------------------------------------------------- */

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
        port->engine->detach(&orphan); /* closes the connection of a dropped accept */
    op->accepted = CP_HANDLE_NONE;
    op->pending = false;
}
