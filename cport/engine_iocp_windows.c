/* The iocp engine: Windows' own completion ports.
 *
 * A receive, send, connect or accept is started with its OVERLAPPED in the operation itself, and
 * comes back as one packet of the system's port, also when it was done at once. A call that fails
 * at once has no packet.
 *
 *      attempt --started--> with the kernel --packet--> poll --> direction_complete
 *         |  '--failed: the result, no packet               '--> direction_ready: another attempt
 *         '<-------------------------------------------------------------'
 *
 * Late binding takes two attempts. The first starts a receive into nothing, which comes back when
 * there is data; the worker that takes the direction then asks for blocks and fills them by a plain
 * non-blocking receive, so that copying spreads over the workers. If there was no data after all,
 * it starts again.
 *
 * A socket's handle is closed only after all its operations have come back. So the codes that
 * versions of Windows report for closed handles, which differ, never show; and Wine, which looks
 * the handle up again when there is data, never finds another socket with the same number.
 *
 * wake_poller posts a packet without OVERLAPPED. The alarm limits the waiting time of the poller;
 * setting it wakes the poller, so that a wait that has begun takes it into account.
 *
 * The gate: on Windows it is the system's port itself, which also sees workers that block without
 * declaring it. Every waiter polls there and takes one packet at a time, so that the system's order
 * and limit apply. Wine ignores the limit and wakes first-in-first-out (8.0), so our gate is used,
 * with one poller. */
#include "cport/overlapped.h"

#include <stdio.h>
#include <stdlib.h>

#include <winternl.h>

enum { ENTRIES_MAX = 128, NOT_DONE = 0x101 /* STATUS_ALERTED */ };

static struct cp_op *op_of_overlapped(OVERLAPPED *overlapped)
{
    return (struct cp_op *)((char *)overlapped - offsetof(struct cp_op, engine));
}

/* ---- opening ------------------------------------------------------------------------------- */

static bool find_function(SOCKET any, GUID id, void *function)
{
    DWORD bytes;
    return WSAIoctl(any, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, function,
                    sizeof(void *), &bytes, NULL, NULL) == 0;
}

/* 0 or a Winsock code. */
static int find_functions(struct iocp_state *state)
{
    SOCKET any = stream_socket(AF_INET);
    if (any == INVALID_SOCKET)
        return WSAGetLastError();
    bool found = find_function(any, (GUID)WSAID_CONNECTEX, &state->connect) &&
                 find_function(any, (GUID)WSAID_ACCEPTEX, &state->accept);
    int os_error = found ? 0 : WSAGetLastError();
    closesocket(any);
    return os_error;
}

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    struct iocp_state *state = calloc(1, sizeof *state);
    if (!state)
        return CP_ENOMEM;
    port->engine_state = state;
    state->wine = winapi_wine_version();
    state->batch = state->wine ? ENTRIES_MAX : 1;
    int os_error = find_functions(state);
    if (os_error == 0) {
        state->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, port->concurrency);
        os_error = state->port ? 0 : (int)GetLastError();
    }
    port->os_gate = os_error == 0 && !state->wine;
    if (os_error == 0)
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

static int64_t peek(SOCKET handle)
{
    char byte;
    int count = recv(handle, &byte, 1, MSG_PEEK);
    return count >= 0 ? count : cp_error_from_os(WSAGetLastError());
}

/* Finds out what an adopted socket is. It is non-blocking by now. */
static int recognise(struct cp_socket *socket)
{
    SOCKET handle = handle_of(socket);
    DWORD listening = 0;
    WSAPROTOCOL_INFOW protocol;
    int bytes = sizeof protocol;
    if (getsockopt(handle, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&protocol, &bytes) != 0)
        return cp_error_from_os(WSAGetLastError());
    if (protocol.iSocketType != SOCK_STREAM)
        return CP_EINVAL;
    socket->family = protocol.iAddressFamily;
    bytes = sizeof listening;
    getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listening, &bytes);
    struct sockaddr_storage peer;
    bytes = sizeof peer;
    bool has_peer = getpeername(handle, (struct sockaddr *)&peer, &bytes) == 0;
    socket_adopted(socket, listening, has_peer ? 0 : peek(handle));
    return 0;
}

static int register_handle(struct iocp_state *state, struct cp_socket *socket, bool adopted)
{
    u_long on = 1; /* for receives without OVERLAPPED; it does not affect the others */
    if (ioctlsocket(handle_of(socket), FIONBIO, &on) != 0)
        return cp_error_from_os(WSAGetLastError());
    int code = adopted ? recognise(socket) : 0;
    if (code == 0 && !CreateIoCompletionPort((HANDLE)handle_of(socket), state->port, 0, 0))
        code = cp_error_from_os((int)GetLastError());
    return code;
}

static int engine_attach(struct cport *port, struct cp_socket *socket)
{
    bool adopted = socket->handle != CP_HANDLE_NONE;
    if (!adopted)
        socket->handle = (cp_handle)stream_socket(socket->family);
    if (handle_of(socket) == INVALID_SOCKET)
        return cp_error_from_os(WSAGetLastError());
    int code = register_handle(port->engine_state, socket, adopted);
    if (code != 0 && !adopted)
        closesocket(handle_of(socket));
    return code;
}

static void engine_detach(struct cport *port, struct cp_socket *socket)
{
    closesocket(handle_of(socket));
}

/* ---- operations ---------------------------------------------------------------------------- */

static void engine_attempt(struct cport *port, struct attempt *attempts, unsigned count)
{
    for (unsigned index = 0; index < count; index++)
        attempts[index].result = start(port->engine_state, attempts[index].op);
}

/* The operation's packet follows in any case: cancelled, or done before that. */
static bool engine_cancel(struct cport *port, struct cp_socket *socket, struct cp_op *op)
{
    CancelIoEx((HANDLE)handle_of(socket), &iocp_op_of(op)->overlapped);
    return false;
}

/* ---- packets ------------------------------------------------------------------------------- */

/* The packet's status: 0 or a Windows code. Wine 8 may queue the packet before it has filled in the
 * OVERLAPPED; the packet has the status too, in a member that Windows does not document. And in
 * Wine 8 the thread that started an operation performs it when there is data: if that thread ends
 * just then, the status is "alerted", and nothing has been done. */
static int error_of(const OVERLAPPED_ENTRY *entry)
{
    NTSTATUS status = (NTSTATUS) * (volatile ULONG_PTR *)&entry->lpOverlapped->Internal;
    if (status == (NTSTATUS)STATUS_PENDING)
        status = (NTSTATUS)entry->Internal;
    if (status == NOT_DONE)
        return NOT_DONE;
    return NT_SUCCESS(status) ? 0 : (int)RtlNtStatusToDosError(status);
}

/* Without these options a connected or accepted socket lacks some functions. */
static void finish_connection(struct cp_socket *socket, struct cp_op *op)
{
    SOCKET listener = handle_of(socket);
    if (op->kind == CP_CONNECT)
        setsockopt(handle_of(socket), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
    if (op->kind == CP_ACCEPT)
        setsockopt(iocp_op_of(op)->accepting, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                   (const char *)&listener, sizeof listener);
}

/* Without the lock: neither the kernel nor another thread uses the operation now. */
static int64_t result_of(const struct iocp_state *state, const OVERLAPPED_ENTRY *entry,
                         struct cp_op *op)
{
    int os_error = error_of(entry);
    if (os_error != 0)
        return op_failed(op, os_error);
    if (op->kind == CP_RECEIVE)
        return receive_result(state, op, entry->dwNumberOfBytesTransferred);
    finish_connection(op->socket, op);
    return entry->dwNumberOfBytesTransferred;
}

/* A late receive has not received its data yet; a send may need more than one call; an accept or a
 * receive may have failed for no fault of its own (a send too, but how far it got is unknown). */
static bool needs_attempt(struct cp_op *op)
{
    struct cp_block unsent[CP_BLOCKS_MAX];
    bool inwards = op->kind == CP_RECEIVE || op->kind == CP_ACCEPT;
    if (op->result < 0)
        return accept_again(op, op->result) || (inwards && op->os_error == NOT_DONE);
    if (op->kind != CP_SEND)
        return op->late;
    op->done_bytes += (size_t)op->result;
    op->result = (int64_t)op->done_bytes;
    return op_unsent(op, unsent) > 0;
}

/* Lock held. */
static void report(struct cport *port, struct cp_op *op, struct gate_effects *effects)
{
    struct iocp_state *state = port->engine_state;
    bool inwards = op->kind == CP_RECEIVE || op->kind == CP_ACCEPT;
    struct direction *direction = &op->socket->directions[inwards ? DIRECTION_IN : DIRECTION_OUT];
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
        struct cp_op *op = op_of_overlapped(entries[index].lpOverlapped);
        op->result = result_of(state, &entries[index], op);
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

static int engine_poll(struct cport *port, struct gate_worker *worker, uint64_t timeout_ns,
                       struct gate_effects *effects)
{
    struct iocp_state *state = port->engine_state;
    OVERLAPPED_ENTRY entries[ENTRIES_MAX];
    unsigned wakeups = 0; /* returning from here is all they ask for */
    ULONG count = take_packets(state, entries, wait_ms(state, timeout_ns), &wakeups);
    port_poll_done(port, worker);
    if (state->alarm_ns <= os_now_ns())
        state->alarm_ns = 0; /* the port sets it again if needed */
    for (ULONG index = 0; index < count; index++)
        report(port, op_of_overlapped(entries[index].lpOverlapped), effects);
    return 0;
}

/* Until everything has come back, or nothing has come for `patience_ms`. */
static void await_operations(struct cport *port, DWORD patience_ms)
{
    struct iocp_state *state = port->engine_state;
    OVERLAPPED_ENTRY entries[ENTRIES_MAX];
    unsigned wakeups = 0;
    while (state->in_flight > 0) {
        struct gate_effects effects = {0};
        unsigned wakeups_before = wakeups;
        ULONG count = take_packets(state, entries, patience_ms, &wakeups);
        if (count == 0 && wakeups == wakeups_before)
            break;
        port_lock(port);
        for (ULONG index = 0; index < count; index++)
            report(port, op_of_overlapped(entries[index].lpOverlapped), &effects);
        port_unlock(port, &effects);
    }
    for (; wakeups > 0; wakeups--)
        engine_wake_poller(port, 0); /* they were for pollers */
}

static void engine_drain(struct cport *port)
{
    enum { PATIENCE_MS = 20 };
    await_operations(port, PATIENCE_MS);
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
