/* What the tests need of Linux. */
#include "cport/tests/conformance/system.h"

#include <assert.h>
#include <dirent.h>
#include <sys/socket.h>

int descriptors_open(void)
{
    int count = 0;
    DIR *open = opendir("/proc/self/fd");
    assert(open);
    while (readdir(open))
        count++;
    closedir(open);
    return count;
}

void handle_narrow(cp_handle handle)
{
    setsockopt((int)handle, SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int));
}

void handle_reset_on_close(cp_handle handle)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt((int)handle, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}
