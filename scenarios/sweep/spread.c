#include "scenarios/sweep/spread.h"

#include <math.h>

#define OUTSIDE_MAX 0.05 /* both sides together */

void figures_add(struct arena *arena, struct figures *figures, double value)
{
    unsigned at = figures->count;

    figures->items = arena_grow(arena, figures->items, figures->count, sizeof *figures->items);
    for (; at > 0 && figures->items[at - 1] > value; at--)
        figures->items[at] = figures->items[at - 1];
    figures->items[at] = value;
    figures->count++;
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

struct spread spread_of(const struct figures *figures)
{
    unsigned n = figures->count, k = left_out(n);
    struct spread spread = {.n = n, .median = NAN, .low = NAN, .high = NAN, .width = INFINITY};

    if (n != 0)
        spread.median = (figures->items[(n - 1) / 2] + figures->items[n / 2]) / 2;
    if (k == 0)
        return spread;
    spread.low = figures->items[k - 1];
    spread.high = figures->items[n - k];
    if (spread.median != 0)
        spread.width = (spread.high - spread.low) / fabs(spread.median);
    else if (spread.low == spread.high)
        spread.width = 0;
    return spread;
}
