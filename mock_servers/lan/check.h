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

/* check_run: starts the link, measures it, which blocks for some seconds, and prints a table for
 * people: on standard output, or on standard error where `json` is "-". Writes the result as one
 * line of JSON to the file `json` if it is not NULL. Returns fanin-lan's exit code. */
int check_run(struct link *link, const struct shaper_config paths[LINK_DIRECTIONS],
              const char *json);

#endif
