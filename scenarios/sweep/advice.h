/* Advice: what a section with the key `advise` is run for. Its axes are no grid but a space that a
 * search goes through, so that minutes do where the grid would take hours:
 *
 *   each axis in turn: the best few so far, times the axis' values
 *        `-> rounds of one row each, shuffled; after each the worse half goes, until few are left
 *   finals: the few and the client's defaults, `repeat` rows each, in shuffled blocks
 *
 * Every axis and the finals take fresh rows: only rows of the same minutes are compared, and what
 * chose a candidate does not also judge it. The search is a function of the seed and of the rows
 * so far, but for the point where a budget ends it, which the rows show: so it can be resumed. */
#ifndef FANIN_ADVICE_H
#define FANIN_ADVICE_H

#include <stdio.h>

#include "scenarios/sweep/plan.h"
#include "scenarios/sweep/resume.h"
#include "scenarios/sweep/search_space.h"

struct advice;

/* What a search works on; the sweep's. */
struct advice_work {
    struct cells *cells;
    struct plan *plan;       /* rows of the advice alone */
    const struct rows *rows; /* as far as they are there */
    double left_s;           /* of the budget; INFINITY: none */
    double row_s;            /* that a row takes, as far as is known */
};

/* advice_open: *advice is NULL if no cell asks for advice. 0, or -1 with an error. */
int advice_open(struct arena *arena, struct cells *cells, uint64_t seed, struct advice **advice,
                struct error *error);

/* advice_extend: puts the next rows on the plan, all of which so far are done. False when nothing
 * is left to run. */
bool advice_extend(struct advice *advice, const struct advice_work *work);

/* advice_resume: puts those rows on the plan that an earlier session ran, up to the end of its last
 * round. */
void advice_resume(struct advice *advice, const struct advice_work *work);

/* advice_check_budget: 0, or -1 with an error when there is no time for one round and one block
 * of finals. */
int advice_check_budget(const struct advice *advice, double budget_s, double row_s,
                        struct error *error);

/* advice_cells_max: how many cells there will be at most. */
unsigned advice_cells_max(const struct advice *advice);

/* advice_rows_max: how many rows there will be at most. */
unsigned advice_rows_max(const struct advice *advice);

/* advice_announce: a few lines about what is searched, to `out`. */
void advice_announce(const struct advice *advice, FILE *out);

/* advice_conclude: judges the finals by all rows, writes advice.json to `directory` and prints the
 * recommendation unless `quiet`. 0, or -1 with an error: there is nothing to recommend. */
int advice_conclude(const struct advice *advice, const struct advice_work *work,
                    const char *directory, bool quiet, struct error *error);

#endif
