/* A clock for time limits. It stands still while this process does not run: stopped (SIGSTOP,
 * Ctrl-Z), frozen, suspended with its machine, without a processor. Nobody has failed to answer in
 * a time in which we could not have seen the answer.
 *
 * Who waits looks at the clock every OS_SLICE_MS or more often. If the gap between two looks is
 * too long for that, the clock counts one step for it. The part of it in which the thread used no
 * processor either was a pause.
 *
 * Time is a parameter here; os_active_ns (base/os.h) is the clock of the calling thread. */
#ifndef FANIN_ACTIVE_CLOCK_H
#define FANIN_ACTIVE_CLOCK_H

#include <stdint.h>

#include "base/os.h"

enum { ACTIVE_GAP_MS_MAX = 250 };

struct active_clock {
    uint64_t looked_ns, cpu_ns; /* at the last look */
    uint64_t active_ns;         /* begins as os_now_ns, and falls behind it */
    uint64_t paused_ns;         /* the sum of pauses */
};

static inline struct active_clock active_clock_begin(uint64_t now_ns, uint64_t cpu_ns)
{
    return (struct active_clock){.looked_ns = now_ns, .cpu_ns = cpu_ns, .active_ns = now_ns};
}

/* active_clock_look: it is `now_ns` by os_now_ns, and the thread has used `cpu_ns` of processors so
 * far. Returns active_ns. */
static inline uint64_t active_clock_look(struct active_clock *clock, uint64_t now_ns,
                                         uint64_t cpu_ns)
{
    const uint64_t gap_max_ns = (uint64_t)ACTIVE_GAP_MS_MAX * OS_NS_PER_MS;
    const uint64_t gap_ns = now_ns - clock->looked_ns, busy_ns = cpu_ns - clock->cpu_ns;
    uint64_t step_ns = gap_ns;
    if (gap_ns > gap_max_ns) {
        step_ns = (uint64_t)OS_SLICE_MS * OS_NS_PER_MS;
        if (gap_ns > busy_ns + gap_max_ns)
            clock->paused_ns += gap_ns - busy_ns - step_ns;
    }
    clock->active_ns += step_ns;
    clock->looked_ns = now_ns;
    clock->cpu_ns = cpu_ns;
    return clock->active_ns;
}

#endif
