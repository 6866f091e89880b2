/* Windows' look at the machine: what a program may know of it without rights or further libraries.
 * The rest is said to be unknown. */
#include "scenarios/sweep/noise.h"

#include <assert.h>
#include <cpuid.h>

#include "base/winapi.h"
#include "scenarios/sweep/record.h"

enum {
    BUSY_PERCENT_MAX = 5,
    CPUS_MIN = 4,
    MEMORY_PERCENT_MIN = 10,
    FEATURES = 1,
    HYPERVISOR_BIT = 31,
};

struct times {
    uint64_t idle, total; /* of all CPUs; kernel's time includes idle's */
};

static uint64_t ticks_of(FILETIME time)
{
    return (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime;
}

static bool read_times(struct times *times)
{
    FILETIME idle, kernel, user;

    if (!GetSystemTimes(&idle, &kernel, &user))
        return false;
    times->idle = ticks_of(idle);
    times->total = ticks_of(kernel) + ticks_of(user);
    return true;
}

static void add_unknown(struct noise *noise, const char *name)
{
    noise_add(noise, name, NOISE_UNKNOWN, NULL, NULL, NULL);
}

static void add_busy(struct arena *arena, struct noise *noise, const struct times *before,
                     const struct times *after)
{
    uint64_t all = after->total - before->total, idle = after->idle - before->idle;
    double share = all == 0 || idle > all ? 0 : 100 * (double)(all - idle) / (double)all;

    noise_add(noise, "busy-cpus", share <= BUSY_PERCENT_MAX ? NOISE_CALM : NOISE_NOISY,
              arena_text(arena, "%.0f %% of %d CPUs, watched for %.1f s", share, os_cpu_count(),
                         (double)noise->watch_ns / OS_NS_PER_S),
              "others take CPU time from client and servers, and not the same from each row",
              "the Task Manager shows who; wait for their end");
}

static void add_few_cpus(struct arena *arena, struct noise *noise)
{
    noise_add(noise, "few-cpus", os_cpu_count() >= CPUS_MIN ? NOISE_CALM : NOISE_NOISY,
              arena_text(arena, "%d", os_cpu_count()),
              "client, servers and the kernel's network share them and wait for each other",
              "a machine with 4 or more; here compare only what was measured side by side");
}

static void add_virtual_machine(struct noise *noise)
{
    unsigned a, b, c = 0, d;

    if (!__get_cpuid(FEATURES, &a, &b, &c, &d)) {
        add_unknown(noise, "virtual-machine");
        return;
    }
    noise_add(noise, "virtual-machine", c >> HYPERVISOR_BIT & 1 ? NOISE_NOISY : NOISE_CALM,
              c >> HYPERVISOR_BIT & 1 ? "yes" : "no",
              "when its CPUs run, and how fast, is decided by a host that is not seen from here",
              "a machine of its own; here more repeats (--repeat, --budget), spread over time");
}

static void add_memory(struct arena *arena, struct noise *noise)
{
    MEMORYSTATUSEX memory = {.dwLength = sizeof memory};

    if (!GlobalMemoryStatusEx(&memory)) {
        add_unknown(noise, "memory");
        return;
    }
    noise_add(noise, "memory",
              memory.ullAvailPhys >= memory.ullTotalPhys / 100 * MEMORY_PERCENT_MIN ? NOISE_CALM
                                                                                    : NOISE_NOISY,
              arena_text(arena, "%llu of %llu MB available",
                         (unsigned long long)memory.ullAvailPhys >> 20,
                         (unsigned long long)memory.ullTotalPhys >> 20),
              "with little left the system looks for pages while a row runs",
              "close what uses it; the Task Manager shows what");
}

int noise_look(struct arena *arena, const struct noise_question *question, struct noise *noise,
               struct error *error)
{
    static const char *const unknown[] = {"governor", "turbo",     "heat",
                                          "swap",     "listeners", "port-range"};
    struct times before, after;

    assert(question->watch_ns != 0);
    *noise = (struct noise){.watch_ns = question->watch_ns, .time_utc = record_time(arena, false)};
    if (!read_times(&before))
        return error_set(error, NULL, "cannot read the CPUs' times: error %lu", GetLastError());
    os_sleep_ns(question->watch_ns);
    if (!read_times(&after))
        return error_set(error, NULL, "cannot read the CPUs' times: error %lu", GetLastError());
    add_busy(arena, noise, &before, &after);
    add_few_cpus(arena, noise);
    add_virtual_machine(noise);
    add_memory(arena, noise);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        add_unknown(noise, unknown[i]);
    return 0;
}
