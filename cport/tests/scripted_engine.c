/* The scripted engine: a test double. */
#include "cport/tests/scripted_engine.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cport/port.h"

struct bytes {
    uint8_t data[1 << 17];
    size_t used;
};

/* The far side of one socket, which is its handle too; under the slot's lock. */
struct peer {
    struct cp_op *ops[DIRECTION_COUNT]; /* with the "kernel" */
    struct bytes inbox, outbox;
    size_t window_bytes;
    int64_t connect_result, accept_result;
    bool connect_answered, finished, reset;
    bool hold_cancels;
};

struct script_state {
    struct os_parker poller;   /* the only one */
    _Atomic uint64_t alarm_ns; /* 0: not set */
};

static struct peer *peer_of(const struct cp_slot *slot)
{
    return (struct peer *)slot->handle;
}

static void bytes_put(struct bytes *bytes, const void *data, size_t count)
{
    assert(count <= sizeof bytes->data - bytes->used);
    memcpy(bytes->data + bytes->used, data, count);
    bytes->used += count;
}

static size_t bytes_get(struct bytes *bytes, void *data, size_t count)
{
    if (count > bytes->used)
        count = bytes->used;
    memcpy(data, bytes->data, count);
    bytes->used -= count;
    memmove(bytes->data, bytes->data + count, bytes->used);
    return count;
}

/* ---- what an operation gets ---------------------------------------------------------------- */

static int64_t try_receive(struct peer *peer, struct cp_op *op)
{
    if (peer->reset)
        return CP_ERESET;
    if (peer->inbox.used == 0)
        return peer->finished ? 0 : ENGINE_PENDING;
    if (op->late && op_take_blocks(op) != 0)
        return CP_ENOBUFS;
    int64_t total = 0;
    for (unsigned index = 0; index < op->block_count; index++)
        total += (int64_t)bytes_get(&peer->inbox, op->blocks[index].data, op->blocks[index].bytes);
    return total;
}

static int64_t try_send(struct peer *peer, struct cp_op *op)
{
    struct cp_block unsent[UNSENT_MAX];
    if (peer->reset)
        return CP_ERESET;
    unsigned count = op_unsent(op, unsent, UNSENT_MAX);
    for (unsigned index = 0; index < count; index++) {
        size_t bytes = unsent[index].bytes;
        if (bytes > peer->window_bytes)
            bytes = peer->window_bytes;
        bytes_put(&peer->outbox, unsent[index].data, bytes);
        peer->window_bytes -= peer->window_bytes == SIZE_MAX ? 0 : bytes;
        op->done_bytes += bytes;
    }
    return op_unsent(op, unsent, UNSENT_MAX) == 0 ? (int64_t)op->done_bytes : ENGINE_PENDING;
}

static int64_t try_op(struct peer *peer, struct cp_op *op)
{
    switch (op->kind) {
    case CP_CONNECT:
        return peer->connect_answered ? peer->connect_result : ENGINE_PENDING;
    case CP_ACCEPT:
        return peer->accept_result;
    case CP_RECEIVE:
        return try_receive(peer, op);
    case CP_SEND:
        return try_send(peer, op);
    default:
        assert(!"not in the script");
        return CP_EUNSUPPORTED;
    }
}

static void progress(struct cp_slot *slot, struct effects *effects)
{
    struct peer *peer = peer_of(slot);
    /* The last completion of a closed socket gives its peer up. */
    for (unsigned name = 0; name < DIRECTION_COUNT && slot->handle != CP_HANDLE_NONE; name++) {
        struct cp_op *op = peer->ops[name];
        int64_t result = op ? try_op(peer, op) : ENGINE_PENDING;
        if (result == ENGINE_PENDING)
            continue;
        peer->ops[name] = NULL;
        direction_complete(&slot->directions[name], op, result, effects);
    }
}

/* ---- the engine ---------------------------------------------------------------------------- */

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    struct script_state *state = calloc(1, sizeof *state);
    if (!state)
        return CP_ENOMEM;
    port->engine_state = state;
    return 0;
}

static void engine_close(struct cport *port)
{
    free(port->engine_state);
}

static int engine_attach(struct cp_slot *slot)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return CP_ENOMEM;
    peer->window_bytes = SIZE_MAX;
    peer->accept_result = ENGINE_PENDING;
    if (slot->handle != CP_HANDLE_NONE)
        slot->role = ROLE_CONNECTED;
    slot->handle = (cp_handle)peer;
    return 0;
}

static void engine_detach(struct cport *port, cp_handle handle)
{
    struct peer *peer = (struct peer *)handle;
    assert(!peer->ops[DIRECTION_IN]);
    assert(!peer->ops[DIRECTION_OUT]);
    free(peer);
}

static void engine_attempt(struct cport *port, struct attempt *attempts, unsigned count)
{
    for (unsigned index = 0; index < count; index++) {
        struct cp_op *op = attempts[index].op;
        struct effects effects = NO_EFFECTS;
        attempts[index].result = op->kind == CP_LISTEN ? 0 : ENGINE_PENDING;
        if (op->kind == CP_LISTEN)
            continue;
        struct cp_slot *slot = op->slot;
        slot_lock(slot);
        peer_of(slot)->ops[op_direction(op)] = op;
        progress(slot, &effects);
        slot_unlock(slot, &effects);
    }
}

static bool engine_cancel(struct cp_op *op)
{
    struct peer *peer = peer_of(op->slot);
    enum direction_name name = op_direction(op);
    if (peer->hold_cancels || peer->ops[name] != op)
        return false;
    peer->ops[name] = NULL;
    return true;
}

static void engine_poll(struct cport *port, uint64_t timeout_ns, struct effects *effects)
{
    struct script_state *state = port->engine_state;
    uint64_t alarm_ns = state->alarm_ns, now_ns = os_now_ns();
    uint64_t left_ns = alarm_ns > now_ns ? alarm_ns - now_ns : 0;
    os_park(&state->poller, alarm_ns != 0 && left_ns < timeout_ns ? left_ns : timeout_ns);
    /* An alarm that was set meanwhile stays. */
    if (alarm_ns != 0 && alarm_ns <= os_now_ns())
        atomic_compare_exchange_strong(&state->alarm_ns, &alarm_ns, 0);
}

static void engine_wake_poller(struct cport *port, uint64_t when_ns)
{
    struct script_state *state = port->engine_state;
    if (when_ns != 0)
        state->alarm_ns = when_ns;
    os_unpark(&state->poller);
}

const struct engine engine_scripted = {
    .name = "scripted",
    .summary = "the test double: peers do what the test says",
    .pollers_max = 1,
    .open = engine_open,
    .close = engine_close,
    .attach = engine_attach,
    .detach = engine_detach,
    .attempt = engine_attempt,
    .cancel = engine_cancel,
    .poll = engine_poll,
    .wake_poller = engine_wake_poller,
};

/* ---- the script ---------------------------------------------------------------------------- */

static struct cp_slot *begin(struct cp_socket socket)
{
    struct cp_slot *slot = slot_find(socket.port, socket.id);
    assert(slot);
    return slot;
}

static void end(struct cp_slot *slot)
{
    struct effects effects = NO_EFFECTS;
    progress(slot, &effects);
    slot_unlock(slot, &effects);
}

void script_feed(struct cp_socket socket, const void *data, size_t bytes)
{
    struct cp_slot *slot = begin(socket);
    bytes_put(&peer_of(slot)->inbox, data, bytes);
    end(slot);
}

size_t script_sent(struct cp_socket socket, void *data, size_t bytes)
{
    struct cp_slot *slot = begin(socket);
    size_t count = bytes_get(&peer_of(slot)->outbox, data, bytes);
    end(slot);
    return count;
}

void script(struct cp_socket socket, enum script_event event, int64_t value)
{
    struct cp_slot *slot = begin(socket);
    struct peer *peer = peer_of(slot);
    if (event == SCRIPT_CONNECT) {
        peer->connect_answered = true;
        peer->connect_result = value;
    } else if (event == SCRIPT_ACCEPT) {
        peer->accept_result = value;
    } else if (event == SCRIPT_WINDOW) {
        peer->window_bytes = (size_t)value;
    } else if (event == SCRIPT_HOLD_CANCELS) {
        peer->hold_cancels = true;
    } else {
        peer->finished |= event == SCRIPT_FINISH;
        peer->reset |= event == SCRIPT_RESET;
    }
    end(slot);
}

void script_release_cancels(struct cp_socket socket)
{
    struct effects effects = NO_EFFECTS;
    struct cp_slot *slot = slot_at(socket.port, (uint32_t)socket.id); /* it may be closed */
    slot_lock(slot);
    struct peer *peer = peer_of(slot);
    peer->hold_cancels = false;
    for (unsigned name = 0; name < DIRECTION_COUNT && slot->handle != CP_HANDLE_NONE; name++) {
        struct cp_op *op = peer->ops[name];
        if (!op || op->reason == 0)
            continue;
        peer->ops[name] = NULL;
        direction_complete(&slot->directions[name], op, op->reason, &effects);
    }
    slot_unlock(slot, &effects);
}
