/* Windows' error codes: for the portable codes, and for errno where a call is the system's. */
#include "cport/win32/internal.h"

#include <errno.h>

static _Thread_local DWORD last_error;

/* An event as a call reports it, as a packet's status, and that status as GetLastError has it. */
static const struct event {
    int code;
    DWORD immediate, status, packet;
} events[] = {
    {CP_EINVAL, WSAEINVAL, STATUS_INVALID_PARAMETER, ERROR_INVALID_PARAMETER},
    {CP_ECANCELED, WSA_OPERATION_ABORTED, STATUS_CANCELLED, ERROR_OPERATION_ABORTED},
    {CP_EABORTED, WSA_OPERATION_ABORTED, STATUS_CANCELLED, ERROR_OPERATION_ABORTED},
    {CP_ETIMEDOUT, WSAETIMEDOUT, STATUS_IO_TIMEOUT, ERROR_SEM_TIMEOUT},
    {CP_EREFUSED, WSAECONNREFUSED, STATUS_CONNECTION_REFUSED, ERROR_CONNECTION_REFUSED},
    {CP_ERESET, WSAECONNRESET, STATUS_CONNECTION_RESET, ERROR_NETNAME_DELETED},
    {CP_EUNREACHABLE, WSAENETUNREACH, STATUS_NETWORK_UNREACHABLE, ERROR_NETWORK_UNREACHABLE},
    {CP_ENOTCONN, WSAENOTCONN, STATUS_INVALID_CONNECTION, ERROR_NOT_CONNECTED},
    {CP_EISCONN, WSAEISCONN, STATUS_CONNECTION_ACTIVE, ERROR_CONNECTION_ACTIVE},
    {CP_ESHUTDOWN, WSAESHUTDOWN, STATUS_PIPE_DISCONNECTED, ERROR_PIPE_NOT_CONNECTED},
    {CP_EADDRINUSE, WSAEADDRINUSE, STATUS_ADDRESS_ALREADY_EXISTS, ERROR_DUP_NAME},
    {CP_EADDRNOTAVAIL, WSAEADDRNOTAVAIL, STATUS_INVALID_ADDRESS, ERROR_INVALID_NETNAME},
    {CP_EACCES, WSAEACCES, STATUS_ACCESS_DENIED, ERROR_ACCESS_DENIED},
    {CP_EMFILE, WSAEMFILE, STATUS_TOO_MANY_OPENED_FILES, ERROR_TOO_MANY_OPEN_FILES},
    {CP_ENFILE, WSAENOBUFS, STATUS_INSUFFICIENT_RESOURCES, ERROR_NO_SYSTEM_RESOURCES},
    {CP_ENOSPC, WSAENOBUFS, STATUS_INSUFFICIENT_RESOURCES, ERROR_NO_SYSTEM_RESOURCES},
    {CP_ENOMEM, WSAENOBUFS, STATUS_NO_MEMORY, ERROR_NOT_ENOUGH_MEMORY},
    {CP_ECLOSED, WSA_INVALID_HANDLE, STATUS_CANCELLED, ERROR_OPERATION_ABORTED},
    {CP_EMSGSIZE, WSAEMSGSIZE, STATUS_BUFFER_OVERFLOW, ERROR_MORE_DATA},
    {CP_EUNSUPPORTED, WSAEOPNOTSUPP, STATUS_NOT_SUPPORTED, ERROR_NOT_SUPPORTED},
    /* An earlier datagram found nobody. */
    {CP_ERROR_END, WSAECONNRESET, STATUS_PORT_UNREACHABLE, ERROR_PORT_UNREACHABLE},
    {CP_EOTHER, WSASYSCALLFAILURE, STATUS_UNSUCCESSFUL, ERROR_GEN_FAILURE},
};

enum { EVENT_COUNT = sizeof events / sizeof *events };

static const struct event *event_of_code(int code)
{
    for (unsigned index = 0; index < EVENT_COUNT; index++)
        if (events[index].code == code)
            return &events[index];
    return &events[EVENT_COUNT - 1];
}

static const struct event *event_of_status(ULONG_PTR status)
{
    for (unsigned index = 0; index < EVENT_COUNT; index++)
        if (events[index].status == status)
            return &events[index];
    return &events[EVENT_COUNT - 1];
}

DWORD error_immediate(int code)
{
    return code == 0 ? NO_ERROR : event_of_code(code)->immediate;
}

DWORD error_status(int code)
{
    return code >= 0 ? STATUS_SUCCESS : event_of_code(code)->status;
}

DWORD error_of_status(ULONG_PTR status)
{
    return status == STATUS_SUCCESS ? NO_ERROR : event_of_status(status)->packet;
}

DWORD error_of_status_wsa(ULONG_PTR status)
{
    return status == STATUS_SUCCESS ? NO_ERROR : event_of_status(status)->immediate;
}

/* errno values whose Winsock code says more than the portable code behind them. */
static DWORD error_of_errno(int error)
{
    static const struct {
        int error;
        DWORD code;
    } own[] = {
        {EINTR, WSAEINTR},
        {EBADF, WSAENOTSOCK},
        {ENOTSOCK, WSAENOTSOCK},
        {EFAULT, WSAEFAULT},
        {EINVAL, WSAEINVAL},
        {EAGAIN, WSAEWOULDBLOCK},
        {EINPROGRESS, WSAEWOULDBLOCK},
        {EALREADY, WSAEALREADY},
        {EDESTADDRREQ, WSAEDESTADDRREQ},
        {EMSGSIZE, WSAEMSGSIZE},
        {EPROTOTYPE, WSAEPROTOTYPE},
        {ENOPROTOOPT, WSAENOPROTOOPT},
        {EPROTONOSUPPORT, WSAEPROTONOSUPPORT},
        {ESOCKTNOSUPPORT, WSAESOCKTNOSUPPORT},
        {EOPNOTSUPP, WSAEOPNOTSUPP},
        {EAFNOSUPPORT, WSAEAFNOSUPPORT},
        {ENETDOWN, WSAENETDOWN},
        {EHOSTUNREACH, WSAEHOSTUNREACH},
        {ECONNABORTED, WSAECONNABORTED},
        {EPIPE, WSAESHUTDOWN},
    };
    for (unsigned index = 0; index < sizeof own / sizeof *own; index++)
        if (own[index].error == error)
            return own[index].code;
    return error_immediate(cp_error_from_errno(-error));
}

BOOL fail(DWORD error)
{
    last_error = error;
    return FALSE;
}

int fail_socket(DWORD error)
{
    last_error = error;
    return SOCKET_ERROR;
}

int fail_errno(void)
{
    return fail_socket(error_of_errno(errno));
}

DWORD GetLastError(void)
{
    return last_error;
}

void SetLastError(DWORD code)
{
    last_error = code;
}

int WSAGetLastError(void)
{
    return (int)last_error;
}

void WSASetLastError(int code)
{
    last_error = (DWORD)code;
}
