/* Where Linux's sockets differ: codes are errno values. */
#include "cport/port.h"

#include <errno.h>
#include <fcntl.h>

int cp_error_from_os(int os_code)
{
    return cp_error_from_errno(-os_code);
}

int socket_error(void)
{
    return cp_error_from_os(errno);
}

int socket_unblock(cp_handle handle)
{
    int flags = fcntl((int)handle, F_GETFL);
    if (flags < 0 || fcntl((int)handle, F_SETFL, flags | O_NONBLOCK) != 0)
        return socket_error();
    return 0;
}
