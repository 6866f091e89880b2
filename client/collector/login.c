/* Login: what a server's answer or an error means. */
#include "client/collector/login.h"

#include <string.h>

#include "cport/cport.h"

const char *login_verdict(const char *answer, size_t bytes)
{
    if (bytes == 2 && memcmp(answer, "OK", 2) == 0)
        return NULL;
    const bool no = bytes >= 2 && memcmp(answer, "NO", 2) == 0 && (bytes == 2 || answer[2] == ' ');
    return no ? LOGIN_REFUSED : LOGIN_GARBAGE;
}

const char *login_error(int code)
{
    switch (code) {
    case 0:
    case CP_ENOTCONN:
        return LOGIN_CLOSED;
    case CP_ERESET:
        return LOGIN_RESET;
    case CP_ETIMEDOUT:
        return LOGIN_TIMEOUT;
    default:
        return LOGIN_FAILED;
    }
}

const char *login_short_name(const char *name)
{
    static const char prefix[] = "login-";
    const size_t bytes = sizeof prefix - 1;
    return strncmp(name, prefix, bytes) == 0 ? name + bytes : name;
}
