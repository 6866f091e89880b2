/* Performs operations by system calls that never block. */
#include "cport/readiness.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

_Static_assert(sizeof(struct cp_block) == sizeof(struct iovec) &&
                   offsetof(struct cp_block, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct cp_block, bytes) == offsetof(struct iovec, iov_len),
               "a block is an iovec");

static int handle_of(const struct cp_op *op)
{
    return (int)op->socket->handle;
}

static bool would_block(int os_error)
{
    return os_error == EAGAIN || os_error == EWOULDBLOCK;
}

static int64_t connect_start(struct cport *port, struct cp_op *op)
{
    int code;
    do
        code = connect(handle_of(op), (const struct sockaddr *)&op->engine[1],
                       (socklen_t)op->engine[0]);
    while (code != 0 && errno == EINTR);
    if (code != 0 && errno != EINPROGRESS)
        return op_failed(op, errno);
    int watched = readiness_watch(port, op->socket);
    if (watched != 0)
        return op_failed(op, -watched);
    return code == 0 ? 0 : ENGINE_PENDING;
}

static int64_t connect_finish(struct cp_op *op)
{
    int os_error = 0;
    socklen_t bytes = sizeof os_error;
    if (getsockopt(handle_of(op), SOL_SOCKET, SO_ERROR, &os_error, &bytes) != 0)
        os_error = errno;
    return os_error == 0 ? 0 : op_failed(op, os_error);
}

static int64_t do_listen(struct cport *port, struct cp_op *op)
{
    int on = 1;
    setsockopt(handle_of(op), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(handle_of(op), (const struct sockaddr *)&op->engine[1], (socklen_t)op->engine[0]) !=
            0 ||
        listen(handle_of(op), (int)op->result) != 0)
        return cp_error_from_os(errno);
    int code = readiness_watch(port, op->socket);
    return code == 0 ? 0 : cp_error_from_os(-code);
}

static int64_t do_accept(struct cp_op *op, bool *more)
{
    int descriptor;
    do
        descriptor = accept4(handle_of(op), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (descriptor < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (descriptor < 0 && would_block(errno))
        return ENGINE_PENDING;
    *more =
        true; /* after a failure too: the connection still waits, and no further edge will come */
    if (descriptor < 0)
        return op_failed(op, errno);
    op->accepted = descriptor;
    return 0;
}

/* A receive into nothing: completes when data or the end of the stream is there. */
static int64_t do_peek(struct cp_op *op, bool *more)
{
    char byte;
    ssize_t count;
    do
        count = recv(handle_of(op), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0 && would_block(errno))
        return ENGINE_PENDING;
    *more = true;
    return count >= 0 ? 0 : op_failed(op, errno);
}

static size_t blocks_bytes(const struct cp_block *blocks, unsigned count)
{
    size_t bytes = 0;
    for (unsigned index = 0; index < count; index++)
        bytes += blocks[index].bytes;
    return bytes;
}

int64_t receive_begin(struct cp_op *op, bool *more)
{
    assert(op->kind == CP_RECEIVE);
    int64_t code = op->late ? op_take_blocks(op) : 0;
    *more = code != 0; /* the data is still there, and no further edge will come */
    return code;
}

ssize_t receive_call(const struct cp_op *op)
{
    int descriptor = handle_of(op);
    ssize_t bytes;
    do
        bytes = op->block_count == 1
                    ? recv(descriptor, op->blocks->data, op->blocks->bytes, MSG_DONTWAIT)
                    : readv(descriptor, (const struct iovec *)op->blocks, (int)op->block_count);
    while (bytes < 0 && errno == EINTR);
    return bytes >= 0 ? bytes : -errno;
}

int64_t receive_end(struct cp_op *op, ssize_t bytes, bool *more)
{
    *more = bytes >= 0 && (size_t)bytes == blocks_bytes(op->blocks, op->block_count);
    if (bytes >= 0)
        return bytes;
    if (!would_block((int)-bytes))
        return op_failed(op, (int)-bytes);
    if (op->late)
        op_return_blocks(op);
    return ENGINE_PENDING;
}

static int64_t do_receive(struct cp_op *op, bool *more)
{
    if (!op->late && op->block_count == 0)
        return do_peek(op, more);
    int64_t code = receive_begin(op, more);
    return code ? code : receive_end(op, receive_call(op), more);
}

static int64_t do_send(struct cp_op *op)
{
    struct cp_block unsent[CP_BLOCKS_MAX];
    unsigned count;
    while ((count = op_unsent(op, unsent)) > 0) {
        struct msghdr message = {.msg_iov = (struct iovec *)unsent, .msg_iovlen = count};
        ssize_t bytes = sendmsg(handle_of(op), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (bytes >= 0)
            op->done_bytes += (size_t)bytes;
        else if (would_block(errno))
            return ENGINE_PENDING;
        else if (errno != EINTR)
            return op_failed(op, errno);
    }
    return (int64_t)op->done_bytes;
}

static int64_t perform(struct cport *port, struct cp_op *op, bool *more)
{
    switch (op->kind) {
    case CP_CONNECT:
        return op->started ? connect_finish(op) : connect_start(port, op);
    case CP_ACCEPT:
        return do_accept(op, more);
    case CP_RECEIVE:
        return do_receive(op, more);
    case CP_SEND:
        return do_send(op);
    case CP_LISTEN:
        return do_listen(port, op);
    case CP_POST:
        break;
    }
    assert(!"a post never reaches an engine");
    return CP_EINVAL;
}

void operations_perform(struct cport *port, struct attempt *attempts, unsigned count)
{
    for (unsigned index = 0; index < count; index++)
        attempts[index].result = perform(port, attempts[index].op, &attempts[index].more);
}
