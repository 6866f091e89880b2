/* A sweep that is a search: its plan grows round by round, from the rows so far. */
#include <assert.h>
#include <math.h>

#include "base/options.h"
#include "scenarios/sweep/sweep.h"

static double row_s(const struct sweep *sweep)
{
    struct pace all = {0};

    for (unsigned i = 0; i < sweep->cells.count; i++) {
        all.sum_s += sweep->paces[i].sum_s;
        all.count += sweep->paces[i].count;
    }
    return all.count == 0 ? sweep_row_s(sweep, 0) : all.sum_s / all.count;
}

static double budget_left_s(const struct sweep *sweep)
{
    double spent_s = (double)(os_now_ns() - sweep->began_ns) / OS_NS_PER_S;

    return sweep->further_ns == 0 ? INFINITY : (double)sweep->further_ns / OS_NS_PER_S - spent_s;
}

static struct advice_work work_of(struct sweep *sweep, const struct rows *rows)
{
    return (struct advice_work){
        .cells = &sweep->cells,
        .plan = &sweep->plan,
        .rows = rows,
        .left_s = budget_left_s(sweep),
        .row_s = row_s(sweep),
    };
}

int sweep_advice_plan(struct sweep *sweep)
{
    unsigned cells_max = advice_cells_max(sweep->advice);
    double budget_s = (double)sweep->further_ns / OS_NS_PER_S;

    /* The search itself keeps to the budget. */
    sweep->due_ns = UINT64_MAX;
    sweep->record.budget.stopped = "";
    sweep->plan = (struct plan){0};
    sweep->paces = arena_take(sweep->arena, cells_max * sizeof *sweep->paces);
    if (sweep->request->resume != NULL || sweep->further_ns == 0)
        return 0;
    return advice_check_budget(sweep->advice, budget_s, row_s(sweep), &sweep->error);
}

void sweep_advice_resume(struct sweep *sweep)
{
    struct advice_work work = work_of(sweep, &sweep->old_rows);

    advice_resume(sweep->advice, &work);
}

bool sweep_advice_round(struct sweep *sweep)
{
    struct arena arena = {0};
    struct rows rows;
    bool more = false;

    if (rows_read(&arena, arena_text(&arena, "%s/rows.jsonl", sweep->directory), &rows,
                  &sweep->error) == 0) {
        struct advice_work work = work_of(sweep, &rows);

        more = advice_extend(sweep->advice, &work);
    }
    arena_free(&arena);
    assert(sweep->cells.count <= advice_cells_max(sweep->advice)); /* or paces overflow */
    sweep->record.cells = sweep->cells.count;
    return more;
}

double sweep_advice_left_s(const struct sweep *sweep, const struct plan_row *row)
{
    unsigned most = advice_rows_max(sweep->advice);
    double budget_s = budget_left_s(sweep) - row_s(sweep);

    if (!isinf(budget_s))
        return fmax(budget_s, 0);
    return most > row->order ? (most - row->order) * row_s(sweep) : 0;
}

unsigned sweep_advice_rows(const struct sweep *sweep, double left_s)
{
    return sweep->row->order + (unsigned)(left_s / row_s(sweep));
}

int sweep_advice_conclude(struct sweep *sweep)
{
    const char *path = arena_text(sweep->arena, "%s/rows.jsonl", sweep->directory);
    struct rows rows;
    struct advice_work work;

    if (rows_read(sweep->arena, path, &rows, &sweep->error) != 0)
        return EXIT_MEASURED_FAILURE;
    work = work_of(sweep, &rows);
    if (advice_conclude(sweep->advice, &work, sweep->directory, sweep->request->quiet,
                        &sweep->error) != 0)
        return EXIT_MEASURED_FAILURE;
    return sweep->bad == 0 ? EXIT_DONE : EXIT_MEASURED_FAILURE;
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
