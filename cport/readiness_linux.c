/* The epoll set: which sockets are worth an attempt.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

#define TOKEN_WAKEUP UINT64_MAX
#define TOKEN_ALARM  (UINT64_MAX - 1)

static int watch(struct readiness *state, int descriptor, uint32_t events, uint64_t token)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.u64 = token};
    return epoll_ctl(state->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

/* ---- the engine's own descriptors ---------------------------------------------------------- */

void readiness_close(struct cport *port)
{
    struct readiness *state = port->engine_state;
    if (!state)
        return;
    const int descriptors[] = {state->epoll, state->wakeup, state->alarm};
    for (unsigned index = 0; index < 3; index++)
        if (descriptors[index] >= 0)
            close(descriptors[index]);
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
        watch(state, state->wakeup, EPOLLIN, TOKEN_WAKEUP) != 0 ||
        watch(state, state->alarm, EPOLLIN, TOKEN_ALARM) != 0) {
        int os_error = errno;
        snprintf(why, why_bytes, "epoll: %s", strerror(os_error));
        return cp_error_from_os(os_error);
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

int readiness_watch(struct cport *port, struct cp_socket *socket)
{
    return watch(port->engine_state, (int)socket->handle, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
                 socket_token(socket));
}

static int64_t peek(int descriptor)
{
    char byte;
    ssize_t count = recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count >= 0 ? count : cp_error_from_os(errno);
}

/* Finds out what an adopted socket is. */
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
    bool has_peer = getpeername(descriptor, (struct sockaddr *)&peer, &bytes) == 0;
    socket_adopted(socket, listening, has_peer ? 0 : peek(descriptor));
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0)
        return cp_error_from_os(errno);
    return 0;
}

int readiness_attach(struct cport *port, struct cp_socket *socket_)
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
    code = readiness_watch(port, socket_);
    return code == 0 ? 0 : cp_error_from_os(-code);
}

void readiness_detach(struct cport *port, struct cp_socket *socket)
{
    /* Closing takes it out of the epoll set, unless the descriptor was duplicated. */
    struct readiness *state = port->engine_state;
    epoll_ctl(state->epoll, EPOLL_CTL_DEL, (int)socket->handle, NULL);
    close((int)socket->handle);
}

bool readiness_cancel(struct cport *port, struct cp_socket *socket, struct cp_op *op)
{
    return true; /* the kernel never has any */
}

/* ---- events -------------------------------------------------------------------------------- */

static void report(struct cport *port, const struct epoll_event *event,
                   struct gate_effects *effects)
{
    if (event->data.u64 == TOKEN_WAKEUP || event->data.u64 == TOKEN_ALARM)
        return;
    struct cp_socket *socket = socket_find(port, event->data.u64);
    if (!socket)
        return; /* closed since the kernel reported it */
    uint32_t bits = event->events;
    if (bits & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        direction_ready(&socket->directions[DIRECTION_IN],
                        bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR), effects);
    if (bits & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        direction_ready(&socket->directions[DIRECTION_OUT], bits & (EPOLLHUP | EPOLLERR), effects);
}

static int timeout_ms(uint64_t timeout_ns)
{
    if (timeout_ns == CP_FOREVER)
        return -1;
    uint64_t ms = (timeout_ns + OS_NS_PER_MS - 1) / OS_NS_PER_MS; /* never early */
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int readiness_poll(struct cport *port, struct gate_worker *worker, uint64_t timeout_ns,
                   struct gate_effects *effects)
{
    struct readiness *state = port->engine_state;
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(state->epoll, events, EVENTS_MAX, timeout_ms(timeout_ns));
    port_poll_done(port, worker);
    /* EINTR is a wake-up with nothing in it. */
    for (int index = 0; index < count; index++)
        report(port, &events[index], effects);
    return 0;
}
