/* The iocp engine: Windows' own completion ports.
 *
 * A receive, send, connect or accept is started with its OVERLAPPED in the operation itself, and
 * comes back as one packet of the system's port, also when it was done at once.
 *
 *      attempt --started--> with the kernel --packet--> poll --> direction_complete
 *         |  '--failed: the result, no packet               '--> direction_ready: another attempt
 *         '<-------------------------------------------------------------'
 *
 * A late receive takes two attempts. The first starts a receive into nothing, which comes back when
 * there is data; the worker that takes the direction then asks for blocks and fills them by a plain
 * non-blocking receive. If there was no data after all, it starts again.
 *
 * A socket's handle is closed only after all its operations have come back. So the codes for closed
 * handles, which differ between versions of Windows, never show; and Wine, which looks the handle
 * up again when there is data, never finds another socket with the same number.
 *
 * wake_poller posts a packet without OVERLAPPED. The alarm limits the waiting time of the poller;
 * setting it wakes the poller, so that a wait that has begun takes it into account.
 *
 * The gate: on Windows it is the system's port itself, which also sees workers that block without
 * declaring it. Every waiter polls there and takes one packet at a time, so that the system's order
 * and limit apply. Wine ignores the limit and wakes first-in-first-out (8.0), so our gate is used,
 * with one poller. */
#include "base/winapi.h"
#include "cport/port.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mswsock.h>
#include <winternl.h>

enum {
    ENTRIES_MAX = 128,
    DRAIN_MS = 20,
    NOT_DONE = 0x101,                                        /* STATUS_ALERTED */
    TRANSFER_BYTES_MAX = INT_MAX,                            /* of one call */
    ACCEPT_ADDRESS_BYTES = sizeof(struct sockaddr_in6) + 16, /* AcceptEx wants that much more */
};

struct iocp_state {
    HANDLE port;
    LPFN_CONNECTEX connect;
    LPFN_ACCEPTEX accept;
    bool wine;
    ULONG batch;                /* packets that one poll takes */
    _Atomic unsigned in_flight; /* operations with the kernel */
    _Atomic uint64_t alarm_ns;  /* 0: not set */
    /* AcceptEx insists on writing addresses; nothing reads them. */
    unsigned char addresses[2 * ACCEPT_ADDRESS_BYTES];
};

/* In op->engine while the kernel has the operation. */
struct iocp_op {
    OVERLAPPED overlapped;
    SOCKET accepting;
};

_Static_assert(sizeof(struct iocp_op) <= sizeof((struct cp_op){0}.engine), "it fits");

static struct iocp_op *iocp_op_of(struct cp_op *op)
{
    return (struct iocp_op *)op->engine;
}

static struct cp_op *op_of_entry(const OVERLAPPED_ENTRY *entry)
{
    return (struct cp_op *)((char *)entry->lpOverlapped - offsetof(struct cp_op, engine));
}

static SOCKET handle_of(const struct slot *slot)
{
    return (SOCKET)slot->handle;
}

static SOCKET stream_socket(int family)
{
    return WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

/* ---- opening ------------------------------------------------------------------------------- */

static bool find_function(SOCKET any, GUID id, void *function)
{
    DWORD bytes;
    return WSAIoctl(any, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function,
                    sizeof(void *), &bytes, NULL, NULL) == 0;
}

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    struct iocp_state *state = calloc(1, sizeof *state);
    if (!state)
        return CP_ENOMEM;
    port->engine_state = state;
    state->wine = winapi_wine_version();
    state->batch = state->wine ? ENTRIES_MAX : 1;
    port->os_gate = !state->wine;
    SOCKET any = stream_socket(AF_INET);
    bool found = any != INVALID_SOCKET &&
                 find_function(any, (GUID)WSAID_CONNECTEX, &state->connect) &&
                 find_function(any, (GUID)WSAID_ACCEPTEX, &state->accept);
    if (found)
        state->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, port->concurrency);
    int os_error = (int)GetLastError(); /* Winsock's codes too */
    closesocket(any);
    if (state->port)
        return 0;
    snprintf(why, why_bytes, "iocp: Windows error %d", os_error);
    return cp_error_from_os(os_error);
}

static void engine_wake_poller(struct cport *port, uint64_t when_ns)
{
    struct iocp_state *state = port->engine_state;
    if (when_ns != 0)
        state->alarm_ns = when_ns;
    /* Fails only while the kernel is out of memory. */
    while (!PostQueuedCompletionStatus(state->port, 0, 0, NULL))
        os_sleep_ns(OS_NS_PER_MS);
}

/* ---- sockets ------------------------------------------------------------------------------- */

static int engine_attach(struct slot *slot)
{
    const struct iocp_state *state = slot->port->engine_state;
    if (!slot->adopted)
        slot->handle = (cp_handle)stream_socket(slot->family);
    if (handle_of(slot) == INVALID_SOCKET)
        return socket_error();
    int code = slot->adopted ? socket_recognise(slot) : socket_unblock(slot->handle);
    if (code == 0 && !CreateIoCompletionPort((HANDLE)handle_of(slot), state->port, 0, 0))
        code = cp_error_from_os((int)GetLastError());
    if (code != 0 && !slot->adopted)
        closesocket(handle_of(slot));
    return code;
}

static void engine_detach(struct cport *port, cp_handle handle)
{
    closesocket((SOCKET)handle);
}

/* ---- operations ---------------------------------------------------------------------------- */

static OVERLAPPED *begin(struct iocp_state *state, struct cp_op *op)
{
    OVERLAPPED *overlapped = &iocp_op_of(op)->overlapped;
    *overlapped = (OVERLAPPED){0};
    atomic_fetch_add(&state->in_flight, 1);
    return overlapped;
}

/* The result of a call with the OVERLAPPED. One that is done at once is pending too. */
static int64_t begun(struct iocp_state *state, struct cp_op *op, bool done)
{
    int os_error = done ? 0 : WSAGetLastError();
    if (os_error == 0 || os_error == WSA_IO_PENDING)
        return ENGINE_PENDING;
    atomic_fetch_sub(&state->in_flight, 1);
    return op_failed(op, os_error);
}

/* ConnectEx wants a bound socket. 0 or a Winsock code. */
static int bind_anywhere(SOCKET handle, const struct sockaddr *any, int bytes)
{
    if (bind(handle, any, bytes) == 0 || WSAGetLastError() == WSAEINVAL)
        return 0; /* WSAEINVAL: it is bound already */
    /* All ports are in use: the same code as a connect that finds no port. */
    return WSAGetLastError() == WSAEADDRINUSE ? WSAEADDRNOTAVAIL : WSAGetLastError();
}

static int64_t start_connect(struct iocp_state *state, struct cp_op *op)
{
    int bytes = (int)op->engine[0];
    struct sockaddr_storage address = {0}, any = {0};
    memcpy(&address, &op->engine[1], (size_t)bytes); /* the OVERLAPPED will overwrite it */
    any.ss_family = address.ss_family;
    int os_error = bind_anywhere(handle_of(op->slot), (const struct sockaddr *)&any, bytes);
    if (os_error != 0)
        return op_failed(op, os_error);
    return begun(state, op,
                 state->connect(handle_of(op->slot), (const struct sockaddr *)&address, bytes, NULL,
                                0, NULL, begin(state, op)));
}

/* An accept failed because the peer reset the connection before; the next one may be good. */
static bool accept_again(const struct cp_op *op, int64_t result)
{
    return op->kind == CP_ACCEPT &&
           (result == CP_ERESET || result == CP_EABORTED || result == CP_ENOTCONN);
}

static int64_t start_one_accept(struct iocp_state *state, struct cp_op *op)
{
    DWORD bytes;
    SOCKET accepting = stream_socket(op->slot->family);
    if (accepting == INVALID_SOCKET)
        return op_failed(op, WSAGetLastError());
    iocp_op_of(op)->accepting = accepting;
    BOOL done = state->accept(handle_of(op->slot), accepting, state->addresses, 0,
                              ACCEPT_ADDRESS_BYTES, ACCEPT_ADDRESS_BYTES, &bytes, begin(state, op));
    int64_t result = begun(state, op, done);
    if (result != ENGINE_PENDING)
        closesocket(accepting);
    return result;
}

static int64_t start_accept(struct iocp_state *state, struct cp_op *op)
{
    int64_t result;
    do
        result = start_one_accept(state, op);
    while (accept_again(op, result));
    return result;
}

/* As much of the blocks as one call takes; returns how many buffers that makes. */
static DWORD buffers_of(const struct cp_block *blocks, unsigned count, WSABUF *buffers)
{
    size_t left = TRANSFER_BYTES_MAX;
    unsigned used = 0;
    for (; used < count && used < UNSENT_MAX && left > 0; used++) {
        size_t bytes = blocks[used].bytes < left ? blocks[used].bytes : left;
        buffers[used] = (WSABUF){.len = (ULONG)bytes, .buf = blocks[used].data};
        left -= bytes;
    }
    return used;
}

static int64_t start_receive(struct iocp_state *state, struct cp_op *op)
{
    static char nothing;
    WSABUF buffers[UNSENT_MAX] = {{.len = 0, .buf = &nothing}};
    DWORD count = buffers_of(op->blocks, op->block_count, buffers), flags = 0;
    return begun(state, op,
                 WSARecv(handle_of(op->slot), buffers, count > 0 ? count : 1, NULL, &flags,
                         begin(state, op), NULL) == 0);
}

/* Wine 8 reads a socket's error while there is still data, and forgets it: the receive then reports
 * the end of the stream instead of the reset. A poll still shows the error. */
static bool was_reset(const struct iocp_state *state, SOCKET handle)
{
    WSAPOLLFD poll = {.fd = handle, .events = POLLWRNORM};
    return state->wine && WSAPoll(&poll, 1, 0) == 1 && poll.revents & POLLERR;
}

static int64_t receive_result(const struct iocp_state *state, struct cp_op *op, DWORD bytes)
{
    bool end = bytes == 0 && op->block_count > 0;
    return end && was_reset(state, handle_of(op->slot)) ? op_failed(op, WSAECONNRESET) : bytes;
}

/* The second attempt of a late receive: there is something to receive. */
static int64_t fetch(struct iocp_state *state, struct cp_op *op)
{
    WSABUF buffers[UNSENT_MAX];
    DWORD bytes = 0, flags = 0;
    if (op_take_blocks(op) != 0)
        return CP_ENOBUFS;
    DWORD count = buffers_of(op->blocks, op->block_count, buffers);
    if (WSARecv(handle_of(op->slot), buffers, count, &bytes, &flags, NULL, NULL) == 0)
        return receive_result(state, op, bytes);
    if (WSAGetLastError() != WSAEWOULDBLOCK)
        return op_failed(op, WSAGetLastError());
    op_return_blocks(op);
    return start_receive(state, op);
}

static int64_t start_send(struct iocp_state *state, struct cp_op *op)
{
    static char nothing;
    struct cp_block unsent[UNSENT_MAX];
    WSABUF buffers[UNSENT_MAX] = {{.len = 0, .buf = &nothing}};
    unsigned count = op_unsent(op, unsent, UNSENT_MAX);
    return begun(state, op,
                 WSASend(handle_of(op->slot), buffers,
                         count > 0 ? buffers_of(unsent, count, buffers) : 1, NULL, 0,
                         begin(state, op), NULL) == 0);
}

/* ENGINE_PENDING: a packet will follow; else the result, and none will. */
static int64_t start(struct iocp_state *state, struct cp_op *op)
{
    op->os_error = 0; /* of an earlier attempt */
    /* It was queued behind an operation that reported a reset. Under Wine 8 there may still be
     * data, which would be out of order. */
    if (op->slot->broken != 0)
        return op->slot->broken;
    switch (op->kind) {
    case CP_CONNECT:
        return start_connect(state, op);
    case CP_ACCEPT:
        return start_accept(state, op);
    case CP_RECEIVE:
        return op->late && op->started ? fetch(state, op) : start_receive(state, op);
    case CP_SEND:
        return start_send(state, op);
    case CP_LISTEN:
        return op_listen(op, SO_EXCLUSIVEADDRUSE); /* else two sockets could share the address */
    case CP_POST:
        break;
    }
    assert(!"a post never reaches an engine");
    return CP_EINVAL;
}

static void engine_attempt(struct cport *port, struct attempt *attempts, unsigned count)
{
    for (unsigned index = 0; index < count; index++)
        attempts[index].result = start(port->engine_state, attempts[index].op);
}

/* The operation's packet follows in any case: cancelled, or done before that. */
static bool engine_cancel(struct cp_op *op)
{
    CancelIoEx((HANDLE)handle_of(op->slot), &iocp_op_of(op)->overlapped);
    return false;
}

/* ---- packets ------------------------------------------------------------------------------- */

/* 0 or a Windows code. Wine 8 may queue the packet before it has filled in the OVERLAPPED; the
 * packet has the status too, in a member that Windows does not document. And in Wine 8 the thread
 * that started an operation performs it when there is data: if that thread ends just then, the
 * status is "alerted", and nothing has been done. */
static int error_of(const OVERLAPPED_ENTRY *entry)
{
    NTSTATUS status = (NTSTATUS) * (volatile ULONG_PTR *)&entry->lpOverlapped->Internal;
    if (status == (NTSTATUS)STATUS_PENDING)
        status = (NTSTATUS)entry->Internal;
    if (status == NOT_DONE)
        return NOT_DONE;
    return NT_SUCCESS(status) ? 0 : (int)RtlNtStatusToDosError(status);
}

static bool is_inward(const struct cp_op *op)
{
    return op->kind == CP_RECEIVE || op->kind == CP_ACCEPT;
}

/* Without this an accepted socket lacks some functions. */
static void update_accepted(struct cp_op *op, SOCKET listener)
{
    const struct cp_address_out *peer = &op->part.peer;
    SOCKET accepted = iocp_op_of(op)->accepting;
    int bytes = peer->address ? (int)*peer->bytes : 0;
    setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener,
               sizeof listener);
    if (bytes > 0 && getpeername(accepted, peer->address, &bytes) == 0)
        *peer->bytes = (unsigned)bytes;
}

/* Without the lock: neither the kernel nor another thread uses the operation now. */
static int64_t result_of(const struct iocp_state *state, const OVERLAPPED_ENTRY *entry)
{
    struct cp_op *op = op_of_entry(entry);
    SOCKET handle = handle_of(op->slot);
    int os_error = error_of(entry);
    if (os_error != 0)
        return op_failed(op, os_error);
    if (op->kind == CP_RECEIVE)
        return receive_result(state, op, entry->dwNumberOfBytesTransferred);
    /* Without this option a connected socket lacks some functions. */
    if (op->kind == CP_CONNECT)
        setsockopt(handle, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
    if (op->kind == CP_ACCEPT)
        update_accepted(op, handle);
    return entry->dwNumberOfBytesTransferred;
}

/* A late receive has not received its data yet; a send may need more than one call; an accept or a
 * receive may have failed for no fault of its own (a send too, but how far it got is unknown). */
static bool needs_attempt(struct cp_op *op)
{
    struct cp_block unsent;
    if (op->result < 0)
        return accept_again(op, op->result) || (is_inward(op) && op->os_error == NOT_DONE);
    if (op->kind != CP_SEND)
        return op->late;
    op->done_bytes += (size_t)op->result;
    op->result = (int64_t)op->done_bytes;
    return op_unsent(op, &unsent, 1) > 0;
}

static void report(struct cport *port, struct cp_op *op, struct effects *effects)
{
    struct iocp_state *state = port->engine_state;
    struct slot *slot = op->slot;
    struct direction *directions = slot->directions;
    slot_lock(slot);
    struct direction *direction = &directions[is_inward(op) ? DIRECTION_IN : DIRECTION_OUT];
    int reason = op->reason ? op->reason : CP_EABORTED;
    bool over = op->reason != 0 || port->closed;
    atomic_fetch_sub(&state->in_flight, 1);
    if (op->kind == CP_ACCEPT && op->result == 0)
        op->accepted = (cp_handle)iocp_op_of(op)->accepting;
    else if (op->kind == CP_ACCEPT)
        closesocket(iocp_op_of(op)->accepting);
    if (op->result == CP_ECANCELED)
        op->result = reason;
    if (!needs_attempt(op))
        direction_complete(direction, op, op->result, effects);
    else if (over)
        direction_complete(direction, op, reason, effects);
    else
        direction_ready(direction, false, effects);
    slot_leave(slot, effects);
}

/* Takes completions; counts in `wakeups` the packets that only wake a poller. */
static ULONG take_packets(struct iocp_state *state, OVERLAPPED_ENTRY *entries, DWORD timeout_ms,
                          unsigned *wakeups)
{
    ULONG count = 0, kept = 0;
    /* After a time-out the count is not 0. */
    if (!GetQueuedCompletionStatusEx(state->port, entries, state->batch, &count, timeout_ms, FALSE))
        return 0;
    for (ULONG index = 0; index < count; index++) {
        if (!entries[index].lpOverlapped) {
            ++*wakeups;
            continue;
        }
        op_of_entry(&entries[index])->result = result_of(state, &entries[index]);
        entries[kept++] = entries[index];
    }
    return kept;
}

static DWORD wait_ms(const struct iocp_state *state, uint64_t timeout_ns)
{
    uint64_t alarm_ns = state->alarm_ns;
    if (alarm_ns == 0)
        return winapi_ms(timeout_ns);
    uint64_t now_ns = os_now_ns(), left_ns = alarm_ns > now_ns ? alarm_ns - now_ns : 0;
    return winapi_ms(left_ns < timeout_ns ? left_ns : timeout_ns);
}

static void engine_poll(struct cport *port, uint64_t timeout_ns, struct effects *effects)
{
    struct iocp_state *state = port->engine_state;
    OVERLAPPED_ENTRY entries[ENTRIES_MAX];
    unsigned wakeups = 0; /* returning from here is all they ask for */
    ULONG count = take_packets(state, entries, wait_ms(state, timeout_ns), &wakeups);
    uint64_t alarm_ns = state->alarm_ns;
    if (alarm_ns != 0 && alarm_ns <= os_now_ns())
        atomic_compare_exchange_strong(&state->alarm_ns, &alarm_ns, 0); /* unless it is set anew */
    for (ULONG index = 0; index < count; index++)
        report(port, op_of_entry(&entries[index]), effects);
}

/* Until everything has come back, or nothing has come for `patience_ms`. */
static void await_operations(struct cport *port, DWORD patience_ms)
{
    struct iocp_state *state = port->engine_state;
    OVERLAPPED_ENTRY entries[ENTRIES_MAX];
    unsigned wakeups = 0;
    while (state->in_flight > 0) {
        struct effects effects = NO_EFFECTS;
        unsigned wakeups_before = wakeups;
        ULONG count = take_packets(state, entries, patience_ms, &wakeups);
        if (count == 0 && wakeups == wakeups_before)
            break;
        for (ULONG index = 0; index < count; index++)
            report(port, op_of_entry(&entries[index]), &effects);
        port_post(port, &effects);
        port_act(port, &effects);
    }
    for (; wakeups > 0; wakeups--)
        engine_wake_poller(port, 0); /* they were for pollers */
}

static void engine_drain(struct cport *port)
{
    await_operations(port, DRAIN_MS);
}

/* The kernel uses operations and their blocks until their packets have come. */
static void engine_close(struct cport *port)
{
    struct iocp_state *state = port->engine_state;
    if (!state)
        return;
    while (state->in_flight > 0)
        await_operations(port, INFINITE);
    if (state->port)
        CloseHandle(state->port);
    free(state);
    port->engine_state = NULL;
}

const struct engine engine_iocp = {
    .name = "iocp",
    .summary = "Windows' completion ports; on Windows the system enforces the limit",
    .pollers_max = 1,
    .open = engine_open,
    .close = engine_close,
    .attach = engine_attach,
    .detach = engine_detach,
    .attempt = engine_attempt,
    .cancel = engine_cancel,
    .poll = engine_poll,
    .drain = engine_drain,
    .wake_poller = engine_wake_poller,
};
