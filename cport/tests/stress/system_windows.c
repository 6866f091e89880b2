#include "base/winapi.h"
#include "cport/tests/stress/system.h"

int descriptors_open(void)
{
    DWORD count = 0;
    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (int)count;
}

void handle_narrow(cp_handle handle)
{
    enum { NARROW_BYTES = 8192 };
    int bytes = NARROW_BYTES;
    setsockopt((SOCKET)handle, SOL_SOCKET, SO_SNDBUF, (const char *)&bytes, sizeof bytes);
}
