#include "cport/port.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- slots --------------------------------------------------------------------------------- */

static struct cp_socket *slot_at(struct cport *port, uint32_t index)
{
    return &port->chunks[index / SLOTS_PER_CHUNK][index % SLOTS_PER_CHUNK];
}

static void slot_init(struct cport *port, uint32_t index)
{
    struct cp_socket *socket = slot_at(port, index);
    socket->port = port;
    socket->index = index;
    socket->generation = 1;
    for (unsigned name = 0; name < LANE_COUNT; name++)
        socket->lanes[name].socket = socket;
    socket->next_free = port->free_slots;
    port->free_slots = socket;
}

static bool slots_grow(struct cport *port)
{
    if (port->slots == CP_SOCKETS_MAX)
        return false;
    struct cp_socket *chunk = calloc(SLOTS_PER_CHUNK, sizeof *chunk);
    if (!chunk)
        return false;
    port->chunks[port->slots / SLOTS_PER_CHUNK] = chunk;
    for (uint32_t index = SLOTS_PER_CHUNK; index-- > 0;)
        slot_init(port, port->slots + index);
    port->slots += SLOTS_PER_CHUNK;
    return true;
}

static struct cp_socket *slot_take(struct cport *port)
{
    if (!port->free_slots && !slots_grow(port))
        return NULL;
    struct cp_socket *socket = port->free_slots;
    port->free_slots = socket->next_free;
    return socket;
}

static void slot_give(struct cp_socket *socket)
{
    socket->generation++;
    socket->next_free = socket->port->free_slots;
    socket->port->free_slots = socket;
}

uint64_t socket_token(const struct cp_socket *socket)
{
    return (uint64_t)socket->generation << 32 | socket->index;
}

struct cp_socket *socket_find(struct cport *port, uint64_t token)
{
    uint32_t index = (uint32_t)token;
    if (index >= port->slots)
        return NULL;
    struct cp_socket *socket = slot_at(port, index);
    return socket->open && socket->generation == token >> 32 ? socket : NULL;
}

void sockets_free(struct cport *port)
{
    for (uint32_t index = 0; index < port->slots; index += SLOTS_PER_CHUNK)
        free(port->chunks[index / SLOTS_PER_CHUNK]);
}

/* ---- opening and closing ------------------------------------------------------------------- */

static void socket_reset(struct cp_socket *socket, int family, cp_handle handle, uintptr_t key)
{
    for (unsigned name = 0; name < LANE_COUNT; name++)
        socket->lanes[name] = (struct lane){.socket = socket};
    socket->role = ROLE_FRESH;
    socket->open = true;
    socket->detached = false;
    socket->family = family;
    socket->broken = 0;
    socket->handle = handle;
    socket->key = key;
    socket->engine = 0;
}

static int attach(struct cport *port, int family, cp_handle handle, uintptr_t key,
                  struct cp_socket **result)
{
    struct cp_socket *socket = NULL;
    int code = CP_ECLOSED;
    port_lock(port);
    if (port->closed)
        goto unlock;
    code = CP_ENOMEM;
    socket = slot_take(port);
    if (!socket)
        goto unlock;
    socket_reset(socket, family, handle, key);
    code = port->engine->attach(port, socket);
    if (code != 0) {
        socket->open = false;
        slot_give(socket);
        goto unlock;
    }
    *result = socket;
unlock:
    port_unlock(port, &(struct gate_effects){0});
    return code;
}

int cp_socket_open(struct cport *port, int family, uintptr_t key, struct cp_socket **socket)
{
    if (!port || !socket)
        return CP_EINVAL;
    return attach(port, family, CP_HANDLE_NONE, key, socket);
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

static bool lane_quiet(const struct lane *lane)
{
    return !lane->busy && !lane->started && !lane->ops.first;
}

void socket_settle(struct cp_socket *socket)
{
    assert(!socket->open);
    const struct lane *lanes = socket->lanes;
    if (!lane_quiet(&lanes[LANE_IN]) || !lane_quiet(&lanes[LANE_OUT]))
        return;
    if (!socket->detached) {
        socket->detached = true;
        socket->port->engine->detach(socket->port, socket);
        socket->handle = CP_HANDLE_NONE;
    }
    if (!lanes[LANE_IN].queued && !lanes[LANE_OUT].queued)
        slot_give(socket);
}

void socket_close_locked(struct cp_socket *socket, bool with_packets, struct gate_effects *effects)
{
    assert(socket->open);
    socket->open = false;
    for (unsigned name = 0; name < LANE_COUNT; name++) {
        if (with_packets)
            lane_cancel(&socket->lanes[name], NULL, CP_EABORTED, effects);
        else
            lane_drop(&socket->lanes[name]);
    }
    socket_settle(socket);
}

void cp_socket_close(struct cp_socket *socket)
{
    if (!socket)
        return;
    struct cport *port = socket->port;
    struct gate_effects effects = {0};
    port_lock(port);
    if (socket->open)
        socket_close_locked(socket, true, &effects);
    port_unlock(port, &effects);
}

/* ---- what an operation's end means for its socket ------------------------------------------ */

/* Linux reports a reset once and an ordinary end of stream from then on; Windows repeats it. */
static bool breaks(int64_t result)
{
    return result == CP_ERESET || result == CP_EUNREACHABLE || result == CP_ETIMEDOUT;
}

void socket_deliver(struct cp_socket *socket, const struct cp_op *op, int64_t result)
{
    if (op->kind == CP_CONNECT)
        socket->role = result == 0 ? ROLE_CONNECTED : ROLE_FAILED;
    else if (op->kind != CP_ACCEPT && breaks(result))
        socket->broken = (int)result;
}

/* ---- operations ---------------------------------------------------------------------------- */

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

static void prepare(struct cp_op *op, enum cp_kind kind, struct cp_socket *socket,
                    struct cp_block *blocks, unsigned count)
{
    op->kind = kind;
    op->blocks = blocks;
    op->block_count = count;
    op->block_room = (uint8_t)count;
    op->accepted = CP_HANDLE_NONE;
    op->os_error = 0;
    op->link = (struct cp_link){0};
    op->socket = socket;
    op->result = 0;
    op->done_bytes = 0;
    op->timer_slot = 0;
    op->reason = 0;
    op->pending = true;
    op->late = op->started = false;
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

/* The address goes along in the operation, so that the caller's need not stay. */
static bool address_keep(struct cp_op *op, const struct sockaddr *address, unsigned address_bytes)
{
    if (!address || address_bytes == 0 || address_bytes + sizeof op->engine[0] > sizeof op->engine)
        return false;
    op->engine[0] = address_bytes;
    memcpy(&op->engine[1], address, address_bytes);
    return true;
}

int cp_listen(struct cp_socket *socket, const struct sockaddr *address, unsigned address_bytes,
              int backlog)
{
    struct cp_op op = {0};
    bool more = false;
    if (!socket || backlog < 1 || !address_keep(&op, address, address_bytes))
        return CP_EINVAL;
    struct cport *port = socket->port;
    port_lock(port);
    int64_t code = refusal(socket, &op, ROLE_FRESH);
    if (code == 0) {
        prepare(&op, CP_LISTEN, socket, NULL, 0);
        op.result = backlog;
        code = port->engine->advance(port, socket, &op, &more);
        socket->role = code == 0 ? ROLE_LISTENING : ROLE_FAILED;
    }
    port_unlock(port, &(struct gate_effects){0});
    return (int)code;
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
    if (code != 0)
        goto unlock;
    prepare(op, CP_CONNECT, socket, NULL, 0);
    if (timeout_ns != CP_FOREVER) {
        op->deadline_ns = os_now_ns() + timeout_ns;
        code = deadline_add(port, op);
    }
    op->pending = code == 0;
    if (code != 0)
        goto unlock;
    socket->role = ROLE_CONNECTING;
    lane_submit(&socket->lanes[LANE_OUT], op);
    return 0;
unlock:
    port_unlock(port, &(struct gate_effects){0});
    return code;
}

/* Submits an operation that needs no more than its blocks. */
static int submit(struct cp_socket *socket, struct cp_op *op, enum cp_kind kind,
                  enum socket_role role, struct cp_block *blocks, unsigned count,
                  const struct cp_source *source)
{
    struct cport *port = socket->port;
    port_lock(port);
    int code = refusal(socket, op, role);
    if (code != 0) {
        port_unlock(port, &(struct gate_effects){0});
        return code;
    }
    prepare(op, kind, socket, blocks, count);
    if (source) {
        op->late = true;
        op->source = *source;
        op->block_count = 0;
    }
    lane_submit(&socket->lanes[kind == CP_SEND ? LANE_OUT : LANE_IN], op);
    return 0;
}

int cp_accept(struct cp_socket *listener, struct cp_op *op)
{
    if (!listener || !op)
        return CP_EINVAL;
    return submit(listener, op, CP_ACCEPT, ROLE_LISTENING, NULL, 0, NULL);
}

int cp_receive(struct cp_socket *socket, struct cp_op *op, struct cp_block *blocks, unsigned count)
{
    if (!socket || !op || !blocks_valid(blocks, count))
        return CP_EINVAL;
    return submit(socket, op, CP_RECEIVE, ROLE_CONNECTED, blocks, count, NULL);
}

int cp_receive_late(struct cp_socket *socket, struct cp_op *op, struct cp_block *blocks,
                    unsigned max, const struct cp_source *source)
{
    if (!socket || !op || !blocks || max == 0 || max > CP_BLOCKS_MAX || !source || !source->take ||
        !source->give)
        return CP_EINVAL;
    return submit(socket, op, CP_RECEIVE, ROLE_CONNECTED, blocks, max, source);
}

int cp_send(struct cp_socket *socket, struct cp_op *op, struct cp_block *blocks, unsigned count)
{
    if (!socket || !op || count == 0 || !blocks_valid(blocks, count))
        return CP_EINVAL;
    return submit(socket, op, CP_SEND, ROLE_CONNECTED, blocks, count, NULL);
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
        for (unsigned name = 0; name < LANE_COUNT; name++)
            asked += lane_cancel(&socket->lanes[name], op, CP_ECANCELED, &effects);
    port_unlock(port, &effects);
    return asked > 0 ? 0 : CP_ENOTFOUND;
}
