/* The epoll engine: Linux readiness turned into completions by one system call per operation that
 * never blocks.
 *
 * A socket is registered once, edge-triggered, for both directions. An edge marks its directions
 * ready; a ready direction with an operation becomes a packet of the gate's queue; the worker that
 * takes the packet performs the operation, so that copying spreads over the workers and follows the
 * concurrency limit.
 *
 * No edge is lost: a direction's mark is cleared before an attempt and set again by an edge during
 * it, by an attempt that filled all its blocks, and for good by the end of the stream or an error,
 * after which no further edge comes.
 *
 * Several workers may block in epoll_wait on the one epoll descriptor. The kernel wakes one of them
 * per event, the last to come (its wait queue is a stack for exclusive waiters), which is the order
 * that the gate wants. wake_poller writes to an edge-triggered eventfd that is never read: every
 * write is a new edge, for one waiter. */
#include "cport/readiness.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(struct cp_block) == sizeof(struct iovec) &&
                   offsetof(struct cp_block, data) == offsetof(struct iovec, iov_base) &&
                   offsetof(struct cp_block, bytes) == offsetof(struct iovec, iov_len),
               "a block is an iovec");

enum { EVENTS_MAX = 256 };

#define TOKEN_WAKEUP UINT64_MAX
#define TOKEN_ALARM  (UINT64_MAX - 1)

static bool watch(struct readiness *state, int descriptor, uint32_t events, uint64_t token)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = token};
    return epoll_ctl(state->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

/* ---- the engine's own descriptors ---------------------------------------------------------- */

void readiness_close(struct cport *port)
{
    struct readiness *state = port->engine_state;
    if (!state)
        return;
    close(state->epoll); /* -1 is allowed */
    close(state->wakeup);
    close(state->alarm);
    free(state);
    port->engine_state = NULL;
}

int readiness_open(struct cport *port, size_t state_bytes, char *why, size_t why_bytes)
{
    assert(state_bytes >= sizeof(struct readiness));
    struct readiness *state = calloc(1, state_bytes);
    if (!state)
        return CP_ENOMEM;
    port->engine_state = state;
    state->epoll = epoll_create1(EPOLL_CLOEXEC);
    state->wakeup = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    state->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (state->epoll < 0 || state->wakeup < 0 || state->alarm < 0 ||
        !watch(state, state->wakeup, EPOLLIN, TOKEN_WAKEUP) ||
        !watch(state, state->alarm, EPOLLIN, TOKEN_ALARM)) {
        int code = socket_error();
        snprintf(why, why_bytes, "epoll: %s", strerror(errno));
        return code;
    }
    return 0;
}

void readiness_wake_poller(struct cport *port, uint64_t when_ns)
{
    struct readiness *state = port->engine_state;
    if (when_ns == 0) {
        /* Fails only when the counter is full, after 2^64 writes. */
        ssize_t written = write(state->wakeup, &(uint64_t){1}, sizeof(uint64_t));
        (void)written;
        return;
    }
    struct itimerspec at = {.it_value = os_timespec(when_ns)};
    int code = timerfd_settime(state->alarm, TFD_TIMER_ABSTIME, &at, NULL);
    assert(code == 0);
    (void)code;
}

/* ---- sockets ------------------------------------------------------------------------------- */

/* Reports the socket's readiness from now on; false: errno says why not. */
static bool watch_socket(const struct cp_slot *slot)
{
    return watch(slot->port->engine_state, (int)slot->handle, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
                 slot_id(slot));
}

/* Unconnected datagrams may come at once. */
static int open_datagrams(struct cp_slot *slot)
{
    int handle = socket(slot->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    slot->handle = handle >= 0 ? handle : CP_HANDLE_NONE;
    if (handle >= 0 && watch_socket(slot))
        return 0;
    int code = socket_error();
    if (handle >= 0)
        close(handle);
    return code;
}

int readiness_attach(struct cp_slot *slot)
{
    if (slot->handle == CP_HANDLE_NONE && slot->datagrams)
        return open_datagrams(slot);
    if (slot->handle == CP_HANDLE_NONE) {
        /* Watched from its connect or listen on: an unconnected socket would report a hang-up
         * now. */
        slot->handle = socket(slot->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        return slot->handle >= 0 ? 0 : socket_error();
    }
    int code = socket_recognise(slot);
    if (code != 0 || (slot->role == ROLE_FRESH && !slot->datagrams))
        return code;
    return watch_socket(slot) ? 0 : socket_error();
}

void readiness_release(struct cport *port, cp_handle handle)
{
    struct readiness *state = port->engine_state;
    epoll_ctl(state->epoll, EPOLL_CTL_DEL, (int)handle, NULL);
}

void readiness_detach(struct cport *port, cp_handle handle)
{
    /* Closing takes it out of the epoll set; the edges of a duplicate find no slot. */
    close((int)handle);
}

/* ---- operations ---------------------------------------------------------------------------- */

static int handle_of(const struct cp_op *op)
{
    return (int)op->slot->handle;
}

/* A socket from outside stays as blocking as it was, but for its connect. */
static void set_blocking(struct cp_slot *slot, bool blocking)
{
    int flags = fcntl((int)slot->handle, F_GETFL);
    slot->blocking = !blocking && !(flags & O_NONBLOCK);
    fcntl((int)slot->handle, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

static int64_t connect_start(struct cp_op *op)
{
    if (op->slot->adopted && !op->slot->datagrams)
        set_blocking(op->slot, false);
    int code =
        connect(handle_of(op), (const struct sockaddr *)&op->engine[1], (socklen_t)op->engine[0]);
    if (op->slot->datagrams)
        return code == 0 ? 0 : op_failed(op, errno);
    if (code != 0 && errno != EINPROGRESS && errno != EINTR) /* EINTR: it goes on as well */
        return op_failed(op, errno);
    if (!watch_socket(op->slot))
        return op_failed(op, errno);
    if (code == 0 && op->slot->blocking)
        set_blocking(op->slot, true);
    return code == 0 ? 0 : ENGINE_PENDING;
}

static int64_t connect_finish(struct cp_op *op)
{
    int os_error = 0;
    socklen_t bytes = sizeof os_error;
    if (op->slot->blocking)
        set_blocking(op->slot, true);
    if (getsockopt(handle_of(op), SOL_SOCKET, SO_ERROR, &os_error, &bytes) != 0)
        os_error = errno;
    return os_error == 0 ? 0 : op_failed(op, os_error);
}

static int64_t do_listen(struct cp_op *op)
{
    int64_t code = op_listen(op, SO_REUSEADDR);
    return code != 0 || watch_socket(op->slot) ? code : socket_error();
}

static int64_t do_accept(struct cp_op *op, bool *more)
{
    const struct cp_address_out *peer = &op->part.peer;
    int descriptor;
    do
        descriptor = accept4(handle_of(op), peer->address, peer->bytes, SOCK_CLOEXEC);
    while (descriptor < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (descriptor < 0 && errno == EAGAIN)
        return ENGINE_PENDING;
    *more = true; /* after a failure too: the connection waits, and no further edge will come */
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
    if (count < 0 && errno == EAGAIN)
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

struct msghdr receive_message(struct cp_op *op)
{
    size_t count = op->block_count < IOV_MAX ? op->block_count : IOV_MAX;
    return (struct msghdr){.msg_iov = (struct iovec *)op->blocks, .msg_iovlen = count};
}

ssize_t receive_call(struct cp_op *op)
{
    int descriptor = handle_of(op);
    struct msghdr message = receive_message(op);
    ssize_t bytes;
    do
        bytes = op->block_count == 1
                    ? recv(descriptor, op->blocks->data, op->blocks->bytes, MSG_DONTWAIT)
                    : recvmsg(descriptor, &message, MSG_DONTWAIT);
    while (bytes < 0 && errno == EINTR);
    return bytes >= 0 ? bytes : -errno;
}

int64_t receive_end(struct cp_op *op, ssize_t bytes, bool *more)
{
    unsigned count = op->block_count < IOV_MAX ? op->block_count : IOV_MAX; /* of one call */
    *more = bytes >= 0 && (size_t)bytes == blocks_bytes(op->blocks, count);
    if (bytes >= 0)
        return bytes;
    if (bytes != -EAGAIN)
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

/* A send found the connection shut: by this side's shutdown, or the peer has reset it and the
 * error was reported before. Either may leave it closed; data that was never acknowledged is a
 * reset's. One case cannot be told: the peer finishes, then resets, and this send is the first to
 * meet that. It is taken for a shutdown, which loses nothing: receives still have what waits. */
static int64_t send_refused(struct cp_op *op)
{
    struct tcp_info info;
    socklen_t bytes = sizeof info;
    int unacknowledged = 0;
    if (getsockopt(handle_of(op), IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0)
        return op_failed(op, EPIPE);
    if (info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2 ||
        info.tcpi_state == TCP_CLOSING || info.tcpi_state == TCP_LAST_ACK)
        return op_failed(op, ESHUTDOWN);
    if (ioctl(handle_of(op), SIOCOUTQ, &unacknowledged) != 0 || unacknowledged > 0)
        return op_failed(op, EPIPE);
    op->os_error = EPIPE;
    return CP_ESHUTDOWN;
}

/* One block needs no array, which the kernel would have to copy. */
static ssize_t send_call(int descriptor, struct cp_block *blocks, unsigned count)
{
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    struct msghdr message = {.msg_iov = (struct iovec *)blocks, .msg_iovlen = count};
    return count == 1 ? send(descriptor, blocks->data, blocks->bytes, flags)
                      : sendmsg(descriptor, &message, flags);
}

static int64_t do_send(struct cp_op *op)
{
    struct cp_block unsent[UNSENT_MAX];
    unsigned count;
    while ((count = op_unsent(op, unsent, UNSENT_MAX)) > 0) {
        ssize_t bytes = send_call(handle_of(op), unsent, count);
        if (bytes >= 0)
            op->done_bytes += (size_t)bytes;
        else if (errno == EAGAIN)
            return ENGINE_PENDING;
        else if (errno != EINTR)
            return errno == EPIPE ? send_refused(op) : op_failed(op, errno);
    }
    return (int64_t)op->done_bytes;
}

static int64_t do_receive_datagram(struct cp_op *op, bool *more)
{
    const struct cp_address_out *from = &op->part.datagram.from;
    struct msghdr message = receive_message(op);
    ssize_t bytes;
    if (op->kind == CP_RECEIVE_FROM && from->address) {
        message.msg_name = from->address;
        message.msg_namelen = *from->bytes;
    }
    do
        bytes = recvmsg(handle_of(op), &message, MSG_DONTWAIT);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0 && errno == EAGAIN)
        return ENGINE_PENDING;
    *more = true; /* more may wait, for which no further edge will come */
    if (bytes < 0)
        return op_failed(op, errno);
    if (message.msg_name)
        *from->bytes = message.msg_namelen;
    return message.msg_flags & MSG_TRUNC ? op_failed(op, EMSGSIZE) : bytes;
}

static int64_t do_send_datagram(struct cp_op *op)
{
    struct msghdr message = {.msg_iov = (struct iovec *)op->blocks, .msg_iovlen = op->block_count};
    ssize_t bytes;
    if (op->kind == CP_SEND_TO) {
        message.msg_name = &op->engine[1];
        message.msg_namelen = (socklen_t)op->engine[0];
    }
    do
        bytes = sendmsg(handle_of(op), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return errno == EAGAIN ? ENGINE_PENDING : op_failed(op, errno);
    return bytes;
}

static int64_t perform(struct cp_op *op, bool *more)
{
    switch (op->kind) {
    case CP_CONNECT:
        return op->started ? connect_finish(op) : connect_start(op);
    case CP_ACCEPT:
        return do_accept(op, more);
    case CP_RECEIVE:
        return op->slot->datagrams ? do_receive_datagram(op, more) : do_receive(op, more);
    case CP_SEND:
        return op->slot->datagrams ? do_send_datagram(op) : do_send(op);
    case CP_RECEIVE_FROM:
        return do_receive_datagram(op, more);
    case CP_SEND_TO:
        return do_send_datagram(op);
    case CP_LISTEN:
        return do_listen(op);
    case CP_POST:
    case CP_TIMER:
        break;
    }
    assert(!"a post never reaches an engine");
    return CP_EINVAL;
}

void readiness_attempt(struct cport *port, struct attempt *attempts, unsigned count)
{
    for (struct attempt *each = attempts; each < attempts + count; each++) {
        each->result = perform(each->op, &each->more);
        each->unsure = each->result == CP_ESHUTDOWN && each->op->os_error == EPIPE;
    }
}

/* ---- events -------------------------------------------------------------------------------- */

static void report(struct cport *port, const struct epoll_event *event, struct effects *effects)
{
    struct cp_slot *slot = slot_find(port, event->data.u64);
    if (!slot)
        return; /* closed since the kernel reported it, or a token of the engine's own */
    uint32_t bits = event->events;
    /* Not what a datagram's error says: that is over once it was reported. */
    uint32_t lasting = slot->datagrams ? 0 : bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    slot->failed |= lasting & EPOLLERR;
    if (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        direction_ready(&slot->directions[DIRECTION_IN], lasting, effects);
    if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        direction_ready(&slot->directions[DIRECTION_OUT], lasting & ~EPOLLRDHUP, effects);
    slot_leave(slot, effects);
}

static int timeout_ms(uint64_t timeout_ns)
{
    if (timeout_ns == CP_FOREVER)
        return -1;
    uint64_t ms = (timeout_ns + OS_NS_PER_MS - 1) / OS_NS_PER_MS; /* never early */
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

void readiness_poll(struct cport *port, uint64_t timeout_ns, struct effects *effects)
{
    struct readiness *state = port->engine_state;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(state->epoll, events, EVENTS_MAX, timeout_ms(timeout_ns));
    /* EINTR is a wake-up with nothing in it. */
    for (int index = 0; index < count; index++)
        report(port, &events[index], effects);
}

/* ---- the engine ---------------------------------------------------------------------------- */

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    return readiness_open(port, sizeof(struct readiness), why, why_bytes);
}

const struct engine engine_epoll = {
    .name = "epoll",
    .summary =
        "Linux readiness; the worker that takes a ready socket performs the operation itself",
    .readiness = true,
    .pollers_max = UINT_MAX,
    .open = engine_open,
    .close = readiness_close,
    .attach = readiness_attach,
    .release = readiness_release,
    .detach = readiness_detach,
    .attempt = readiness_attempt,
    .poll = readiness_poll,
    .wake_poller = readiness_wake_poller,
};
