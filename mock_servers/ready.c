/* Writing the ready file. */
#include "mock_servers/ready.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096 };

int ready_write(const char *path, int port, uint64_t count)
{
    char draft[PATH_BYTES_MAX];
    int bytes = snprintf(draft, sizeof draft, "%s.%ld", path, (long)getpid());
    if (bytes < 0 || (size_t)bytes >= sizeof draft)
        return -ENAMETOOLONG;
    FILE *file = fopen(draft, "w");
    if (file == NULL)
        return -errno;
    fprintf(file, "%ld %d %llu\n", (long)getpid(), port, (unsigned long long)count);
    int result = ferror(file) ? -EIO : 0;
    if (fclose(file) != 0 || result < 0 || rename(draft, path) != 0) {
        result = result < 0 ? result : -errno;
        remove(draft);
    }
    return result;
}
