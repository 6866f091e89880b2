/* What the processors do besides us, and what decides how fast they run. */
#include "scenarios/sweep/noise_look.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BUSY_PERCENT_MAX = 5,         /* of all CPUs, by others */
    LOAD_PERCENT_MAX = 50,        /* runnable over the last minute, of one for each CPU */
    CPUS_MIN = 4,                 /* client, servers, the network's own work, and one to spare */
    STEAL_TENTH_PERCENT_MAX = 5,  /* 0.5 % */
    NAMED_MAX = 4,                /* busy processes */
    NAMED_TENTH_PERCENT_MIN = 10, /* 1 % */
    CPU_FILES_MAX = 1024,
};

/* ---- who is busy ---- */

static const struct look_process *find_process(const struct look_counters *counters,
                                               const struct look_process *wanted)
{
    for (unsigned i = 0; i < counters->process_count; i++) {
        const struct look_process *process = &counters->processes[i];

        if (process->pid == wanted->pid && process->began == wanted->began)
            return process;
    }
    return NULL;
}

static int by_ticks(const void *a, const void *b)
{
    const struct look_process *left = a, *right = b;

    return (left->ticks < right->ticks) - (left->ticks > right->ticks);
}

/* Sorts what each process used between the readings, the busiest first. A process that began
 * between them has used all it has. */
static void sort_busy(struct look *look)
{
    struct look_counters *after = &look->after;

    for (unsigned i = 0; i < after->process_count; i++) {
        const struct look_process *old = find_process(&look->before, &after->processes[i]);

        if (old != NULL)
            after->processes[i].ticks -= old->ticks;
        if (after->processes[i].pid == (long)getpid() && *look->question->root == '\0')
            after->processes[i].ticks = 0;
    }
    if (after->process_count != 0)
        qsort(after->processes, after->process_count, sizeof *after->processes, by_ticks);
}

/* The busiest processes as "name (pid) 12 %, ..." with their pids behind each other in *pids. */
static const char *name_busy(struct look *look, const char **pids)
{
    const char *names = "";

    sort_busy(look);
    *pids = "";
    for (unsigned i = 0; i < look->after.process_count && i < NAMED_MAX; i++) {
        const struct look_process *process = &look->after.processes[i];
        double share = look_share(look, 0, process->ticks);

        if (share * 10 < NAMED_TENTH_PERCENT_MIN)
            break;
        names = arena_text(look->arena, "%s%s%s (%ld) %.0f %%", names, *names == '\0' ? "" : ", ",
                           process->name, process->pid, share);
        *pids = arena_text(look->arena, "%s %ld", *pids, process->pid);
    }
    return names;
}

void look_at_busy_cpus(struct look *look)
{
    const struct look_counters *before = &look->before, *after = &look->after;
    double share = look_share(look, before->total - before->idle - before->stolen,
                              after->total - after->idle - after->stolen);
    const char *pids, *names = name_busy(look, &pids);
    const char *found = arena_text(look->arena, "%.0f %% of %u CPUs, watched for %.1f s%s%s", share,
                                   after->cpus, (double)look->question->watch_ns / OS_NS_PER_S,
                                   *names == '\0' ? "" : ": ", names);

    if (share <= BUSY_PERCENT_MAX)
        look_calm(look, "busy-cpus", found);
    else
        look_noisy(look, "busy-cpus", found,
                   "others take CPU time from client and servers, and not the same from each row",
                   *pids == '\0'
                       ? "no process that can be seen from here; look outside of this container"
                       : arena_text(look->arena,
                                    "wait for their end, or: kill -STOP%s (kill -CONT "
                                    "lets them go on)",
                                    pids));
}

void look_at_load(struct look *look)
{
    const char *text = look_text(look, "/proc/loadavg"), *found;
    double load;

    if (text == NULL || sscanf(text, "%lf", &load) != 1) {
        look_unknown(look, "load");
        return;
    }
    found = arena_text(look->arena, "%.2f over the last minute on %u CPUs", load, look->cpus);
    if (load * 100 <= (double)look->cpus * LOAD_PERCENT_MAX)
        look_calm(look, "load", found);
    else
        look_noisy(look, "load", found, "something was busy just now, and may be again",
                   "wait a minute or two after builds and tests");
}

void look_at_few_cpus(struct look *look)
{
    const char *found = arena_text(look->arena, "%u", look->cpus);

    if (look->cpus >= CPUS_MIN)
        look_calm(look, "few-cpus", found);
    else
        look_noisy(look, "few-cpus", found,
                   "client, servers and the kernel's network share them and wait for each other",
                   "a machine with 4 or more; here compare only what was measured side by side");
}

/* ---- quota ---- */

/* Of this process's control group: of version 2 where it is, else of version 1's CPU controller. */
static bool read_quota(struct look *look, double *cpus)
{
    const char *groups = look_text(look, "/proc/self/cgroup"), *text = NULL;
    const char *own = groups == NULL ? NULL : strstr(groups, "0::");
    long long quota, period;

    if (own != NULL)
        text = look_text(look, arena_text(look->arena, "/sys/fs/cgroup%.*s/cpu.max",
                                          (int)strcspn(own + 3, "\n"), own + 3));
    if (text != NULL) {
        *cpus = sscanf(text, "%lld %lld", &quota, &period) == 2 && period > 0
                    ? (double)quota / (double)period
                    : 0;
        return true;
    }
    text = look_text(look, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    if (text == NULL)
        return own != NULL; /* the root group of version 2 has no limit and no file */
    quota = strtoll(text, NULL, 10);
    text = look_text(look, "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    period = text == NULL ? 0 : strtoll(text, NULL, 10);
    *cpus = quota > 0 && period > 0 ? (double)quota / (double)period : 0;
    return true;
}

void look_at_quota(struct look *look)
{
    double cpus = 0;

    if (!read_quota(look, &cpus))
        look_unknown(look, "cpu-quota");
    else if (cpus == 0 || cpus >= look->cpus)
        look_calm(look, "cpu-quota", cpus == 0 ? "none" : "as much as there is");
    else
        look_noisy(look, "cpu-quota", arena_text(look->arena, "%.2f of %u CPUs", cpus, look->cpus),
                   "who has used it up stands still until the next period, some 100 ms",
                   "run outside of the limit (docker run without --cpus, systemd's CPUQuota=)");
}

/* ---- speed ---- */

void look_at_threads_per_core(struct look *look)
{
    const char *text = look_text(look, "/sys/devices/system/cpu/smt/active");

    if (text == NULL)
        look_unknown(look, "smt");
    else if (*text != '1')
        look_calm(look, "smt", "one thread per core");
    else
        look_noisy(look, "smt", "several threads per core",
                   "how fast one runs depends on what the other does",
                   "echo off | sudo tee /sys/devices/system/cpu/smt/control");
}

void look_at_governor(struct look *look)
{
    const char *other = NULL, *text;
    unsigned seen = 0, others = 0;

    for (unsigned i = 0; i < CPU_FILES_MAX && seen == i; i++) {
        text = look_text(
            look,
            arena_text(look->arena, "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", i));
        seen += text != NULL;
        if (text != NULL && strcmp(text, "performance") != 0) {
            other = text;
            others++;
        }
    }
    if (seen == 0)
        look_unknown(look, "governor");
    else if (others == 0)
        look_calm(look, "governor", "performance");
    else
        look_noisy(look, "governor",
                   arena_text(look->arena, "%s on %u of %u CPUs", other, others, seen),
                   "the clock goes up only once a row has been busy for a while",
                   "echo performance | sudo tee "
                   "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor");
}

void look_at_turbo(struct look *look)
{
    static const char no_turbo[] = "/sys/devices/system/cpu/intel_pstate/no_turbo";
    static const char boost[] = "/sys/devices/system/cpu/cpufreq/boost";
    const char *off = look_text(look, no_turbo), *on = look_text(look, boost);

    if (off == NULL && on == NULL)
        look_unknown(look, "turbo");
    else if (off != NULL ? *off != '0' : *on != '1')
        look_calm(look, "turbo", "off");
    else
        look_noisy(look, "turbo", "on",
                   "how far the clock goes up depends on heat and on how many CPUs are busy",
                   off != NULL ? arena_text(look->arena, "echo 1 | sudo tee %s", no_turbo)
                               : arena_text(look->arena, "echo 0 | sudo tee %s", boost));
}

void look_at_heat(struct look *look)
{
    uint64_t events = 0, one;
    unsigned seen = 0;

    for (unsigned i = 0; i < CPU_FILES_MAX && seen == i; i++) {
        const char *text = look_text(
            look,
            arena_text(look->arena,
                       "/sys/devices/system/cpu/cpu%u/thermal_throttle/core_throttle_count", i));

        if (look_number(text, "", &one)) {
            events += one;
            seen++;
        }
    }
    if (seen == 0)
        look_unknown(look, "heat");
    else if (events == 0)
        look_calm(look, "heat", "never throttled");
    else
        look_noisy(look, "heat",
                   arena_text(look->arena, "throttled %llu times since the machine started",
                              (unsigned long long)events),
                   "a hot processor slows down, and later rows look worse than earlier ones",
                   "cool it, or rest between rows: --pause=2000");
}

/* ---- virtual machines ---- */

void look_at_virtual_machine(struct look *look)
{
    const char *text = look_text(look, "/proc/cpuinfo");
    const char *product = look_text(look, "/sys/class/dmi/id/product_name");
    const char *flags = text == NULL ? NULL : strstr(text, "\nflags");
    const char *hypervisor = flags == NULL ? NULL : strstr(flags, " hypervisor");

    if (flags == NULL)
        look_unknown(look, "virtual-machine");
    else if (hypervisor == NULL)
        look_calm(look, "virtual-machine", "no");
    else
        look_noisy(
            look, "virtual-machine",
            product == NULL ? "yes" : arena_text(look->arena, "yes: %s", product),
            "when its CPUs run, and how fast, is decided by a host that is not seen from "
            "here",
            "a machine of its own; here more repeats (--repeat, --budget), spread over time");
}

void look_at_steal(struct look *look)
{
    double watched = look_share(look, look->before.stolen, look->after.stolen);
    double ever =
        100 * (double)look->after.stolen / (double)(look->after.total == 0 ? 1 : look->after.total);
    const char *found =
        arena_text(look->arena, "%.1f %% while watched, %.2f %% since it started", watched, ever);

    if (watched * 10 <= STEAL_TENTH_PERCENT_MAX && ever * 10 <= STEAL_TENTH_PERCENT_MAX)
        look_calm(look, "steal", found);
    else
        look_noisy(look, "steal", found, "the host ran others while these CPUs had something to do",
                   "another time of day, or a host that is not shared");
}
