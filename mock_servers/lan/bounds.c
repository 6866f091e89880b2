#include "mock_servers/lan/bounds.h"

#include <assert.h>
#include <math.h>

static const double rate_share = 0.03, round_trip_share = 0.05, round_trip_ns = 1e5;
static const double tail = 0.005; /* on either side */

struct bounds bounds_rate(double bits_per_s)
{
    return (struct bounds){bits_per_s * (1 - rate_share), bits_per_s * (1 + rate_share)};
}

struct bounds bounds_round_trip(double ns)
{
    double off = round_trip_ns + round_trip_share * ns;

    return (struct bounds){ns > off ? ns - off : 0, ns + off};
}

/* Of exactly `lost` of `sent`. */
static double probability(uint64_t sent, uint64_t lost, double loss)
{
    double n = (double)sent, k = (double)lost;

    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(loss) +
               (n - k) * log1p(-loss));
}

/* The counts below which, and above which, there is no more than the tail. */
struct bounds bounds_lost(uint64_t sent, double loss)
{
    assert(loss >= 0 && loss <= 1);
    if (loss == 0 || loss == 1)
        return (struct bounds){loss * (double)sent, loss * (double)sent};
    uint64_t min = 0, max = sent;
    double below = 0, above = 0;
    while (min < sent && (below += probability(sent, min, loss)) < tail)
        min++;
    while (max > min && (above += probability(sent, max, loss)) < tail)
        max--;
    return (struct bounds){(double)min, (double)max};
}
