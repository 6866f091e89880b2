/* What the Windows halves of several rooms share: the system's headers in the order that they need,
 * and its units and codes as os.h has them. Included by *_windows.c and the iocp engine only. */
#ifndef FANIN_OS_WINAPI_H
#define FANIN_OS_WINAPI_H

#include <winsock2.h> /* before windows.h, which else brings the older one */
#include <ws2tcpip.h>

#include <windows.h>

#include <stdint.h>

/* Words of 16-bit C that windows.h still takes. */
#undef near
#undef far

/* winapi_ms: a time limit as Windows takes it: whole milliseconds, never early; UINT64_MAX is
 * INFINITE. */
static inline DWORD winapi_ms(uint64_t timeout_ns)
{
    if (timeout_ns == UINT64_MAX)
        return INFINITE;
    uint64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
    return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

enum { WINAPI_FILETIME_NS = 100 };

static inline uint64_t winapi_filetime_ns(FILETIME time)
{
    return ((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) * WINAPI_FILETIME_NS;
}

/* winapi_errno: a Win32 or Winsock code -> the errno value that means the same, EIO where there is
 * none. */
int winapi_errno(DWORD code);

/* winapi_error: minus the errno value of the thread's last error, also of a Winsock call. */
static inline int winapi_error(void)
{
    return -winapi_errno(GetLastError());
}

/* winapi_wine_version: "8.0"; NULL on Windows itself. */
const char *winapi_wine_version(void);

#endif
