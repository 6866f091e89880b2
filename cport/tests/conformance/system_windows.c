/* What the tests need of Windows. */
#include "base/winapi.h"
#include "cport/tests/conformance/system.h"

int descriptors_open(void)
{
    DWORD count = 0;
    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (int)count;
}

void handle_narrow(cp_handle handle)
{
    int bytes = 8192;
    setsockopt((SOCKET)handle, SOL_SOCKET, SO_SNDBUF, (const char *)&bytes, sizeof bytes);
}

void handle_reset_on_close(cp_handle handle)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt((SOCKET)handle, SOL_SOCKET, SO_LINGER, (const char *)&hard, sizeof hard);
}
