#include "cport/tests/stress/system.h"

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
    enum { NARROW_BYTES = 8192 };
    setsockopt((int)handle, SOL_SOCKET, SO_SNDBUF, &(int){NARROW_BYTES}, sizeof(int));
}
