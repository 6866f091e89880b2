/* Linux's part of net.h.
 *
 * Waiting is edge-triggered: one epoll_ctl in a connection's life, and no wake-up that finds
 * nothing new. A store is a memfd: sendfile hands its pages to the socket, so that a device takes
 * hardly any CPU time from the client under test on the same computer. */
#include "base/net.h"

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/os.h"

enum { EVENTS_MAX = 512 };

/* Of accepted connections: rare enough not to disturb very many idle ones. */
enum { KEEPALIVE_IDLE_S = 600, KEEPALIVE_EVERY_S = 60, KEEPALIVE_TRIES = 5 };

/* Closes what could not be finished. */
static int close_failed(int handle)
{
    int result = -errno;
    close(handle);
    return result;
}

/* ---- connecting ---- */

/* A zero time limit means none to the kernel, so one that has run out must not become it. */
static int send_limit_set(int handle, uint64_t timeout_ns)
{
    struct timespec left = os_timespec(timeout_ns > 1000 ? timeout_ns : 1000);
    struct timeval limit = {.tv_sec = left.tv_sec, .tv_usec = left.tv_nsec / 1000};
    return setsockopt(handle, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* A signal, io_uring's work for this thread and the end of a slice let a blocking connect() return
 * while the attempt goes on: it is called again. */
static bool still_connecting(void)
{
    return errno == EINTR || errno == EINPROGRESS || errno == EALREADY;
}

static int connect_within(int socket, const struct net_address *address, uint64_t timeout_ns)
{
    const uint64_t deadline_ns = os_active_ns() + timeout_ns;
    const bool was_interrupted = os_interrupted();
    for (uint64_t now_ns = os_active_ns(); now_ns < deadline_ns; now_ns = os_active_ns()) {
        if (send_limit_set(socket, os_slice_ns(deadline_ns - now_ns)) != 0)
            return -1;
        if (connect(socket, net_sockaddr(address), address->bytes) == 0)
            return 0;
        if (!still_connecting())
            return -1;
        if (os_interrupted() && !was_interrupted) {
            errno = ECANCELED;
            return -1;
        }
    }
    errno = ETIMEDOUT;
    return -1;
}

int net_connect(const struct net_address *address, uint64_t timeout_ns, intptr_t *handle)
{
    const struct timeval none = {0};
    int connected = socket(net_family(address), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connected < 0)
        return -errno;
    if (connect_within(connected, address, timeout_ns) != 0)
        return close_failed(connected);
    setsockopt(connected, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
    *handle = connected;
    return 0;
}

int net_connect_begin(const struct net_address *address, intptr_t *handle)
{
    int begun = socket(net_family(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (begun < 0)
        return -errno;
    if (connect(begun, net_sockaddr(address), address->bytes) != 0 && errno != EINPROGRESS)
        return close_failed(begun);
    *handle = begun;
    return 0;
}

int net_bind(const struct net_address *address, intptr_t *handle)
{
    int one = 1;
    int bound = socket(net_family(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bound < 0)
        return -errno;
    setsockopt(bound, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(bound, net_sockaddr(address), address->bytes) < 0)
        return close_failed(bound);
    *handle = bound;
    return 0;
}

static void option_set(int handle, int level, int option, int value)
{
    setsockopt(handle, level, option, &value, sizeof value);
}

int net_tune(intptr_t handle, const struct net_tuning *tuning)
{
    option_set((int)handle, IPPROTO_TCP, TCP_NODELAY, 1);
    option_set((int)handle, SOL_SOCKET, SO_KEEPALIVE, 1);
    option_set((int)handle, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    option_set((int)handle, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
    option_set((int)handle, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES);
    if (tuning->send_buffer_bytes > 0)
        option_set((int)handle, SOL_SOCKET, SO_SNDBUF, tuning->send_buffer_bytes);
    if (tuning->unsent_max_bytes > 0)
        option_set((int)handle, IPPROTO_TCP, TCP_NOTSENT_LOWAT, tuning->unsent_max_bytes);
    if (tuning->congestion != NULL &&
        setsockopt((int)handle, IPPROTO_TCP, TCP_CONGESTION, tuning->congestion,
                   (socklen_t)strlen(tuning->congestion)) < 0)
        return -errno;
    return 0;
}

/* Accepted sockets inherit the tuning, which saves calls for each. */
int net_listen(intptr_t handle, int backlog, const struct net_tuning *tuning)
{
    int result = net_tune(handle, tuning);
    if (result == 0 && listen((int)handle, backlog) < 0)
        result = -errno;
    return result;
}

int net_accept(intptr_t listener, const struct net_tuning *tuning, intptr_t *handle)
{
    int accepted;
    /* accept() also reports a connection that its peer has given up; the next may be good. */
    do
        accepted = accept4((int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (accepted < 0 && (errno == ECONNABORTED || errno == EINTR));
    if (accepted < 0)
        return -errno;
    *handle = accepted;
    return 0;
}

/* ---- addresses of this computer ---- */

int net_own_each(void (*each)(void *context, uint32_t host, const char *interface), void *context)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return -errno;
    for (const struct ifaddrs *own = all; own != NULL; own = own->ifa_next)
        if (own->ifa_addr != NULL && own->ifa_addr->sa_family == AF_INET) {
            struct sockaddr_in address;
            memcpy(&address, own->ifa_addr, sizeof address);
            each(context, ntohl(address.sin_addr.s_addr), own->ifa_name);
        }
    freeifaddrs(all);
    return 0;
}

/* ---- sending and receiving ---- */

int64_t net_receive(intptr_t handle, void *data, size_t bytes)
{
    ssize_t received = recv((int)handle, data, bytes, MSG_DONTWAIT);
    return received < 0 ? -errno : received;
}

int64_t net_receive_blocking(intptr_t handle, void *data, size_t bytes)
{
    ssize_t received;
    do
        received = recv((int)handle, data, bytes, 0);
    while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : received;
}

int64_t net_send(intptr_t handle, const void *data, size_t bytes)
{
    ssize_t sent = send((int)handle, data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? -errno : sent;
}

bool net_wait(intptr_t handle, unsigned signs, uint64_t timeout_ns)
{
    struct timespec limit = os_timespec(timeout_ns);
    struct pollfd polled = {.fd = (int)handle};
    if (signs & NET_READABLE)
        polled.events |= POLLIN;
    if (signs & NET_WRITABLE)
        polled.events |= POLLOUT;
    return ppoll(&polled, 1, &limit, NULL) > 0;
}

int64_t net_unacknowledged(intptr_t handle)
{
    int bytes;
    return ioctl((int)handle, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}

void net_close(intptr_t handle)
{
    close((int)handle);
}

/* ---- waiting for many ---- */

struct net_watch {
    int epoll;
    uint32_t asked; /* of each socket */
    struct epoll_event events[EVENTS_MAX];
};

const char *net_watch_name(void)
{
    return "epoll";
}

struct net_watch *net_watch_open(enum net_trigger trigger)
{
    struct net_watch *watch = malloc(sizeof *watch);
    if (watch == NULL)
        return NULL;
    watch->asked = trigger == NET_EDGE ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET : EPOLLIN;
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

int net_watch_add(struct net_watch *watch, struct net_watched *watched, intptr_t handle)
{
    struct epoll_event event = {.events = watch->asked, .data.ptr = watched};
    *watched = (struct net_watched){.watch = watch, .handle = handle};
    return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, (int)handle, &event) < 0 ? -errno : 0;
}

/* Closing the socket is enough. */
void net_watch_remove(struct net_watched *watched)
{
    watched->watch = NULL;
}

/* The kernel knows from the call itself. */
void net_watch_again(struct net_watched *watched, enum net_sign sign)
{
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
    struct timespec timeout = os_timespec(timeout_ns);
    int count = max < EVENTS_MAX ? max : EVENTS_MAX;
    count = epoll_pwait2(watch->epoll, watch->events, count, &timeout, NULL);
    for (int i = 0; i < count; i++)
        events[i] = (struct net_event){.watched = watch->events[i].data.ptr,
                                       .signs = signs_of(watch->events[i].events)};
    assert(count >= 0 || errno == EINTR);
    return count < 0 ? 0 : count;
}

/* ---- stores ---- */

int net_store_open(uint64_t bytes, intptr_t *store)
{
    int made = memfd_create("fanin-tape", MFD_CLOEXEC);
    if (made < 0)
        return -errno;
    if (ftruncate(made, (off_t)bytes) < 0)
        return close_failed(made);
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
