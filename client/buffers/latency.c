/* A histogram of latencies: each octave, from a power of two to the next, has STEPS buckets of the
 * same width, so that a bucket's middle is less than 1 % away from all that it holds:
 *
 *     octave  0: 0 .. 63 ns, exact    1: 64 .. 127 ns, exact    2: 128, 130 .. 254 ns    ...
 *
 * An octave's buckets are allocated with its first value: a run's latencies lie in a few. */
#include "client/buffers/process.h"

#include <assert.h>
#include <stdlib.h>

#include "base/quantile.h"

enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS };

_Static_assert(LATENCY_OCTAVES == 64 - STEP_BITS + 1, "every value has an octave");

struct latency_octave {
    uint64_t buckets[STEPS];
};

static unsigned octave_of(uint64_t value_ns)
{
    return value_ns < STEPS ? 0 : 64 - STEP_BITS - (unsigned)__builtin_clzll(value_ns);
}

/* The middle of a bucket: where the width is 1 the only value. */
static uint64_t middle_ns(unsigned octave, unsigned step)
{
    if (octave == 0)
        return step;
    const uint64_t width_ns = UINT64_C(1) << (octave - 1);
    return (STEPS + step) * width_ns + (width_ns - 1) / 2;
}

int latency_add(struct latency *latency, uint64_t value_ns)
{
    const unsigned octave = octave_of(value_ns), shift = octave > 0 ? octave - 1 : 0;
    if (latency->octaves[octave] == NULL)
        latency->octaves[octave] = calloc(1, sizeof(struct latency_octave));
    if (latency->octaves[octave] == NULL)
        return -1;
    latency->octaves[octave]->buckets[(value_ns >> shift) % STEPS]++;
    if (latency->count == 0 || value_ns < latency->min_ns)
        latency->min_ns = value_ns;
    if (value_ns > latency->max_ns)
        latency->max_ns = value_ns;
    latency->count++;
    return 0;
}

static void octave_move(struct latency_octave **into, struct latency_octave **from)
{
    if (*into == NULL) {
        *into = *from;
        *from = NULL;
    }
    for (unsigned i = 0; *from != NULL && i < STEPS; i++)
        (*into)->buckets[i] += (*from)->buckets[i];
}

void latency_move(struct latency *into, struct latency *from)
{
    for (unsigned i = 0; i < LATENCY_OCTAVES; i++)
        octave_move(&into->octaves[i], &from->octaves[i]);
    if (from->count > 0 && (into->count == 0 || from->min_ns < into->min_ns))
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    into->count += from->count;
    into->negative += from->negative;
    if (from->negative_ns_max > into->negative_ns_max)
        into->negative_ns_max = from->negative_ns_max;
    latency_free(from);
}

void latency_free(struct latency *latency)
{
    for (unsigned i = 0; i < LATENCY_OCTAVES; i++)
        free(latency->octaves[i]);
    *latency = (struct latency){0};
}

uint64_t latency_quantile_ns(const struct latency *latency, double share)
{
    assert(latency->count > 0);
    const uint64_t rank = quantile_rank(share, latency->count);
    uint64_t seen = 0, value_ns = latency->max_ns;
    if (rank == 1)
        return latency->min_ns;
    if (rank == latency->count)
        return latency->max_ns;
    for (unsigned i = 0; i < LATENCY_OCTAVES * STEPS && seen < rank; i++) {
        const struct latency_octave *octave = latency->octaves[i / STEPS];
        seen += octave != NULL ? octave->buckets[i % STEPS] : 0;
        value_ns = middle_ns(i / STEPS, i % STEPS);
    }
    /* The outermost buckets hold nothing beyond these two. */
    if (value_ns < latency->min_ns)
        return latency->min_ns;
    return value_ns < latency->max_ns ? value_ns : latency->max_ns;
}
