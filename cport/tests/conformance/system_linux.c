/* What the tests need of Linux. */
#include "cport/tests/conformance/stage.h"

#include <assert.h>
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit before;

bool descriptors_deny(void)
{
    int lowest_free = dup(STDOUT_FILENO);
    if (lowest_free < 0 || getrlimit(RLIMIT_NOFILE, &before) != 0)
        return false;
    close(lowest_free);
    return setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)lowest_free, before.rlim_max}) == 0;
}

void descriptors_allow(void)
{
    int code = setrlimit(RLIMIT_NOFILE, &before);
    assert(code == 0);
    (void)code;
}

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
