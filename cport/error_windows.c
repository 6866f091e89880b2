/* Win32 and Winsock codes -> errno -> portable codes. */
#include "base/winapi.h"
#include "cport/error.h"

int cp_error_from_os(int os_code)
{
    return cp_error_from_errno(-winapi_errno((DWORD)os_code));
}
