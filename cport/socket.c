/* Sockets: opening, closing, and submitting operations. */
#include "cport/port.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* The socket's slot with its lock; NULL: it is closed, or none. */
static struct slot *enter(struct cp_socket socket)
{
    return socket.port ? slot_find(socket.port, socket.id) : NULL;
}

/* ---- opening and closing ------------------------------------------------------------------- */

/* No lock is held for the engine's system calls: meanwhile the socket has no operation, and a busy
 * direction keeps its slot if the port is closed. */
static int attach(struct cport *port, int family, cp_handle handle, uintptr_t key,
                  struct cp_socket *result)
{
    struct effects effects = NO_EFFECTS;
    struct slot *slot = port->closed ? NULL : slot_take(port, family, handle, key);
    if (!slot)
        return port->closed ? CP_ECLOSED : CP_ENOMEM;
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
    return port && socket ? attach(port, family, CP_HANDLE_NONE, key, socket) : CP_EINVAL;
}

int cp_associate(struct cport *port, cp_handle handle, uintptr_t key, struct cp_socket *socket)
{
    if (!port || !socket || handle == CP_HANDLE_NONE)
        return CP_EINVAL;
    return attach(port, 0, handle, key, socket);
}

cp_handle cp_socket_handle(struct cp_socket socket)
{
    struct slot *slot = enter(socket);
    if (!slot)
        return CP_HANDLE_NONE;
    cp_handle handle = slot->handle;
    slot_unlock(slot, &NO_EFFECTS);
    return handle;
}

int cp_socket_skip(struct cp_socket socket, bool skip)
{
    struct slot *slot = enter(socket);
    if (!slot)
        return CP_EINVAL;
    int code = slot->port->engine->readiness ? 0 : CP_EUNSUPPORTED;
    slot->skip = skip && code == 0;
    slot_unlock(slot, &NO_EFFECTS);
    return code;
}

void cp_socket_close(struct cp_socket socket)
{
    struct effects effects = NO_EFFECTS;
    struct slot *slot = enter(socket);
    if (!slot)
        return;
    slot->open = false;
    for (unsigned name = 0; name < DIRECTION_COUNT; name++)
        direction_close(&slot->directions[name], &effects);
    slot_release(slot, &effects);
    slot_unlock(slot, &effects);
}

void sockets_close(struct cport *port)
{
    for (uint32_t index = 0; index < port->slots; index++) {
        struct slot *slot = slot_at(port, index);
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
static int refusal(const struct slot *slot, const struct cp_op *op, enum socket_role role)
{
    if (slot->port->closed)
        return CP_ECLOSED;
    if (op_state(op) != OP_IDLE)
        return CP_EINVAL;
    if (role == ROLE_CONNECTED && slot->role != ROLE_CONNECTED)
        return CP_ENOTCONN;
    if (role == ROLE_FRESH && slot->role == ROLE_CONNECTED)
        return CP_EISCONN;
    if (slot->role != role)
        return CP_EINVAL;
    return slot->broken;
}

/* Resets everything but the engine's part, which the engine or the address fills. */
static void op_init(struct cp_op *op, enum cp_kind kind, struct slot *slot)
{
    memset(op, 0, offsetof(struct cp_op, engine));
    op->kind = kind;
    op->accepted = CP_HANDLE_NONE;
    op->slot = slot;
}

/* The socket's slot with its lock, and the operation ready to be filled in. NULL: *code says why
 * it is refused. */
static struct slot *begin(struct cp_socket socket, struct cp_op *op, enum cp_kind kind,
                          enum socket_role role, int *code)
{
    struct slot *slot = op ? enter(socket) : NULL;
    *code = slot ? refusal(slot, op, role) : CP_EINVAL;
    if (!slot && op && socket.port && socket.port->closed)
        *code = CP_ECLOSED;
    if (*code == 0) {
        op_init(op, kind, slot);
        return slot;
    }
    if (slot)
        slot_unlock(slot, &NO_EFFECTS);
    return NULL;
}

/* Releases the lock: submits the operation, unless there is a reason against it. */
static int submit(struct slot *slot, struct cp_op *op, int code, struct effects *effects)
{
    bool out = op->kind == CP_SEND || op->kind == CP_CONNECT;
    if (code != 0) {
        slot_unlock(slot, effects);
        return code;
    }
    op_set_state(op, OP_PENDING);
    return direction_submit(&slot->directions[out ? DIRECTION_OUT : DIRECTION_IN], op, effects);
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

int cp_listen(struct cp_socket socket, const struct sockaddr *address, unsigned address_bytes,
              int backlog)
{
    struct cp_op op = {0};
    struct effects effects = NO_EFFECTS;
    int code;
    struct slot *slot = backlog < 1 ? NULL : begin(socket, &op, CP_LISTEN, ROLE_FRESH, &code);
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
    struct slot *slot = begin(socket, op, CP_CONNECT, ROLE_FRESH, &code);
    if (!slot)
        return code;
    code = address_keep(op, address, address_bytes);
    if (code == 0 && timeout_ns != CP_FOREVER)
        code = deadline_add(op, os_now_ns() + timeout_ns, &effects);
    if (code == 0)
        slot->role = ROLE_CONNECTING;
    return submit(slot, op, code, &effects);
}

int cp_accept(struct cp_socket listener, struct cp_op *op, struct sockaddr *peer,
              unsigned *peer_bytes)
{
    struct effects effects = NO_EFFECTS;
    int code;
    struct slot *slot = begin(listener, op, CP_ACCEPT, ROLE_LISTENING, &code);
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
    struct slot *slot =
        blocks_valid(blocks, count) ? begin(socket, op, kind, ROLE_CONNECTED, &code) : NULL;
    if (!slot)
        return code;
    code = op_copy_blocks(op, blocks, blocks_empty(blocks, count) ? 0 : count);
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
    struct slot *slot = begin(socket, op, CP_RECEIVE, ROLE_CONNECTED, &code);
    if (!slot)
        return code;
    op->late = true;
    op->blocks = blocks;
    op->block_room = (uint8_t)max;
    op->part.source = *source;
    return submit(slot, op, 0, &effects);
}

int cp_cancel(struct cp_socket socket, struct cp_op *op)
{
    struct effects effects = NO_EFFECTS;
    unsigned asked = 0;
    struct slot *slot = enter(socket);
    if (!slot)
        return CP_ENOTFOUND;
    for (unsigned name = 0; name < DIRECTION_COUNT; name++)
        asked += direction_cancel(&slot->directions[name], op, CP_ECANCELED, &effects);
    slot_unlock(slot, &effects);
    return asked > 0 ? 0 : CP_ENOTFOUND;
}
