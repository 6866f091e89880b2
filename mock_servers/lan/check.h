/* fanin-lan --check: measures the link and compares it with what was asked for. */
#ifndef FANIN_LAN_CHECK_H
#define FANIN_LAN_CHECK_H

#include <stdio.h>

#include "mock_servers/lan/link.h"

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

struct checked_value {
    double asked, measured;
    struct bounds allowed;
    bool ok;
};

enum {
    CHECK_ROUND_TRIP,
    CHECK_RATE,
    CHECK_LOSS = CHECK_RATE + LINK_DIRECTIONS,
    CHECK_VALUES = CHECK_LOSS + LINK_DIRECTIONS
};

struct check {
    const char *link;
    bool realtime, ok;
    /* The round trip (its median) in ns; for each direction the rate in bit/s (asked 0: unlimited,
     * always ok), and the loss in datagrams. */
    struct checked_value values[CHECK_VALUES];
    /* Expected is what was asked for and the datagrams' time on the wire. */
    double round_trip_expected_ns, round_trip_p99_ns;
    double loss_asked[LINK_DIRECTIONS]; /* share */
    uint64_t sent[LINK_DIRECTIONS];     /* datagrams whose loss was counted */
    /* TCP both ways at once; for information. */
    double both_bits_per_s[LINK_DIRECTIONS], link_cpu_share;
    uint64_t missed[LINK_DIRECTIONS]; /* by the link, before it is flooded */
};

/* check_run: measures; blocks for some seconds. 0, or -errno with `what` failed. */
int check_run(struct check *check, struct link *link, const struct link_request *request,
              const struct namespaces *namespaces, const char **what);

void check_print(const struct check *check, FILE *out); /* as a table, for people */
int check_write(const struct check *check, FILE *out);  /* as one line of JSON; -errno */

#endif
