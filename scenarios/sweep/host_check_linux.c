/* The host check on Linux: reads /proc and /sys below a root that the caller names. */
#include "scenarios/sweep/host_check.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cgroup.h"

enum {
    TEXT_BYTES_MAX = 1 << 22,
    LINE_BYTES = 512,
    PORTS_MIN = 1000, /* for outgoing connections */
    TCP_LISTEN = 0x0A,
};

#define STEAL_PERCENT_MAX 0.5

/* Without the final newline; NULL if it cannot be read. */
static const char *read_text(const struct host_check *check, const char *path)
{
    size_t bytes;
    char *text = arena_file(check->arena, arena_text(check->arena, "%s%s", check->root, path),
                            TEXT_BYTES_MAX, &bytes);
    if (text != NULL && bytes != 0 && text[bytes - 1] == '\n')
        text[bytes - 1] = '\0';
    return text;
}

/* What follows `label` in the file, by sscanf's format: how many values were read. */
__attribute__((format(scanf, 4, 5))) static int look_scan(const struct host_check *check,
                                                          const char *path, const char *label,
                                                          const char *format, ...)
{
    const char *text = read_text(check, path);
    const char *at = text == NULL ? NULL : strstr(text, label);
    if (at == NULL)
        return 0;
    va_list arguments;
    va_start(arguments, format);
    int values = vsscanf(at + strlen(label), format, arguments);
    va_end(arguments);
    return values;
}

/* ---- settings: one file holds one word ---- */

static const struct {
    const char *name, *path;
    const char *words; /* between blanks */
    bool calm;         /* the words are the calm ones; else the noisy ones */
} settings[] = {
    {"smt", "/sys/devices/system/cpu/smt/active", " 1 ", false},
    {"governor", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", " performance ", true},
    {"turbo", "/sys/devices/system/cpu/intel_pstate/no_turbo", " 0 ", false},
    {"turbo", "/sys/devices/system/cpu/cpufreq/boost", " 1 ", false},
    {"pacing", "/proc/sys/net/ipv4/tcp_congestion_control", " bbr bbr2 bbr3 ", false},
    {"clock", "/sys/devices/system/clocksource/clocksource0/current_clocksource",
     " tsc kvm-clock hyperv_clocksource_tsc_page arch_sys_counter timebase riscv_clocksource tod ",
     true},
};

static void look_at_settings(struct host_check *check)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *text = read_text(check, settings[i].path);
        if (text == NULL)
            continue;
        bool listed = strstr(settings[i].words, arena_text(check->arena, " %s ", text)) != NULL;
        host_check_set(check, settings[i].name, listed != settings[i].calm, "%s = %s",
                       os_path_name(settings[i].path), text);
    }
}

/* ---- CPUs ---- */

/* "cpu  user nice system idle iowait irq softirq steal ..." */
const char *cpu_times_read(const struct host_check *check, struct cpu_times *times)
{
    const char *text = read_text(check, "/proc/stat");
    unsigned long long ticks[8] = {0};
    if (text == NULL)
        return arena_text(check->arena, "%s/proc/stat: %s", check->root, strerror(errno));
    if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
               &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) < 4)
        return arena_text(check->arena, "%s/proc/stat: unknown format", check->root);
    for (unsigned i = 0; i < 8; i++)
        times->total += ticks[i];
    times->idle = ticks[3] + ticks[4];
    times->stolen = ticks[7];
    for (const char *at = text; (at = strstr(at, "\ncpu")) != NULL; at++)
        times->cpus += isdigit((unsigned char)at[4]) != 0;
    return NULL;
}

static void look_at_steal(struct host_check *check)
{
    const struct cpu_times *before = &check->before, *after = &check->after;
    double watched = percent(after->stolen - before->stolen, after->total - before->total);
    double ever = percent(after->stolen, after->total);
    host_check_set(check, "steal", watched > STEAL_PERCENT_MAX || ever > STEAL_PERCENT_MAX,
                   "%.1f %% while watched, %.2f %% since boot", watched, ever);
}

static void look_at_quota(struct host_check *check)
{
    struct cpu_quota quota;
    cpu_quota_read(check->root, &quota);
    if (isfinite(quota.cpus))
        host_check_set(check, "cpu-quota", quota.cpus < check->cpus, "%.2f of %u CPUs (%s)",
                       quota.cpus, check->cpus, quota.group);
    else if (!isnan(quota.cpus))
        host_check_set(check, "cpu-quota", false, "none");
}

static void look_at_virtual_machine(struct host_check *check)
{
    const char *text = read_text(check, "/proc/cpuinfo");
    const char *flags = text == NULL ? NULL : strstr(text, "\nflags");
    bool is_guest = flags != NULL && strstr(flags, " hypervisor") != NULL;
    if (flags != NULL)
        host_check_set(check, "virtual-machine", is_guest, is_guest ? "yes" : "no");
}

/* ---- limits ---- */

static void look_at_memory(struct host_check *check)
{
    unsigned long long all, left;
    if (look_scan(check, "/proc/meminfo", "MemTotal:", "%llu", &all) == 1 &&
        look_scan(check, "/proc/meminfo", "MemAvailable:", "%llu", &left) == 1)
        host_check_set_memory(check, left, all);
}

static void look_at_descriptors(struct host_check *check)
{
    char hard[32];
    if (look_scan(check, "/proc/self/limits", "Max open files", "%*s %31s", hard) == 1)
        host_check_set(check, "descriptors",
                       strcmp(hard, "unlimited") != 0 &&
                           strtoull(hard, NULL, 10) < check->descriptors,
                       "the hard limit is %s; %llu servers need %llu", hard,
                       (unsigned long long)check->servers, (unsigned long long)check->descriptors);
}

/* ---- ports ---- */

static bool is_needed(const struct host_check *check, uint64_t port)
{
    for (unsigned i = 0; i < check->port_count; i++) {
        if (port >= check->ports[i].first && port - check->ports[i].first < check->ports[i].count)
            return true;
    }
    return false;
}

/* "sl local:port remote:port state ...": line by line, since the file can be long. */
static void look_at_listeners(struct host_check *check)
{
    static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
    unsigned count = 0, example = 0, port, state;
    for (unsigned i = 0; i < 2; i++) {
        FILE *file = fopen(arena_text(check->arena, "%s%s", check->root, tables[i]), "rb");
        char line[LINE_BYTES];
        if (file == NULL && i == 0)
            return;
        while (file != NULL && fgets(line, sizeof line, file) != NULL) {
            if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x", &port, &state) == 2 &&
                state == TCP_LISTEN && is_needed(check, port)) {
                count++;
                example = port;
            }
        }
        if (file != NULL)
            fclose(file);
    }
    if (count == 0)
        host_check_set(check, "listeners", false, "none on the servers' ports");
    else
        host_check_set(check, "listeners", true, "%u on the servers' ports, such as %u", count,
                       example);
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

static void look_at_port_range(struct host_check *check)
{
    const char *reserved = read_text(check, "/proc/sys/net/ipv4/ip_local_reserved_ports");
    unsigned low, high, shared = 0;
    if (look_scan(check, "/proc/sys/net/ipv4/ip_local_port_range", "", "%u %u", &low, &high) != 2 ||
        low > high || high > UINT16_MAX)
        return;
    for (unsigned port = low; port <= high; port++)
        shared += is_needed(check, port) && !is_reserved(reserved, port);
    host_check_set(check, "port-range", shared != 0 || high - low + 1 < PORTS_MIN,
                   "%u to %u; %u of them are the servers' ports", low, high, shared);
}

void look_at_system(struct host_check *check)
{
    look_at_settings(check);
    look_at_steal(check);
    look_at_quota(check);
    look_at_virtual_machine(check);
    look_at_memory(check);
    look_at_descriptors(check);
    look_at_listeners(check);
    look_at_port_range(check);
}
