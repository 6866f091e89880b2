/* Advice: the search that a section with the key `advise` asks for. It takes minutes where the
 * whole grid would take hours:
 *
 *   each axis in turn: the best few so far, times the axis' values
 *        `-> rounds of one row each, shuffled; each drops the worse half, until few are left
 *   finals: these few and the client's defaults, `repeat` rows each, in shuffled blocks
 *
 * Every axis and the finals use new rows, so only rows of the same minutes are compared, and the
 * rows that chose a candidate do not judge it. The search depends on the seed and the rows alone,
 * except for the point where a budget ends it, which the rows show: so it can be resumed.
 *
 * Times are in seconds; those of a budget are INFINITY where there is none. */
#ifndef FANIN_ADVICE_H
#define FANIN_ADVICE_H

#include <stdio.h>

#include "scenarios/sweep/ranking.h"

struct advice;

/* advice_open: *advice is NULL if no cell asks for advice. The search adds cells and rows. 0, or -1
 * with an error. */
int advice_open(struct arena *arena, struct cells *cells, struct plan *plan, uint64_t seed,
                struct advice **advice, struct error *error);

/* advice_check_budget: 0, or -1 with an error: no time for one round and one block of finals. */
int advice_check_budget(const struct advice *advice, double budget_s, struct error *error);

/* advice_announce: a few lines about what is searched, and where its rows go, to `out`. */
void advice_announce(const struct advice *advice, double budget_s, const char *directory,
                     FILE *out);

/* advice_resume: adds the rows that an earlier session ran, up to the end of its last round. */
void advice_resume(struct advice *advice, const struct rows *rows);

/* advice_extend: adds the next rows to the plan, whose rows are all done. `left_s` of the budget.
 * False: nothing is left to run. */
bool advice_extend(struct advice *advice, const struct rows *rows, double left_s);

/* advice_left_s: how long the rows behind row `order` will take about; `left_s` of the budget. */
double advice_left_s(const struct advice *advice, unsigned order, double left_s);

/* advice_rows: how many rows there will be about, with `left_s` behind row `order`. */
unsigned advice_rows(const struct advice *advice, unsigned order, double left_s);

/* advice_conclude: judges the finals by all rows, writes advice.json to `directory` and prints the
 * recommendation unless `quiet`. 0, or -1 with an error: there is nothing to recommend, or
 * advice.json cannot be written. */
int advice_conclude(struct advice *advice, const struct rows *rows, const char *directory,
                    bool quiet, struct error *error);

/* advice_judge: the same for known finals: compares them block by block. `untried`: axes that there
 * was no time for; "" for none. */
int advice_judge(struct arena *arena, const struct comparison *comparison, const char *untried,
                 const char *directory, bool quiet, struct error *error);

#endif
