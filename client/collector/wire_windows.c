/* Windows' answers to wire.h. Sockets are non-blocking from the start; waiting is WSAPoll's, but
 * for connects, of whose failure it says nothing before Windows 10 (2004). */
#include "client/collector/wire.h"

#include <assert.h>
#include <stdlib.h>

#include "base/os.h"
#include "base/winapi.h"

static SOCKET socket_of(cp_handle handle)
{
    return (SOCKET)handle;
}

static int last_code(void)
{
    return cp_error_from_os(WSAGetLastError());
}

/* 0: connected. */
static int connect_await(SOCKET socket, uint64_t timeout_ns)
{
    fd_set writable, failed;
    struct timeval limit = {.tv_sec = (long)(timeout_ns / OS_NS_PER_S),
                            .tv_usec = (long)(timeout_ns % OS_NS_PER_S / 1000)};
    int os_error = 0, bytes = sizeof os_error;
    FD_ZERO(&writable);
    FD_SET(socket, &writable);
    failed = writable;
    int count = select(0, NULL, &writable, &failed, &limit);
    if (count <= 0)
        return count == 0 ? CP_ETIMEDOUT : last_code();
    getsockopt(socket, SOL_SOCKET, SO_ERROR, (char *)&os_error, &bytes);
    return os_error == 0 ? 0 : cp_error_from_os(os_error);
}

static int connect_within(SOCKET socket, const struct wire_address *address, uint64_t timeout_ns)
{
    u_long on = 1;
    if (ioctlsocket(socket, FIONBIO, &on) != 0)
        return last_code();
    if (connect(socket, wire_sockaddr(address), (int)address->bytes) == 0)
        return 0;
    return WSAGetLastError() == WSAEWOULDBLOCK ? connect_await(socket, timeout_ns) : last_code();
}

int wire_connect(const struct wire_address *address, uint64_t timeout_ns, cp_handle *handle)
{
    SOCKET socket = WSASocketW(wire_family(address), SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                               WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (socket == INVALID_SOCKET)
        return last_code();
    int result = connect_within(socket, address, timeout_ns);
    if (result == 0)
        *handle = (cp_handle)socket;
    else
        closesocket(socket);
    return result;
}

/* What to do after a call that failed: 0: again, since it may go now; else the code to give up
 * with. */
static int await(cp_handle handle, short events, uint64_t deadline_ns)
{
    if (WSAGetLastError() != WSAEWOULDBLOCK)
        return last_code();
    uint64_t now_ns = os_now_ns(), left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    if (left_ns == 0)
        return CP_ETIMEDOUT;
    WSAPoll(&(WSAPOLLFD){.fd = socket_of(handle), .events = events}, 1, (int)winapi_ms(left_ns));
    return 0;
}

int64_t wire_send_some(cp_handle handle, const void *data, size_t bytes, uint64_t deadline_ns)
{
    int sent, code = 0, chunk = bytes < INT32_MAX ? (int)bytes : INT32_MAX;
    do
        sent = send(socket_of(handle), data, chunk, 0);
    while (sent < 0 && (code = await(handle, POLLWRNORM, deadline_ns)) == 0);
    return sent >= 0 ? sent : code;
}

int64_t wire_receive(cp_handle handle, void *data, size_t bytes, uint64_t deadline_ns)
{
    int got, code = 0, chunk = bytes < INT32_MAX ? (int)bytes : INT32_MAX;
    do
        got = recv(socket_of(handle), data, chunk, 0);
    while (got < 0 && (code = await(handle, POLLRDNORM, deadline_ns)) == 0);
    return got >= 0 ? got : code;
}

/* In slices: whether WSAPoll wakes for a shutdown of one's own side is not documented. */
int64_t wire_receive_waiting(cp_handle handle, void *data, size_t bytes)
{
    const uint64_t slice_ns = (uint64_t)100 * OS_NS_PER_MS;
    int64_t got;
    do
        got = wire_receive(handle, data, bytes, os_now_ns() + slice_ns);
    while (got == CP_ETIMEDOUT);
    return got;
}

void wire_shutdown(cp_handle handle)
{
    shutdown(socket_of(handle), SD_BOTH);
}

void wire_close(cp_handle handle)
{
    closesocket(socket_of(handle));
}

/* ---- many at once --------------------------------------------------------------------------- */

struct wire_set {
    WSAPOLLFD *polled;
    void **owners;
    uint32_t count, room;
};

const char *wire_set_name(void)
{
    return "wsapoll";
}

struct wire_set *wire_set_open(uint32_t sockets_max)
{
    struct wire_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return NULL;
    set->room = sockets_max;
    set->polled = calloc(sockets_max, sizeof *set->polled);
    set->owners = calloc(sockets_max, sizeof *set->owners);
    if (set->polled == NULL || set->owners == NULL) {
        wire_set_close(set);
        return NULL;
    }
    return set;
}

void wire_set_close(struct wire_set *set)
{
    if (set == NULL)
        return;
    free(set->polled);
    free(set->owners);
    free(set);
}

int wire_set_add(struct wire_set *set, cp_handle handle, void *owner)
{
    assert(set->count < set->room);
    set->polled[set->count] = (WSAPOLLFD){.fd = socket_of(handle), .events = POLLRDNORM};
    set->owners[set->count++] = owner;
    return 0;
}

void wire_set_remove(struct wire_set *set, cp_handle handle)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->polled[i].fd != socket_of(handle))
            continue;
        set->polled[i] = set->polled[--set->count];
        set->owners[i] = set->owners[set->count];
        return;
    }
}

unsigned wire_set_wait(struct wire_set *set, void **owners, unsigned max, unsigned timeout_ms)
{
    unsigned count = 0;
    if (set->count == 0 || WSAPoll(set->polled, set->count, (int)timeout_ms) <= 0)
        return 0;
    for (uint32_t i = 0; i < set->count && count < max; i++)
        if (set->polled[i].revents != 0)
            owners[count++] = set->owners[i];
    return count;
}
