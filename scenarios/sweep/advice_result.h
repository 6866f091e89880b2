/* The result of a search: judges the finals and prints the recommendation. */
#ifndef FANIN_ADVICE_RESULT_H
#define FANIN_ADVICE_RESULT_H

#include "scenarios/sweep/ranking.h"

struct advice_question {
    const struct criterion *criterion;
    double margin; /* a share: smaller differences do not count */
    const struct cells *cells;
    const struct plan *plan;
    const struct rows *rows; /* line i is of the plan's row i */
    const char *untried;     /* axes that there was no time for; "" for none */
};

/* advice_judge: compares the finalists block by block, writes advice.json to `directory` and prints
 * the advice to standard output unless `quiet`. 0, or -1 with an error: there is nothing to
 * recommend, or advice.json cannot be written. */
int advice_judge(struct arena *arena, const struct advice_question *question, const char *directory,
                 bool quiet, struct error *error);

#endif
