/* Which of the cells in a search did best, by the rows that they left. */
#ifndef FANIN_RANKING_H
#define FANIN_RANKING_H

#include "scenarios/sweep/plan.h"
#include "scenarios/sweep/resume.h"

/* What is asked of a candidate: a figure of its rows first, and a second one where the first says
 * the same of several. */
struct criterion;

/* criterion_find: NULL if there is none of this name. `auto` is latency for frames that come at a
 * rate, CPU for frames that come as fast as they are taken. */
const struct criterion *criterion_find(const char *name, bool rated);

/* criterion_names: for an error: "auto, latency, ...". */
const char *criterion_names(struct arena *arena);

struct ranking_question {
    const struct criterion *criterion;
    double margin; /* a share: first figures that differ by less are the same; more is allowed
                      to a criterion whose figure a few rows do not settle */
    const struct plan *plan;
    const struct rows *rows; /* line i is of the plan's row i */
    unsigned first_row;      /* rows before it are not looked at */
};

/* ranking_make: puts the cells of `field` (indices) in order, best first by the medians of their
 * rows, and returns how many are sound: all their rows are ok and have the figure. Those that are
 * not stand behind; *reason is why the first of them is not, NULL if there is none. */
unsigned ranking_make(struct arena *arena, const struct ranking_question *question, unsigned *field,
                      unsigned count, const char **reason);

#endif
