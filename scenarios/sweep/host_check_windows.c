/* The host check on Windows: what a program may ask without rights or further libraries. */
#include "scenarios/sweep/host_check.h"

#include <assert.h>
#include <cpuid.h>

#include "base/winapi.h"
#include "scenarios/sweep/record.h"

enum {
    BUSY_PERCENT_MAX = 5,
    CPUS_MIN = 4,
    MEMORY_PERCENT_MIN = 10,
    CPUID_FEATURES = 1,
    HYPERVISOR_BIT = 31,
};

/* 100 ns units of all CPUs. */
struct cpu_times {
    uint64_t idle, total;
};

static uint64_t ticks_of(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

/* The kernel's time includes the idle time. */
static bool read_cpu_times(struct cpu_times *times)
{
    FILETIME idle, kernel, user;

    if (!GetSystemTimes(&idle, &kernel, &user))
        return false;
    times->idle = ticks_of(idle);
    times->total = ticks_of(kernel) + ticks_of(user);
    return true;
}

static void look_at_cpus(struct arena *arena, struct host_check *check,
                         const struct cpu_times *before, const struct cpu_times *after)
{
    uint64_t all = after->total - before->total, idle = after->idle - before->idle;
    double busy = all == 0 || idle > all ? 0 : 100 * (double)(all - idle) / (double)all;
    unsigned a, b, c = 0, d;

    host_check_set(check, FINDING_BUSY_CPUS, busy > BUSY_PERCENT_MAX,
                   arena_text(arena, "%.0f %% of %d CPUs, watched for %.1f s", busy, os_cpu_count(),
                              (double)check->watch_ns / OS_NS_PER_S));
    host_check_set(check, FINDING_FEW_CPUS, os_cpu_count() < CPUS_MIN,
                   arena_text(arena, "%d", os_cpu_count()));
    if (__get_cpuid(CPUID_FEATURES, &a, &b, &c, &d))
        host_check_set(check, FINDING_VIRTUAL_MACHINE, (c >> HYPERVISOR_BIT & 1) != 0,
                       c >> HYPERVISOR_BIT & 1 ? "yes" : "no");
}

static void look_at_memory(struct arena *arena, struct host_check *check)
{
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};

    if (GlobalMemoryStatusEx(&memory))
        host_check_set(check, FINDING_MEMORY,
                       memory.ullAvailPhys < memory.ullTotalPhys / 100 * MEMORY_PERCENT_MIN,
                       arena_text(arena, "%llu of %llu MB available",
                                  (unsigned long long)memory.ullAvailPhys >> 20,
                                  (unsigned long long)memory.ullTotalPhys >> 20));
}

int host_check_run(struct arena *arena, const struct host_needs *needs, struct host_check *check,
                   struct error *error)
{
    struct cpu_times before, after;
    bool readable;

    assert(needs->watch_ns != 0);
    *check =
        (struct host_check){.watch_ns = needs->watch_ns, .time_utc = record_time(arena, false)};
    readable = read_cpu_times(&before);
    os_sleep_ns(needs->watch_ns);
    if (!readable || !read_cpu_times(&after))
        return error_set(error, NULL, "cannot read CPU times: error %lu", GetLastError());
    look_at_cpus(arena, check, &before, &after);
    look_at_memory(arena, check);
    return 0;
}
