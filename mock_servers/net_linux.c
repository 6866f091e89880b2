/* Linux's answers to net.h.
 *
 * Waiting is edge-triggered: one epoll_ctl in a connection's life, no wake-up that finds nothing
 * new. A store is a memfd: sendfile hands its pages to the socket, so that a device spends next
 * to no CPU time of the machine that it shares with the client under test. */
#include "mock_servers/net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

enum { EVENTS_MAX = 512 };

struct net_watch {
    int epoll;
    struct epoll_event events[EVENTS_MAX];
};

void net_start(void)
{
    signal(SIGPIPE, SIG_IGN); /* sendfile has no MSG_NOSIGNAL */
}

static int stream_socket(void)
{
    int handle = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return handle < 0 ? -errno : handle;
}

static struct sockaddr_in address_in(const struct net_address *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    in.sin_addr.s_addr = htonl(address->host);
    return in;
}

int net_bind(const struct net_address *address, intptr_t *handle)
{
    struct sockaddr_in in = address_in(address);
    int one = 1, bound = stream_socket();

    if (bound < 0)
        return bound;
    setsockopt(bound, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(bound, (struct sockaddr *)&in, sizeof in) < 0) {
        int result = -errno;
        close(bound);
        return result;
    }
    *handle = bound;
    return 0;
}

int net_listen(intptr_t handle, int backlog, const struct net_tuning *tuning)
{
    int one = 1;

    /* Accepted sockets inherit all of it, which saves calls for each. */
    setsockopt((int)handle, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (tuning->send_buffer_bytes > 0)
        setsockopt((int)handle, SOL_SOCKET, SO_SNDBUF, &tuning->send_buffer_bytes,
                   sizeof tuning->send_buffer_bytes);
    if (tuning->congestion != NULL &&
        setsockopt((int)handle, IPPROTO_TCP, TCP_CONGESTION, tuning->congestion,
                   (socklen_t)strlen(tuning->congestion)) < 0)
        return -errno;
    return listen((int)handle, backlog) < 0 ? -errno : 0;
}

int net_local(intptr_t handle, struct net_address *address)
{
    struct sockaddr_in in = {0};
    socklen_t bytes = sizeof in;

    if (getsockname((int)handle, (struct sockaddr *)&in, &bytes) < 0)
        return -errno;
    *address = (struct net_address){ntohl(in.sin_addr.s_addr), ntohs(in.sin_port)};
    return 0;
}

int net_port(intptr_t handle)
{
    struct net_address address = {0};
    int result = net_local(handle, &address);

    return result < 0 ? result : address.port;
}

int net_accept(intptr_t listener, intptr_t *handle)
{
    int accepted;

    /* A connection that its peer has given up already says so here; the next one may be good. */
    do
        accepted = accept4((int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (accepted < 0 && (errno == ECONNABORTED || errno == EINTR));
    if (accepted < 0)
        return -errno;
    *handle = accepted;
    return 0;
}

int net_connect(const struct net_address *address, intptr_t *handle)
{
    struct sockaddr_in in = address_in(address);
    int connecting = stream_socket();

    if (connecting < 0)
        return connecting;
    if (connect(connecting, (struct sockaddr *)&in, sizeof in) < 0 && errno != EINPROGRESS) {
        int result = -errno;
        close(connecting);
        return result;
    }
    *handle = connecting;
    return 0;
}

int64_t net_receive(intptr_t handle, void *data, size_t bytes)
{
    ssize_t received = recv((int)handle, data, bytes, 0);
    return received < 0 ? -errno : received;
}

int64_t net_send(intptr_t handle, const void *data, size_t bytes)
{
    ssize_t sent = send((int)handle, data, bytes, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int64_t net_unacknowledged(intptr_t handle)
{
    int bytes;
    return ioctl((int)handle, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}

void net_finish(intptr_t handle)
{
    shutdown((int)handle, SHUT_WR);
}

void net_close(intptr_t handle)
{
    close((int)handle);
}

void net_reset(intptr_t handle)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt((int)handle, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close((int)handle);
}

/* ---- waiting ---- */

struct net_watch *net_watch_open(void)
{
    struct net_watch *watch = malloc(sizeof *watch);

    if (watch == NULL)
        return NULL;
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (watch->epoll < 0) {
        free(watch);
        return NULL;
    }
    return watch;
}

void net_watch_close(struct net_watch *watch)
{
    if (watch == NULL)
        return;
    close(watch->epoll);
    free(watch);
}

int net_watch_add(struct net_watch *watch, intptr_t handle, void *owner)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = owner};
    return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, (int)handle, &event) < 0 ? -errno : 0;
}

static unsigned signs_of(uint32_t events)
{
    unsigned signs = 0;

    if (events & EPOLLIN)
        signs |= NET_READABLE;
    if (events & EPOLLOUT)
        signs |= NET_WRITABLE;
    if (events & EPOLLRDHUP)
        signs |= NET_FINISHED;
    if (events & (EPOLLERR | EPOLLHUP))
        signs |= NET_BROKEN;
    return signs;
}

int net_watch_wait(struct net_watch *watch, struct net_event *events, int max, uint64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / OS_NS_PER_S),
                               .tv_nsec = (long)(timeout_ns % OS_NS_PER_S)};
    int count = max < EVENTS_MAX ? max : EVENTS_MAX;

    count = epoll_pwait2(watch->epoll, watch->events, count, &timeout, NULL);
    for (int i = 0; i < count; i++) {
        events[i].owner = watch->events[i].data.ptr;
        events[i].signs = signs_of(watch->events[i].events);
    }
    assert(count >= 0 || errno == EINTR);
    return count < 0 ? 0 : count;
}

/* ---- stores ---- */

int net_store_open(uint64_t bytes, intptr_t *store)
{
    int made = memfd_create("fanin-tape", MFD_CLOEXEC);

    if (made < 0)
        return -errno;
    if (ftruncate(made, (off_t)bytes) < 0) {
        int result = -errno;
        close(made);
        return result;
    }
    *store = made;
    return 0;
}

int net_store_write(intptr_t store, uint64_t offset, const void *data, size_t bytes)
{
    const uint8_t *rest = data;

    while (bytes > 0) {
        ssize_t written = pwrite((int)store, rest, bytes, (off_t)offset);
        if (written < 0)
            return -errno;
        rest += written;
        offset += (uint64_t)written;
        bytes -= (size_t)written;
    }
    return 0;
}

int64_t net_store_send(intptr_t store, uint64_t offset, size_t bytes, intptr_t handle)
{
    off_t from = (off_t)offset;
    ssize_t sent = sendfile((int)handle, (int)store, &from, bytes);
    return sent < 0 ? -errno : sent;
}

void net_store_close(intptr_t store)
{
    close((int)store);
}
