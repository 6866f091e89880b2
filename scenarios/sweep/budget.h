/* Further repeats of a sweep with a budget: they go to the cells with the widest interval, relative
 * to the median, until each is as narrow as its precision or the time is used up. Significance of
 * a difference is not a stopping rule, since that would produce false differences. */
#ifndef FANIN_BUDGET_H
#define FANIN_BUDGET_H

#include "base/json.h"
#include "scenarios/sweep/plan.h"
#include "scenarios/sweep/confidence.h"

enum { BUDGET_BLOCKS_MIN = 5 }; /* of every cell before any gets more */

#define BUDGET_STOP_PRECISE   "within precision"
#define BUDGET_STOP_TIME      "out of time"
#define BUDGET_STOP_TOO_SMALL "too small"
#define BUDGET_STOP_MOST      "most repeats"
#define BUDGET_STOP_NO_FIGURE "no figure"

struct budget {
    double minutes;          /* as the sweep was begun; 0: without a budget */
    unsigned blocks;         /* that every cell was due; fewer where its repeat says so */
    unsigned further;        /* rows beyond those */
    const char *stopped;     /* why no further repeat was run; "" where none was asked for */
    struct samples *samples; /* by cell */
};

/* budget_note: adds a row: a line of rows.jsonl, or the client's output. */
void budget_note(struct arena *arena, struct budget *budget, const struct cell *cell,
                 unsigned cell_index, const char *line);

/* budget_round: appends the next round to the plan: one more repeat of each cell whose interval is
 * at least half as wide as the widest, as one shuffled block. Cells whose next row is expected to
 * take more than `left_s` are left out (`row_s` by cell). False when there is none, with
 * budget->stopped set. */
bool budget_round(struct arena *arena, struct budget *budget, const struct cells *cells,
                  const double *row_s, double left_s, uint64_t seed, struct plan *plan);

/* budget_within: how many cells are as narrow as their precision asks for. */
unsigned budget_within(const struct budget *budget, const struct cells *cells);

/* budget_widest: index of the cell whose interval is widest, of those that have one and are not
 * narrow enough; cells->count when there is none. */
unsigned budget_widest(const struct budget *budget, const struct cells *cells);

/* budget_write: the members of an open object. */
void budget_write(struct json *json, const struct budget *budget, const struct cells *cells);

#endif
