/* The host check on Linux: reads /proc and /sys below a root that the caller names. */
#include "scenarios/sweep/host_check.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/sweep/record.h"

enum {
    TEXT_BYTES_MAX = 1 << 22,
    LINE_BYTES = 512,
    BUSY_PERCENT_MAX = 5,      /* of all CPUs, by other programs */
    CPUS_MIN = 4,              /* client, servers, the kernel's network code, and one to spare */
    MEMORY_PERCENT_MIN = 10,   /* available, of all */
    MEMORY_KB_MIN = 256 << 10, /* available at least */
    PORTS_MIN = 1000,          /* for outgoing connections */
    TCP_LISTEN = 0x0A,
};

#define STEAL_PERCENT_MAX 0.5

/* CPU ticks since boot. */
struct cpu_times {
    uint64_t total, idle, stolen;
    unsigned cpus;
};

struct look {
    struct arena *arena;
    const struct host_needs *needs;
    struct host_check *check;
    struct cpu_times before, after;
    unsigned cpus; /* that this process may use */
};

/* Without the final newline; NULL if it cannot be read. */
static const char *read_text(struct arena *arena, const char *root, const char *path)
{
    size_t bytes;
    char *text = arena_file(arena, arena_text(arena, "%s%s", root, path), TEXT_BYTES_MAX, &bytes);

    if (text != NULL && bytes != 0 && text[bytes - 1] == '\n')
        text[bytes - 1] = '\0';
    return text;
}

static const char *look_text(const struct look *look, const char *path)
{
    return read_text(look->arena, look->needs->root, path);
}

/* ---- settings: one file holds one word ---- */

static const struct {
    enum finding finding;
    const char *path;
    const char *words; /* between blanks */
    bool calm;         /* the words are the calm ones; else the noisy ones */
} settings[] = {
    {FINDING_SMT, "/sys/devices/system/cpu/smt/active", " 1 ", false},
    {FINDING_GOVERNOR, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", " performance ",
     true},
    {FINDING_TURBO, "/sys/devices/system/cpu/intel_pstate/no_turbo", " 0 ", false},
    {FINDING_TURBO, "/sys/devices/system/cpu/cpufreq/boost", " 1 ", false},
    {FINDING_PACING, "/proc/sys/net/ipv4/tcp_congestion_control", " bbr bbr2 bbr3 ", false},
    {FINDING_CLOCK, "/sys/devices/system/clocksource/clocksource0/current_clocksource",
     " tsc kvm-clock hyperv_clocksource_tsc_page arch_sys_counter timebase riscv_clocksource tod ",
     true},
};

static void look_at_settings(struct look *look)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *text = look_text(look, settings[i].path);
        bool listed;

        if (text == NULL)
            continue;
        listed = strstr(settings[i].words, arena_text(look->arena, " %s ", text)) != NULL;
        host_check_set(look->check, settings[i].finding, listed != settings[i].calm,
                       arena_text(look->arena, "%s = %s", os_path_name(settings[i].path), text));
    }
}

/* ---- CPUs ---- */

/* "cpu  user nice system idle iowait irq softirq steal ...". False with errno 0: another format. */
static bool read_cpu_times(struct arena *arena, const char *root, struct cpu_times *times)
{
    const char *text = read_text(arena, root, "/proc/stat");
    unsigned long long ticks[8] = {0};

    if (text == NULL)
        return false;
    errno = 0;
    if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
               &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) < 4)
        return false;
    for (unsigned i = 0; i < 8; i++)
        times->total += ticks[i];
    times->idle = ticks[3] + ticks[4];
    times->stolen = ticks[7];
    for (const char *at = text; (at = strstr(at, "\ncpu")) != NULL; at++)
        times->cpus += isdigit((unsigned char)at[4]) != 0;
    return true;
}

static double percent(uint64_t part, uint64_t all)
{
    return all == 0 || part > all ? 0 : 100 * (double)part / (double)all;
}

static void look_at_cpus(struct look *look)
{
    const struct cpu_times *before = &look->before, *after = &look->after;
    uint64_t all = after->total - before->total, stolen = after->stolen - before->stolen;
    double busy = percent(all - (after->idle - before->idle) - stolen, all);
    double watched = percent(stolen, all), ever = percent(after->stolen, after->total);

    host_check_set(look->check, FINDING_BUSY_CPUS, busy > BUSY_PERCENT_MAX,
                   arena_text(look->arena, "%.0f %% of %u CPUs, watched for %.1f s", busy,
                              after->cpus, (double)look->needs->watch_ns / OS_NS_PER_S));
    host_check_set(
        look->check, FINDING_STEAL, watched > STEAL_PERCENT_MAX || ever > STEAL_PERCENT_MAX,
        arena_text(look->arena, "%.1f %% while watched, %.2f %% since boot", watched, ever));
    host_check_set(look->check, FINDING_FEW_CPUS, look->cpus < CPUS_MIN,
                   arena_text(look->arena, "%u", look->cpus));
}

/* Of this process's control group, version 2 or 1, as a number of CPUs; 0: no limit. False:
 * unknown. */
static bool read_quota(struct look *look, double *cpus)
{
    const char *groups = look_text(look, "/proc/self/cgroup"), *text = NULL;
    const char *own = groups == NULL ? NULL : strstr(groups, "0::");
    long long quota = 0, period = 0;

    if (own != NULL)
        text = look_text(look, arena_text(look->arena, "/sys/fs/cgroup%.*s/cpu.max",
                                          (int)strcspn(own + 3, "\n"), own + 3));
    if (text != NULL) {
        sscanf(text, "%lld %lld", &quota, &period);
    } else {
        text = look_text(look, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
        if (text == NULL)
            return own != NULL; /* the root group of version 2 has no limit and no file */
        quota = strtoll(text, NULL, 10);
        text = look_text(look, "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
        period = text == NULL ? 0 : strtoll(text, NULL, 10);
    }
    if (quota > 0 && period > 0)
        *cpus = (double)quota / (double)period;
    return true;
}

static void look_at_quota(struct look *look)
{
    double cpus = 0;

    if (read_quota(look, &cpus))
        host_check_set(look->check, FINDING_CPU_QUOTA, cpus != 0 && cpus < look->cpus,
                       cpus == 0 ? "none"
                                 : arena_text(look->arena, "%.2f of %u CPUs", cpus, look->cpus));
}

static void look_at_virtual_machine(struct look *look)
{
    const char *text = look_text(look, "/proc/cpuinfo");
    const char *flags = text == NULL ? NULL : strstr(text, "\nflags");
    bool is_guest = flags != NULL && strstr(flags, " hypervisor") != NULL;

    if (flags != NULL)
        host_check_set(look->check, FINDING_VIRTUAL_MACHINE, is_guest, is_guest ? "yes" : "no");
}

/* ---- limits ---- */

static bool read_field(const char *text, const char *field, uint64_t *number)
{
    const char *at = text == NULL ? NULL : strstr(text, field);
    unsigned long long value;

    if (at == NULL || sscanf(at + strlen(field), "%llu", &value) != 1)
        return false;
    *number = value;
    return true;
}

static void look_at_memory(struct look *look)
{
    const char *text = look_text(look, "/proc/meminfo");
    uint64_t all, left;

    if (read_field(text, "MemTotal:", &all) && read_field(text, "MemAvailable:", &left))
        host_check_set(look->check, FINDING_MEMORY,
                       left * 100 < all * MEMORY_PERCENT_MIN || left < MEMORY_KB_MIN,
                       arena_text(look->arena, "%llu of %llu MB available",
                                  (unsigned long long)left / 1024, (unsigned long long)all / 1024));
}

static void look_at_descriptors(struct look *look)
{
    const char *text = look_text(look, "/proc/self/limits");
    const char *line = text == NULL ? NULL : strstr(text, "Max open files");
    uint64_t needed = look->needs->descriptors;
    char hard[32];

    if (line == NULL || sscanf(line, "Max open files %*s %31s", hard) != 1)
        return;
    host_check_set(look->check, FINDING_DESCRIPTORS,
                   strcmp(hard, "unlimited") != 0 && strtoull(hard, NULL, 10) < needed,
                   arena_text(look->arena, "the hard limit is %s; %llu servers need %llu", hard,
                              (unsigned long long)look->needs->servers,
                              (unsigned long long)needed));
}

/* ---- ports ---- */

static bool is_needed(const struct host_needs *needs, uint64_t port)
{
    for (unsigned i = 0; i < needs->port_count; i++) {
        if (port >= needs->ports[i].first && port - needs->ports[i].first < needs->ports[i].count)
            return true;
    }
    return false;
}

/* "sl local:port remote:port state ...": line by line, since the file can be long. False: it cannot
 * be read. */
static bool count_listeners(struct look *look, const char *path, unsigned *count, unsigned *example)
{
    FILE *file = fopen(arena_text(look->arena, "%s%s", look->needs->root, path), "rb");
    unsigned port, state;
    char line[LINE_BYTES];

    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x", &port, &state) == 2 &&
            state == TCP_LISTEN && is_needed(look->needs, port)) {
            (*count)++;
            *example = port;
        }
    }
    fclose(file);
    return true;
}

static void look_at_listeners(struct look *look)
{
    unsigned count = 0, example = 0;

    if (!count_listeners(look, "/proc/net/tcp", &count, &example))
        return;
    count_listeners(look, "/proc/net/tcp6", &count, &example);
    host_check_set(look->check, FINDING_LISTENERS, count != 0,
                   count == 0 ? "none on the servers' ports"
                              : arena_text(look->arena, "%u on the servers' ports, such as %u",
                                           count, example));
}

/* `list`: "80,21000-21099". */
static bool is_reserved(const char *list, uint64_t port)
{
    char *end;

    while (list != NULL && isdigit((unsigned char)*list)) {
        uint64_t first = strtoull(list, &end, 10), last = first;

        if (*end == '-')
            last = strtoull(end + 1, &end, 10);
        if (port >= first && port <= last)
            return true;
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}

static void look_at_port_range(struct look *look)
{
    const char *text = look_text(look, "/proc/sys/net/ipv4/ip_local_port_range");
    const char *reserved = look_text(look, "/proc/sys/net/ipv4/ip_local_reserved_ports");
    unsigned low, high, shared = 0;

    if (text == NULL || sscanf(text, "%u %u", &low, &high) != 2 || low > high || high > UINT16_MAX)
        return;
    for (unsigned port = low; port <= high; port++)
        shared += is_needed(look->needs, port) && !is_reserved(reserved, port);
    host_check_set(
        look->check, FINDING_PORT_RANGE, shared != 0 || high - low + 1 < PORTS_MIN,
        arena_text(look->arena, "%u to %u; %u of them are the servers' ports", low, high, shared));
}

int host_check_run(struct arena *arena, const struct host_needs *needs, struct host_check *check,
                   struct error *error)
{
    struct look look = {.arena = arena, .needs = needs, .check = check};
    bool readable;

    assert(needs->root != NULL && needs->root_later != NULL);
    *check =
        (struct host_check){.watch_ns = needs->watch_ns, .time_utc = record_time(arena, false)};
    readable = read_cpu_times(arena, needs->root, &look.before);
    if (readable) {
        os_sleep_ns(needs->watch_ns);
        readable = read_cpu_times(arena, needs->root_later, &look.after);
    }
    if (!readable)
        return error_set(error, NULL, "cannot read CPU times from %s/proc/stat: %s", needs->root,
                         errno == 0 ? "unknown format" : strerror(errno));
    look.cpus = look.after.cpus == 0 ? 1 : look.after.cpus;
    if (*needs->root == '\0' && (unsigned)os_cpu_count() < look.cpus)
        look.cpus = (unsigned)os_cpu_count();
    look_at_settings(&look);
    look_at_cpus(&look);
    look_at_quota(&look);
    look_at_virtual_machine(&look);
    look_at_memory(&look);
    look_at_descriptors(&look);
    look_at_listeners(&look);
    look_at_port_range(&look);
    return 0;
}
