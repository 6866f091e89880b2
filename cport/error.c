/* Names and texts of the portable codes, and errno -> portable code. */
#include <cport.h>

#include <errno.h>
#include <stddef.h>

static const struct {
    const char *name, *text;
} errors[] = {
#define X(code, name, text) {name, text},
    CP_ERRORS(X)
#undef X
};

int cp_error_index(int code)
{
    int index = code - CP_ERROR_BASE - 1;
    return index >= 0 && index < CP_ERROR_COUNT ? index : CP_EOTHER - CP_ERROR_BASE - 1;
}

const char *cp_error_name(int code)
{
    return errors[cp_error_index(code)].name;
}

const char *cp_error_text(int code)
{
    return errors[cp_error_index(code)].text;
}

static const struct {
    int error, code;
} errno_codes[] = {
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
    {EMSGSIZE, CP_EMSGSIZE},
    {ECANCELED, CP_ECANCELED},
    {ECONNABORTED, CP_EABORTED},
    {EADDRINUSE, CP_EADDRINUSE},
    {EADDRNOTAVAIL, CP_EADDRNOTAVAIL},
    /* connect() with every local port in use. */
    {EAGAIN, CP_EADDRNOTAVAIL},
    {EACCES, CP_EACCES},
    {EPERM, CP_EACCES},
    {EMFILE, CP_EMFILE},
    {ENFILE, CP_ENFILE},
    {ENOMEM, CP_ENOMEM},
    {ENOBUFS, CP_ENOMEM},
    /* epoll_ctl() with as many descriptors watched as the user may. */
    {ENOSPC, CP_ENOSPC},
    {EINVAL, CP_EINVAL},
    {EBADF, CP_EINVAL},
    {ENOTSOCK, CP_EINVAL},
    {EEXIST, CP_EINVAL},
    {EAFNOSUPPORT, CP_EUNSUPPORTED},
    {EPROTONOSUPPORT, CP_EUNSUPPORTED},
    {EOPNOTSUPP, CP_EUNSUPPORTED},
    {ENOSYS, CP_EUNSUPPORTED},
};

int cp_error_from_errno(int error)
{
    if (error == 0)
        return 0;
    for (size_t index = 0; index < sizeof errno_codes / sizeof errno_codes[0]; index++)
        if (errno_codes[index].error == -error)
            return errno_codes[index].code;
    return CP_EOTHER;
}
