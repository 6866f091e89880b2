/* Which limit is in the way when starting a thread or mapping memory fails: the calls themselves
 * say only "try again" or "no memory". */
#include "base/os.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/os_parts.h"

enum { NEAR_PART = 50 }; /* of a limit: with less than one such part left, it is reached */

uint64_t number_in(const char *path, const char *format)
{
    uint64_t number = UINT64_MAX;
    FILE *file = fopen(path, "r");
    if (!file)
        return UINT64_MAX;
    if (fscanf(file, format, &number) != 1)
        number = UINT64_MAX;
    fclose(file);
    return number;
}

/* A line each. */
static uint64_t mappings(void)
{
    uint64_t lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    if (!file)
        return UINT64_MAX;
    for (int byte; (byte = getc_unlocked(file)) != EOF;)
        lines += byte == '\n';
    fclose(file);
    return lines;
}

static uint64_t threads_of_user_max(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur
                                                                                   : UINT64_MAX;
}

bool os_limit_reached(char *text, size_t text_bytes)
{
    assert(text && text_bytes > 0);
    /* "0.01 0.02 0.00 1/512 1234": the last but one is the threads of all processes. */
    const uint64_t threads = number_in("/proc/loadavg", "%*s %*s %*s %*u/%" SCNu64);
    const int own_threads = os_thread_count(NULL);
    const struct {
        const char *name, *command;
        uint64_t used, most;
    } limits[] = {
        {"mappings (vm.max_map_count)", "sysctl -w vm.max_map_count=", mappings(),
         number_in("/proc/sys/vm/max_map_count", "%" SCNu64)},
        {"threads of a user", "ulimit -u ", own_threads > 0 ? (uint64_t)own_threads : 0,
         threads_of_user_max()},
        {"thread numbers (kernel.pid_max)", "sysctl -w kernel.pid_max=", threads,
         number_in("/proc/sys/kernel/pid_max", "%" SCNu64)},
        {"threads (kernel.threads-max)", "sysctl -w kernel.threads-max=", threads,
         number_in("/proc/sys/kernel/threads-max", "%" SCNu64)},
    };
    text[0] = '\0';
    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const uint64_t most = limits[i].most;
        if (most == UINT64_MAX || limits[i].used == UINT64_MAX ||
            limits[i].used + most / NEAR_PART < most)
            continue;
        snprintf(text, text_bytes, "the limit of %s is %" PRIu64 ": as root, %s%" PRIu64,
                 limits[i].name, most, limits[i].command, 4 * most);
        return true;
    }
    return false;
}
