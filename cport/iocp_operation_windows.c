/* The iocp engine's operations: each is started by one call of Winsock, and ends with a packet. */
#include "cport/iocp.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include <winternl.h>

enum {
    NOT_DONE = 0x101,             /* STATUS_ALERTED */
    TRANSFER_BYTES_MAX = INT_MAX, /* of one call */
};

/* ---- starting them --------------------------------------------------------------------------- */

#ifndef SIO_UDP_CONNRESET
#define SIO_UDP_CONNRESET _WSAIOW(IOC_VENDOR, 12)
#endif

/* Wine does not know the option and behaves so anyway. */
void iocp_report_refused(const struct cp_slot *slot, bool on)
{
    BOOL report = on;
    DWORD bytes;
    WSAIoctl(handle_of(slot), SIO_UDP_CONNRESET, &report, sizeof report, NULL, 0, &bytes, NULL,
             NULL);
}

/* op_failed, with the code that Linux has for datagrams. */
static int64_t failed(struct cp_op *op, int os_error)
{
    int64_t result = op_failed(op, os_error);
    bool refused = result == CP_ERESET || os_error == ERROR_PORT_UNREACHABLE;
    return op->slot->datagrams && refused ? CP_EREFUSED : result;
}

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
    return failed(op, os_error);
}

/* ConnectEx wants a bound socket. 0 or a Winsock code. */
static int bind_anywhere(SOCKET handle, const struct sockaddr *any, int bytes)
{
    if (bind(handle, any, bytes) == 0 || WSAGetLastError() == WSAEINVAL)
        return 0; /* WSAEINVAL: it is bound already */
    /* All ports are in use: the same code as a connect that finds no port. */
    return WSAGetLastError() == WSAEADDRINUSE ? WSAEADDRNOTAVAIL : WSAGetLastError();
}

/* Without a packet: ConnectEx is for streams. */
static int64_t connect_datagrams(struct cp_op *op)
{
    if (connect(handle_of(op->slot), (const struct sockaddr *)&op->engine[1], (int)op->engine[0]) !=
        0)
        return failed(op, WSAGetLastError());
    iocp_report_refused(op->slot, true);
    op->slot->bound = true;
    return 0;
}

static int64_t start_connect(struct iocp_state *state, struct cp_op *op)
{
    if (op->slot->datagrams)
        return connect_datagrams(op);
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
    SOCKET accepting = iocp_socket(op->slot->family, false);
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
    bool end = bytes == 0 && op->block_count > 0 && !op->slot->datagrams;
    return end && was_reset(state, handle_of(op->slot)) ? op_failed(op, WSAECONNRESET) : bytes;
}

/* What there is, without a packet. ENGINE_PENDING: there is nothing. */
static int64_t receive_now(struct iocp_state *state, struct cp_op *op)
{
    WSABUF buffers[UNSENT_MAX];
    DWORD bytes = 0, flags = 0, count = buffers_of(op->blocks, op->block_count, buffers);
    if (WSARecv(handle_of(op->slot), buffers, count, &bytes, &flags, NULL, NULL) == 0)
        return receive_result(state, op, bytes);
    return WSAGetLastError() == WSAEWOULDBLOCK ? ENGINE_PENDING : op_failed(op, WSAGetLastError());
}

/* The second attempt of a late receive: there is something to receive. */
static int64_t fetch(struct iocp_state *state, struct cp_op *op)
{
    int64_t result = op_take_blocks(op) == 0 ? receive_now(state, op) : CP_ENOBUFS;
    if (result != ENGINE_PENDING)
        return result;
    op_return_blocks(op);
    return start_receive(state, op);
}

/* What the socket has room for, without a packet. ENGINE_PENDING: there is more to send. */
static int64_t send_now(struct cp_op *op)
{
    struct cp_block unsent[UNSENT_MAX];
    WSABUF buffers[UNSENT_MAX];
    DWORD bytes;
    unsigned count;
    while ((count = op_unsent(op, unsent, UNSENT_MAX)) > 0) {
        if (WSASend(handle_of(op->slot), buffers, buffers_of(unsent, count, buffers), &bytes, 0,
                    NULL, NULL) != 0)
            return WSAGetLastError() == WSAEWOULDBLOCK ? ENGINE_PENDING
                                                       : op_failed(op, WSAGetLastError());
        op->done_bytes += bytes;
    }
    return (int64_t)op->done_bytes;
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

/* ---- datagrams ----------------------------------------------------------------------------- */

/* Winsock refuses to receive on a socket that is not bound. 0 or a Winsock code. */
static int bind_datagrams(struct cp_slot *slot)
{
    struct sockaddr_storage any = {.ss_family = slot->family};
    int bytes = slot->family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int os_error =
        slot->bound ? 0 : bind_anywhere(handle_of(slot), (const struct sockaddr *)&any, bytes);
    slot->bound = os_error == 0;
    return os_error;
}

/* A datagram that is cut is a warning: the call fails, and a packet comes all the same. */
static int64_t start_receive_datagram(struct iocp_state *state, struct cp_op *op)
{
    const bool named = op->kind == CP_RECEIVE_FROM;
    const struct cp_address_out *from = &op->part.datagram.from;
    WSABUF buffers[CP_BLOCKS_MAX];
    DWORD count = buffers_of(op->blocks, op->block_count, buffers), flags = 0;
    int os_error = bind_datagrams(op->slot);
    if (os_error != 0)
        return failed(op, os_error);
    bool done =
        WSARecvFrom(handle_of(op->slot), buffers, count, NULL, &flags, named ? from->address : NULL,
                    named && from->address ? (int *)from->bytes : NULL, begin(state, op),
                    NULL) == 0;
    return begun(state, op, done || WSAGetLastError() == WSAEMSGSIZE);
}

static int64_t start_send_to(struct iocp_state *state, struct cp_op *op)
{
    static char nothing;
    WSABUF buffers[CP_BLOCKS_MAX] = {{.len = 0, .buf = &nothing}};
    DWORD count = buffers_of(op->blocks, op->block_count, buffers);
    struct sockaddr_storage to;
    int to_bytes = (int)op->engine[0];
    memcpy(&to, &op->engine[1], (size_t)to_bytes); /* the OVERLAPPED will overwrite it */
    return begun(state, op,
                 WSASendTo(handle_of(op->slot), buffers, count > 0 ? count : 1, NULL, 0,
                           (const struct sockaddr *)&to, to_bytes, begin(state, op), NULL) == 0);
}

/* ---- all operations ------------------------------------------------------------------------ */

static int64_t start_inward(struct iocp_state *state, struct cp_op *op)
{
    if (op->slot->datagrams)
        return start_receive_datagram(state, op);
    return op->late && op->started ? fetch(state, op) : start_receive(state, op);
}

/* Of a socket that skips packets: what can be done at once, by a call without the OVERLAPPED.
 * Windows' own FILE_SKIP_COMPLETION_PORT_ON_SUCCESS cannot be taken back, and not all versions of
 * Wine have it. */
static int64_t do_now(struct iocp_state *state, struct cp_op *op)
{
    if (!op->slot->skip || op->started || op->slot->datagrams)
        return ENGINE_PENDING;
    if (op->kind == CP_SEND)
        return send_now(op);
    bool plain = op->kind == CP_RECEIVE && !op->late && op->block_count > 0;
    return plain ? receive_now(state, op) : ENGINE_PENDING;
}

int64_t iocp_start(struct iocp_state *state, struct cp_op *op)
{
    op->os_error = 0; /* of an earlier attempt */
    /* It was queued behind an operation that reported a reset. Under Wine 8 there may still be
     * data, which would be out of order. */
    if (op->slot->broken != 0)
        return op->slot->broken;
    int64_t now = do_now(state, op);
    if (now != ENGINE_PENDING)
        return now;
    switch (op->kind) {
    case CP_CONNECT:
        return start_connect(state, op);
    case CP_ACCEPT:
        return start_accept(state, op);
    case CP_RECEIVE:
    case CP_RECEIVE_FROM:
        return start_inward(state, op);
    case CP_SEND:
        return start_send(state, op);
    case CP_SEND_TO:
        return start_send_to(state, op);
    case CP_LISTEN:
        return op_listen(op, SO_EXCLUSIVEADDRUSE); /* else two sockets could share the address */
    case CP_POST:
    case CP_TIMER:
        break;
    }
    assert(!"a post never reaches an engine");
    return CP_EINVAL;
}

/* ---- results ------------------------------------------------------------------------------- */

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

int64_t iocp_result(const struct iocp_state *state, struct cp_op *op, const OVERLAPPED_ENTRY *entry)
{
    SOCKET handle = handle_of(op->slot);
    int os_error = error_of(entry);
    if (os_error != 0)
        return failed(op, os_error);
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
bool iocp_needs_attempt(struct cp_op *op)
{
    struct cp_block unsent;
    if (op->result < 0)
        return accept_again(op, op->result) ||
               (op_direction(op) == DIRECTION_IN && op->os_error == NOT_DONE);
    if (op->kind != CP_SEND)
        return op->late;
    op->done_bytes += (size_t)op->result;
    op->result = (int64_t)op->done_bytes;
    return op_unsent(op, &unsent, 1) > 0;
}
