/* Starting operations: the only file of the engine that fills in buffers and addresses. */
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
    OVERLAPPED *overlapped = &room_of(op)->overlapped;
    *overlapped = (OVERLAPPED){0};
    atomic_fetch_add(&state->in_flight, 1);
    return overlapped;
}

/* What became of the call that was given the OVERLAPPED. Done at once is as good as under way. */
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
        return 0; /* the second: it is bound already */
    /* Every port in use. A connect that finds its own is told so by this word. */
    return WSAGetLastError() == WSAEADDRINUSE ? WSAEADDRNOTAVAIL : WSAGetLastError();
}

static int64_t start_connect(struct iocp_state *state, struct cp_socket *socket, struct cp_op *op)
{
    int bytes = (int)op->engine[0];
    struct sockaddr_storage address = {0}, any = {0};
    memcpy(&address, &op->engine[1], (size_t)bytes); /* it lies where the OVERLAPPED is to lie */
    any.ss_family = address.ss_family;
    int os_error = bind_anywhere(handle_of(socket), (const struct sockaddr *)&any, bytes);
    if (os_error != 0)
        return failed(op, os_error);
    return begun(state, op,
                 state->connect(handle_of(socket), (const struct sockaddr *)&address, bytes, NULL,
                                0, NULL, begin(state, op)));
}

bool accept_again(const struct cp_op *op, int64_t result)
{
    return op->kind == CP_ACCEPT &&
           (result == CP_ERESET || result == CP_EABORTED || result == CP_ENOTCONN);
}

static int64_t start_one_accept(struct iocp_state *state, struct cp_socket *socket,
                                struct cp_op *op)
{
    struct room *room = room_of(op);
    DWORD bytes;
    SOCKET accepting = stream_socket(socket->family);
    if (accepting == INVALID_SOCKET)
        return failed(op, WSAGetLastError());
    room->accepting = accepting;
    BOOL done = state->accept(handle_of(socket), accepting, state->addresses, 0,
                              ACCEPT_ADDRESS_BYTES, ACCEPT_ADDRESS_BYTES, &bytes, begin(state, op));
    int64_t result = begun(state, op, done);
    if (result != ENGINE_PENDING)
        closesocket(accepting);
    return result;
}

static int64_t start_accept(struct iocp_state *state, struct cp_socket *socket, struct cp_op *op)
{
    int64_t result;
    do
        result = start_one_accept(state, socket, op);
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

static int64_t start_receive(struct iocp_state *state, struct cp_socket *socket, struct cp_op *op)
{
    static char nothing;
    WSABUF buffers[CP_BLOCKS_MAX] = {{.len = 0, .buf = &nothing}};
    DWORD count = buffers_of(op->blocks, op->block_count, buffers), flags = 0;
    return begun(state, op,
                 WSARecv(handle_of(socket), buffers, count > 0 ? count : 1, NULL, &flags,
                         begin(state, op), NULL) == 0);
}

/* Wine 8 asks its system for a socket's error while data is there still, and forgets it for
 * receives: what was a reset then looks like the end of the stream. A poll remembers it. On Windows
 * an end is an end. */
static bool was_reset(const struct iocp_state *state, SOCKET handle)
{
    WSAPOLLFD poll = {.fd = handle, .events = POLLWRNORM};
    return state->wine && WSAPoll(&poll, 1, 0) == 1 && poll.revents & POLLERR;
}

int64_t received(const struct iocp_state *state, struct cp_socket *socket, struct cp_op *op,
                 DWORD bytes)
{
    bool end = bytes == 0 && op->block_count > 0;
    return end && was_reset(state, handle_of(socket)) ? failed(op, WSAECONNRESET) : bytes;
}

/* The second turn of a late receive: there is something to receive. */
static int64_t fetch(struct iocp_state *state, struct cp_socket *socket, struct cp_op *op)
{
    WSABUF buffers[CP_BLOCKS_MAX];
    DWORD bytes = 0, flags = 0;
    op->block_count = op->source.take(op->source.context, op->blocks, op->block_room);
    if (op->block_count == 0)
        return CP_ENOBUFS;
    assert(op->block_count <= op->block_room);
    DWORD count = buffers_of(op->blocks, op->block_count, buffers);
    if (WSARecv(handle_of(socket), buffers, count, &bytes, &flags, NULL, NULL) == 0)
        return received(state, socket, op, bytes);
    if (WSAGetLastError() != WSAEWOULDBLOCK)
        return failed(op, WSAGetLastError());
    op->source.give(op->source.context, op->blocks, op->block_count);
    op->block_count = 0;
    return start_receive(state, socket, op);
}

size_t rest_of(const struct cp_op *op, struct cp_block *rest, unsigned *count)
{
    size_t skip = op->done_bytes, bytes = 0;
    *count = 0;
    for (unsigned index = 0; index < op->block_count; index++) {
        const struct cp_block *block = &op->blocks[index];
        size_t from = skip < block->bytes ? skip : block->bytes;
        skip -= from;
        if (from == block->bytes)
            continue;
        rest[(*count)++] = (struct cp_block){(char *)block->data + from, block->bytes - from};
        bytes += block->bytes - from;
    }
    return bytes;
}

static int64_t start_send(struct iocp_state *state, struct cp_socket *socket, struct cp_op *op)
{
    struct cp_block rest[CP_BLOCKS_MAX];
    WSABUF buffers[CP_BLOCKS_MAX];
    unsigned count;
    rest_of(op, rest, &count);
    return begun(state, op,
                 WSASend(handle_of(socket), buffers, buffers_of(rest, count, buffers), NULL, 0,
                         begin(state, op), NULL) == 0);
}

static int64_t do_listen(struct cp_socket *socket, struct cp_op *op)
{
    /* Else another socket could take the same address, or this one another's. */
    BOOL on = TRUE;
    setsockopt(handle_of(socket), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
    if (bind(handle_of(socket), (const struct sockaddr *)&op->engine[1], (int)op->engine[0]) != 0 ||
        listen(handle_of(socket), (int)op->result) != 0)
        return cp_error_from_os(WSAGetLastError());
    return 0;
}

int64_t start(struct iocp_state *state, struct cp_socket *socket, struct cp_op *op)
{
    op->os_error = 0; /* of a turn before */
    /* What stood in line as a reset was told. Under Wine 8 there may be data yet, out of turn. */
    if (socket->broken != 0)
        return socket->broken;
    switch (op->kind) {
    case CP_CONNECT:
        return start_connect(state, socket, op);
    case CP_ACCEPT:
        return start_accept(state, socket, op);
    case CP_RECEIVE:
        return op->late && op->started ? fetch(state, socket, op)
                                       : start_receive(state, socket, op);
    case CP_SEND:
        return start_send(state, socket, op);
    case CP_LISTEN:
        return do_listen(socket, op);
    case CP_POST:
        break;
    }
    assert(!"a post never comes to an engine");
    return CP_EINVAL;
}
