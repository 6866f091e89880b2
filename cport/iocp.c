/* Windows' own completion ports.
 *
 * A receive, send, connect or accept is started with its OVERLAPPED in the operation itself, and
 * comes back as one packet of the system's port, also when it was done at once. A call that fails
 * at once never does.
 *
 *      advance --started--> with the kernel --packet--> poll --> lane_complete
 *         |  '--failed: the result, no packet               '--> lane_ready: another turn
 *         '<-------------------------------------------------------------'
 *
 * Late binding takes two turns. The first starts a receive into nothing, which comes back when
 * there is something to receive; the worker that takes the lane then asks for blocks and fills
 * them by a plain non-blocking receive, so that copying spreads over the workers. If there was
 * nothing after all, it begins again.
 *
 * Nothing is closed under an operation: a socket's handle is closed when everything has come back,
 * so that what the system says of closed handles, which differs from version to version, never
 * shows; and Wine, which looks the handle up again when there is data, never finds another socket
 * that has got the number.
 *
 * A kick is a packet without OVERLAPPED. The alarm is a limit to the waiting of whoever polls;
 * setting it kicks, so that a wait that has begun takes it in.
 *
 * Who may run: on Windows the system's port itself, which also sees workers that block without
 * saying so. Every waiter polls there, and takes one packet at a time, so that the system's order
 * and limit are what counts. Wine ignores the limit and wakes first-in-first-out (8.0), so that the
 * gate does it there, and one worker polls. */
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

static void engine_kick(struct cport *port, uint64_t when_ns)
{
    struct iocp_state *state = port->engine_state;
    if (when_ns != 0)
        state->alarm_ns = when_ns;
    /* Fails only for want of memory in the kernel, which ends by itself. */
    while (!PostQueuedCompletionStatus(state->port, 0, 0, NULL))
        os_sleep_ns(OS_NS_PER_MS);
}

/* ---- sockets ------------------------------------------------------------------------------- */

/* A connection that was reset before it was adopted may have no peer any more, as a fresh socket
 * has none; but it has an error to tell, or data yet. */
static void recognise_peerless(struct cp_socket *socket)
{
    char byte;
    int count = recv(handle_of(socket), &byte, 1, MSG_PEEK), os_error = WSAGetLastError();
    if (count < 0 && os_error == WSAENOTCONN)
        return;
    socket->role = ROLE_CONNECTED;
    if (count < 0)
        socket->broken = cp_error_from_os(os_error);
}

/* What an adopted socket is already. It does not block. */
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
    if (listening)
        socket->role = ROLE_LISTENING;
    else if (getpeername(handle, (struct sockaddr *)&peer, &bytes) == 0)
        socket->role = ROLE_CONNECTED;
    else
        recognise_peerless(socket);
    return 0;
}

static int enrol(struct iocp_state *state, struct cp_socket *socket, bool adopted)
{
    u_long on = 1; /* for the receives without OVERLAPPED; the others do not care */
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
    int code = enrol(port->engine_state, socket, adopted);
    if (code != 0 && !adopted)
        closesocket(handle_of(socket));
    return code;
}

static void engine_detach(struct cport *port, struct cp_socket *socket)
{
    (void)port;
    closesocket(handle_of(socket));
}

/* ---- operations ---------------------------------------------------------------------------- */

static int64_t engine_advance(struct cport *port, struct cp_socket *socket, struct cp_op *op,
                              bool *more)
{
    (void)more;
    return start(port->engine_state, socket, op);
}

/* Its packet comes in any case: taken back, or done before that. */
static bool engine_cancel(struct cport *port, struct cp_socket *socket, struct cp_op *op)
{
    (void)port;
    CancelIoEx((HANDLE)handle_of(socket), &room_of(op)->overlapped);
    return false;
}

/* ---- coming back --------------------------------------------------------------------------- */

/* The packet's status: 0 or a Windows code. Wine 8 may queue it before it has filled in the
 * OVERLAPPED; the packet says so too, in a member that Windows does not explain. And Wine 8 has
 * the thread that began an operation do it when there is data: if it ends just then, the packet
 * says that it has been alerted, and nothing has been done. */
static int error_of(const OVERLAPPED_ENTRY *entry)
{
    NTSTATUS status = (NTSTATUS) * (volatile ULONG_PTR *)&entry->lpOverlapped->Internal;
    if (status == (NTSTATUS)STATUS_PENDING)
        status = (NTSTATUS)entry->Internal;
    if (status == NOT_DONE)
        return NOT_DONE;
    return NT_SUCCESS(status) ? 0 : (int)RtlNtStatusToDosError(status);
}

/* The listener's word makes the new socket a full one, a word of its own a connected one. */
static void finish_connection(struct cp_socket *socket, struct cp_op *op)
{
    SOCKET listener = handle_of(socket);
    if (op->kind == CP_CONNECT)
        setsockopt(handle_of(socket), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, NULL, 0);
    if (op->kind == CP_ACCEPT)
        setsockopt(room_of(op)->accepting, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                   (const char *)&listener, sizeof listener);
}

/* Without the lock: the operation is between the kernel and its lane. */
static int64_t result_of(const struct iocp_state *state, const OVERLAPPED_ENTRY *entry,
                         struct cp_op *op)
{
    int os_error = error_of(entry);
    if (os_error != 0)
        return failed(op, os_error);
    if (op->kind == CP_RECEIVE)
        return received(state, op->socket, op, entry->dwNumberOfBytesTransferred);
    finish_connection(op->socket, op);
    return entry->dwNumberOfBytesTransferred;
}

/* A late receive has its data still to come, a send of more than one call takes its next, an accept
 * or a receive has had bad luck (a send may have it too, but no one knows how far it has got). */
static bool wants_turn(struct cp_op *op)
{
    struct cp_block rest[CP_BLOCKS_MAX];
    unsigned count;
    bool inwards = op->kind == CP_RECEIVE || op->kind == CP_ACCEPT;
    if (op->result < 0)
        return accept_again(op, op->result) || (inwards && op->os_error == NOT_DONE);
    if (op->kind != CP_SEND)
        return op->late;
    op->done_bytes += (size_t)op->result;
    op->result = (int64_t)op->done_bytes;
    return rest_of(op, rest, &count) > 0;
}

/* Lock held. */
static void report(struct cport *port, struct cp_op *op, struct gate_effects *effects)
{
    struct iocp_state *state = port->engine_state;
    bool inwards = op->kind == CP_RECEIVE || op->kind == CP_ACCEPT;
    struct lane *lane = &op->socket->lanes[inwards ? LANE_IN : LANE_OUT];
    int reason = op->reason ? op->reason : CP_EABORTED;
    bool over = op->reason != 0 || port->closed;
    atomic_fetch_sub(&state->in_flight, 1);
    if (op->kind == CP_ACCEPT && op->result == 0)
        op->accepted = (cp_handle)room_of(op)->accepting;
    else if (op->kind == CP_ACCEPT)
        closesocket(room_of(op)->accepting);
    if (op->result == CP_ECANCELED)
        op->result = reason;
    if (!wants_turn(op))
        lane_complete(lane, op, op->result, effects);
    else if (over)
        lane_complete(lane, op, reason, effects);
    else
        lane_ready(lane, false, effects);
}

/* `kicks` counts those that were among the packets. */
static ULONG take_packets(struct iocp_state *state, OVERLAPPED_ENTRY *entries, DWORD timeout_ms,
                          unsigned *kicks)
{
    ULONG count = 0, kept = 0;
    /* After a time-out the count is not 0. */
    if (!GetQueuedCompletionStatusEx(state->port, entries, state->batch, &count, timeout_ms, FALSE))
        return 0;
    for (ULONG index = 0; index < count; index++) {
        if (!entries[index].lpOverlapped) {
            ++*kicks;
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
    unsigned kicks = 0; /* the return from here is all that they want */
    ULONG count = take_packets(state, entries, wait_ms(state, timeout_ns), &kicks);
    port_poll_done(port, worker);
    if (state->alarm_ns <= os_now_ns())
        state->alarm_ns = 0; /* the port sets it again if there is need */
    for (ULONG index = 0; index < count; index++)
        report(port, op_of_overlapped(entries[index].lpOverlapped), effects);
    return 0;
}

/* Until everything is back, or nothing has come for so long. */
static void await_back(struct cport *port, DWORD patience_ms)
{
    struct iocp_state *state = port->engine_state;
    OVERLAPPED_ENTRY entries[ENTRIES_MAX];
    unsigned kicks = 0;
    while (state->in_flight > 0) {
        struct gate_effects effects = {0};
        unsigned kicks_before = kicks;
        ULONG count = take_packets(state, entries, patience_ms, &kicks);
        if (count == 0 && kicks == kicks_before)
            break;
        port_lock(port);
        for (ULONG index = 0; index < count; index++)
            report(port, op_of_overlapped(entries[index].lpOverlapped), &effects);
        port_unlock(port, &effects);
    }
    for (; kicks > 0; kicks--)
        engine_kick(port, 0); /* they were for others */
}

static void engine_drain(struct cport *port)
{
    enum { PATIENCE_MS = 20 };
    await_back(port, PATIENCE_MS);
}

/* The kernel holds operations and blocks until their packets are here. */
static void engine_close(struct cport *port)
{
    struct iocp_state *state = port->engine_state;
    if (!state)
        return;
    while (state->in_flight > 0)
        await_back(port, INFINITE);
    if (state->port)
        CloseHandle(state->port);
    free(state);
    port->engine_state = NULL;
}

extern const struct engine engine_iocp;
const struct engine engine_iocp = {
    .name = "iocp",
    .summary = "Windows' own completion ports, on Windows itself with the system as the gate",
    .pollers_max = 1,
    .open = engine_open,
    .close = engine_close,
    .attach = engine_attach,
    .detach = engine_detach,
    .advance = engine_advance,
    .cancel = engine_cancel,
    .poll = engine_poll,
    .drain = engine_drain,
    .kick = engine_kick,
};
