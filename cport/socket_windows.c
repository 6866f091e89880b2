/* Where Windows' sockets differ: Win32 and Winsock codes -> errno -> portable codes. */
#include "base/winapi.h"
#include "cport/port.h"

#include <sys/socket.h>

int cp_error_from_os(int os_code)
{
    return cp_error_from_errno(-winapi_errno((DWORD)os_code));
}

int socket_error(void)
{
    return cp_error_from_os(WSAGetLastError());
}

/* For receives without OVERLAPPED; it does not affect the others. */
int socket_unblock(cp_handle handle)
{
    u_long on = 1;
    return ioctlsocket((SOCKET)handle, FIONBIO, &on) == 0 ? 0 : socket_error();
}

int socket_recognise(struct slot *slot)
{
    cp_handle handle = slot->handle;
    struct sockaddr_storage address;
    char byte;
    int type = 0, listening = 0;
    socklen_t bytes = sizeof type;
    if (getsockopt(handle, SOL_SOCKET, SO_TYPE, (char *)&type, &bytes) != 0)
        return socket_error();
    int code = type == SOCK_STREAM ? socket_unblock(handle) : CP_EINVAL;
    if (code != 0)
        return code;
    bytes = sizeof listening;
    getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, (char *)&listening, &bytes);
    bytes = sizeof address;
    if (listening && getsockname(handle, (struct sockaddr *)&address, &bytes) == 0)
        slot->family = address.ss_family;
    if (listening) {
        slot->role = ROLE_LISTENING;
        return 0;
    }
    /* A connection that was reset before it was adopted may have no peer any more, like a fresh
     * socket. Unlike that, it has an error to report, once, or data. */
    bytes = sizeof address;
    if (getpeername(handle, (struct sockaddr *)&address, &bytes) != 0 &&
        recv(handle, &byte, 1, MSG_PEEK) < 0)
        code = socket_error();
    if (code != CP_ENOTCONN) {
        slot->role = ROLE_CONNECTED;
        slot->broken = code;
    }
    return 0;
}
