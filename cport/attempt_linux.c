/* One attempt at an operation, by system calls that never block. */
#include "cport/readiness.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

_Static_assert(sizeof(struct cp_block) == sizeof(struct iovec) &&
                   offsetof(struct cp_block, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct cp_block, bytes) == offsetof(struct iovec, iov_len),
               "a block is an iovec");

static int64_t failed(struct cp_op *op, int os_error)
{
    op->os_error = os_error;
    return cp_error_from_os(os_error);
}

static bool would_block(int os_error)
{
    return os_error == EAGAIN || os_error == EWOULDBLOCK;
}

static int64_t connect_start(struct cport *port, struct cp_socket *socket, struct cp_op *op)
{
    int code;
    do
        code = connect((int)socket->handle, (const struct sockaddr *)&op->engine[1],
                       (socklen_t)op->engine[0]);
    while (code != 0 && errno == EINTR);
    if (code != 0 && errno != EINPROGRESS)
        return failed(op, errno);
    int watched = readiness_watch(port, socket);
    if (watched != 0)
        return failed(op, -watched);
    return code == 0 ? 0 : ENGINE_PENDING;
}

static int64_t connect_finish(struct cp_socket *socket, struct cp_op *op)
{
    int os_error = 0;
    socklen_t bytes = sizeof os_error;
    if (getsockopt((int)socket->handle, SOL_SOCKET, SO_ERROR, &os_error, &bytes) != 0)
        os_error = errno;
    return os_error == 0 ? 0 : failed(op, os_error);
}

static int64_t do_connect(struct cport *port, struct cp_socket *socket, struct cp_op *op)
{
    return op->started ? connect_finish(socket, op) : connect_start(port, socket, op);
}

static int64_t do_listen(struct cport *port, struct cp_socket *socket, struct cp_op *op)
{
    int on = 1;
    setsockopt((int)socket->handle, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind((int)socket->handle, (const struct sockaddr *)&op->engine[1],
             (socklen_t)op->engine[0]) != 0 ||
        listen((int)socket->handle, (int)op->result) != 0)
        return cp_error_from_os(errno);
    int code = readiness_watch(port, socket);
    return code == 0 ? 0 : cp_error_from_os(-code);
}

static int64_t do_accept(struct cp_socket *socket, struct cp_op *op, bool *more)
{
    int descriptor;
    do
        descriptor = accept4((int)socket->handle, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (descriptor < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (descriptor < 0 && would_block(errno))
        return ENGINE_PENDING;
    *more = true; /* also after a failure: the connection waits still, with no further edge */
    if (descriptor < 0)
        return failed(op, errno);
    op->accepted = descriptor;
    return 0;
}

/* A receive into nothing: completes when data or the end of the stream is there. */
static int64_t do_peek(struct cp_socket *socket, struct cp_op *op, bool *more)
{
    char byte;
    ssize_t count;
    do
        count = recv((int)socket->handle, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0 && would_block(errno))
        return ENGINE_PENDING;
    *more = true;
    return count >= 0 ? 0 : failed(op, errno);
}

static size_t blocks_bytes(const struct cp_block *blocks, unsigned count)
{
    size_t bytes = 0;
    for (unsigned index = 0; index < count; index++)
        bytes += blocks[index].bytes;
    return bytes;
}

int64_t attempt_receive_begin(struct cp_op *op, bool *more)
{
    assert(op->kind == CP_RECEIVE);
    if (!op->late)
        return 0;
    op->block_count = op->source.take(op->source.context, op->blocks, op->block_room);
    assert(op->block_count <= op->block_room);
    *more = op->block_count == 0; /* the data is there still, with no further edge */
    return op->block_count > 0 ? 0 : CP_ENOBUFS;
}

ssize_t attempt_receive_call(const struct cp_socket *socket, const struct cp_op *op)
{
    int descriptor = (int)socket->handle;
    ssize_t bytes;
    do
        bytes = op->block_count == 1
                    ? recv(descriptor, op->blocks->data, op->blocks->bytes, MSG_DONTWAIT)
                    : readv(descriptor, (const struct iovec *)op->blocks, (int)op->block_count);
    while (bytes < 0 && errno == EINTR);
    return bytes >= 0 ? bytes : -errno;
}

int64_t attempt_receive_end(struct cp_op *op, ssize_t bytes, bool *more)
{
    *more = bytes >= 0 && (size_t)bytes == blocks_bytes(op->blocks, op->block_count);
    if (bytes >= 0)
        return bytes;
    if (!would_block((int)-bytes))
        return failed(op, (int)-bytes);
    if (op->late) {
        op->source.give(op->source.context, op->blocks, op->block_count);
        op->block_count = 0;
    }
    return ENGINE_PENDING;
}

static int64_t do_receive(struct cp_socket *socket, struct cp_op *op, bool *more)
{
    if (!op->late && op->block_count == 0)
        return do_peek(socket, op, more);
    int64_t refusal = attempt_receive_begin(op, more);
    return refusal ? refusal : attempt_receive_end(op, attempt_receive_call(socket, op), more);
}

/* The blocks behind the first `skip` bytes. */
static int rest_of(const struct cp_op *op, struct iovec *rest)
{
    size_t skip = op->done_bytes;
    int count = 0;
    for (unsigned index = 0; index < op->block_count; index++) {
        const struct cp_block *block = &op->blocks[index];
        if (skip >= block->bytes) {
            skip -= block->bytes;
            continue;
        }
        rest[count++] =
            (struct iovec){.iov_base = (char *)block->data + skip, .iov_len = block->bytes - skip};
        skip = 0;
    }
    return count;
}

static int64_t do_send(struct cp_socket *socket, struct cp_op *op)
{
    struct iovec rest[CP_BLOCKS_MAX];
    int count;
    while ((count = rest_of(op, rest)) > 0) {
        struct msghdr message = {.msg_iov = rest, .msg_iovlen = (size_t)count};
        ssize_t bytes = sendmsg((int)socket->handle, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (bytes >= 0)
            op->done_bytes += (size_t)bytes;
        else if (would_block(errno))
            return ENGINE_PENDING;
        else if (errno != EINTR)
            return failed(op, errno);
    }
    return (int64_t)op->done_bytes;
}

int64_t attempt(struct cport *port, struct cp_socket *socket, struct cp_op *op, bool *more)
{
    switch (op->kind) {
    case CP_CONNECT:
        return do_connect(port, socket, op);
    case CP_ACCEPT:
        return do_accept(socket, op, more);
    case CP_RECEIVE:
        return do_receive(socket, op, more);
    case CP_SEND:
        return do_send(socket, op);
    case CP_LISTEN:
        return do_listen(port, socket, op);
    case CP_POST:
        break;
    }
    assert(!"a post never comes to an engine");
    return CP_EINVAL;
}
