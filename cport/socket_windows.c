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

static int recognise_datagrams(struct cp_slot *slot)
{
    WSAPROTOCOL_INFOW info;
    struct sockaddr_storage address;
    int bytes = sizeof info;
    if (getsockopt(slot->handle, SOL_SOCKET, SO_PROTOCOL_INFOW, (char *)&info, &bytes) != 0)
        return socket_error();
    if (info.iProtocol != IPPROTO_UDP)
        return CP_EINVAL;
    slot->datagrams = true;
    slot->family = (uint16_t)info.iAddressFamily;
    bytes = sizeof address;
    slot->bound = getsockname(slot->handle, (struct sockaddr *)&address, &bytes) == 0;
    bytes = sizeof address;
    if (getpeername(slot->handle, (struct sockaddr *)&address, &bytes) == 0)
        slot->role = ROLE_CONNECTED;
    return socket_unblock(slot->handle);
}

int socket_recognise(struct cp_slot *slot)
{
    cp_handle handle = slot->handle;
    struct sockaddr_storage address;
    char byte;
    int type = 0, listening = 0;
    socklen_t bytes = sizeof type;
    if (getsockopt(handle, SOL_SOCKET, SO_TYPE, (char *)&type, &bytes) != 0)
        return socket_error();
    if (type == SOCK_DGRAM)
        return recognise_datagrams(slot);
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
