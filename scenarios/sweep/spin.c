/* A bare loop and what it got. */
#include "scenarios/sweep/spin.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cgroup.h"
#include "base/json.h"
#include "base/options.h"
#include "base/os.h"

struct reading {
    uint64_t wall_ns, cpu_ns;
};

static atomic_bool over;

static void *loop(void *unused)
{
    while (!atomic_load_explicit(&over, memory_order_relaxed))
        continue;
    return NULL;
}

static struct reading read_now(void)
{
    return (struct reading){os_now_ns(), os_cpu_ns()};
}

/* How long the threads stand still at least in each period when they have used the quota up; half
 * of it tells that from others' turns. */
static uint64_t gap_ns(const struct cpu_quota *quota, int threads)
{
    const double still = 1 - quota->cpus / threads;
    return isfinite(quota->cpus) && still > 0 ? (uint64_t)(still / 2 * (double)quota->period_ns)
                                              : UINT64_MAX;
}

/* Whole periods, from one end of a standstill to another; where there are none, all of it. */
static void spin(uint64_t duration_ns, uint64_t gap, struct reading *first, struct reading *last)
{
    const struct reading begin = read_now();
    unsigned gaps = 0;
    uint64_t before_ns = begin.wall_ns, now_ns = before_ns;
    for (; now_ns - begin.wall_ns < duration_ns; before_ns = now_ns) {
        now_ns = os_now_ns();
        if (now_ns - before_ns < gap)
            continue;
        *last = read_now();
        if (gaps++ == 0)
            *first = *last;
    }
    if (gaps < 2) {
        *first = begin;
        *last = read_now();
    }
}

static int print(const struct reading *first, const struct reading *last,
                 const struct cpu_quota *before, const struct cpu_quota *after)
{
    const double wall_ms = (double)(last->wall_ns - first->wall_ns) / OS_NS_PER_MS;
    const double cpu_ms = (double)(last->cpu_ns - first->cpu_ns) / OS_NS_PER_MS;
    const bool known =
        before->throttled_periods != UINT64_MAX && after->throttled_periods != UINT64_MAX;
    struct json json;
    json_open(&json, stdout);
    json_number(&json, "share", cpu_ms / wall_ms);
    json_number(&json, "wall_ms", wall_ms);
    json_number(&json, "cpu_ms", cpu_ms);
    json_number(&json, "cpu_quota", after->cpus);
    json_number(&json, "throttled_periods",
                known ? (double)(after->throttled_periods - before->throttled_periods) : NAN);
    json_number(&json, "throttled_ms",
                known ? (double)(after->throttled_ns - before->throttled_ns) / OS_NS_PER_MS : NAN);
    return json_close(&json) == 0 ? EXIT_DONE : EXIT_MACHINE_CANNOT;
}

int spin_print(uint64_t duration_ms)
{
    enum { STACK_BYTES = 1 << 16 };
    struct cpu_quota before, after;
    struct reading first = {0}, last = {0};
    cpu_quota_read("", &before);
    const int threads = os_cpu_count();
    pthread_t *others = calloc((size_t)threads, sizeof *others);
    int started = 0;
    while (others != NULL && started < threads - 1 &&
           os_thread_start(&others[started], "fanin-spin", STACK_BYTES, loop, NULL) == 0)
        started++;
    spin(duration_ms * OS_NS_PER_MS, gap_ns(&before, started + 1), &first, &last);
    atomic_store(&over, true);
    for (int i = 0; i < started; i++)
        pthread_join(others[i], NULL);
    free(others);
    cpu_quota_read("", &after);
    return print(&first, &last, &before, &after);
}
