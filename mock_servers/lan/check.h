/* fanin-lan --check: measures the link and compares it with what was asked for. */
#ifndef FANIN_LAN_CHECK_H
#define FANIN_LAN_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "mock_servers/lan/measure.h"

struct bounds {
    double min, max; /* inclusive */
};

/* bounds_rate: 3 % either way. */
struct bounds bounds_rate(double bits_per_s);

/* bounds_round_trip: 0.1 ms and 5 % either way, not below 0. */
struct bounds bounds_round_trip(double ns);

/* bounds_lost: how many of `sent` may be lost where each is with probability `loss`: the middle
 * 99 % of the binomial distribution. */
struct bounds bounds_lost(uint64_t sent, double loss);

struct check_rate {
    double asked, measured; /* bits per second; asked 0: unlimited, which is always ok */
    struct bounds bounds;
    bool ok;
};

struct check_loss {
    double asked; /* share */
    uint64_t sent, lost;
    struct bounds bounds;
    bool ok;
};

struct check {
    const char *link;
    bool realtime;
    struct check_rate rates[LINK_DIRECTIONS];
    struct check_loss losses[LINK_DIRECTIONS];
    /* In nanoseconds. Expected is what was asked for and the datagrams' time on the wire. */
    double round_trip_asked, round_trip_expected, round_trip_p50, round_trip_p99;
    struct bounds round_trip_bounds; /* of the median */
    bool round_trip_ok;
    struct measured_bulk both; /* both directions at once; for information */
    uint64_t missed[LINK_DIRECTIONS];
    bool ok;
};

/* check_run: measures; blocks for some seconds. 0, or -errno with `what` failed. */
int check_run(struct check *check, struct link *link, const struct link_request *request,
              const struct namespaces *namespaces, const char **what);

void check_print(const struct check *check, FILE *out); /* as a table, for people */
int check_write(const struct check *check, FILE *out);  /* as one line of JSON; -errno */

#endif
