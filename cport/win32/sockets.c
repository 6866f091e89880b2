/* What is known of sockets: a table by descriptor; joining and leaving ports; closing. */
#include "cport/win32/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CHUNK = 1024, CHUNKS_MAX = 1024 };

static _Atomic(struct socket *) chunks[CHUNKS_MAX];

/* ---- the table ----------------------------------------------------------------------------- */

static struct socket *chunk_make(unsigned index)
{
    struct socket *chunk = calloc(CHUNK, sizeof *chunk), *expected = NULL;
    for (unsigned each = 0; chunk && each < CHUNK; each++) {
        pthread_rwlock_init(&chunk[each].lock, NULL);
        chunk[each].descriptor = (int)(index * CHUNK + each);
    }
    if (!chunk || atomic_compare_exchange_strong(&chunks[index], &expected, chunk))
        return chunk;
    free(chunk); /* another thread was faster */
    return expected;
}

struct socket *socket_of(SOCKET number)
{
    if (number >= (SOCKET)CHUNK * CHUNKS_MAX) {
        fail(WSAENOTSOCK);
        return NULL;
    }
    const unsigned index = (unsigned)(number / CHUNK);
    struct socket *chunk = atomic_load(&chunks[index]);
    if (!chunk)
        chunk = chunk_make(index);
    if (!chunk)
        fail(WSAENOBUFS);
    return chunk ? &chunk[number % CHUNK] : NULL;
}

bool socket_exists(const struct socket *socket)
{
    int type;
    socklen_t bytes = sizeof type;
    return getsockopt(socket->descriptor, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 ||
           fail_errno() == 0;
}

/* ---- ports --------------------------------------------------------------------------------- */

DWORD socket_attach(struct socket *socket)
{
    if (socket->state == SOCKET_ATTACHED)
        return 0;
    if (!socket_exists(socket))
        return WSAENOTSOCK;
    if (socket->state == SOCKET_UNKNOWN)
        return WSAEOPNOTSUPP; /* overlapped, and no port */
    struct port *port = port_use(socket->port);
    if (!port)
        return WSA_INVALID_HANDLE;
    int code = cp_associate(port->cport, socket->descriptor, 0, &socket->cport);
    if (code == 0)
        socket->state = SOCKET_ATTACHED;
    port_leave(port);
    return error_immediate(code);
}

struct socket *socket_use(SOCKET number)
{
    struct socket *socket = socket_of(number);
    if (!socket)
        return NULL;
    for (;;) {
        pthread_rwlock_rdlock(&socket->lock);
        if (socket->state == SOCKET_ATTACHED)
            return socket;
        pthread_rwlock_unlock(&socket->lock);
        pthread_rwlock_wrlock(&socket->lock);
        const DWORD error = socket_attach(socket);
        pthread_rwlock_unlock(&socket->lock);
        if (error != 0) {
            fail(error);
            return NULL;
        }
    }
}

void socket_done(struct socket *socket)
{
    pthread_rwlock_unlock(&socket->lock);
}

/* Takes the socket from cport, which would close it with the port. What is in flight is cancelled,
 * except for an attempt of another thread, which is over at once. False: cport keeps it. */
static bool socket_detach(struct socket *socket)
{
    cp_handle handle;
    int code;
    cp_cancel(socket->cport, NULL);
    while ((code = cp_socket_release(socket->cport, &handle)) == CP_EINVAL &&
           cp_socket_handle(socket->cport) != CP_HANDLE_NONE)
        sched_yield();
    if (code == 0)
        socket->state = SOCKET_ASSOCIATED;
    return code == 0;
}

/* An AcceptEx that waited for bytes may have attached the socket to the listener's port. */
static bool move_to(struct socket *socket, HANDLE handle)
{
    struct port *port = port_use(handle);
    const bool stays =
        !port || socket->state != SOCKET_ATTACHED || socket->cport.port == port->cport;
    if (port)
        port_leave(port);
    return stays || socket_detach(socket);
}

DWORD socket_associate(SOCKET number, HANDLE port, ULONG_PTR key)
{
    struct socket *socket = socket_of(number);
    DWORD error = 0;
    if (!socket || !socket_exists(socket))
        return GetLastError() == WSAENOTSOCK ? ERROR_INVALID_HANDLE : ERROR_NOT_ENOUGH_MEMORY;
    pthread_rwlock_wrlock(&socket->lock);
    if (socket->port || !move_to(socket, port)) {
        error = ERROR_INVALID_PARAMETER;
    } else {
        socket->port = port;
        socket->key = key;
        if (socket->state == SOCKET_UNKNOWN)
            socket->state = SOCKET_ASSOCIATED;
    }
    pthread_rwlock_unlock(&socket->lock);
    return error;
}

void sockets_leave_port(const struct port *port)
{
    for (unsigned index = 0; index < CHUNKS_MAX; index++) {
        struct socket *chunk = atomic_load(&chunks[index]);
        for (struct socket *each = chunk; each && each < chunk + CHUNK; each++) {
            pthread_rwlock_wrlock(&each->lock);
            if (each->state == SOCKET_ATTACHED && each->cport.port == port->cport)
                socket_detach(each);
            if (each->accepting.overlapped && each->accepting.listener.port == port->cport) {
                overlapped_end(each->accepting.overlapped, STATUS_CANCELLED, 0);
                each->accepting = (struct accept_call){0};
            }
            pthread_rwlock_unlock(&each->lock);
        }
    }
}

BOOL SetFileCompletionNotificationModes(HANDLE file, UCHAR flags)
{
    struct socket *socket = socket_of((SOCKET)file);
    if (!socket || !socket_exists(socket))
        return fail(ERROR_INVALID_HANDLE);
    pthread_rwlock_wrlock(&socket->lock);
    socket->skips |= flags & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS; /* for good, as on Windows */
    pthread_rwlock_unlock(&socket->lock);
    return TRUE;
}

/* ---- closing and the like ------------------------------------------------------------------ */

int closesocket(SOCKET number)
{
    struct socket *socket = socket_of(number);
    int code = 0;
    if (!socket)
        return SOCKET_ERROR;
    pthread_rwlock_wrlock(&socket->lock);
    if (socket->accepting.overlapped)
        cp_cancel(socket->accepting.listener, &socket->accepting.overlapped->op);
    if (socket->state == SOCKET_ATTACHED)
        cp_socket_close(socket->cport);
    else
        code = socket_exists(socket) ? close(socket->descriptor) : SOCKET_ERROR;
    socket->state = SOCKET_UNKNOWN;
    socket->port = NULL;
    socket->skips = socket->told = false;
    socket->accepting = (struct accept_call){0};
    pthread_rwlock_unlock(&socket->lock);
    return code;
}

int ioctlsocket(SOCKET socket, long command, unsigned long *argument)
{
    int value = (int)*argument;
    if (ioctl((int)socket, (unsigned long)command, &value) != 0)
        return fail_errno();
    *argument = (unsigned long)value;
    return 0;
}

SOCKET WSASocketW(int family, int type, int protocol, void *info, unsigned group, DWORD flags)
{
    if (info || group != 0) {
        fail(WSAEINVAL);
        return INVALID_SOCKET;
    }
    (void)flags; /* every socket can be overlapped */
    return (SOCKET)cp_win32_socket(family, type | SOCK_CLOEXEC, protocol);
}

int WSAStartup(WORD version, LPWSADATA data)
{
    if (!data)
        return WSAEFAULT;
    *data = (WSADATA){.wVersion = version, .wHighVersion = MAKEWORD(2, 2)};
    return 0;
}

int WSACleanup(void)
{
    return 0;
}
