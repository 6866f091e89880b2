/* Whether the clocks of client and fleet allow a latency, which is the difference of a time there
 * and a time here. Each process of the fleet is asked for its clock's time before and after the
 * run: latencies are corrected by what it says before, and what it says after shows how far off
 * they may be. Meanwhile the wall clock here is watched, which may be set. Servers that are not
 * ours cannot be asked. */
#ifndef FANIN_COLLECTOR_CLOCKS_H
#define FANIN_COLLECTOR_CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock_offset.h"
#include "client/collector/row.h"

/* Of one process. */
struct clock_pair {
    struct clock_offset before, after;
    bool is_here; /* on this computer: if its clock may be the same, it is */
};

/* The client's own clocks. */
struct clock_watch {
    uint64_t looked_ns; /* when they were looked at, by the monotonic one; 0: not yet */
    struct os_distance wall;
    uint64_t step_ns; /* the largest jump between two looks; 0: none */
};

struct clocks {
    struct clock_watch own;
    /* What clocks_take has found among the processes: */
    struct clock_pair furthest; /* whose clock is */
    bool any, unknown;          /* one is known; one is not, */
    bool unknown_afar;          /* of a process on another computer */
    bool uncorrected;           /* a clock was not known before the run, and is off after it */
    int64_t moved_ns;           /* by which one jumped or drifted during the run; 0: none did */
    uint64_t error_ns;          /* the largest */
};

/* clocks_watch: looks at the own clocks, again and again during a run. clock_watch_look: the same
 * with what os_wall_distance gave at `now_ns`. A wall clock that is slewed, as NTP does, has not
 * jumped. */
void clocks_watch(struct clocks *clocks);
void clock_watch_look(struct clock_watch *watch, uint64_t now_ns, struct os_distance wall);

/* clock_correction_ns: by how much the clock is taken to be ahead of this computer's; 0 if that is
 * not known. */
int64_t clock_correction_ns(const struct clock_pair *pair);

/* clocks_take: one more process, after the run. */
void clocks_take(struct clocks *clocks, const struct clock_pair *pair);

/* clocks_measure: the row's keys of the clocks, and in latency_reason why they do not allow
 * latencies. row->negative_latencies is known; one came `negative_ns_max` too early.
 * clocks_limit: whether they limit what row->latency_us_p50 says. */
void clocks_measure(struct row *row, const struct clocks *clocks, uint64_t negative_ns_max);
void clocks_limit(struct row *row, const struct clocks *clocks);

#endif
