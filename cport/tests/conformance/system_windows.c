/* What the tests need of Windows. */
#include "base/winapi.h"
#include "cport/tests/conformance/stage.h"

bool descriptors_deny(void)
{
    return false;
}

void descriptors_allow(void)
{
}

int descriptors_open(void)
{
    DWORD count = 0;
    GetProcessHandleCount(GetCurrentProcess(), &count);
    return (int)count;
}
