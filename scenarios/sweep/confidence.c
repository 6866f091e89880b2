/* The order-statistic interval of a median. */
#include "scenarios/sweep/confidence.h"

#include <math.h>

#define OUTSIDE_MAX 0.05 /* both sides together */

void samples_add(struct arena *arena, struct samples *samples, double value)
{
    unsigned at = samples->count;

    samples->items = arena_grow(arena, samples->items, samples->count, sizeof *samples->items);
    for (; at > 0 && samples->items[at - 1] > value; at--)
        samples->items[at] = samples->items[at - 1];
    samples->items[at] = value;
    samples->count++;
}

/* How many figures at either end may be left out: the number that lies below the median is
 * binomial with 1/2. */
static unsigned left_out(unsigned n)
{
    double chance = pow(0.5, n), below = 0;
    unsigned k = 0;

    for (;;) {
        below += chance;
        if (2 * below > OUTSIDE_MAX || k >= n)
            return k;
        chance *= (double)(n - k) / (k + 1);
        k++;
    }
}

struct interval interval_of(const struct samples *samples)
{
    unsigned n = samples->count, k = left_out(n);
    struct interval interval = {.n = n, .median = NAN, .low = NAN, .high = NAN, .width = INFINITY};

    if (n != 0)
        interval.median = (samples->items[(n - 1) / 2] + samples->items[n / 2]) / 2;
    if (k == 0)
        return interval;
    interval.low = samples->items[k - 1];
    interval.high = samples->items[n - k];
    if (interval.median != 0)
        interval.width = (interval.high - interval.low) / fabs(interval.median);
    else if (interval.low == interval.high)
        interval.width = 0;
    return interval;
}
