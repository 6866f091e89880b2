/* Sockets: opening, closing, and submitting operations. */
#include "cport/port.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The socket's slot with its lock; NULL: it is closed, or none. */
static struct cp_slot *enter(struct cp_socket socket)
{
    return socket.port ? slot_find(socket.port, socket.id) : NULL;
}

/* The code of a call on a socket that is closed. */
static int gone(struct cp_socket socket)
{
    return socket.port && socket.port->closed ? CP_ECLOSED : CP_EINVAL;
}

/* ---- opening and closing ------------------------------------------------------------------- */

/* No lock is held for the engine's system calls: meanwhile the socket has no operation, and a busy
 * direction keeps its slot if the port is closed. */
static int attach(struct cport *port, int family, bool datagrams, cp_handle handle, uintptr_t key,
                  struct cp_socket *result)
{
    struct effects effects = NO_EFFECTS;
    struct cp_slot *slot = port->closed ? NULL : slot_take(port, family, handle, key);
    if (!slot)
        return port->closed ? CP_ECLOSED : CP_ENOMEM;
    slot->datagrams = datagrams;
    slot->directions[DIRECTION_OUT].busy = true;
    slot_leave(slot, &effects);
    int code = port->engine->attach(slot);
    slot_lock(slot);
    slot->directions[DIRECTION_OUT].busy = false;
    if (port->closed)
        slot->open = false; /* it may have been taken after cp_close looked for the open ones */
    if (code != 0)
        slot_free(slot);
    else if (!slot->open)
        slot_release(slot, &effects);
    if (code == 0)
        *result = (struct cp_socket){port, slot_id(slot)};
    slot_unlock(slot, &effects);
    return code;
}

int cp_socket_open(struct cport *port, int family, uintptr_t key, struct cp_socket *socket)
{
    return port && socket ? attach(port, family, false, CP_HANDLE_NONE, key, socket) : CP_EINVAL;
}

int cp_socket_open_udp(struct cport *port, int family, uintptr_t key, struct cp_socket *socket)
{
    return port && socket ? attach(port, family, true, CP_HANDLE_NONE, key, socket) : CP_EINVAL;
}

int cp_associate(struct cport *port, cp_handle handle, uintptr_t key, struct cp_socket *socket)
{
    if (!port || !socket || handle == CP_HANDLE_NONE)
        return CP_EINVAL;
    return attach(port, 0, false, handle, key, socket);
}

cp_handle cp_socket_handle(struct cp_socket socket)
{
    struct cp_slot *slot = enter(socket);
    if (!slot)
        return CP_HANDLE_NONE;
    cp_handle handle = slot->handle;
    slot_unlock(slot, &NO_EFFECTS);
    return handle;
}

int cp_socket_skip(struct cp_socket socket, bool skip)
{
    struct cp_slot *slot = enter(socket);
    if (!slot)
        return CP_EINVAL;
    slot->skip = skip;
    slot_unlock(slot, &NO_EFFECTS);
    return 0;
}

int cp_socket_key(struct cp_socket socket, uintptr_t key)
{
    struct cp_slot *slot = enter(socket);
    if (!slot)
        return CP_EINVAL;
    slot->key = key;
    slot_unlock(slot, &NO_EFFECTS);
    return 0;
}

/* Closes the socket: with its handle, unless it has none any more. */
static void close_directions(struct cp_slot *slot, struct effects *effects)
{
    slot->open = false;
    for (unsigned name = 0; name < DIRECTION_COUNT; name++)
        direction_close(&slot->directions[name], effects);
    slot_release(slot, effects);
}

int cp_socket_release(struct cp_socket socket, cp_handle *handle)
{
    struct effects effects = NO_EFFECTS;
    struct cp_slot *slot = handle ? enter(socket) : NULL;
    if (!slot)
        return CP_EINVAL;
    const struct engine *engine = socket.port->engine;
    int code = !engine->release ? CP_EUNSUPPORTED : slot_idle(slot) ? 0 : CP_EINVAL;
    if (code == 0) {
        *handle = slot->handle;
        slot->handle = CP_HANDLE_NONE;
        close_directions(slot, &effects);
    }
    slot_unlock(slot, &effects);
    if (code == 0)
        engine->release(socket.port, *handle);
    return code;
}

void cp_socket_close(struct cp_socket socket)
{
    struct effects effects = NO_EFFECTS;
    struct cp_slot *slot = enter(socket);
    if (!slot)
        return;
    close_directions(slot, &effects);
    slot_unlock(slot, &effects);
}

void sockets_close(struct cport *port)
{
    for (uint32_t index = 0; index < port->slots; index++) {
        struct cp_slot *slot = slot_at(port, index);
        struct effects effects = NO_EFFECTS;
        slot_lock(slot);
        if (slot->open) {
            slot->open = false;
            for (unsigned name = 0; name < DIRECTION_COUNT; name++)
                direction_drop(&slot->directions[name]);
            slot_release(slot, &effects);
        }
        slot_unlock(slot, &effects);
    }
}

/* ---- submitting ---------------------------------------------------------------------------- */

/* Why the operation cannot be accepted now; 0 if it can. Lock held. */
static int refusal(const struct cp_slot *slot, const struct cp_op *op, enum cp_kind kind,
                   enum socket_role role)
{
    const bool datagram = kind == CP_RECEIVE_FROM || kind == CP_SEND_TO;
    if (slot->port->closed)
        return CP_ECLOSED;
    if (op_state(op) != OP_IDLE || (slot->datagrams ? kind == CP_LISTEN : datagram))
        return CP_EINVAL;
    if (slot->datagrams && (datagram || kind == CP_RECEIVE))
        return 0;
    if (kind == CP_SEND && slot->sending != SENDING_OPEN && !slot->broken)
        return CP_ESHUTDOWN;
    if (role == ROLE_CONNECTED && slot->role != ROLE_CONNECTED)
        return CP_ENOTCONN;
    if (role == ROLE_FRESH && slot->role == ROLE_CONNECTED)
        return CP_EISCONN;
    if (slot->role != role)
        return CP_EINVAL;
    return slot->broken;
}

/* The socket's slot with its lock, and the operation ready to be filled in. NULL: *code says why
 * it is refused. */
static struct cp_slot *begin(struct cp_socket socket, struct cp_op *op, enum cp_kind kind,
                             enum socket_role role, int *code)
{
    struct cp_slot *slot = op ? enter(socket) : NULL;
    *code = slot ? refusal(slot, op, kind, role) : op ? gone(socket) : CP_EINVAL;
    if (*code == 0) {
        op_init(op, kind, slot);
        return slot;
    }
    if (slot)
        slot_unlock(slot, &NO_EFFECTS);
    return NULL;
}

/* Releases the lock: submits the operation, unless there is a reason against it. */
static int submit(struct cp_slot *slot, struct cp_op *op, int code, struct effects *effects)
{
    if (code != 0) {
        slot_unlock(slot, effects);
        return code;
    }
    op_set_state(op, OP_PENDING);
    return direction_submit(&slot->directions[op_direction(op)], op, effects);
}

/* The length of an address of its family, which may be given as a longer one. 0: it is none. */
static unsigned address_length(const struct sockaddr *address, unsigned bytes)
{
    unsigned length = 0;
    if (address && bytes >= sizeof address->sa_family && address->sa_family == AF_INET)
        length = sizeof(struct sockaddr_in);
    else if (address && bytes >= sizeof address->sa_family && address->sa_family == AF_INET6)
        length = sizeof(struct sockaddr_in6);
    return length <= bytes ? length : 0;
}

/* A copy, so that the caller need not keep the address. 0 or CP_EINVAL. */
static int address_keep(struct cp_op *op, const struct sockaddr *address, unsigned address_bytes)
{
    unsigned length = address_length(address, address_bytes);
    if (length == 0)
        return CP_EINVAL;
    op->engine[0] = length;
    memcpy(&op->engine[1], address, length);
    return 0;
}

int cp_bind(struct cp_socket socket, const struct sockaddr *address, unsigned address_bytes)
{
    const unsigned bytes = address_length(address, address_bytes);
    struct cp_slot *slot = bytes > 0 ? enter(socket) : NULL;
    if (!slot)
        return bytes > 0 ? gone(socket) : CP_EINVAL;
    int code = refusal(slot, &(struct cp_op){0}, CP_CONNECT, ROLE_FRESH);
    if (code == 0 && bind(slot->handle, address, (socklen_t)bytes) != 0)
        code = socket_error();
    slot_unlock(slot, &NO_EFFECTS);
    return code;
}

int cp_listen(struct cp_socket socket, const struct sockaddr *address, unsigned address_bytes,
              int backlog)
{
    struct cp_op op = {0};
    struct effects effects = NO_EFFECTS;
    int code;
    struct cp_slot *slot = backlog < 1 ? NULL : begin(socket, &op, CP_LISTEN, ROLE_FRESH, &code);
    if (!slot)
        return backlog < 1 ? CP_EINVAL : code;
    struct attempt attempt = {.op = &op, .result = address_keep(&op, address, address_bytes)};
    op.result = backlog;
    if (attempt.result == 0) {
        slot->role = ROLE_LISTENING;
        slot->directions[DIRECTION_OUT].busy = true; /* keeps the slot */
        slot_leave(slot, &effects);
        slot->port->engine->attempt(slot->port, &attempt, 1);
        slot_lock(slot);
        slot->directions[DIRECTION_OUT].busy = false;
        slot->role = attempt.result == 0 ? ROLE_LISTENING : ROLE_FAILED;
        if (!slot->open)
            slot_release(slot, &effects);
    }
    slot_unlock(slot, &effects);
    return (int)attempt.result;
}

int cp_connect(struct cp_socket socket, struct cp_op *op, const struct sockaddr *address,
               unsigned address_bytes, uint64_t timeout_ns)
{
    struct effects effects = NO_EFFECTS;
    int code;
    struct cp_slot *slot = begin(socket, op, CP_CONNECT, ROLE_FRESH, &code);
    if (!slot)
        return code;
    code = address_keep(op, address, address_bytes);
    if (code == 0 && timeout_ns != CP_FOREVER)
        code = deadline_add(op, os_deadline_ns(timeout_ns), &effects);
    if (code == 0)
        slot->role = ROLE_CONNECTING;
    return submit(slot, op, code, &effects);
}

int cp_accept(struct cp_socket listener, struct cp_op *op, struct sockaddr *peer,
              unsigned *peer_bytes)
{
    struct effects effects = NO_EFFECTS;
    int code;
    struct cp_slot *slot = begin(listener, op, CP_ACCEPT, ROLE_LISTENING, &code);
    if (!slot)
        return code;
    op->part.peer = (struct cp_address_out){peer, peer_bytes};
    return submit(slot, op, peer && !peer_bytes ? CP_EINVAL : 0, &effects);
}

static bool blocks_valid(const struct cp_block *blocks, unsigned count)
{
    if (count > 0 && !blocks)
        return false;
    for (unsigned index = 0; index < count; index++)
        if (!blocks[index].data && blocks[index].bytes > 0)
            return false;
    return true;
}

static bool blocks_empty(const struct cp_block *blocks, unsigned count)
{
    for (unsigned index = 0; index < count; index++)
        if (blocks[index].bytes > 0)
            return false;
    return true;
}

/* A receive or send with the caller's blocks. */
static int transfer(struct cp_socket socket, struct cp_op *op, enum cp_kind kind,
                    const struct cp_block *blocks, unsigned count)
{
    struct effects effects = NO_EFFECTS;
    int code = CP_EINVAL;
    struct cp_slot *slot =
        blocks_valid(blocks, count) ? begin(socket, op, kind, ROLE_CONNECTED, &code) : NULL;
    if (!slot)
        return code;
    const bool empty = blocks_empty(blocks, count);
    if (slot->datagrams && (count > CP_BLOCKS_MAX || (empty && kind == CP_RECEIVE)))
        code = CP_EINVAL;
    else
        code = op_copy_blocks(op, blocks, empty ? 0 : count);
    return submit(slot, op, code, &effects);
}

int cp_receive_from(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
                    unsigned count, struct sockaddr *from, unsigned *from_bytes)
{
    struct effects effects = NO_EFFECTS;
    int code = CP_EINVAL;
    if (!blocks_valid(blocks, count) || blocks_empty(blocks, count) || count > CP_BLOCKS_MAX ||
        (from && !from_bytes))
        return code;
    struct cp_slot *slot = begin(socket, op, CP_RECEIVE_FROM, ROLE_FRESH, &code);
    if (!slot)
        return code;
    const unsigned room =
        slot->family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    code = from && *from_bytes < room ? CP_EINVAL : op_copy_blocks(op, blocks, count);
    op->part.datagram.from = (struct cp_address_out){from, from_bytes};
    return submit(slot, op, code, &effects);
}

int cp_send_to(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
               unsigned count, const struct sockaddr *to, unsigned to_bytes)
{
    struct effects effects = NO_EFFECTS;
    int code = CP_EINVAL;
    if (!blocks_valid(blocks, count) || count > CP_BLOCKS_MAX)
        return code;
    struct cp_slot *slot = begin(socket, op, CP_SEND_TO, ROLE_FRESH, &code);
    if (!slot)
        return code;
    code = address_keep(op, to, to_bytes);
    if (code == 0)
        code = op_copy_blocks(op, blocks, count);
    return submit(slot, op, code, &effects);
}

int cp_receive(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
               unsigned count)
{
    return transfer(socket, op, CP_RECEIVE, blocks, count);
}

int cp_send(struct cp_socket socket, struct cp_op *op, const struct cp_block *blocks,
            unsigned count)
{
    return transfer(socket, op, CP_SEND, blocks, count);
}

int cp_receive_late(struct cp_socket socket, struct cp_op *op, struct cp_block *blocks,
                    unsigned max, const struct cp_source *source)
{
    struct effects effects = NO_EFFECTS;
    int code = CP_EINVAL;
    if (!blocks || max == 0 || max > CP_BLOCKS_MAX || !source || !source->take || !source->give)
        return code;
    struct cp_slot *slot = begin(socket, op, CP_RECEIVE, ROLE_CONNECTED, &code);
    if (!slot)
        return code;
    if (slot->datagrams) /* a datagram's first byte cannot be waited for without the rest */
        return submit(slot, op, CP_EINVAL, &effects);
    op->late = true;
    op->blocks = blocks;
    op->block_room = (uint8_t)max;
    op->part.source = *source;
    return submit(slot, op, 0, &effects);
}

int cp_shutdown(struct cp_socket socket)
{
    struct effects effects = NO_EFFECTS;
    struct cp_slot *slot = enter(socket);
    if (!slot)
        return gone(socket);
    int code = slot->datagrams ? CP_EINVAL : slot->role == ROLE_CONNECTED ? 0 : CP_ENOTCONN;
    if (code == 0)
        direction_end_sending(&slot->directions[DIRECTION_OUT], &effects);
    slot_unlock(slot, &effects);
    return code;
}

int cp_cancel(struct cp_socket socket, struct cp_op *op)
{
    struct effects effects = NO_EFFECTS;
    unsigned asked = 0;
    struct cp_slot *slot = enter(socket);
    if (!slot)
        return CP_ENOTFOUND;
    for (unsigned name = 0; name < DIRECTION_COUNT; name++)
        asked += direction_cancel(&slot->directions[name], op, CP_ECANCELED, &effects);
    slot_unlock(slot, &effects);
    return asked > 0 ? 0 : CP_ENOTFOUND;
}
