/* When the frames of one GO are due. Set once when the GO comes; a GO that resumes a stream gets
 * the same schedule (as far as the client knows the stream's age). It never moves, so a frame that
 * is sent late is late by its stamp: no coordinated omission. */
#ifndef FANIN_SCHEDULE_H
#define FANIN_SCHEDULE_H

#include <stdint.h>

#include "base/protocol.h"

struct schedule {
    double interval_ns;    /* 0: every frame is due at once */
    uint64_t first_ns;     /* monotonic time of frame 0; of a GO that goes on, in the past */
    int64_t wall_ahead_ns; /* wall clock minus monotonic clock at the start */
};

/* schedule_start: `device` moves the first frame by a share of the interval, so that devices of
 * one seed and rate do not all send at the same instant. */
void schedule_start(struct schedule *schedule, const struct protocol_go *go, uint32_t device,
                    uint64_t now_ns, uint64_t wall_ns);

uint64_t schedule_due_ns(const struct schedule *schedule, uint64_t seq);

/* schedule_stamp_ns: the wall-clock time at which frame `seq` was due; `now_ns` where every
 * frame is at once. */
uint64_t schedule_stamp_ns(const struct schedule *schedule, uint64_t seq, uint64_t now_ns);

#endif
