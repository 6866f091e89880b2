/* Starts operations of the iocp engine: fills in their buffers and addresses. */
#include "cport/overlapped.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

enum { TRANSFER_BYTES_MAX = INT_MAX }; /* of one call */

SOCKET stream_socket(int family)
{
    return WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
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
    int os_error = bind_anywhere(handle_of(op->socket), (const struct sockaddr *)&any, bytes);
    if (os_error != 0)
        return op_failed(op, os_error);
    return begun(state, op,
                 state->connect(handle_of(op->socket), (const struct sockaddr *)&address, bytes,
                                NULL, 0, NULL, begin(state, op)));
}

bool accept_again(const struct cp_op *op, int64_t result)
{
    return op->kind == CP_ACCEPT &&
           (result == CP_ERESET || result == CP_EABORTED || result == CP_ENOTCONN);
}

static int64_t start_one_accept(struct iocp_state *state, struct cp_op *op)
{
    DWORD bytes;
    SOCKET accepting = stream_socket(op->socket->family);
    if (accepting == INVALID_SOCKET)
        return op_failed(op, WSAGetLastError());
    iocp_op_of(op)->accepting = accepting;
    BOOL done = state->accept(handle_of(op->socket), accepting, state->addresses, 0,
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

/* As many bytes of the blocks as one call takes; returns how many buffers that makes. */
static DWORD buffers_of(const struct cp_block *blocks, unsigned count, WSABUF *buffers)
{
    size_t left = TRANSFER_BYTES_MAX;
    unsigned used = 0;
    for (; used < count && left > 0; used++) {
        size_t bytes = blocks[used].bytes < left ? blocks[used].bytes : left;
        buffers[used] = (WSABUF){.len = (ULONG)bytes, .buf = blocks[used].data};
        left -= bytes;
    }
    return used;
}

static int64_t start_receive(struct iocp_state *state, struct cp_op *op)
{
    static char nothing;
    WSABUF buffers[CP_BLOCKS_MAX] = {{.len = 0, .buf = &nothing}};
    DWORD count = buffers_of(op->blocks, op->block_count, buffers), flags = 0;
    return begun(state, op,
                 WSARecv(handle_of(op->socket), buffers, count > 0 ? count : 1, NULL, &flags,
                         begin(state, op), NULL) == 0);
}

/* Wine 8 reads a socket's error while there is still data, and forgets it: the receive then reports
 * the end of the stream instead of the reset. A poll still shows the error. Windows needs none of
 * this. */
static bool was_reset(const struct iocp_state *state, SOCKET handle)
{
    WSAPOLLFD poll = {.fd = handle, .events = POLLWRNORM};
    return state->wine && WSAPoll(&poll, 1, 0) == 1 && poll.revents & POLLERR;
}

int64_t receive_result(const struct iocp_state *state, struct cp_op *op, DWORD bytes)
{
    bool end = bytes == 0 && op->block_count > 0;
    return end && was_reset(state, handle_of(op->socket)) ? op_failed(op, WSAECONNRESET) : bytes;
}

/* The second attempt of a late receive: there is something to receive. */
static int64_t fetch(struct iocp_state *state, struct cp_op *op)
{
    WSABUF buffers[CP_BLOCKS_MAX];
    DWORD bytes = 0, flags = 0;
    if (op_take_blocks(op) != 0)
        return CP_ENOBUFS;
    DWORD count = buffers_of(op->blocks, op->block_count, buffers);
    if (WSARecv(handle_of(op->socket), buffers, count, &bytes, &flags, NULL, NULL) == 0)
        return receive_result(state, op, bytes);
    if (WSAGetLastError() != WSAEWOULDBLOCK)
        return op_failed(op, WSAGetLastError());
    op_return_blocks(op);
    return start_receive(state, op);
}

static int64_t start_send(struct iocp_state *state, struct cp_op *op)
{
    struct cp_block unsent[CP_BLOCKS_MAX];
    WSABUF buffers[CP_BLOCKS_MAX];
    unsigned count = op_unsent(op, unsent);
    return begun(state, op,
                 WSASend(handle_of(op->socket), buffers, buffers_of(unsent, count, buffers), NULL,
                         0, begin(state, op), NULL) == 0);
}

static int64_t do_listen(struct cp_op *op)
{
    /* Otherwise two sockets could share the address. */
    BOOL on = TRUE;
    setsockopt(handle_of(op->socket), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on,
               sizeof on);
    if (bind(handle_of(op->socket), (const struct sockaddr *)&op->engine[1], (int)op->engine[0]) !=
            0 ||
        listen(handle_of(op->socket), (int)op->result) != 0)
        return cp_error_from_os(WSAGetLastError());
    return 0;
}

int64_t start(struct iocp_state *state, struct cp_op *op)
{
    op->os_error = 0; /* of an earlier attempt */
    /* It was queued behind an operation that reported a reset. Under Wine 8 there may still be
     * data, which would be out of order. */
    if (op->socket->broken != 0)
        return op->socket->broken;
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
        return do_listen(op);
    case CP_POST:
        break;
    }
    assert(!"a post never reaches an engine");
    return CP_EINVAL;
}
