/* Which limit has stopped a call, on Linux. */
#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/os.h"
#include "base/os_parts.h"

enum {
    NEAR_PART = 50,   /* of a limit: with less than one such part left, it is reached */
    RAISE_FACTOR = 4, /* what the named commands raise a limit by */
    STATUS_BYTES = 4096,
    PATH_LINE_BYTES = CGROUP_PATH_BYTES + 64,
    KB = 1024,
};

/* ---- what is used ------------------------------------------------------------------------- */

static uint64_t own_status(const char *field, int number_base)
{
    char text[STATUS_BYTES];
    os_file_read("/proc/self/status", text, sizeof text);
    const char *line = strstr(text, field);
    return line == NULL ? UINT64_MAX : strtoull(line + strlen(field), NULL, number_base);
}

/* A line each of this file. */
static uint64_t mappings(void)
{
    uint64_t lines = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    if (!file)
        return UINT64_MAX;
    for (int byte; (byte = getc_unlocked(file)) != EOF;)
        lines += byte == '\n';
    fclose(file);
    return lines;
}

/* Threads of all processes of this user that can be seen. */
static uint64_t threads_of_user(void)
{
    uint64_t threads = 0;
    DIR *processes = opendir("/proc");
    for (struct dirent *entry; processes && (entry = readdir(processes));) {
        char path[64], text[STATUS_BYTES];
        unsigned user, count;
        snprintf(path, sizeof path, "/proc/%.20s/status", entry->d_name);
        if (!isdigit((unsigned char)entry->d_name[0]) || !os_file_read(path, text, sizeof text))
            continue;
        const char *of = strstr(text, "\nUid:"), *number = strstr(text, "\nThreads:");
        if (of && number && sscanf(of, " Uid: %u", &user) == 1 && user == getuid() &&
            sscanf(number, " Threads: %u", &count) == 1)
            threads += count;
    }
    if (processes)
        closedir(processes);
    return threads;
}

/* The system does not count the threads of privileged processes. */
static bool is_privileged(void)
{
    enum { SYS_ADMIN = 21, SYS_RESOURCE = 24 };
    const uint64_t rights = own_status("\nCapEff:", 16);
    if (rights == UINT64_MAX)
        return false;
    return (rights >> SYS_ADMIN & 1) != 0 || (rights >> SYS_RESOURCE & 1) != 0;
}

/* ---- limits of threads and memory: the calls say only "try again" or "no memory" ----------- */

struct limit {
    const char *name, *unit;
    const char *command, *target; /* before and behind the new value */
    uint64_t used, most;          /* UINT64_MAX: not known; no limit */
    uint64_t needed;              /* by a call that was refused */
    bool of_root;                 /* only root may raise it */
    bool rare;                    /* where it is set, a refused call is blamed on it */
};

static struct limit resource_limit(__typeof__(RLIMIT_NPROC) resource, uint64_t unit,
                                   struct limit limit)
{
    struct rlimit value = {RLIM_INFINITY, RLIM_INFINITY};
    getrlimit(resource, &value);
    limit.most = value.rlim_cur == RLIM_INFINITY ? UINT64_MAX : value.rlim_cur / unit;
    limit.of_root =
        value.rlim_max != RLIM_INFINITY && value.rlim_max / unit / RAISE_FACTOR < limit.most;
    return limit;
}

static bool is_reached(const struct limit *limit)
{
    const uint64_t near = limit->most / NEAR_PART;
    return limit->most != UINT64_MAX && limit->used != UINT64_MAX &&
           limit->used + (near > limit->needed ? near : limit->needed) >= limit->most;
}

static void limit_write(const struct limit *limit, char *text, size_t text_bytes)
{
    const uint64_t most = limit->most;
    snprintf(text, text_bytes, "the limit of %s is %" PRIu64 "%s: %s%s%" PRIu64 "%s", limit->name,
             most, limit->unit, limit->of_root ? "as root, " : "", limit->command,
             most < INT64_MAX / RAISE_FACTOR ? RAISE_FACTOR * most : INT64_MAX, limit->target);
}

/* A stack is the most that a thread asks for. */
static uint64_t stack_kb(void)
{
    enum { DEFAULT_KB = 8192 };
    struct rlimit stack;
    return getrlimit(RLIMIT_STACK, &stack) != 0 || stack.rlim_cur == RLIM_INFINITY
               ? DEFAULT_KB
               : stack.rlim_cur / KB;
}

/* `threads`: the call may have asked for one. */
static bool memory_limit_met(bool threads, char *text, size_t text_bytes)
{
    char name[PATH_LINE_BYTES], target[PATH_LINE_BYTES];
    struct pids_limit group = {.most = UINT64_MAX};
    /* "0.01 0.02 0.00 1/512 1234": the last but one is the threads of all processes. */
    const uint64_t all =
        threads ? os_file_number("/proc/loadavg", "%*s %*s %*s %*u/%" SCNu64) : UINT64_MAX;
    if (threads)
        pids_limit_read("", &group);
    snprintf(name, sizeof name, "threads of the control group %s", group.group);
    snprintf(target, sizeof target, " > %s/pids.max", group.group);
    const struct limit limits[] = {
        {"mappings (vm.max_map_count)", "", "sysctl -w vm.max_map_count=", "", mappings(),
         os_file_number("/proc/sys/vm/max_map_count", "%" SCNu64), .of_root = true},
        resource_limit(RLIMIT_AS, KB,
                       (struct limit){"address space", " kB", "ulimit -v ", "",
                                      own_status("\nVmSize:", 10), .needed = stack_kb(),
                                      .rare = true}),
        resource_limit(RLIMIT_DATA, KB,
                       (struct limit){"data", " kB", "ulimit -d ", "", own_status("\nVmData:", 10),
                                      .needed = stack_kb(), .rare = true}),
        resource_limit(
            RLIMIT_NPROC, 1,
            (struct limit){.name = "threads of a user",
                           .unit = "",
                           .command = "ulimit -u ",
                           .target = "",
                           .used = threads && !is_privileged() ? threads_of_user() : UINT64_MAX}),
        {name, "", "echo ", target, group.used, group.most, .of_root = true},
        {"thread numbers (kernel.pid_max)", "", "sysctl -w kernel.pid_max=", "", all,
         os_file_number("/proc/sys/kernel/pid_max", "%" SCNu64), .of_root = true},
        {"threads (kernel.threads-max)", "", "sysctl -w kernel.threads-max=", "", all,
         os_file_number("/proc/sys/kernel/threads-max", "%" SCNu64), .of_root = true},
    };
    const struct limit *met = NULL;
    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (is_reached(&limits[i])) {
            met = &limits[i];
            break;
        }
        if (met == NULL && limits[i].rare && limits[i].most != UINT64_MAX)
            met = &limits[i];
    }
    if (met != NULL)
        limit_write(met, text, text_bytes);
    return met != NULL;
}

/* ---- limits that a reason of their own tells of -------------------------------------------- */

/* Without a descriptor left, its value cannot be read. */
static bool reached_write(const struct limit *limit, char *text, size_t text_bytes)
{
    if (limit->most != UINT64_MAX)
        limit_write(limit, text, text_bytes);
    else
        snprintf(text, text_bytes, "the limit of %s is reached: as root, %sNUMBER", limit->name,
                 limit->command);
    return true;
}

static bool ports_write(char *text, size_t text_bytes)
{
    char range[128];
    unsigned low, high;
    if (!os_file_read("/proc/sys/net/ipv4/ip_local_port_range", range, sizeof range) ||
        sscanf(range, "%u %u", &low, &high) != 2 || low > high)
        return false;
    snprintf(text, text_bytes,
             "net.ipv4.ip_local_port_range is %u to %u, so %u connections to one address and port "
             "at a time, counting those that ended in the last minute: as root, sysctl -w "
             "net.ipv4.ip_local_port_range=\"1024 65535\"",
             low, high, high - low + 1);
    return true;
}

bool os_limit_met(int error, char *text, size_t text_bytes)
{
    const struct limit descriptors = resource_limit(
        RLIMIT_NOFILE, 1,
        (struct limit){
            .name = "descriptors of a process", .unit = "", .command = "ulimit -n ", .target = ""});
    const struct limit files = {"open files of all processes (fs.file-max)",
                                "",
                                "sysctl -w fs.file-max=",
                                "",
                                .most = os_file_number("/proc/sys/fs/file-max", "%" SCNu64),
                                .of_root = true};
    const struct limit watches = {
        "descriptors that a user's epolls watch (fs.epoll.max_user_watches)",
        "",
        "sysctl -w fs.epoll.max_user_watches=",
        "",
        .most = os_file_number("/proc/sys/fs/epoll/max_user_watches", "%" SCNu64),
        .of_root = true};
    assert(error < 0 && text_bytes > 0);
    text[0] = '\0';
    switch (-error) {
    case EMFILE:
        return reached_write(&descriptors, text, text_bytes);
    case ENFILE:
        return reached_write(&files, text, text_bytes);
    case ENOSPC:
        return reached_write(&watches, text, text_bytes);
    case EADDRNOTAVAIL:
        return ports_write(text, text_bytes);
    case ENOMEM:
    case EAGAIN:
        return memory_limit_met(error == -EAGAIN, text, text_bytes);
    default:
        return false;
    }
}
