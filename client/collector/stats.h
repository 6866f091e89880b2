/* What the fleet says it sent: asked on a connection of its own, so that the measured ones carry
 * frames only. */
#ifndef FANIN_COLLECTOR_STATS_H
#define FANIN_COLLECTOR_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "client/collector/request.h"
#include "base/net.h"

enum { STATS_TIMEOUT_MS = 2000, STATS_LAG_MS = 500, STATS_TRIES = 3 };

struct fleet_stats {
    bool known; /* asked before and after, the same process answered both times */
    unsigned tries;
    struct net_address device; /* the one that answered */
    struct protocol_stats before, after;
};

/* stats_begin: asks `device` before the run. Blocks. False: it did not answer (some devices never
 * do), ask another one. True: one has answered, enough have not, or they are not ours. */
bool stats_begin(struct fleet_stats *fleet, const struct net_address *device,
                 const struct request_set *requests);

/* stats_end: asks again afterwards. The devices count what they hand to their kernel a moment after
 * the client may have it, or may be on their way up again: asks again for up to STATS_LAG_MS while
 * the count is below `bytes_received`. Blocks. */
void stats_end(struct fleet_stats *fleet, const struct request_set *requests,
               uint64_t bytes_received);

#endif
