/* Operations: their OVERLAPPED, receives and sends, cancelling. */
#include "cport/win32/internal.h"

#include <stdlib.h>
#include <sys/uio.h>

/* ---- the OVERLAPPED ------------------------------------------------------------------------ */

void overlapped_begin(LPOVERLAPPED overlapped, const struct socket *socket)
{
    overlapped->key = socket->key;
    overlapped->second = INVALID_SOCKET;
    overlapped->after_bytes = 0;
    overlapped->InternalHigh = 0;
    __atomic_store_n(&overlapped->Internal, STATUS_PENDING, __ATOMIC_RELAXED);
}

void overlapped_end(LPOVERLAPPED overlapped, DWORD status, DWORD bytes)
{
    overlapped->InternalHigh = bytes;
    __atomic_store_n(&overlapped->Internal, status, __ATOMIC_RELEASE);
}

int submitted(LPOVERLAPPED overlapped, int code, LPDWORD bytes)
{
    if (code == CP_DONE) {
        overlapped_end(overlapped, STATUS_SUCCESS, (DWORD)overlapped->op.result);
        if (bytes)
            *bytes = (DWORD)overlapped->op.result;
        return 0;
    }
    if (code == 0)
        return fail_socket(ERROR_IO_PENDING);
    overlapped_end(overlapped, error_status(code), 0);
    return fail_socket(error_immediate(code));
}

/* Accepts and connects are over when their packets have been taken: they may go on before. */
BOOL cp_win32_completed(const OVERLAPPED *overlapped)
{
    if (__atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE) != STATUS_PENDING)
        return TRUE;
    return overlapped->second == INVALID_SOCKET && cp_op_done(&overlapped->op);
}

static BOOL result_of(const OVERLAPPED *overlapped, LPDWORD bytes, bool winsock)
{
    const ULONG_PTR status = __atomic_load_n(&overlapped->Internal, __ATOMIC_ACQUIRE);
    if (status == STATUS_PENDING)
        return fail(ERROR_IO_INCOMPLETE);
    *bytes = (DWORD)overlapped->InternalHigh;
    if (status == STATUS_SUCCESS)
        return TRUE;
    return fail(winsock ? error_of_status_wsa(status) : error_of_status(status));
}

BOOL WSAGetOverlappedResult(SOCKET socket, LPWSAOVERLAPPED overlapped, LPDWORD bytes, BOOL wait,
                            LPDWORD flags)
{
    if (!overlapped || !bytes || !flags)
        return fail(WSAEFAULT);
    *flags = 0;
    return result_of(overlapped, bytes, true);
}

BOOL GetOverlappedResult(HANDLE file, LPOVERLAPPED overlapped, LPDWORD bytes, BOOL wait)
{
    return overlapped && bytes ? result_of(overlapped, bytes, false)
                               : fail(ERROR_INVALID_PARAMETER);
}

/* ---- receives and sends -------------------------------------------------------------------- */

/* The buffers of a call in cport's form. */
enum { ROOM = 16 };

struct blocks {
    struct cp_block *first; /* in the room or on the heap; NULL: no memory */
    DWORD count, bytes;
    struct cp_block room[ROOM];
};

static void blocks_make(struct blocks *blocks, const WSABUF *buffers, DWORD count)
{
    blocks->first = count <= ROOM ? blocks->room : calloc(count, sizeof *blocks->first);
    blocks->count = count;
    blocks->bytes = 0;
    for (DWORD index = 0; blocks->first && index < count; index++) {
        blocks->first[index] = (struct cp_block){buffers[index].buf, buffers[index].len};
        blocks->bytes += buffers[index].len;
    }
}

static void blocks_free(struct blocks *blocks)
{
    if (blocks->first != blocks->room)
        free(blocks->first);
}

/* An address that comes with a datagram, or that it goes to. */
struct name {
    struct sockaddr *address; /* NULL: none */
    unsigned *received_bytes;
    unsigned bytes;
};

typedef int submit_blocks(struct cp_socket socket, struct cp_op *op, const struct blocks *blocks,
                          const struct name *name);

static int submit_receive(struct cp_socket socket, struct cp_op *op, const struct blocks *blocks,
                          const struct name *name)
{
    return cp_receive(socket, op, blocks->first, blocks->count);
}

static int submit_send(struct cp_socket socket, struct cp_op *op, const struct blocks *blocks,
                       const struct name *name)
{
    return cp_send(socket, op, blocks->first, blocks->count);
}

static int submit_receive_from(struct cp_socket socket, struct cp_op *op,
                               const struct blocks *blocks, const struct name *name)
{
    return cp_receive_from(socket, op, blocks->first, blocks->count, name->address,
                           name->received_bytes);
}

static int submit_send_to(struct cp_socket socket, struct cp_op *op, const struct blocks *blocks,
                          const struct name *name)
{
    return cp_send_to(socket, op, blocks->first, blocks->count, name->address, name->bytes);
}

static int transfer(SOCKET number, const WSABUF *buffers, DWORD count, LPDWORD done,
                    const struct name *name, LPWSAOVERLAPPED overlapped, submit_blocks *submit)
{
    struct blocks blocks;
    struct socket *socket = socket_use(number);
    if (!socket)
        return SOCKET_ERROR;
    blocks_make(&blocks, buffers, count);
    overlapped_begin(overlapped, socket);
    overlapped->after_bytes = blocks.bytes;
    socket_skip(socket);
    const int code =
        blocks.first ? submit(socket->cport, &overlapped->op, &blocks, name) : CP_ENOMEM;
    socket_done(socket);
    blocks_free(&blocks);
    return submitted(overlapped, code, done);
}

/* Without an OVERLAPPED: the system's call, which blocks. */
static int transfer_now(SOCKET number, const WSABUF *buffers, DWORD count, LPDWORD done, int flags,
                        const struct name *name, ssize_t call(int, struct msghdr *, int))
{
    struct blocks blocks;
    blocks_make(&blocks, buffers, count);
    if (!blocks.first)
        return fail_socket(WSAENOBUFS);
    struct msghdr message = {.msg_iov = (struct iovec *)blocks.first,
                             .msg_iovlen = count,
                             .msg_name = name->address,
                             .msg_namelen = name->bytes};
    const int descriptor = number < INT_MAX ? (int)number : -1;
    const ssize_t bytes = call(descriptor, &message, flags | MSG_NOSIGNAL);
    const int code = bytes >= 0 ? 0 : fail_errno();
    if (bytes >= 0 && done)
        *done = (DWORD)bytes;
    if (bytes >= 0 && name->received_bytes)
        *name->received_bytes = message.msg_namelen;
    blocks_free(&blocks);
    return code;
}

_Static_assert(sizeof(struct cp_block) == sizeof(struct iovec) &&
                   offsetof(struct cp_block, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct cp_block, bytes) == offsetof(struct iovec, iov_len),
               "a block is an iovec");

static ssize_t send_call(int descriptor, struct msghdr *message, int flags)
{
    return sendmsg(descriptor, message, flags);
}

/* Why the arguments of a transfer are refused; 0 if they are not. */
static DWORD arguments_error(const WSABUF *buffers, DWORD count, LPWSAOVERLAPPED overlapped,
                             LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, const DWORD *flags)
{
    if (!buffers || !flags)
        return WSAEFAULT;
    if (count == 0)
        return WSAEINVAL;
    return routine || (overlapped && *flags != 0) ? WSAEOPNOTSUPP : 0;
}

static int receive(SOCKET socket, const WSABUF *buffers, DWORD count, LPDWORD received,
                   const DWORD *flags, const struct name *name, LPWSAOVERLAPPED overlapped,
                   LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, submit_blocks *submit)
{
    const DWORD error = arguments_error(buffers, count, overlapped, routine, flags);
    if (error != 0)
        return fail_socket(error);
    if (overlapped)
        return transfer(socket, buffers, count, received, name, overlapped, submit);
    return transfer_now(socket, buffers, count, received, (int)*flags, name, recvmsg);
}

static int transmit(SOCKET socket, const WSABUF *buffers, DWORD count, LPDWORD sent, DWORD flags,
                    const struct name *name, LPWSAOVERLAPPED overlapped,
                    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, submit_blocks *submit)
{
    const DWORD error = arguments_error(buffers, count, overlapped, routine, &flags);
    if (error != 0)
        return fail_socket(error);
    if (overlapped)
        return transfer(socket, buffers, count, sent, name, overlapped, submit);
    return transfer_now(socket, buffers, count, sent, (int)flags, name, send_call);
}

int WSARecv(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags,
            LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const struct name nobody = {0};
    return receive(socket, buffers, count, received, flags, &nobody, overlapped, routine,
                   submit_receive);
}

int WSASend(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
            LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const struct name nobody = {0};
    return transmit(socket, buffers, count, sent, flags, &nobody, overlapped, routine, submit_send);
}

int WSARecvFrom(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD received, LPDWORD flags,
                struct sockaddr *from, LPINT from_bytes, LPWSAOVERLAPPED overlapped,
                LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const struct name name = {from, from ? (unsigned *)from_bytes : NULL,
                              from && from_bytes ? (unsigned)*from_bytes : 0};
    if (from && !from_bytes)
        return fail_socket(WSAEFAULT);
    return receive(socket, buffers, count, received, flags, &name, overlapped, routine,
                   submit_receive_from);
}

int WSASendTo(SOCKET socket, LPWSABUF buffers, DWORD count, LPDWORD sent, DWORD flags,
              const struct sockaddr *to, int to_bytes, LPWSAOVERLAPPED overlapped,
              LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
    const struct name name = {.address = (struct sockaddr *)to, .bytes = (unsigned)to_bytes};
    if (to && to_bytes <= 0)
        return fail_socket(WSAEFAULT);
    return transmit(socket, buffers, count, sent, flags, &name, overlapped, routine,
                    to ? submit_send_to : submit_send);
}

/* ---- ends ---------------------------------------------------------------------------------- */

static DWORD status_of(const OVERLAPPED *overlapped, int64_t result)
{
    if (result == CP_EREFUSED && overlapped->op.kind != CP_CONNECT)
        return STATUS_PORT_UNREACHABLE;
    return error_status((int)(result < 0 ? result : 0));
}

/* A datagram that was too large has filled the buffers. */
static DWORD bytes_of(const OVERLAPPED *overlapped, int64_t result)
{
    return result >= 0 ? (DWORD)result : result == CP_EMSGSIZE ? overlapped->after_bytes : 0;
}

void operation_finish(LPOVERLAPPED overlapped, int64_t result)
{
    overlapped_end(overlapped, status_of(overlapped, result), bytes_of(overlapped, result));
}

/* ---- cancelling ---------------------------------------------------------------------------- */

/* An AcceptEx that has its connection waits on the second socket. */
static int cancel_second(LPOVERLAPPED overlapped)
{
    struct socket *second = socket_of(overlapped->second);
    int code = CP_ENOTFOUND;
    if (!second)
        return code;
    pthread_rwlock_rdlock(&second->lock);
    if (second->state == SOCKET_ATTACHED)
        code = cp_cancel(second->cport, &overlapped->op);
    pthread_rwlock_unlock(&second->lock);
    return code;
}

BOOL CancelIoEx(HANDLE file, LPOVERLAPPED overlapped)
{
    struct socket *socket = socket_of((SOCKET)file);
    int code = CP_ENOTFOUND;
    if (!socket || !socket_exists(socket))
        return fail(ERROR_INVALID_HANDLE);
    pthread_rwlock_rdlock(&socket->lock);
    if (socket->state == SOCKET_ATTACHED)
        code = cp_cancel(socket->cport, overlapped ? &overlapped->op : NULL);
    pthread_rwlock_unlock(&socket->lock);
    if (code == CP_ENOTFOUND && overlapped && overlapped->second)
        code = cancel_second(overlapped);
    return code == 0 || fail(ERROR_NOT_FOUND);
}
