/* The system's socket calls, which set the last error, and know Windows' options. */
#include "cport/win32/internal.h"

#include <sys/time.h>

static int checked(int result)
{
    return result >= 0 ? result : fail_errno();
}

int cp_win32_socket(int family, int type, int protocol)
{
    return checked(socket(family, type, protocol));
}

/* On Windows connections in TIME_WAIT do not keep a server from its port. */
int cp_win32_bind(int socket, const struct sockaddr *address, socklen_t bytes)
{
    const struct sockaddr_in *internet = (const struct sockaddr_in *)address;
    int type = 0, on = 1;
    socklen_t type_bytes = sizeof type;
    if (address && bytes >= sizeof *internet && internet->sin_port != 0 &&
        getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &type_bytes) == 0 && type == SOCK_STREAM)
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return checked(bind(socket, address, bytes));
}

int cp_win32_listen(int socket, int backlog)
{
    return checked(listen(socket, backlog));
}

int cp_win32_accept(int socket, struct sockaddr *address, socklen_t *bytes)
{
    return checked(accept(socket, address, bytes));
}

int cp_win32_connect(int socket, const struct sockaddr *address, socklen_t bytes)
{
    return checked(connect(socket, address, bytes));
}

int cp_win32_getsockname(int socket, struct sockaddr *address, socklen_t *bytes)
{
    return checked(getsockname(socket, address, bytes));
}

int cp_win32_getpeername(int socket, struct sockaddr *address, socklen_t *bytes)
{
    return checked(getpeername(socket, address, bytes));
}

ssize_t cp_win32_send(int socket, const void *data, size_t bytes, int flags)
{
    const ssize_t sent = send(socket, data, bytes, flags | MSG_NOSIGNAL);
    return sent >= 0 ? sent : fail_errno();
}

ssize_t cp_win32_recv(int socket, void *data, size_t bytes, int flags)
{
    const ssize_t received = recv(socket, data, bytes, flags);
    return received >= 0 ? received : fail_errno();
}

/* Of a socket that cport has the sends that were accepted go out first. */
static int end_sending(int number)
{
    struct socket *socket = socket_of((SOCKET)number);
    int code = CP_ENOTCONN;
    if (!socket)
        return SOCKET_ERROR;
    pthread_rwlock_rdlock(&socket->lock);
    const bool attached = socket->state == SOCKET_ATTACHED;
    if (attached)
        code = cp_shutdown(socket->cport);
    pthread_rwlock_unlock(&socket->lock);
    if (!attached)
        return checked(shutdown(number, SHUT_WR));
    return code == 0 ? 0 : fail_socket(error_immediate(code));
}

int cp_win32_shutdown(int socket, int how)
{
    int code = how == SHUT_RD ? 0 : end_sending(socket);
    if (code == 0 && how != SHUT_WR)
        code = checked(shutdown(socket, SHUT_RD));
    return code;
}

static bool is_timeout(int name)
{
    return name == SO_RCVTIMEO || name == SO_SNDTIMEO;
}

/* An option that Linux needs not be told. */
static bool is_granted(int name, const void *value, socklen_t bytes)
{
    if (name == SO_UPDATE_ACCEPT_CONTEXT || name == SO_UPDATE_CONNECT_CONTEXT ||
        name == SO_EXCLUSIVEADDRUSE)
        return true;
    int number;
    if ((name != SO_SNDBUF && name != SO_RCVBUF) || bytes != sizeof number)
        return false;
    memcpy(&number, value, sizeof number);
    return number == 0;
}

int cp_win32_setsockopt(int socket, int level, int name, const void *value, socklen_t bytes)
{
    struct timeval interval;
    DWORD milliseconds;
    if (level == SOL_SOCKET && is_granted(name, value, bytes)) {
        int type;
        bytes = sizeof type;
        return checked(getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &bytes));
    }
    if (level == SOL_SOCKET && is_timeout(name) && bytes == sizeof milliseconds) {
        memcpy(&milliseconds, value, sizeof milliseconds);
        interval = (struct timeval){milliseconds / 1000, milliseconds % 1000 * 1000};
        return checked(setsockopt(socket, level, name, &interval, sizeof interval));
    }
    return checked(setsockopt(socket, level, name, value, bytes));
}

int cp_win32_getsockopt(int socket, int level, int name, void *value, socklen_t *bytes)
{
    struct timeval interval;
    socklen_t interval_bytes = sizeof interval;
    if (level != SOL_SOCKET || !is_timeout(name) || *bytes != sizeof(DWORD))
        return checked(getsockopt(socket, level, name, value, bytes));
    if (getsockopt(socket, level, name, &interval, &interval_bytes) != 0)
        return fail_errno();
    const DWORD milliseconds = (DWORD)(interval.tv_sec * 1000 + interval.tv_usec / 1000);
    memcpy(value, &milliseconds, sizeof milliseconds);
    return 0;
}
