/* How far the clock of a device is ahead of this computer's: it is asked for its time, and the true
 * offset lies within the round trip of the question. */
#ifndef FANIN_CLOCK_OFFSET_H
#define FANIN_CLOCK_OFFSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/os.h"

struct clock_offset {
    bool known;
    uint64_t asked_ns; /* when that was, by os_now_ns */
    struct os_distance fleet;
};

/* clock_offset_ask: asks the device at the other end of a connection for its time, 64 times unless
 * that takes long, somewhat oftener where the answers are wide, and keeps the narrowest. It is
 * logged in to, if need be. Blocks for up to `timeout_ns` each time. 0, or a negative errno value:
 * a question was not answered, and no other may follow it. */
int clock_offset_ask(struct clock_offset *offset, intptr_t handle, uint64_t timeout_ns);

/* clock_offset_take: one answer: asked at `asked_ns`, there at `there_ns`, answered at
 * `answered_ns`. It replaces a known offset that is wider. */
void clock_offset_take(struct clock_offset *offset, uint64_t asked_ns, uint64_t there_ns,
                       uint64_t answered_ns);

#endif
