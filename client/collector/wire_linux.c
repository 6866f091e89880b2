/* Linux's answers to wire.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/collector/wire.h"
#include "base/os.h"

/* A zero time limit means none to the kernel, so that one that has run out must not become it. */
static int limit_set(int descriptor, uint64_t timeout_ns)
{
    struct timeval limit = {
        .tv_sec = (time_t)(timeout_ns / OS_NS_PER_S),
        .tv_usec = (suseconds_t)(timeout_ns % OS_NS_PER_S / 1000),
    };
    if (limit.tv_sec == 0 && limit.tv_usec == 0)
        limit.tv_usec = 1;
    return setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* With a send limit a blocking connect() that runs into it says EINPROGRESS. */
static int connect_code(int os_error)
{
    if (os_error == EINPROGRESS || os_error == EAGAIN)
        return CP_ETIMEDOUT;
    if (os_error == EINTR)
        return CP_ECANCELED;
    return cp_error_from_os(os_error);
}

int wire_connect(const struct wire_address *address, uint64_t timeout_ns, cp_handle *handle)
{
    const struct timeval none = {0};
    int descriptor = socket(wire_family(address), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return cp_error_from_os(errno);
    int result = 0;
    if (limit_set(descriptor, timeout_ns) != 0 ||
        connect(descriptor, wire_sockaddr(address), address->bytes) != 0)
        result = connect_code(errno);
    if (result < 0) {
        close(descriptor);
        return result;
    }
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
    *handle = descriptor;
    return 0;
}

/* What to do after a call that failed: 0: again, since it may go now; else the code to give up
 * with. */
static int await(int descriptor, short events, uint64_t deadline_ns)
{
    int os_error = errno;
    if (os_error == EINTR)
        return 0;
    if (os_error != EAGAIN && os_error != EWOULDBLOCK)
        return cp_error_from_os(os_error);
    uint64_t now_ns = os_now_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    if (left_ns == 0)
        return CP_ETIMEDOUT;
    struct timespec limit = {.tv_sec = (time_t)(left_ns / OS_NS_PER_S),
                             .tv_nsec = (long)(left_ns % OS_NS_PER_S)};
    ppoll(&(struct pollfd){.fd = descriptor, .events = events}, 1, &limit, NULL);
    return 0;
}

int64_t wire_send_some(cp_handle handle, const void *data, size_t bytes, uint64_t deadline_ns)
{
    ssize_t sent;
    int code = 0;
    do
        sent = send((int)handle, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && (code = await((int)handle, POLLOUT, deadline_ns)) == 0);
    return sent >= 0 ? sent : code;
}

int64_t wire_receive(cp_handle handle, void *data, size_t bytes, uint64_t deadline_ns)
{
    ssize_t got;
    int code = 0;
    do
        got = recv((int)handle, data, bytes, MSG_DONTWAIT);
    while (got < 0 && (code = await((int)handle, POLLIN, deadline_ns)) == 0);
    return got >= 0 ? got : code;
}

int64_t wire_receive_waiting(cp_handle handle, void *data, size_t bytes)
{
    ssize_t got;
    do
        got = recv((int)handle, data, bytes, 0);
    while (got < 0 && errno == EINTR);
    return got >= 0 ? got : cp_error_from_os(errno);
}

void wire_shutdown(cp_handle handle)
{
    shutdown((int)handle, SHUT_RDWR);
}

void wire_close(cp_handle handle)
{
    close((int)handle);
}

/* ---- many at once --------------------------------------------------------------------------- */

enum { EVENTS_MAX = 256 };

struct wire_set {
    int epoll;
    struct epoll_event events[EVENTS_MAX];
};

const char *wire_set_name(void)
{
    return "epoll";
}

struct wire_set *wire_set_open(uint32_t sockets_max)
{
    (void)sockets_max;
    struct wire_set *set = malloc(sizeof *set);
    if (set == NULL)
        return NULL;
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (set->epoll < 0) {
        free(set);
        return NULL;
    }
    return set;
}

void wire_set_close(struct wire_set *set)
{
    if (set == NULL)
        return;
    close(set->epoll);
    free(set);
}

int wire_set_add(struct wire_set *set, cp_handle handle, void *owner)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = owner};
    return epoll_ctl(set->epoll, EPOLL_CTL_ADD, (int)handle, &event) == 0 ? 0
                                                                          : cp_error_from_os(errno);
}

void wire_set_remove(struct wire_set *set, cp_handle handle)
{
    epoll_ctl(set->epoll, EPOLL_CTL_DEL, (int)handle, NULL);
}

unsigned wire_set_wait(struct wire_set *set, void **owners, unsigned max, unsigned timeout_ms)
{
    int events_max = max < EVENTS_MAX ? (int)max : EVENTS_MAX;
    int count = epoll_wait(set->epoll, set->events, events_max, (int)timeout_ms);
    for (int i = 0; i < count; i++)
        owners[i] = set->events[i].data.ptr;
    return count > 0 ? (unsigned)count : 0;
}
