/* A sweep that is a search: its plan grows round by round, from the rows so far. */
#include <math.h>

#include "base/options.h"
#include "scenarios/sweep/sweep.h"

static double row_s(const struct sweep *sweep)
{
    struct pace all = {0};

    for (unsigned i = 0; i < sweep->cells.count; i++) {
        all.sum_s += sweep->cells.items[i]->pace.sum_s;
        all.count += sweep->cells.items[i]->pace.count;
    }
    return all.count == 0 ? sweep_row_s(sweep, 0) : all.sum_s / all.count;
}

int sweep_advice_plan(struct sweep *sweep)
{
    double budget_s = (double)sweep->further_ns / OS_NS_PER_S;

    /* The search itself keeps to the budget. */
    sweep->due_ns = UINT64_MAX;
    sweep->record.budget.stopped = "";
    if (sweep->request->resume != NULL || sweep->further_ns == 0)
        return 0;
    return advice_check_budget(sweep->advice, budget_s, row_s(sweep), &sweep->error);
}

bool sweep_advice_round(struct sweep *sweep)
{
    struct arena arena = {0};
    struct rows rows;
    bool more = rows_read(&arena, sweep->directory, &rows, &sweep->error) == 0 &&
                advice_extend(sweep->advice, &rows, sweep_left_s(sweep), row_s(sweep));

    arena_free(&arena);
    sweep->record.cells = sweep->cells.count;
    return more;
}

double sweep_advice_left_s(const struct sweep *sweep, const struct plan_row *row)
{
    unsigned most = advice_rows_max(sweep->advice);
    double budget_s = sweep_left_s(sweep) - row_s(sweep);

    if (!isinf(budget_s))
        return fmax(budget_s, 0);
    return most > row->order ? (most - row->order) * row_s(sweep) : 0;
}

unsigned sweep_advice_rows(const struct sweep *sweep, double left_s)
{
    return sweep->row->order + (unsigned)(left_s / row_s(sweep));
}

void sweep_advice_announce(const struct sweep *sweep, FILE *out)
{
    char duration[32];
    double longest_s = advice_rows_max(sweep->advice) * row_s(sweep);
    double budget_s = (double)sweep->further_ns / OS_NS_PER_S;

    advice_announce(sweep->advice, out);
    if (sweep->further_ns != 0 && budget_s < longest_s)
        longest_s = budget_s;
    fprintf(out, "about %s%s; order seed %llu; rows to %s\n",
            progress_duration((uint64_t)(longest_s * OS_NS_PER_S), duration),
            sweep->further_ns != 0 ? ", as the budget has it" : "",
            (unsigned long long)sweep->record.seed, sweep->directory);
}
