/* Win32 and Winsock codes -> portable codes.
 *
 * The same event has a code of either family, according to who reports it: a call that fails at
 * once, or a packet. Wine adds one of its own. */
#include "client/port/error.h"

#include <stddef.h>

#include "client/os/winapi.h"

/* ERROR_HANDLES_CLOSED, which older headers lack: what Wine 8 says of an operation whose handle was
 * closed. */
enum { HANDLES_CLOSED = 676 };

static const struct {
    DWORD os_code;
    int code;
} table[] = {
    {WSAECONNREFUSED, CP_EREFUSED},
    {ERROR_CONNECTION_REFUSED, CP_EREFUSED},
    {WSAECONNRESET, CP_ERESET},
    {WSAENETRESET, CP_ERESET},
    {ERROR_NETNAME_DELETED, CP_ERESET},
    {WSAETIMEDOUT, CP_ETIMEDOUT},
    {ERROR_SEM_TIMEOUT, CP_ETIMEDOUT},
    {WSAENETUNREACH, CP_EUNREACHABLE},
    {WSAEHOSTUNREACH, CP_EUNREACHABLE},
    {WSAENETDOWN, CP_EUNREACHABLE},
    {WSAEHOSTDOWN, CP_EUNREACHABLE},
    {ERROR_NETWORK_UNREACHABLE, CP_EUNREACHABLE},
    {ERROR_HOST_UNREACHABLE, CP_EUNREACHABLE},
    {ERROR_PROTOCOL_UNREACHABLE, CP_EUNREACHABLE},
    {ERROR_PORT_UNREACHABLE, CP_EUNREACHABLE},
    {WSAENOTCONN, CP_ENOTCONN},
    {ERROR_CONNECTION_INVALID, CP_ENOTCONN},
    {ERROR_UNEXP_NET_ERR, CP_ENOTCONN}, /* the status of an invalid connection, translated */
    {WSAEISCONN, CP_EISCONN},
    {WSAESHUTDOWN, CP_ESHUTDOWN},
    {WSA_OPERATION_ABORTED, CP_ECANCELED},
    {WSAECONNABORTED, CP_EABORTED},
    {ERROR_CONNECTION_ABORTED, CP_EABORTED},
    {HANDLES_CLOSED, CP_EABORTED},
    {WSAEADDRINUSE, CP_EADDRINUSE},
    {ERROR_ADDRESS_ALREADY_ASSOCIATED, CP_EADDRINUSE},
    {WSAEADDRNOTAVAIL, CP_EADDRNOTAVAIL},
    {WSAEACCES, CP_EACCES},
    {ERROR_ACCESS_DENIED, CP_EACCES},
    {WSAEMFILE, CP_EMFILE},
    {ERROR_TOO_MANY_OPEN_FILES, CP_EMFILE},
    {WSAENOBUFS, CP_ENOMEM},
    {WSA_NOT_ENOUGH_MEMORY, CP_ENOMEM},
    {ERROR_NO_SYSTEM_RESOURCES, CP_ENOMEM},
    {ERROR_WORKING_SET_QUOTA, CP_ENOMEM},
    {ERROR_NOT_ENOUGH_SERVER_MEMORY, CP_ENOMEM},
    {WSAEINVAL, CP_EINVAL},
    {WSAEFAULT, CP_EINVAL},
    {WSAENOTSOCK, CP_EINVAL},
    {WSA_INVALID_HANDLE, CP_EINVAL},
    {WSA_INVALID_PARAMETER, CP_EINVAL},
    {WSAEAFNOSUPPORT, CP_EUNSUPPORTED},
    {WSAEPROTONOSUPPORT, CP_EUNSUPPORTED},
    {WSAEOPNOTSUPP, CP_EUNSUPPORTED},
    {ERROR_NOT_SUPPORTED, CP_EUNSUPPORTED},
};

int cp_error_from_os(int os_code)
{
    for (size_t index = 0; index < sizeof table / sizeof table[0]; index++)
        if (table[index].os_code == (DWORD)os_code)
            return table[index].code;
    return CP_EOTHER;
}
