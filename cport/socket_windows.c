/* Where Windows' sockets differ: Win32 and Winsock codes -> errno -> portable codes. */
#include "base/winapi.h"
#include "cport/port.h"

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
