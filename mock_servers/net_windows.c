/* Windows' answers to net.h.
 *
 * A handle points to a socket's record. Waiting is a plain WSAPoll over all sockets of a watch,
 * which reports what holds, each time anew; the contract wants what begins to hold. So each record
 * knows which signs it is armed for: a sign that is reported disarms itself, and an operation that
 * would have blocked arms it again.
 *
 * The end of a peer stays to be reported for ever. After the first time the socket is left out of
 * the poll; if something is still to be sent there (a peer may finish and go on reading), it is
 * tried again every now and then.
 *
 * A store is memory like any other, sent with copying. */
#include "mock_servers/net.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/winapi.h"

enum {
    SEND_BYTES_MAX = 256 << 10, /* Windows would take, and buffer, whatever it is given */
    RETRY_MS = 1,
    ROOM_MIN = 64,
};

struct net_socket {
    SOCKET socket;
    int send_buffer_bytes;   /* of a listener: what accepted sockets get */
    struct net_watch *watch; /* NULL: not watched */
    size_t place;            /* in the watch */
    void *owner;
    unsigned armed; /* NET_READABLE, NET_WRITABLE */
    bool over;      /* the peer's end was reported */
};

/* Polled sockets stand side by side, in two arrays, because WSAPoll wants one of its own. */
struct net_watch {
    WSAPOLLFD *polled;
    struct net_socket **sockets;
    size_t count, room;
    size_t first; /* where the next search begins, so that none starves */
};

struct net_store {
    uint8_t *data;
    uint64_t bytes;
};

static struct net_socket *socket_of(intptr_t handle)
{
    return (struct net_socket *)handle;
}

static int last_error(void)
{
    return -winapi_errno((DWORD)WSAGetLastError());
}

void net_start(void)
{
    /* base/ has started Winsock, and a peer that is gone is never a signal here. */
}

/* ---- arming ---- */

static void poll_entry_update(struct net_socket *socket)
{
    WSAPOLLFD *entry = &socket->watch->polled[socket->place];

    /* A socket that is not one is passed over. */
    *entry = (WSAPOLLFD){.fd = socket->over ? INVALID_SOCKET : socket->socket};
    if (socket->armed & NET_READABLE)
        entry->events |= POLLRDNORM;
    if (socket->armed & NET_WRITABLE)
        entry->events |= POLLWRNORM;
}

static void arm(struct net_socket *socket, unsigned signs)
{
    if (socket->watch == NULL || (socket->armed & signs) == signs)
        return;
    socket->armed |= signs;
    poll_entry_update(socket);
}

/* What an operation on the socket answers. */
static int64_t answer(struct net_socket *socket, int64_t result, unsigned signs)
{
    int error = result < 0 ? last_error() : 0;

    if (error == -EAGAIN)
        arm(socket, signs);
    return error < 0 ? error : result;
}

/* ---- sockets ---- */

/* Takes the socket over; closes it if that fails. */
static int record_make(SOCKET socket, intptr_t *handle)
{
    u_long on = 1;
    int result = -ENOMEM;
    struct net_socket *made = NULL;

    if (socket == INVALID_SOCKET)
        return last_error();
    if (ioctlsocket(socket, FIONBIO, &on) != 0)
        result = last_error();
    else
        made = calloc(1, sizeof *made);
    if (made == NULL) {
        closesocket(socket);
        return result;
    }
    made->socket = socket;
    *handle = (intptr_t)made;
    return 0;
}

static int stream_socket(intptr_t *handle)
{
    return record_make(WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                                  WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT),
                       handle);
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
    BOOL on = TRUE;
    int result = stream_socket(handle);

    if (result < 0)
        return result;
    SOCKET bound = socket_of(*handle)->socket;
    /* Else Windows lets another process listen at the same place. */
    setsockopt(bound, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof on);
    if (bind(bound, (const struct sockaddr *)&in, sizeof in) != 0) {
        result = last_error();
        net_close(*handle);
    }
    return result;
}

/* The congestion control is the system's: Windows has no choice for a single socket. */
int net_listen(intptr_t handle, int backlog, const struct net_tuning *tuning)
{
    socket_of(handle)->send_buffer_bytes = tuning->send_buffer_bytes;
    return listen(socket_of(handle)->socket, backlog) == 0 ? 0 : last_error();
}

int net_local(intptr_t handle, struct net_address *address)
{
    struct sockaddr_in in = {0};
    int bytes = sizeof in;

    if (getsockname(socket_of(handle)->socket, (struct sockaddr *)&in, &bytes) != 0)
        return last_error();
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
    struct net_socket *from = socket_of(listener);
    BOOL on = TRUE;
    SOCKET accepted;

    /* A connection that its peer has given up already says so here; the next one may be good. */
    do
        accepted = accept(from->socket, NULL, NULL);
    while (accepted == INVALID_SOCKET && WSAGetLastError() == WSAECONNRESET);
    if (accepted == INVALID_SOCKET)
        return (int)answer(from, -1, NET_READABLE);
    setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
    if (from->send_buffer_bytes > 0)
        setsockopt(accepted, SOL_SOCKET, SO_SNDBUF, (const char *)&from->send_buffer_bytes,
                   sizeof from->send_buffer_bytes);
    return record_make(accepted, handle);
}

int net_connect(const struct net_address *address, intptr_t *handle)
{
    struct sockaddr_in in = address_in(address);
    int result = stream_socket(handle);

    if (result < 0)
        return result;
    if (connect(socket_of(*handle)->socket, (const struct sockaddr *)&in, sizeof in) != 0 &&
        WSAGetLastError() != WSAEWOULDBLOCK) {
        result = last_error();
        net_close(*handle);
    }
    return result;
}

static int chunk_of(size_t bytes)
{
    return bytes < SEND_BYTES_MAX ? (int)bytes : SEND_BYTES_MAX;
}

int64_t net_receive(intptr_t handle, void *data, size_t bytes)
{
    struct net_socket *socket = socket_of(handle);
    return answer(socket, recv(socket->socket, data, chunk_of(bytes), 0), NET_READABLE);
}

int64_t net_send(intptr_t handle, const void *data, size_t bytes)
{
    struct net_socket *socket = socket_of(handle);
    return answer(socket, send(socket->socket, data, chunk_of(bytes), 0), NET_WRITABLE);
}

/* Windows does not say. Who asks has a time limit, and by then it will have gone. */
int64_t net_unacknowledged(intptr_t handle)
{
    (void)handle;
    return 1;
}

void net_finish(intptr_t handle)
{
    shutdown(socket_of(handle)->socket, SD_SEND);
}

static void watch_remove(struct net_watch *watch, struct net_socket *socket)
{
    struct net_socket *last = watch->sockets[--watch->count];

    watch->sockets[socket->place] = last;
    watch->polled[socket->place] = watch->polled[watch->count];
    last->place = socket->place;
}

void net_close(intptr_t handle)
{
    struct net_socket *socket = socket_of(handle);

    if (socket->watch != NULL)
        watch_remove(socket->watch, socket);
    closesocket(socket->socket);
    free(socket);
}

void net_reset(intptr_t handle)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(socket_of(handle)->socket, SOL_SOCKET, SO_LINGER, (const char *)&at_once,
               sizeof at_once);
    net_close(handle);
}

/* ---- waiting ---- */

struct net_watch *net_watch_open(void)
{
    return calloc(1, sizeof(struct net_watch));
}

void net_watch_close(struct net_watch *watch)
{
    if (watch == NULL)
        return;
    assert(watch->count == 0);
    free(watch->polled);
    free(watch->sockets);
    free(watch);
}

static int watch_grow(struct net_watch *watch)
{
    size_t room = watch->room > 0 ? 2 * watch->room : ROOM_MIN;
    WSAPOLLFD *polled = realloc(watch->polled, room * sizeof *polled);

    if (polled == NULL)
        return -ENOMEM;
    watch->polled = polled;
    struct net_socket **sockets = realloc(watch->sockets, room * sizeof *sockets);
    if (sockets == NULL)
        return -ENOMEM;
    watch->sockets = sockets;
    watch->room = room;
    return 0;
}

int net_watch_add(struct net_watch *watch, intptr_t handle, void *owner)
{
    struct net_socket *socket = socket_of(handle);

    assert(socket->watch == NULL);
    if (watch->count == watch->room && watch_grow(watch) < 0)
        return -ENOMEM;
    socket->watch = watch;
    socket->owner = owner;
    socket->place = watch->count;
    socket->armed = NET_READABLE | NET_WRITABLE;
    watch->sockets[watch->count++] = socket;
    poll_entry_update(socket);
    return 0;
}

/* What the socket has to report; 0: nothing. It is disarmed for that. */
static unsigned signs_take(struct net_socket *socket, short events)
{
    unsigned signs = socket->over ? socket->armed & NET_WRITABLE : 0;

    if (events & POLLRDNORM)
        signs |= NET_READABLE;
    if (events & POLLWRNORM)
        signs |= NET_WRITABLE;
    if (!socket->over && events & POLLHUP)
        signs |= NET_READABLE | NET_FINISHED;
    if (!socket->over && events & (POLLERR | POLLNVAL))
        signs |= NET_READABLE | NET_BROKEN;
    if (signs == 0)
        return 0;
    socket->over |= (signs & (NET_FINISHED | NET_BROKEN)) != 0;
    socket->armed &= ~signs;
    poll_entry_update(socket);
    return signs;
}

static bool has_retries(const struct net_watch *watch)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->sockets[i]->over && watch->sockets[i]->armed & NET_WRITABLE)
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
        struct net_socket *socket = watch->sockets[place];
        unsigned signs = signs_take(socket, watch->polled[place].revents);
        if (signs != 0)
            events[count++] = (struct net_event){.owner = socket->owner, .signs = signs};
    }
    watch->first += (size_t)count;
    return count;
}

/* ---- stores ---- */

int net_store_open(uint64_t bytes, intptr_t *store)
{
    struct net_store *made = malloc(sizeof *made);

    if (made == NULL)
        return -ENOMEM;
    made->bytes = bytes;
    made->data = os_pages_map(bytes > 0 ? bytes : 1);
    if (made->data == NULL) {
        free(made);
        return -ENOMEM;
    }
    *store = (intptr_t)made;
    return 0;
}

int net_store_write(intptr_t store, uint64_t offset, const void *data, size_t bytes)
{
    struct net_store *into = (struct net_store *)store;

    assert(offset <= into->bytes);
    if (bytes > into->bytes - offset)
        return -ENOSPC;
    memcpy(into->data + offset, data, bytes);
    return 0;
}

int64_t net_store_send(intptr_t store, uint64_t offset, size_t bytes, intptr_t handle)
{
    const struct net_store *from = (const struct net_store *)store;

    assert(bytes <= from->bytes && offset <= from->bytes - bytes);
    return net_send(handle, from->data + offset, bytes);
}

void net_store_close(intptr_t store)
{
    struct net_store *closed = (struct net_store *)store;

    os_pages_unmap(closed->data, closed->bytes);
    free(closed);
}
