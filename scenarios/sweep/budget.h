/* The confidence intervals of cells, and further repeats of a sweep with a budget: they go to the
 * cells with the widest interval, relative to the median, until each is as narrow as its precision
 * or the time is used up. Significance of a difference is not a stopping rule, since that would
 * produce false differences. */
#ifndef FANIN_BUDGET_H
#define FANIN_BUDGET_H

#include "base/json.h"
#include "scenarios/sweep/plan.h"

/* ---- intervals of a median, by order statistics as in the report ---- */

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

/* ---- the budget ---- */

enum { BUDGET_BLOCKS_MIN = 5 }; /* of every cell before any gets more */

#define BUDGET_STOP_PRECISE   "within precision"
#define BUDGET_STOP_TIME      "out of time"
#define BUDGET_STOP_TOO_SMALL "too small"
#define BUDGET_STOP_MOST      "most repeats"
#define BUDGET_STOP_NO_FIGURE "no figure"

struct budget {
    double minutes;      /* as the sweep was begun; 0: without a budget */
    unsigned blocks;     /* that every cell was due; fewer where its repeat says so */
    unsigned further;    /* rows beyond those */
    const char *stopped; /* why no further repeat was run; "" where none was asked for */
    const struct cells *cells;
    struct samples *samples; /* by cell; NULL: the sweep has no budget */
};

/* budget_note: adds a row: a line of rows.jsonl, or the client's output. Does nothing for a sweep
 * without a budget. */
void budget_note(struct arena *arena, struct budget *budget, unsigned cell_index, const char *line);

/* budget_round: appends the next round to the plan: one more repeat of each cell whose interval is
 * at least half as wide as the widest, as one shuffled block. Cells whose next row is expected to
 * take more than `left_s` are left out. False when there is none, with budget->stopped set. */
bool budget_round(struct arena *arena, struct budget *budget, double left_s, uint64_t seed,
                  struct plan *plan);

/* budget_within: how many cells are as narrow as their precision asks for. *widest: the index of
 * the cell with the widest interval, of the others that have one; cells->count: there is none. */
unsigned budget_within(const struct budget *budget, unsigned *widest);

/* budget_write: the members of an open object. */
void budget_write(struct json *json, const struct budget *budget);

#endif
