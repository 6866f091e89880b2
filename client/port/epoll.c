/* Linux readiness turned into completions.
 *
 * A socket is registered once, edge-triggered, for both directions. An edge marks its lanes
 * ready; a ready lane with an operation becomes a packet of the gate's queue; the worker that
 * takes the packet performs the operation itself, so copying spreads over the workers and
 * follows the concurrency limit.
 *
 * No edge is lost: a lane's mark is cleared before an attempt and set again by an edge during
 * it, by an attempt that filled all it was given, and for good by the end of the stream or an
 * error, which come with no further edge.
 *
 * Several workers may block in epoll_wait on the one epoll descriptor. The kernel wakes one of
 * them per event, the last to come (its wait queue is a stack for exclusive waiters), which is
 * the order that the gate wants. A kick is a write to an edge-triggered eventfd that nobody ever
 * reads: every write is a new edge, for one waiter. */
#include "client/port/port.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

#define TOKEN_KICK  UINT64_MAX
#define TOKEN_ALARM (UINT64_MAX - 1)

struct epoll_state {
    int epoll, kick, alarm;
};

_Static_assert(sizeof(struct cp_block) == sizeof(struct iovec) &&
                   offsetof(struct cp_block, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct cp_block, bytes) == offsetof(struct iovec, iov_len),
               "a block is an iovec");

static int watch(struct epoll_state *state, int descriptor, uint32_t events, uint64_t token)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = token};
    return epoll_ctl(state->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

/* ---- the engine's own descriptors ---------------------------------------------------------- */

static void engine_close(struct cport *port)
{
    struct epoll_state *state = port->engine_state;
    if (!state)
        return;
    const int descriptors[] = {state->epoll, state->kick, state->alarm};
    for (unsigned index = 0; index < 3; index++)
        if (descriptors[index] >= 0)
            close(descriptors[index]);
    free(state);
    port->engine_state = NULL;
}

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    struct epoll_state *state = malloc(sizeof *state);
    if (!state)
        return CP_ENOMEM;
    port->engine_state = state;
    state->epoll = epoll_create1(EPOLL_CLOEXEC);
    state->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    state->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (state->epoll < 0 || state->kick < 0 || state->alarm < 0 ||
        watch(state, state->kick, EPOLLIN, TOKEN_KICK) != 0 ||
        watch(state, state->alarm, EPOLLIN, TOKEN_ALARM) != 0) {
        int os_error = errno;
        snprintf(why, why_bytes, "epoll: %s", strerror(os_error));
        return cp_error_from_os(os_error);
    }
    return 0;
}

static void engine_kick(struct cport *port, uint64_t when_ns)
{
    struct epoll_state *state = port->engine_state;
    if (when_ns == 0) {
        /* Fails only when the counter is full, after 2^64 kicks. */
        ssize_t written = write(state->kick, &(uint64_t){1}, sizeof(uint64_t));
        (void)written;
        return;
    }
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(when_ns / OS_NS_PER_S),
                                         .tv_nsec = (long)(when_ns % OS_NS_PER_S)}};
    int code = timerfd_settime(state->alarm, TFD_TIMER_ABSTIME, &at, NULL);
    assert(code == 0);
    (void)code;
}

/* ---- sockets ------------------------------------------------------------------------------- */

static int watch_socket(struct cport *port, struct cp_socket *socket)
{
    return watch(port->engine_state, (int)socket->handle, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
                 socket_token(socket));
}

/* What an adopted socket is already. */
static int recognise(struct cp_socket *socket)
{
    int descriptor = (int)socket->handle, type = 0, listening = 0;
    socklen_t bytes = sizeof(int);
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &bytes) != 0)
        return cp_error_from_os(errno);
    if (type != SOCK_STREAM)
        return CP_EINVAL;
    bytes = sizeof(int);
    getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &bytes);
    struct sockaddr_storage peer;
    bytes = sizeof peer;
    if (listening)
        socket->role = ROLE_LISTENING;
    else if (getpeername(descriptor, (struct sockaddr *)&peer, &bytes) == 0)
        socket->role = ROLE_CONNECTED;
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0)
        return cp_error_from_os(errno);
    return 0;
}

static int engine_attach(struct cport *port, struct cp_socket *socket_)
{
    if (socket_->handle == CP_HANDLE_NONE) {
        /* Watched from its connect or listen on: an unconnected socket would report a hang-up
         * now. */
        socket_->handle = socket(socket_->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return socket_->handle >= 0 ? 0 : cp_error_from_os(errno);
    }
    int code = recognise(socket_);
    if (code != 0 || socket_->role == ROLE_FRESH)
        return code;
    code = watch_socket(port, socket_);
    return code == 0 ? 0 : cp_error_from_os(-code);
}

static void engine_detach(struct cport *port, struct cp_socket *socket)
{
    /* Closing takes it out of the epoll set, unless the descriptor was duplicated. */
    struct epoll_state *state = port->engine_state;
    epoll_ctl(state->epoll, EPOLL_CTL_DEL, (int)socket->handle, NULL);
    close((int)socket->handle);
}

/* ---- operations ---------------------------------------------------------------------------- */

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
    int watched = watch_socket(port, socket);
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
    int code = watch_socket(port, socket);
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

static ssize_t receive(int descriptor, struct cp_block *blocks, unsigned count)
{
    ssize_t bytes;
    do
        bytes = count == 1 ? recv(descriptor, blocks->data, blocks->bytes, MSG_DONTWAIT)
                           : readv(descriptor, (const struct iovec *)blocks, (int)count);
    while (bytes < 0 && errno == EINTR);
    return bytes;
}

static size_t blocks_bytes(const struct cp_block *blocks, unsigned count)
{
    size_t bytes = 0;
    for (unsigned index = 0; index < count; index++)
        bytes += blocks[index].bytes;
    return bytes;
}

static int64_t do_receive(struct cp_socket *socket, struct cp_op *op, bool *more)
{
    if (op->late) {
        op->block_count = op->source.take(op->source.context, op->blocks, op->block_room);
        *more = true; /* the data is there still, with no further edge */
        if (op->block_count == 0)
            return CP_ENOBUFS;
        assert(op->block_count <= op->block_room);
    } else if (op->block_count == 0) {
        return do_peek(socket, op, more);
    }
    ssize_t bytes = receive((int)socket->handle, op->blocks, op->block_count);
    int os_error = errno;
    *more = bytes >= 0 && (size_t)bytes == blocks_bytes(op->blocks, op->block_count);
    if (bytes >= 0)
        return bytes;
    if (!would_block(os_error))
        return failed(op, os_error);
    if (op->late) {
        op->source.give(op->source.context, op->blocks, op->block_count);
        op->block_count = 0;
    }
    return ENGINE_PENDING;
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

static int64_t engine_advance(struct cport *port, struct cp_socket *socket, struct cp_op *op,
                              bool *more)
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

static bool engine_cancel(struct cport *port, struct cp_socket *socket, struct cp_op *op)
{
    (void)port, (void)socket, (void)op;
    return true; /* nothing is ever with the kernel */
}

/* ---- events -------------------------------------------------------------------------------- */

static void report(struct cport *port, const struct epoll_event *event,
                   struct gate_effects *effects)
{
    if (event->data.u64 == TOKEN_KICK || event->data.u64 == TOKEN_ALARM)
        return;
    struct cp_socket *socket = socket_find(port, event->data.u64);
    if (!socket)
        return; /* closed since the kernel reported it */
    uint32_t bits = event->events;
    if (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        lane_ready(&socket->lanes[LANE_IN], bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR), effects);
    if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        lane_ready(&socket->lanes[LANE_OUT], bits & (EPOLLHUP | EPOLLERR), effects);
}

static int timeout_ms(uint64_t timeout_ns)
{
    if (timeout_ns == CP_FOREVER)
        return -1;
    uint64_t ms = (timeout_ns + OS_NS_PER_MS - 1) / OS_NS_PER_MS; /* never early */
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int engine_poll(struct cport *port, struct gate_worker *worker, uint64_t timeout_ns,
                       struct gate_effects *effects)
{
    struct epoll_state *state = port->engine_state;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(state->epoll, events, EVENTS_MAX, timeout_ms(timeout_ns));
    port_poll_done(port, worker);
    /* EINTR is a wake-up with nothing in it. */
    for (int index = 0; index < count; index++)
        report(port, &events[index], effects);
    return 0;
}

extern const struct engine engine_epoll;
const struct engine engine_epoll = {
    .name = "epoll",
    .summary =
        "Linux readiness; the worker that takes a ready socket performs the operation itself",
    .flags = ENGINE_READINESS,
    .pollers_max = UINT_MAX,
    .open = engine_open,
    .close = engine_close,
    .attach = engine_attach,
    .detach = engine_detach,
    .advance = engine_advance,
    .cancel = engine_cancel,
    .poll = engine_poll,
    .kick = engine_kick,
};
