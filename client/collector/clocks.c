/* Compares the clocks of client and fleet. */
#include "client/collector/clocks.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/os.h"

enum {
    SLEWED_PART = 2000,   /* of a second: 500 us, the most that NTP slews a clock in it */
    LIMITED_PERCENT = 10, /* of the median: a larger error limits what latencies say */
};

/* ---- the client's own ------------------------------------------------------------------------ */

void clock_watch_look(struct clock_watch *watch, uint64_t now_ns, struct os_distance wall)
{
    const uint64_t jump_ns = os_distance_gap_ns(wall, watch->wall);
    if (watch->looked_ns != 0 && jump_ns > (now_ns - watch->looked_ns) / SLEWED_PART &&
        jump_ns > watch->step_ns)
        watch->step_ns = jump_ns;
    watch->looked_ns = now_ns;
    watch->wall = wall;
}

void clocks_watch(struct clocks *clocks)
{
    const struct os_distance wall = os_wall_distance();
    clock_watch_look(&clocks->own, os_now_ns(), wall);
}

/* ---- one process ----------------------------------------------------------------------------- */

static int64_t middle_ns(const struct clock_offset *offset)
{
    return offset->fleet.min_ns + (offset->fleet.max_ns - offset->fleet.min_ns) / 2;
}

static uint64_t error_ns(const struct clock_offset *offset)
{
    return (uint64_t)(offset->fleet.max_ns - offset->fleet.min_ns + 1) / 2;
}

static uint64_t magnitude(int64_t ns)
{
    return (uint64_t)(ns < 0 ? -ns : ns);
}

/* Two equal clocks allow an offset of 0. */
static bool is_offset(const struct clock_offset *offset)
{
    return offset->known && os_distance_gap_ns(offset->fleet, (struct os_distance){0, 0}) > 0;
}

/* Nothing that was learnt of the clock contradicts that it is this computer's own. */
static bool is_own(const struct clock_pair *pair)
{
    return pair->is_here && !is_offset(&pair->before) && !is_offset(&pair->after);
}

int64_t clock_correction_ns(const struct clock_pair *pair)
{
    const bool is_same = pair->is_here && !is_offset(&pair->before);
    return pair->before.known && !is_same ? middle_ns(&pair->before) : 0;
}

/* ---- all processes --------------------------------------------------------------------------- */

static int64_t moved_ns(const struct clock_pair *pair)
{
    const bool both = pair->before.known && pair->after.known;
    return both && !is_own(pair) ? middle_ns(&pair->after) - middle_ns(&pair->before) : 0;
}

/* Farther than a clock is slewed. */
static bool has_jumped(const struct clock_pair *pair)
{
    const struct clock_offset *before = &pair->before, *after = &pair->after;
    return before->known && after->known &&
           os_distance_gap_ns(before->fleet, after->fleet) >
               (after->asked_ns - before->asked_ns) / SLEWED_PART;
}

/* How far off corrected latencies may be. */
static uint64_t pair_error_ns(const struct clock_pair *pair)
{
    if (is_own(pair))
        return 0;
    const uint64_t before_ns = pair->before.known ? error_ns(&pair->before) : 0;
    const uint64_t after_ns =
        pair->after.known ? error_ns(&pair->after) + magnitude(moved_ns(pair)) : 0;
    return before_ns > after_ns ? before_ns : after_ns;
}

static int64_t furthest_ns(const struct clock_pair *pair)
{
    return middle_ns(pair->before.known ? &pair->before : &pair->after);
}

void clocks_take(struct clocks *clocks, const struct clock_pair *pair)
{
    if (!pair->before.known && !pair->after.known) {
        clocks->unknown = true;
        clocks->unknown_afar = clocks->unknown_afar || !pair->is_here;
        return;
    }
    if (!clocks->any || magnitude(furthest_ns(pair)) > magnitude(furthest_ns(&clocks->furthest)))
        clocks->furthest = *pair;
    clocks->any = true;
    if (has_jumped(pair) && magnitude(moved_ns(pair)) > magnitude(clocks->moved_ns))
        clocks->moved_ns = moved_ns(pair);
    clocks->uncorrected = clocks->uncorrected || (!pair->before.known && is_offset(&pair->after));
    if (pair_error_ns(pair) > clocks->error_ns)
        clocks->error_ns = pair_error_ns(pair);
}

/* ---- the row --------------------------------------------------------------------------------- */

struct duration {
    char text[32];
};

static struct duration shown(uint64_t ns)
{
    struct duration duration;
    const bool long_one = ns >= OS_NS_PER_S;
    snprintf(duration.text, sizeof duration.text, "%.3f %s",
             (double)ns / (long_one ? OS_NS_PER_S : OS_NS_PER_MS), long_one ? "s" : "ms");
    return duration;
}

static void reason_of_offset(struct row *row, const struct clock_offset *offset)
{
    const int64_t ns = middle_ns(offset);
    snprintf(row->latency_reason, sizeof row->latency_reason,
             "the fleet's clock is %s %s this computer's (+-%s), and was not known before the run",
             shown(magnitude(ns)).text, ns < 0 ? "behind" : "ahead of",
             shown(error_ns(offset)).text);
}

static void reason_find(struct row *row, const struct clocks *clocks, uint64_t negative_ns_max)
{
    const bool corrected = clocks->any && !clocks->unknown;
    if (clocks->own.step_ns > 0)
        snprintf(row->latency_reason, sizeof row->latency_reason,
                 "this computer's clock jumped by %s during the run",
                 shown(clocks->own.step_ns).text);
    else if (clocks->moved_ns != 0)
        snprintf(row->latency_reason, sizeof row->latency_reason,
                 "the clocks of this computer and the fleet moved apart by %s during the run",
                 shown(magnitude(clocks->moved_ns)).text);
    else if (clocks->uncorrected)
        reason_of_offset(row, &clocks->furthest.after);
    else if (row->negative_latencies > 0 && (!corrected || negative_ns_max > clocks->error_ns))
        snprintf(row->latency_reason, sizeof row->latency_reason,
                 "by the clocks, %" PRIu64 " frames came before they were sent",
                 row->negative_latencies);
}

void clocks_measure(struct row *row, const struct clocks *clocks, uint64_t negative_ns_max)
{
    const struct clock_pair *furthest = &clocks->furthest;
    const uint64_t errors_ns[] = {error_ns(&furthest->before), error_ns(&furthest->after)};
    if (furthest->before.known)
        row->clock_offset_ns_before = middle_ns(&furthest->before);
    if (furthest->after.known)
        row->clock_offset_ns_after = middle_ns(&furthest->after);
    if (clocks->any) {
        row->clock_offset_ns_error = errors_ns[errors_ns[0] < errors_ns[1]];
        row->clock_offset_us_max = (double)magnitude(clock_correction_ns(furthest)) / 1e3;
    }
    if (clocks->any && !clocks->unknown)
        row->clock_error_us_max = (double)clocks->error_ns / 1e3;
    row->clock_step_ns = clocks->own.step_ns;
    reason_find(row, clocks, negative_ns_max);
}

void clocks_limit(struct row *row, const struct clocks *clocks)
{
    const double most_us = row->latency_us_p50 * LIMITED_PERCENT / 100;
    if (!isnan(row->latency_us_p50))
        row->clock_limited = row->negative_latencies > 0 || clocks->unknown_afar ||
                             row->clock_error_us_max > most_us;
}
