/* The confidence interval of a cell's median, by order statistics as in the report. */
#ifndef FANIN_CONFIDENCE_H
#define FANIN_CONFIDENCE_H

#include "base/arena.h"

enum { INTERVAL_RUNS_MIN = 6 }; /* with fewer there is no interval at 95 % */

/* Figures of one cell's rows. Zero-initialised is none. */
struct samples {
    double *items;
    unsigned count;
};

struct interval {
    unsigned n;
    double median, low, high; /* NAN where there is none */
    double width;             /* high - low, relative to the median; INFINITY: not known */
};

/* samples_add: keeps them sorted. */
void samples_add(struct arena *arena, struct samples *samples, double value);

/* interval_of: two of the sorted figures are the interval: the innermost pair between which the
 * median lies in at least 95 % of all samples of independent runs, whatever their distribution. */
struct interval interval_of(const struct samples *samples);

#endif
