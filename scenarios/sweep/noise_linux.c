/* Linux's look at the machine: two readings of counters with a wait between them, then one finding
 * after the other. Everything is read from /proc and /sys below a root that the caller names. */
#include "scenarios/sweep/noise_look.h"

#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/sweep/record.h"

enum {
    TEXT_BYTES_MAX = 1 << 22,
    MEMORY_PERCENT_MIN = 10,   /* available, of all */
    MEMORY_KB_MIN = 256 << 10, /* available at least */
};

static const char *read_text(struct arena *arena, const char *root, const char *path)
{
    size_t bytes;
    char *text = arena_file(arena, arena_text(arena, "%s%s", root, path), TEXT_BYTES_MAX, &bytes);

    if (text != NULL && bytes != 0 && text[bytes - 1] == '\n')
        text[bytes - 1] = '\0';
    return text;
}

const char *look_text(const struct look *look, const char *path)
{
    return read_text(look->arena, look->question->root, path);
}

bool look_number(const char *text, const char *field, uint64_t *number)
{
    const char *at = text == NULL ? NULL : strstr(text, field);
    char *end;

    if (at == NULL)
        return false;
    at += strlen(field);
    *number = strtoull(at, &end, 10);
    return end != at;
}

void look_calm(struct look *look, const char *name, const char *found)
{
    noise_add(look->noise, name, NOISE_CALM, found, NULL, NULL);
}

void look_noisy(struct look *look, const char *name, const char *found, const char *why,
                const char *advice)
{
    noise_add(look->noise, name, NOISE_NOISY, found, why, advice);
}

void look_unknown(struct look *look, const char *name)
{
    noise_add(look->noise, name, NOISE_UNKNOWN, NULL, NULL, NULL);
}

/* ---- counters ---- */

/* "cpu  user nice system idle iowait irq softirq steal ...": guests' time is part of user's. False
 * with errno 0 when it is something else. */
static bool count_cpus(struct arena *arena, const char *root, struct look_counters *counters)
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
        counters->total += ticks[i];
    counters->idle = ticks[3] + ticks[4];
    counters->stolen = ticks[7];
    for (const char *at = text; (at = strstr(at, "\ncpu")) != NULL; at++)
        counters->cpus += isdigit((unsigned char)at[4]) != 0;
    return true;
}

/* "pid (any name) state ppid ... utime stime ... starttime": fields are counted behind the name's
 * last bracket, since a name may hold anything. */
static bool read_process(const char *text, struct look_process *process)
{
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    unsigned long long user, system, began;
    int length;

    if (open == NULL || close == NULL || close < open ||
        sscanf(close + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
               "%*d %*d %llu",
               &user, &system, &began) != 3)
        return false;
    length = (int)(close - open) - 1;
    *process = (struct look_process){
        .pid = strtol(text, NULL, 10), .began = began, .ticks = user + system};
    snprintf(process->name, sizeof process->name, "%.*s", length, open + 1);
    return true;
}

static void count_processes(struct arena *arena, const char *root, struct look_counters *counters)
{
    DIR *directory = opendir(arena_text(arena, "%s/proc", root));
    const struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct arena scratch = {0};
        struct look_process process;
        const char *text = NULL;

        if (isdigit((unsigned char)entry->d_name[0]))
            text = read_text(&scratch, root, arena_text(&scratch, "/proc/%s/stat", entry->d_name));
        if (text != NULL && read_process(text, &process)) {
            counters->processes = arena_grow(arena, counters->processes, counters->process_count,
                                             sizeof *counters->processes);
            counters->processes[counters->process_count++] = process;
        }
        arena_free(&scratch);
    }
    if (directory != NULL)
        closedir(directory);
}

static void count_swapped(struct arena *arena, const char *root, struct look_counters *counters)
{
    const char *text = read_text(arena, root, "/proc/vmstat");
    uint64_t in = 0, out = 0;

    look_number(text, "pswpin ", &in);
    look_number(text, "pswpout ", &out);
    counters->swapped_pages = in + out;
}

/* The CPUs' times are read last before the wait and first after it, so that our own reading is no
 * part of what was watched. */
static bool count_twice(struct look *look)
{
    const struct noise_question *question = look->question;
    bool readable;

    count_swapped(look->arena, question->root, &look->before);
    count_processes(look->arena, question->root, &look->before);
    readable = count_cpus(look->arena, question->root, &look->before);
    if (!readable)
        return false;
    os_sleep_ns(question->watch_ns);
    readable = count_cpus(look->arena, question->root_later, &look->after);
    count_processes(look->arena, question->root_later, &look->after);
    count_swapped(look->arena, question->root_later, &look->after);
    return readable;
}

double look_share(const struct look *look, uint64_t before, uint64_t after)
{
    uint64_t all = look->after.total - look->before.total;

    return all == 0 || after < before ? 0 : 100 * (double)(after - before) / (double)all;
}

/* ---- memory, descriptors, clock ---- */

static void look_at_memory(struct look *look)
{
    const char *text = look_text(look, "/proc/meminfo"), *found;
    uint64_t all, left;

    if (!look_number(text, "MemTotal:", &all) || !look_number(text, "MemAvailable:", &left)) {
        look_unknown(look, "memory");
        return;
    }
    found = arena_text(look->arena, "%llu of %llu MB available", (unsigned long long)left / 1024,
                       (unsigned long long)all / 1024);
    if (left * 100 >= all * MEMORY_PERCENT_MIN && left >= MEMORY_KB_MIN)
        look_calm(look, "memory", found);
    else
        look_noisy(look, "memory", found,
                   "with little left the kernel looks for pages while a row runs, and may end a "
                   "program",
                   "close what uses it: ps -eo rss,pid,comm --sort -rss | head");
}

static void look_at_swap(struct look *look)
{
    const char *text = look_text(look, "/proc/meminfo"), *found;
    uint64_t all, left, pages = look->after.swapped_pages - look->before.swapped_pages;

    if (!look_number(text, "SwapTotal:", &all) || !look_number(text, "SwapFree:", &left)) {
        look_unknown(look, "swap");
        return;
    }
    found = arena_text(look->arena, "%llu of %llu MB in use, %llu pages moved while watched",
                       (unsigned long long)(all - left) / 1024, (unsigned long long)all / 1024,
                       (unsigned long long)pages);
    if (pages == 0)
        look_calm(look, "swap", all == 0 ? "none" : found);
    else
        look_noisy(look, "swap", found,
                   "a page that has to come back from disk costs a thousand times a page of memory",
                   "close what uses the memory; then: sudo swapoff -a && sudo swapon -a");
}

static void look_at_descriptors(struct look *look)
{
    const char *text = look_text(look, "/proc/self/limits"), *found;
    const char *line = text == NULL ? NULL : strstr(text, "Max open files");
    uint64_t needed = look->question->descriptors, limit;
    char hard[32];

    if (line == NULL || sscanf(line, "Max open files %*s %31s", hard) != 1) {
        look_unknown(look, "descriptors");
        return;
    }
    limit = strcmp(hard, "unlimited") == 0 ? UINT64_MAX : strtoull(hard, NULL, 10);
    found = arena_text(look->arena, "the hard limit is %s, %llu servers take %llu", hard,
                       (unsigned long long)look->question->servers, (unsigned long long)needed);
    if (limit >= needed)
        look_calm(look, "descriptors", found);
    else
        look_noisy(look, "descriptors", found, "rows that need more fail or are skipped",
                   arena_text(look->arena, "sudo prlimit --pid $$ --nofile=%llu, or fewer servers",
                              (unsigned long long)needed));
}

static bool is_fast(const char *clock)
{
    static const char *const fast[] = {"tsc",
                                       "kvm-clock",
                                       "hyperv_clocksource_tsc_page",
                                       "arch_sys_counter",
                                       "timebase",
                                       "riscv_clocksource",
                                       "tod"};

    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++) {
        if (strcmp(clock, fast[i]) == 0)
            return true;
    }
    return false;
}

#define CLOCK_FOLDER "/sys/devices/system/clocksource/clocksource0/"

static void look_at_clock(struct look *look)
{
    const char *clock = look_text(look, CLOCK_FOLDER "current_clocksource");
    const char *others = look_text(look, CLOCK_FOLDER "available_clocksource");
    bool has_tsc = others != NULL && strstr(others, "tsc") != NULL;

    if (clock == NULL)
        look_unknown(look, "clock");
    else if (is_fast(clock))
        look_calm(look, "clock", clock);
    else
        look_noisy(look, "clock", clock,
                   "reading it is a system call or slow hardware, and every time that is taken "
                   "costs the row",
                   has_tsc ? "echo tsc | sudo tee " CLOCK_FOLDER "current_clocksource"
                           : "the kernel offers no faster one here (dmesg | grep -i clocksource "
                             "says why)");
}

/* ---- the look ---- */

static void (*const findings[])(struct look *look) = {
    look_at_busy_cpus,
    look_at_load,
    look_at_few_cpus,
    look_at_quota,
    look_at_threads_per_core,
    look_at_governor,
    look_at_turbo,
    look_at_heat,
    look_at_virtual_machine,
    look_at_steal,
    look_at_memory,
    look_at_swap,
    look_at_descriptors,
    look_at_listeners,
    look_at_port_range,
    look_at_pacing,
    look_at_clock,
};

int noise_look(struct arena *arena, const struct noise_question *question, struct noise *noise,
               struct error *error)
{
    struct look look = {.arena = arena, .question = question, .noise = noise};

    static_assert(sizeof findings / sizeof *findings <= NOISE_FINDINGS_MAX, "a place for each");
    assert(question->root != NULL && question->root_later != NULL);
    *noise = (struct noise){.watch_ns = question->watch_ns, .time_utc = record_time(arena, false)};
    if (!count_twice(&look))
        return error_set(error, NULL,
                         "cannot read the CPUs' times from %s/proc/stat: %s; is /proc mounted?",
                         question->root, errno == 0 ? "not as Linux writes it" : strerror(errno));
    look.cpus = look.after.cpus == 0 ? 1 : look.after.cpus;
    if (*question->root == '\0' && (unsigned)os_cpu_count() < look.cpus)
        look.cpus = (unsigned)os_cpu_count();
    for (size_t i = 0; i < sizeof findings / sizeof *findings; i++)
        findings[i](&look);
    return 0;
}
