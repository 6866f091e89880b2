/* A histogram of latencies with buckets of two significant decimal digits, in units of UNIT_NS:
 *
 *     index   0 .. 99        100 .. 189           190 .. 279            ...
 *     value   0 .. 99 units  100, 110 .. 990      1000, 1100 .. 9900    ...
 *
 * so that a printed quantile is exact in the two digits it is printed with. */
#include "client/buffers/process.h"

#include <assert.h>
#include <string.h>

enum {
    UNIT_NS = 100, /* 10 units are 1 us, from which on two digits are exact */
    STEPS = 90,    /* a decade's buckets: 10 .. 99 */
    FIRST_STEP = 10,
    DECADES = 9, /* of 10 units and more: 1 us .. 1000 s */
    BUCKETS_USED = FIRST_STEP + DECADES * STEPS,
};

_Static_assert((int)BUCKETS_USED <= (int)LATENCY_BUCKETS, "every value has a bucket");

static unsigned bucket_of(uint64_t value_ns)
{
    uint64_t digits = value_ns / UNIT_NS;
    unsigned decade = 0;
    for (; digits >= FIRST_STEP + STEPS; digits /= 10)
        decade++;
    unsigned bucket = decade * STEPS + (unsigned)digits;
    return bucket < BUCKETS_USED ? bucket : BUCKETS_USED - 1;
}

static uint64_t upper_edge_ns(unsigned bucket)
{
    unsigned decade = bucket < FIRST_STEP ? 0 : (bucket - FIRST_STEP) / STEPS;
    uint64_t edge = bucket - decade * STEPS + 1;
    while (decade-- > 0)
        edge *= 10;
    return edge * UNIT_NS;
}

void latency_add(struct latency *latency, uint64_t value_ns)
{
    latency->buckets[bucket_of(value_ns)]++;
    latency->count++;
    if (value_ns > latency->max_ns)
        latency->max_ns = value_ns;
}

void latency_merge(struct latency *into, const struct latency *from)
{
    for (unsigned i = 0; i < BUCKETS_USED; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
}

uint64_t latency_quantile_ns(const struct latency *latency, double quantile)
{
    assert(quantile >= 0 && quantile <= 1);
    if (latency->count == 0)
        return 0;
    /* The smallest value that at least this many do not exceed. */
    const double wanted = quantile * (double)latency->count;
    unsigned bucket = 0;
    uint64_t seen = latency->buckets[0];
    while (seen == 0 || (double)seen < wanted) {
        assert(bucket + 1 < BUCKETS_USED);
        seen += latency->buckets[++bucket];
    }
    return upper_edge_ns(bucket);
}
