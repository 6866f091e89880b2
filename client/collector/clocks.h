/* Whether the clocks of client and fleet allow a latency, which is the difference of a time there
 * and a time here. The fleet is asked for its clock's time before and after the run; meanwhile the
 * wall clock here is watched, which may be set. Servers that are not ours cannot be asked. */
#ifndef FANIN_COLLECTOR_CLOCKS_H
#define FANIN_COLLECTOR_CLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"
#include "client/collector/row.h"
#include <cport.h>

/* How far the fleet's clock is ahead of the client's. */
struct clock_offset {
    bool known;
    struct os_distance fleet;
};

/* The client's own clocks. */
struct clock_watch {
    uint64_t looked_ns; /* when they were looked at, by the monotonic one; 0: not yet */
    struct os_distance wall;
    uint64_t step_ns; /* the largest jump between two looks; 0: none */
};

struct clocks {
    struct clock_offset before, after;
    struct clock_watch own;
};

/* clocks_ask: asks the device at the other end for its time, a few times, and keeps the narrowest
 * answer. It is logged in to, if need be. Blocks for up to `timeout_ns` each time. False: a
 * question was not answered, and no other may follow it. */
bool clocks_ask(struct clock_offset *offset, cp_handle handle, uint64_t timeout_ns);

/* clock_offset_take: one answer: asked at `asked_ns`, there at `there_ns`, answered at
 * `answered_ns`. It replaces a known offset that is wider. */
void clock_offset_take(struct clock_offset *offset, uint64_t asked_ns, uint64_t there_ns,
                       uint64_t answered_ns);

/* clocks_watch: looks at the own clocks, again and again during a run. clock_watch_look: the same
 * with what os_wall_distance gave at `now_ns`. A wall clock that is slewed, as NTP does, has not
 * jumped. */
void clocks_watch(struct clocks *clocks);
void clock_watch_look(struct clock_watch *watch, uint64_t now_ns, struct os_distance wall);

/* clocks_measure: the row's keys of the clocks, and in latency_reason why they do not allow
 * latencies. row->negative_latencies is known. */
void clocks_measure(struct row *row, const struct clocks *clocks);

#endif
