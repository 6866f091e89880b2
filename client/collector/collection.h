/* A run as the main thread sees it. The main thread never waits on the port: it would take a
 * worker's place. */
#ifndef FANIN_COLLECTOR_COLLECTION_H
#define FANIN_COLLECTOR_COLLECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/progress.h"
#include "client/collector/connection.h"
#include "client/collector/session.h"
#include "client/collector/stats.h"
#include "client/collector/workers.h"

struct collection {
    struct session *session;
    struct run run;
    struct workers workers;
    struct scheme_config scheme_config;
    struct scheme_figures figures;
    struct fleet_stats fleet;
    struct progress progress;
    struct os_usage usage_begin; /* when the servers are asked */
    uint64_t started_ns;
    uint64_t last_ns;        /* when the last frame was processed */
    uint64_t expected_bytes; /* of the connected servers; UINT64_MAX: not known */
    uint64_t operations_lost;
    bool reasked;         /* a server that had been asked was asked again */
    uint32_t stall_ticks; /* of silence that end a connection */
};

/* collection_run: connects, asks, collects; blocks until every connection is over and nothing is in
 * flight. The port is open, its workers run. False: it could not take place, and the row says
 * why. */
bool collection_run(struct collection *collection);

/* collection_expected_bytes: of all servers that were connected; UINT64_MAX: not known. */
uint64_t collection_expected_bytes(const struct collection *collection);

/* collection_measure: fills in the row, when port and scheme are closed. Asks the fleet, which may
 * block for STATS_TIMEOUT_MS. collection_sum: what connections and streams noted, before the scheme
 * is closed. */
void collection_sum(struct collection *collection);
void collection_measure(struct collection *collection);

#endif
