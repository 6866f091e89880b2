/* How far a cell's figure is known: its median over the rows with the order-statistic interval, the
 * same that the report gives. */
#ifndef FANIN_SPREAD_H
#define FANIN_SPREAD_H

#include "base/arena.h"

enum { SPREAD_RUNS_MIN = 6 }; /* with fewer there is no interval at 95 % */

/* Figures of one cell's rows. Zero-initialised is none. */
struct figures {
    double *items;
    unsigned count;
};

struct spread {
    unsigned n;
    double median, low, high; /* NAN where there is none */
    double width;             /* high - low, relative to the median; INFINITY: not known */
};

/* figures_add: keeps them sorted. */
void figures_add(struct arena *arena, struct figures *figures, double value);

/* spread_of: two of the sorted figures are the interval: the innermost pair between which the
 * median lies in at least 95 % of all samples of independent runs, whatever their distribution. */
struct spread spread_of(const struct figures *figures);

#endif
