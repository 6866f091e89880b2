/* Windows' part of net.h. All sockets are non-blocking from the start.
 *
 * Waiting is a plain WSAPoll over all sockets of a watch, which reports what holds, every time;
 * NET_EDGE wants what begins to hold. So each watched socket knows which signs it is armed for: a
 * sign that is reported disarms itself, and net_watch_again arms it again.
 *
 * WSAPoll keeps reporting a peer's end. After the first report the socket leaves the poll; if data
 * is still to be sent (a peer may finish and go on reading), sending is retried at intervals.
 *
 * A store is ordinary memory, sent with copying. */
#include "base/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/winapi.h"

enum {
    CHUNK_BYTES_MAX = 256 << 10, /* Windows would take, and buffer, whatever it is given */
    RETRY_MS = 1,
    ROOM_MIN = 64,
};

static int option_set(intptr_t handle, int level, int name, int value)
{
    return setsockopt((SOCKET)handle, level, name, (const char *)&value, sizeof value);
}

/* ---- addresses of this computer ---- */

/* The resolver knows those of its own name; the loopback's is not among them. */
int net_own_each(void (*each)(void *context, uint32_t host, const char *interface), void *context)
{
    char name[256], why[256];
    struct net_address *own;
    if (gethostname(name, sizeof name) != 0)
        return winapi_error();
    const unsigned count = net_resolve(name, &own, why, sizeof why);
    each(context, INADDR_LOOPBACK, "");
    for (unsigned i = 0; i < count; i++)
        if (net_family(&own[i]) == AF_INET)
            each(context, net_address_host(&own[i]), "");
    if (count > 0)
        free(own);
    return 0;
}

/* ---- connecting ---- */

/* Takes a new socket over, or closes it. */
static int handle_take(SOCKET socket, intptr_t *handle)
{
    u_long on = 1;
    if (socket == INVALID_SOCKET)
        return winapi_error();
    if (ioctlsocket(socket, FIONBIO, &on) != 0) {
        int result = winapi_error();
        closesocket(socket);
        return result;
    }
    *handle = (intptr_t)socket;
    return 0;
}

static int stream_socket(const struct net_address *address, intptr_t *handle)
{
    return handle_take(WSASocketW(net_family(address), SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                                  WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT),
                       handle);
}

/* select(), as WSAPoll says nothing of a failed connect before Windows 10 (2004). -EAGAIN: not
 * yet. */
static int connect_result(SOCKET socket)
{
    fd_set writable, failed;
    struct timeval slice = {.tv_usec = OS_SLICE_MS * 1000};
    int code = 0, bytes = sizeof code;
    FD_ZERO(&writable);
    FD_SET(socket, &writable);
    failed = writable;
    int count = select(0, NULL, &writable, &failed, &slice);
    if (count <= 0)
        return count == 0 ? -EAGAIN : winapi_error();
    getsockopt(socket, SOL_SOCKET, SO_ERROR, (char *)&code, &bytes);
    return code == 0 ? 0 : -winapi_errno((DWORD)code);
}

static int connect_await(SOCKET socket, uint64_t timeout_ns)
{
    const uint64_t deadline_ns = os_active_ns() + timeout_ns;
    const bool was_interrupted = os_interrupted();
    int result;
    while ((result = connect_result(socket)) == -EAGAIN) {
        if (os_interrupted() && !was_interrupted)
            return -ECANCELED;
        if (os_active_ns() >= deadline_ns)
            return -ETIMEDOUT;
    }
    return result;
}

int net_connect(const struct net_address *address, uint64_t timeout_ns, intptr_t *handle)
{
    intptr_t connected = (intptr_t)INVALID_SOCKET;
    int result = stream_socket(address, &connected);
    if (result < 0)
        return result;
    if (connect((SOCKET)connected, net_sockaddr(address), (int)address->bytes) != 0)
        result = WSAGetLastError() == WSAEWOULDBLOCK ? connect_await((SOCKET)connected, timeout_ns)
                                                     : winapi_error();
    if (result == 0)
        *handle = connected;
    else
        net_close(connected);
    return result;
}

int net_connect_begin(const struct net_address *address, intptr_t *handle)
{
    intptr_t begun = (intptr_t)INVALID_SOCKET;
    int result = stream_socket(address, &begun);
    if (result < 0)
        return result;
    if (connect((SOCKET)begun, net_sockaddr(address), (int)address->bytes) != 0 &&
        WSAGetLastError() != WSAEWOULDBLOCK)
        result = winapi_error();
    if (result == 0)
        *handle = begun;
    else
        net_close(begun);
    return result;
}

int net_bind(const struct net_address *address, intptr_t *handle)
{
    intptr_t bound = (intptr_t)INVALID_SOCKET;
    int result = stream_socket(address, &bound);
    if (result < 0)
        return result;
    /* Otherwise Windows lets another process listen at the same address. */
    option_set(bound, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1);
    if (bind((SOCKET)bound, net_sockaddr(address), (int)address->bytes) != 0) {
        result = winapi_error();
        net_close(bound);
        return result;
    }
    *handle = bound;
    return 0;
}

/* Windows cannot choose the congestion control of a single socket. */
int net_tune(intptr_t handle, const struct net_tuning *tuning)
{
    option_set(handle, IPPROTO_TCP, TCP_NODELAY, 1);
    option_set(handle, SOL_SOCKET, SO_KEEPALIVE, 1);
    if (tuning->send_buffer_bytes > 0)
        option_set(handle, SOL_SOCKET, SO_SNDBUF, tuning->send_buffer_bytes);
    return 0;
}

int net_listen(intptr_t handle, int backlog, const struct net_tuning *tuning)
{
    return listen((SOCKET)handle, backlog) == 0 ? 0 : winapi_error();
}

int net_accept(intptr_t listener, const struct net_tuning *tuning, intptr_t *handle)
{
    SOCKET accepted;
    /* accept() also reports a connection that its peer has given up; the next may be good. */
    do
        accepted = accept((SOCKET)listener, NULL, NULL);
    while (accepted == INVALID_SOCKET && WSAGetLastError() == WSAECONNRESET);
    int result = handle_take(accepted, handle);
    return result < 0 ? result : net_tune(*handle, tuning);
}

/* ---- sending and receiving ---- */

static int chunk_of(size_t bytes)
{
    return bytes < CHUNK_BYTES_MAX ? (int)bytes : CHUNK_BYTES_MAX;
}

int64_t net_receive(intptr_t handle, void *data, size_t bytes)
{
    int received = recv((SOCKET)handle, data, chunk_of(bytes), 0);
    return received < 0 ? winapi_error() : received;
}

/* In slices: whether WSAPoll wakes for a shutdown of its own side is not documented. */
int64_t net_receive_blocking(intptr_t handle, void *data, size_t bytes)
{
    int64_t received;
    while ((received = net_receive(handle, data, bytes)) == -EAGAIN)
        net_wait(handle, NET_READABLE, (uint64_t)OS_SLICE_MS * OS_NS_PER_MS);
    return received;
}

int64_t net_send(intptr_t handle, const void *data, size_t bytes)
{
    int sent = send((SOCKET)handle, data, chunk_of(bytes), 0);
    return sent < 0 ? winapi_error() : sent;
}

static WSAPOLLFD polled_for(intptr_t handle, unsigned signs)
{
    WSAPOLLFD polled = {.fd = (SOCKET)handle};
    if (signs & NET_READABLE)
        polled.events |= POLLRDNORM;
    if (signs & NET_WRITABLE)
        polled.events |= POLLWRNORM;
    return polled;
}

bool net_wait(intptr_t handle, unsigned signs, uint64_t timeout_ns)
{
    WSAPOLLFD polled = polled_for(handle, signs);
    return WSAPoll(&polled, 1, (int)winapi_ms(timeout_ns)) > 0;
}

/* Windows does not say. */
int64_t net_unacknowledged(intptr_t handle)
{
    return -ENOSYS;
}

void net_close(intptr_t handle)
{
    closesocket((SOCKET)handle);
}

/* ---- waiting for many ---- */

/* Two arrays side by side, because WSAPoll wants one of its own. */
struct net_watch {
    enum net_trigger trigger;
    WSAPOLLFD *polled;
    struct net_watched **watched;
    size_t count, room;
    size_t first; /* where the next search begins, so that none starves */
};

const char *net_watch_name(void)
{
    return "wsapoll";
}

struct net_watch *net_watch_open(enum net_trigger trigger)
{
    struct net_watch *watch = calloc(1, sizeof *watch);
    if (watch != NULL)
        watch->trigger = trigger;
    return watch;
}

void net_watch_close(struct net_watch *watch)
{
    if (watch == NULL)
        return;
    free(watch->polled);
    free(watch->watched);
    free(watch);
}

static int watch_grow(struct net_watch *watch)
{
    size_t room = watch->room > 0 ? 2 * watch->room : ROOM_MIN;
    WSAPOLLFD *polled = realloc(watch->polled, room * sizeof *polled);
    if (polled == NULL)
        return -ENOMEM;
    watch->polled = polled;
    struct net_watched **watched = realloc(watch->watched, room * sizeof *watched);
    if (watched == NULL)
        return -ENOMEM;
    watch->watched = watched;
    watch->room = room;
    return 0;
}

/* WSAPoll passes an invalid socket over. */
static void poll_entry_update(struct net_watched *watched)
{
    intptr_t handle = watched->is_over ? (intptr_t)INVALID_SOCKET : watched->handle;
    watched->watch->polled[watched->place] = polled_for(handle, watched->armed);
}

int net_watch_add(struct net_watch *watch, struct net_watched *watched, intptr_t handle)
{
    if (watch->count == watch->room && watch_grow(watch) < 0)
        return -ENOMEM;
    *watched = (struct net_watched){.watch = watch, .handle = handle, .place = watch->count};
    watched->armed = watch->trigger == NET_EDGE ? NET_READABLE | NET_WRITABLE : NET_READABLE;
    watch->watched[watch->count++] = watched;
    poll_entry_update(watched);
    return 0;
}

void net_watch_remove(struct net_watched *watched)
{
    struct net_watch *watch = watched->watch;
    if (watch == NULL)
        return;
    struct net_watched *last = watch->watched[--watch->count];
    watch->watched[watched->place] = last;
    watch->polled[watched->place] = watch->polled[watch->count];
    last->place = watched->place;
    watched->watch = NULL;
}

void net_watch_again(struct net_watched *watched, enum net_sign sign)
{
    if (watched->watch == NULL || watched->armed & sign)
        return;
    watched->armed |= sign;
    poll_entry_update(watched);
}

/* What the socket has to report; 0: nothing. NET_EDGE disarms it for that. */
static unsigned signs_take(struct net_watched *watched, short events)
{
    unsigned signs = watched->is_over ? watched->armed & NET_WRITABLE : 0;
    if (events & POLLRDNORM)
        signs |= NET_READABLE;
    if (events & POLLWRNORM)
        signs |= NET_WRITABLE;
    if (!watched->is_over && events & POLLHUP)
        signs |= NET_READABLE | NET_FINISHED;
    if (!watched->is_over && events & (POLLERR | POLLNVAL))
        signs |= NET_READABLE | NET_BROKEN;
    if (signs == 0 || watched->watch->trigger != NET_EDGE)
        return signs;
    watched->is_over |= (signs & (NET_FINISHED | NET_BROKEN)) != 0;
    watched->armed &= ~signs;
    poll_entry_update(watched);
    return signs;
}

static bool has_retries(const struct net_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->watched[i]->is_over && watch->watched[i]->armed & NET_WRITABLE)
            return true;
    return false;
}

int net_watch_wait(struct net_watch *watch, struct net_event *events, int max, uint64_t timeout_ns)
{
    DWORD timeout_ms = winapi_ms(timeout_ns);
    int count = 0;
    if (timeout_ms > RETRY_MS && has_retries(watch))
        timeout_ms = RETRY_MS;
    if (watch->count == 0)
        os_sleep_ns(timeout_ns);
    else if (WSAPoll(watch->polled, (ULONG)watch->count, (int)timeout_ms) < 0)
        os_sleep_ns((uint64_t)RETRY_MS * OS_NS_PER_MS); /* no memory in the kernel just now */
    for (size_t i = 0; i < watch->count && count < max; i++) {
        size_t place = (watch->first + i) % watch->count;
        struct net_watched *watched = watch->watched[place];
        unsigned signs = signs_take(watched, watch->polled[place].revents);
        if (signs != 0)
            events[count++] = (struct net_event){.watched = watched, .signs = signs};
    }
    watch->first += (size_t)count;
    return count;
}

/* ---- stores ---- */

int net_store_open(uint64_t bytes, intptr_t *store)
{
    void *pages = os_pages_map(bytes > 0 ? bytes : 1);
    *store = (intptr_t)pages;
    return pages == NULL ? -ENOMEM : 0;
}

int net_store_write(intptr_t store, uint64_t offset, const void *data, size_t bytes)
{
    memcpy((uint8_t *)store + offset, data, bytes);
    return 0;
}

int64_t net_store_send(intptr_t store, uint64_t offset, size_t bytes, intptr_t handle)
{
    return net_send(handle, (const uint8_t *)store + offset, bytes);
}

/* A mapping ends as a whole. */
void net_store_close(intptr_t store)
{
    os_pages_unmap((void *)store, 0);
}
