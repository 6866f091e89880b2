/* The host check: what is found, why it matters, and how it is printed and written. */
#include "scenarios/sweep/host_check.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "scenarios/sweep/record.h"

enum {
    OTHER_DESCRIPTORS = 64,
    DEFAULT_PORT = 20000,
    DEFAULT_SERVERS = 200,
    BUSY_PERCENT_MAX = 5,      /* of all CPUs, by other programs */
    CPUS_MIN = 4,              /* client, servers, the kernel's network code, and one to spare */
    MEMORY_PERCENT_MIN = 10,   /* available, of all */
    MEMORY_KB_MIN = 256 << 10, /* available at least, beside what the servers need */
    /* Client, servers and the kernel together, for a connection that waits: measured as 9.7 with
     * 19,000, of which 7.5 are the kernel's. What is on its way comes on top. */
    CONNECTION_KB = 10,
};

#define CPU_DIRECTORY "/sys/devices/system/cpu/"

static const struct {
    const char *name, *why, *advice;
} texts[] = {
    {"busy-cpus", "other programs take CPU time, more from some rows than others",
     "top or the Task Manager shows them; wait until they end"},
    {"steal", "the host ran other guests while these CPUs had work to do",
     "another time of day, or a host that is not shared"},
    {"few-cpus", "client, servers and the kernel's network code compete for them",
     "use 4 or more; here compare only what was measured side by side"},
    {"cpu-quota", "a program that has used up its quota stops for some 100 ms",
     "run outside the limit (docker run without --cpus, CPUQuota=)"},
    {"virtual-machine", "the host decides when these CPUs run, and how fast",
     "use real hardware; here more repeats (--repeat, --budget)"},
    {"smt", "the speed of a hardware thread depends on its sibling's work",
     "echo off | sudo tee " CPU_DIRECTORY "smt/control"},
    {"governor", "the clock rises only after a row has been busy for a while",
     "echo performance | sudo tee " CPU_DIRECTORY "cpu*/cpufreq/scaling_governor"},
    {"turbo", "the clock depends on heat and on how many CPUs are busy",
     "echo 1 | sudo tee " CPU_DIRECTORY "intel_pstate/no_turbo, or "
     "echo 0 | sudo tee " CPU_DIRECTORY "cpufreq/boost"},
    {"memory", "the system reclaims pages while a row runs, and may kill it",
     "close what uses it (ps -eo rss,pid,comm --sort -rss | head), or fewer servers"},
    {"clock", "reading it is slow, and each row reads it often",
     "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"},
    {"pacing", "TCP sends by timers and by its model of the path",
     "sudo sysctl net.ipv4.tcp_congestion_control=cubic"},
    {"descriptors", "rows that need more fail or are skipped",
     "sudo prlimit --pid $$ --nofile=NUMBER, or fewer servers"},
    {"listeners", "the servers cannot open these ports",
     "ss -ltnp shows what uses them; or set --port=BASE"},
    {"port-range", "an outgoing connection may take a server's port, or find none free",
     "--port=BASE outside of the range, or net.ipv4.ip_local_reserved_ports, or a wider range"},
};

_Static_assert(sizeof texts / sizeof *texts == FINDINGS, "one text for each finding");

static const char *const level_names[] = {
    [LEVEL_UNKNOWN] = "unknown", [LEVEL_CALM] = "calm", [LEVEL_NOISY] = "noisy"};

struct host_check host_check_of(struct arena *arena, const struct fleets *fleets, unsigned watch_ms)
{
    struct host_check check = {.arena = arena, .watch_ns = (uint64_t)watch_ms * OS_NS_PER_MS};
    check.root = check.root_later = "";
    check.ports = arena_take(arena, (fleets->count + 1) * sizeof *check.ports);
    for (unsigned i = 0; i < fleets->count; i++) {
        const struct fleet *fleet = fleets->items[i];
        /* A client has one connection to each server. A fleet also has a listener for each server,
         * unless servers share them or are on other computers. */
        const bool hosted = fleet->cell->launcher != NULL;
        bool shared = hosted || strstr(fleet->cell->fleet_options, "listeners=shared") != NULL;
        uint64_t descriptors = fleet->count * (shared ? 1 : 2) + OTHER_DESCRIPTORS;
        if (fleet->count > check.servers)
            check.servers = fleet->count;
        if (descriptors > check.descriptors)
            check.descriptors = descriptors;
        if (fleet->link == NULL && !hosted) /* a link has a network namespace of its own */
            check.ports[check.port_count++] = (struct port_range){fleet->base, fleet_ports(fleet)};
    }
    if (fleets->count == 0) {
        check.servers = DEFAULT_SERVERS;
        check.descriptors = DEFAULT_SERVERS * 2 + OTHER_DESCRIPTORS;
        check.ports[check.port_count++] = (struct port_range){DEFAULT_PORT, DEFAULT_SERVERS};
    }
    return check;
}

/* ---- looking ---- */

void host_check_set(struct host_check *check, const char *name, bool noisy, const char *format, ...)
{
    unsigned i = 0;
    while (strcmp(texts[i].name, name) != 0) {
        i++;
        assert(i < FINDINGS);
    }
    va_list arguments;
    va_start(arguments, format);
    check->findings[i].level = noisy ? LEVEL_NOISY : LEVEL_CALM;
    check->findings[i].found = arena_format(check->arena, format, arguments);
    va_end(arguments);
}

void host_check_set_memory(struct host_check *check, uint64_t left_kb, uint64_t all_kb)
{
    uint64_t needed_kb = check->servers * CONNECTION_KB;
    host_check_set(
        check, "memory",
        left_kb * 100 < all_kb * MEMORY_PERCENT_MIN || left_kb < MEMORY_KB_MIN + needed_kb,
        "%llu of %llu MB available; %llu servers need about %llu",
        (unsigned long long)left_kb / 1024, (unsigned long long)all_kb / 1024,
        (unsigned long long)check->servers, (unsigned long long)(needed_kb + 1023) / 1024);
}

double percent(uint64_t part, uint64_t all)
{
    return all == 0 || part > all ? 0 : 100 * (double)part / (double)all;
}

static void look_at_cpus(struct host_check *check)
{
    const struct cpu_times *before = &check->before, *after = &check->after;
    uint64_t all = after->total - before->total;
    uint64_t unused = after->idle - before->idle + after->stolen - before->stolen;
    double busy = percent(all - unused, all);
    unsigned allowed = (unsigned)os_cpu_affinity();
    check->cpus = after->cpus == 0 ? 1 : after->cpus;
    if (*check->root == '\0' && allowed < check->cpus)
        check->cpus = allowed;
    host_check_set(check, "busy-cpus", busy > BUSY_PERCENT_MAX,
                   "%.0f %% of %u CPUs, watched for %.1f s", busy, after->cpus,
                   (double)check->watch_ns / OS_NS_PER_S);
    host_check_set(check, "few-cpus", check->cpus < CPUS_MIN, "%u", check->cpus);
}

int host_check_run(struct host_check *check, struct error *error)
{
    check->time_utc = record_time(check->arena, false);
    for (unsigned i = 0; i < FINDINGS; i++) {
        check->findings[i].name = texts[i].name;
        check->findings[i].found = "the system does not say";
    }
    struct host_check later = *check;
    later.root = check->root_later;
    const char *why = cpu_times_read(check, &check->before);
    if (why == NULL) {
        os_sleep_ns(check->watch_ns);
        why = cpu_times_read(&later, &check->after);
    }
    if (why != NULL)
        return error_set(error, NULL, "cannot read CPU times: %s", why);
    look_at_cpus(check);
    look_at_system(check);
    return 0;
}

/* ---- what was found ---- */

unsigned host_check_count(const struct host_check *check, enum finding_level level)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FINDINGS; i++)
        count += check->findings[i].level == level;
    return count;
}

const char *host_check_names(const struct host_check *check)
{
    const char *names = "";
    for (unsigned i = 0; i < FINDINGS; i++) {
        if (check->findings[i].level == LEVEL_NOISY)
            names = arena_join(check->arena, names, ", ", texts[i].name);
    }
    return names;
}

void host_check_print(FILE *out, const struct host_check *check)
{
    unsigned noisy = host_check_count(check, LEVEL_NOISY);
    for (unsigned i = 0; i < FINDINGS; i++) {
        enum finding_level level = check->findings[i].level;
        fprintf(out, "%-15s  %-9s%s\n", texts[i].name,
                level == LEVEL_NOISY ? "NOISY" : level_names[level], check->findings[i].found);
        if (level == LEVEL_NOISY)
            fprintf(out, "%26swhy: %s\n%26sdo:  %s\n", "", texts[i].why, "", texts[i].advice);
    }
    if (noisy == 0)
        fputs("\nNothing found that makes results noisy.\n", out);
    else
        fprintf(out, "\n%u of %u make results noisy: intervals get wider, and more repeats help.\n",
                noisy, FINDINGS);
}

void host_check_write(struct json *json, const struct host_check *check)
{
    json_text(json, "time_utc", check->time_utc);
    json_number(json, "watched_ms", (double)check->watch_ns / OS_NS_PER_MS);
    json_count(json, "noisy", host_check_count(check, LEVEL_NOISY));
    json_count(json, "unknown", host_check_count(check, LEVEL_UNKNOWN));
    json_object_open(json, "findings");
    for (unsigned i = 0; i < FINDINGS; i++) {
        enum finding_level level = check->findings[i].level;
        json_object_open(json, texts[i].name);
        json_text(json, "level", level_names[level]);
        json_text(json, "found", check->findings[i].found);
        json_text(json, "why", level == LEVEL_NOISY ? texts[i].why : NULL);
        json_text(json, "advice", level == LEVEL_NOISY ? texts[i].advice : NULL);
        json_object_close(json);
    }
    json_object_close(json);
}
