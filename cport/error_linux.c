/* errno -> portable codes. */
#include "cport/error.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    int os_code, code;
} table[] = {
    {ECONNREFUSED, CP_EREFUSED},
    {ECONNRESET, CP_ERESET},
    /* A send after the peer's reset was reported: Windows says reset again. */
    {EPIPE, CP_ERESET},
    {ETIMEDOUT, CP_ETIMEDOUT},
    {ENETUNREACH, CP_EUNREACHABLE},
    {EHOSTUNREACH, CP_EUNREACHABLE},
    {ENETDOWN, CP_EUNREACHABLE},
    {EHOSTDOWN, CP_EUNREACHABLE},
    {ENOTCONN, CP_ENOTCONN},
    {EISCONN, CP_EISCONN},
    {ESHUTDOWN, CP_ESHUTDOWN},
    {ECANCELED, CP_ECANCELED},
    {ECONNABORTED, CP_EABORTED},
    {EADDRINUSE, CP_EADDRINUSE},
    {EADDRNOTAVAIL, CP_EADDRNOTAVAIL},
    /* connect() with every local port in use. */
    {EAGAIN, CP_EADDRNOTAVAIL},
    {EACCES, CP_EACCES},
    {EPERM, CP_EACCES},
    {EMFILE, CP_EMFILE},
    {ENFILE, CP_EMFILE},
    {ENOMEM, CP_ENOMEM},
    {ENOBUFS, CP_ENOMEM},
    {ENOSPC, CP_ENOMEM},
    {EINVAL, CP_EINVAL},
    {EBADF, CP_EINVAL},
    {ENOTSOCK, CP_EINVAL},
    {EEXIST, CP_EINVAL},
    {EAFNOSUPPORT, CP_EUNSUPPORTED},
    {EOPNOTSUPP, CP_EUNSUPPORTED},
    {ENOSYS, CP_EUNSUPPORTED},
};

int cp_error_from_os(int os_code)
{
    for (size_t index = 0; index < sizeof table / sizeof table[0]; index++)
        if (table[index].os_code == os_code)
            return table[index].code;
    return CP_EOTHER;
}
