/* Sockets: opening, closing, and submitting operations. */
#include "cport/port.h"

#include <assert.h>
#include <string.h>

/* ---- opening and closing ------------------------------------------------------------------- */

/* Takes the lock, but not for the engine's system calls: meanwhile the socket has no operation, and
 * a busy direction keeps its slot if the port is closed. */
static int attach(struct cport *port, int family, cp_handle handle, uintptr_t key,
                  struct cp_socket **result)
{
    struct gate_effects effects = {0};
    port_lock(port);
    struct cp_socket *socket = port->closed ? NULL : slot_take(port, family, handle, key);
    if (!socket) {
        const int code = port->closed ? CP_ECLOSED : CP_ENOMEM;
        port_unlock(port, &effects);
        return code;
    }
    socket->directions[DIRECTION_OUT].busy = true;
    pthread_mutex_unlock(&port->lock);
    const int code = port->engine->attach(socket);
    port_lock(port);
    socket->directions[DIRECTION_OUT].busy = false;
    if (code != 0)
        slot_free(socket);
    else if (!socket->open)
        socket_release(socket);
    port_unlock(port, &effects);
    if (code == 0)
        *result = socket;
    return code;
}

int cp_socket_open(struct cport *port, int family, uintptr_t key, struct cp_socket **socket)
{
    return port && socket ? attach(port, family, CP_HANDLE_NONE, key, socket) : CP_EINVAL;
}

int cp_associate(struct cport *port, cp_handle handle, uintptr_t key, struct cp_socket **socket)
{
    if (!port || !socket || handle == CP_HANDLE_NONE)
        return CP_EINVAL;
    return attach(port, 0, handle, key, socket);
}

cp_handle cp_socket_handle(const struct cp_socket *socket)
{
    return socket ? socket->handle : CP_HANDLE_NONE;
}

void cp_socket_close(struct cp_socket *socket)
{
    if (!socket)
        return;
    struct cport *port = socket->port;
    struct gate_effects effects = {0};
    port_lock(port);
    if (socket->open) {
        socket->open = false;
        for (unsigned name = 0; name < DIRECTION_COUNT; name++)
            direction_cancel(&socket->directions[name], NULL, CP_EABORTED, &effects);
        socket_release(socket);
        if (socket->handle == CP_HANDLE_NONE)
            directions_unhold(port, &effects);
    }
    port_unlock(port, &effects);
}

void sockets_close(struct cport *port)
{
    for (uint32_t index = 0; index < port->slots; index++) {
        struct cp_socket *socket = slot_at(port, index);
        if (!socket->open)
            continue;
        socket->open = false;
        for (unsigned name = 0; name < DIRECTION_COUNT; name++)
            direction_drop(&socket->directions[name]);
        socket_release(socket);
    }
}

/* ---- submitting ---------------------------------------------------------------------------- */

/* Why the operation cannot be accepted now; 0 if it can. Lock held. */
static int refusal(const struct cp_socket *socket, const struct cp_op *op, enum socket_role role)
{
    if (socket->port->closed)
        return CP_ECLOSED;
    if (!socket->open || op->pending)
        return CP_EINVAL;
    if (role == ROLE_CONNECTED && socket->role != ROLE_CONNECTED)
        return CP_ENOTCONN;
    if (role == ROLE_FRESH && socket->role == ROLE_CONNECTED)
        return CP_EISCONN;
    if (socket->role != role)
        return CP_EINVAL;
    return socket->broken;
}

/* Resets everything but the engine's part, which the engine or the address fills. */
static void op_init(struct cp_op *op, enum cp_kind kind, struct cp_socket *socket,
                    struct cp_block *blocks, unsigned count)
{
    memset(op, 0, offsetof(struct cp_op, engine));
    op->kind = kind;
    op->blocks = blocks;
    op->block_count = count;
    op->block_room = (uint8_t)count;
    op->accepted = CP_HANDLE_NONE;
    op->socket = socket;
    op->pending = true;
}

static bool blocks_valid(const struct cp_block *blocks, unsigned count)
{
    if (count > CP_BLOCKS_MAX || (count > 0 && !blocks))
        return false;
    for (unsigned index = 0; index < count; index++)
        if (!blocks[index].data || blocks[index].bytes == 0)
            return false;
    return true;
}

/* A copy, so that the caller need not keep the address. False: it is none. */
static bool address_keep(struct cp_op *op, const struct sockaddr *address, unsigned address_bytes)
{
    if (!address || address_bytes == 0 || address_bytes > sizeof op->engine - sizeof op->engine[0])
        return false;
    op->engine[0] = address_bytes;
    memcpy(&op->engine[1], address, address_bytes);
    return true;
}

int cp_listen(struct cp_socket *socket, const struct sockaddr *address, unsigned address_bytes,
              int backlog)
{
    struct cp_op op;
    if (!socket || backlog < 1 || !address_keep(&op, address, address_bytes))
        return CP_EINVAL;
    struct cport *port = socket->port;
    struct attempt attempt = {.op = &op};
    op_init(&op, CP_LISTEN, socket, NULL, 0);
    op.result = backlog;
    port_lock(port);
    attempt.result = refusal(socket, &(struct cp_op){0}, ROLE_FRESH);
    if (attempt.result == 0) {
        port->engine->attempt(port, &attempt, 1);
        socket->role = attempt.result == 0 ? ROLE_LISTENING : ROLE_FAILED;
    }
    port_unlock(port, &(struct gate_effects){0});
    return (int)attempt.result;
}

int cp_connect(struct cp_socket *socket, struct cp_op *op, const struct sockaddr *address,
               unsigned address_bytes, uint64_t timeout_ns)
{
    if (!socket || !op)
        return CP_EINVAL;
    struct cport *port = socket->port;
    port_lock(port);
    int code = refusal(socket, op, ROLE_FRESH);
    if (code == 0 && !address_keep(op, address, address_bytes))
        code = CP_EINVAL;
    if (code == 0) {
        op_init(op, CP_CONNECT, socket, NULL, 0);
        if (timeout_ns != CP_FOREVER) {
            op->deadline_ns = os_now_ns() + timeout_ns;
            code = deadline_add(op);
        }
        op->pending = code == 0;
    }
    if (code != 0) {
        port_unlock(port, &(struct gate_effects){0});
        return code;
    }
    socket->role = ROLE_CONNECTING;
    direction_submit(&socket->directions[DIRECTION_OUT], op);
    return 0;
}

/* Submits an operation that needs no more than its blocks. */
static int submit(struct cp_socket *socket, struct cp_op *op, enum cp_kind kind,
                  struct cp_block *blocks, unsigned count, const struct cp_source *source)
{
    if (!socket || !op)
        return CP_EINVAL;
    struct cport *port = socket->port;
    port_lock(port);
    int code = refusal(socket, op, kind == CP_ACCEPT ? ROLE_LISTENING : ROLE_CONNECTED);
    if (code != 0) {
        port_unlock(port, &(struct gate_effects){0});
        return code;
    }
    op_init(op, kind, socket, blocks, count);
    if (source) {
        op->late = true;
        op->source = *source;
        op->block_count = 0;
    }
    direction_submit(&socket->directions[kind == CP_SEND ? DIRECTION_OUT : DIRECTION_IN], op);
    return 0;
}

int cp_accept(struct cp_socket *listener, struct cp_op *op)
{
    return submit(listener, op, CP_ACCEPT, NULL, 0, NULL);
}

int cp_receive(struct cp_socket *socket, struct cp_op *op, struct cp_block *blocks, unsigned count)
{
    return blocks_valid(blocks, count) ? submit(socket, op, CP_RECEIVE, blocks, count, NULL)
                                       : CP_EINVAL;
}

int cp_receive_late(struct cp_socket *socket, struct cp_op *op, struct cp_block *blocks,
                    unsigned max, const struct cp_source *source)
{
    if (!blocks || max == 0 || max > CP_BLOCKS_MAX || !source || !source->take || !source->give)
        return CP_EINVAL;
    return submit(socket, op, CP_RECEIVE, blocks, max, source);
}

int cp_send(struct cp_socket *socket, struct cp_op *op, struct cp_block *blocks, unsigned count)
{
    if (count == 0 || !blocks_valid(blocks, count))
        return CP_EINVAL;
    return submit(socket, op, CP_SEND, blocks, count, NULL);
}

int cp_cancel(struct cp_socket *socket, struct cp_op *op)
{
    if (!socket)
        return CP_EINVAL;
    struct cport *port = socket->port;
    struct gate_effects effects = {0};
    unsigned asked = 0;
    port_lock(port);
    if (socket->open)
        for (unsigned name = 0; name < DIRECTION_COUNT; name++)
            asked += direction_cancel(&socket->directions[name], op, CP_ECANCELED, &effects);
    port_unlock(port, &effects);
    return asked > 0 ? 0 : CP_ENOTFOUND;
}
