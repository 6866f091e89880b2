/* Quantiles by nearest rank: always one of the values. */
#ifndef FANIN_QUANTILE_H
#define FANIN_QUANTILE_H

#include <assert.h>
#include <stdint.h>

/* quantile_rank: the place, from 1 on, of the smallest of `count` sorted values that at least
 * `share` (0..1) of them do not exceed. */
static inline uint64_t quantile_rank(double share, uint64_t count)
{
    assert(share >= 0 && share <= 1 && count > 0);
    const double rounding = 1e-12; /* 0.07 of 100 is 7, and a little more as a double */
    const double wanted = share * (double)count * (1 - rounding);
    uint64_t rank = (uint64_t)wanted;
    rank += (double)rank < wanted;
    if (share == 1)
        return count;
    return rank > 0 ? rank : 1;
}

#endif
