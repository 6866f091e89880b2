/* How far a measured link may be from the one that was asked for. Pure. */
#ifndef FANIN_LAN_BOUNDS_H
#define FANIN_LAN_BOUNDS_H

#include <stdint.h>

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

#endif
