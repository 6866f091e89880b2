/* Linux's codes are errno values. */
#include "cport/error.h"

int cp_error_from_os(int os_code)
{
    return cp_error_from_errno(-os_code);
}
