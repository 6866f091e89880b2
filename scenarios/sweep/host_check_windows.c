/* The host check on Windows: what a program may ask without rights or further libraries. */
#include <cpuid.h>

#include "base/winapi.h"
#include "scenarios/sweep/host_check.h"

enum { CPUID_FEATURES = 1, HYPERVISOR_BIT = 31 };

static uint64_t ticks_of(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

/* The kernel's time includes the idle time. */
const char *cpu_times_read(const struct host_check *check, struct cpu_times *times)
{
    FILETIME idle, kernel, user;
    if (!GetSystemTimes(&idle, &kernel, &user))
        return arena_text(check->arena, "error %lu", GetLastError());
    *times = (struct cpu_times){.idle = ticks_of(idle),
                                .total = ticks_of(kernel) + ticks_of(user),
                                .cpus = (unsigned)os_cpu_affinity()};
    return NULL;
}

void look_at_system(struct host_check *check)
{
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};
    unsigned a, b, c = 0, d;
    if (GlobalMemoryStatusEx(&memory))
        host_check_set_memory(check, memory.ullAvailPhys >> 10, memory.ullTotalPhys >> 10);
    if (__get_cpuid(CPUID_FEATURES, &a, &b, &c, &d))
        host_check_set(check, "virtual-machine", (c >> HYPERVISOR_BIT & 1) != 0,
                       c >> HYPERVISOR_BIT & 1 ? "yes" : "no");
}
