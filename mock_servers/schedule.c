/* When frames are due, and their stamps. */
#include "mock_servers/schedule.h"

enum { PHASES = 1 << 20 };

/* The protocol's own mix serves as the source of chance; its last sequence numbers are those of
 * no frame. */
static double phase_share(uint64_t seed, uint32_t device)
{
    return (double)protocol_frame_length(seed, UINT64_MAX - device, 0, PHASES - 1) / PHASES;
}

void schedule_start(struct schedule *schedule, const struct protocol_go *go, uint32_t device,
                    uint64_t now_ns, uint64_t wall_ns)
{
    schedule->interval_ns = go->rate > 0 ? 1e9 / go->rate : 0;
    schedule->first_ns = now_ns + (uint64_t)(schedule->interval_ns * phase_share(go->seed, device));
    schedule->first_ns -= go->ago_ns < schedule->first_ns ? go->ago_ns : schedule->first_ns;
    schedule->wall_ahead_ns = (int64_t)(wall_ns - now_ns);
}

uint64_t schedule_due_ns(const struct schedule *schedule, uint64_t seq)
{
    const double far_ns = 4e18; /* 127 years: the slowest rate's last frame lies beyond 64 bits */
    double after_ns = schedule->interval_ns * (double)seq;
    return schedule->first_ns + (uint64_t)(after_ns < far_ns ? after_ns : far_ns);
}

uint64_t schedule_stamp_ns(const struct schedule *schedule, uint64_t seq, uint64_t now_ns)
{
    uint64_t sent_ns = schedule->interval_ns > 0 ? schedule_due_ns(schedule, seq) : now_ns;
    return sent_ns + (uint64_t)schedule->wall_ahead_ns;
}
