/* Compares the clocks of client and fleet. */
#include "client/collector/clocks.h"

#include <inttypes.h>

#include "base/net.h"
#include "base/os.h"
#include "base/protocol.h"

enum {
    ASKED_TIMES = 3,    /* one of them is likely to meet no busy processor */
    SLEWED_PART = 2000, /* of a second: 500 us, the most that NTP slews a clock in it */
};

/* ---- the fleet's clock ----------------------------------------------------------------------- */

void clock_offset_take(struct clock_offset *offset, uint64_t asked_ns, uint64_t there_ns,
                       uint64_t answered_ns)
{
    const struct os_distance fleet = {.min_ns = (int64_t)(there_ns - answered_ns),
                                      .max_ns = (int64_t)(there_ns - asked_ns)};
    if (answered_ns < asked_ns)
        return; /* the clock here was set meanwhile */
    if (!offset->known || fleet.max_ns - fleet.min_ns < offset->fleet.max_ns - offset->fleet.min_ns)
        *offset = (struct clock_offset){.known = true, .fleet = fleet};
}

bool clocks_ask(struct clock_offset *offset, cp_handle handle, uint64_t timeout_ns)
{
    *offset = (struct clock_offset){.known = false};
    for (unsigned i = 0; i < ASKED_TIMES; i++) {
        char line[PROTOCOL_LINE_BYTES_MAX];
        uint64_t there_ns;
        const int bytes = protocol_write_time_request(line, sizeof line);
        const uint64_t asked_ns = os_wall_ns();
        if (net_send_all(handle, line, (size_t)bytes, timeout_ns) != 0 ||
            net_read_line(handle, line, sizeof line, timeout_ns) != 0)
            return false;
        const uint64_t answered_ns = os_wall_ns();
        if (protocol_read_time(line, &there_ns) != NULL)
            return false;
        clock_offset_take(offset, asked_ns, there_ns, answered_ns);
    }
    return true;
}

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

/* ---- the row --------------------------------------------------------------------------------- */

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
             "the fleet's clock is %s %s this computer's (+-%s): synchronise them",
             shown(magnitude(ns)).text, ns < 0 ? "behind" : "ahead of",
             shown(error_ns(offset)).text);
}

static bool is_apart(const struct clock_offset *before, const struct clock_offset *after)
{
    return before->known && after->known && os_distance_gap_ns(before->fleet, after->fleet) > 0;
}

static void reason_find(struct row *row, const struct clocks *clocks)
{
    const struct clock_offset *before = &clocks->before, *after = &clocks->after;
    if (clocks->own.step_ns > 0)
        snprintf(row->latency_reason, sizeof row->latency_reason,
                 "this computer's clock jumped by %s during the run",
                 shown(clocks->own.step_ns).text);
    else if (is_apart(before, after))
        snprintf(row->latency_reason, sizeof row->latency_reason,
                 "the clocks of this computer and the fleet moved apart by %s during the run",
                 shown(magnitude(middle_ns(after) - middle_ns(before))).text);
    else if (is_offset(before) || is_offset(after))
        reason_of_offset(row, is_offset(before) ? before : after);
    else if (row->negative_latencies > 0)
        snprintf(row->latency_reason, sizeof row->latency_reason,
                 "by the clocks, %" PRIu64 " frames came before they were sent",
                 row->negative_latencies);
}

void clocks_measure(struct row *row, const struct clocks *clocks)
{
    const uint64_t errors_ns[] = {error_ns(&clocks->before), error_ns(&clocks->after)};
    if (clocks->before.known)
        row->clock_offset_ns_before = middle_ns(&clocks->before);
    if (clocks->after.known)
        row->clock_offset_ns_after = middle_ns(&clocks->after);
    if (clocks->before.known || clocks->after.known)
        row->clock_offset_ns_error = errors_ns[errors_ns[0] < errors_ns[1]];
    row->clock_step_ns = clocks->own.step_ns;
    reason_find(row, clocks);
}
