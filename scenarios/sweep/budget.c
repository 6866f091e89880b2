/* A cell is
 *
 *   open ----- its interval is too wide, or there is none yet: it may get a further repeat
 *   within --- narrow enough
 *   closed --- no row of it has the figure, it is not run here, or it has its most repeats
 *
 * Rows are noted as they end, and a cell that was within may be open again: its interval can
 * grow. */
#include "scenarios/sweep/budget.h"

#include <assert.h>
#include <math.h>

#include "base/json_read.h"
#include "scenarios/sweep/run.h"

#define OUTSIDE_MAX 0.05 /* of an interval, both sides together */

void samples_add(struct arena *arena, struct samples *samples, double value)
{
    unsigned at = samples->count;
    samples->items = arena_grow(arena, samples->items, samples->count, sizeof *samples->items);
    for (; at > 0 && samples->items[at - 1] > value; at--)
        samples->items[at] = samples->items[at - 1];
    samples->items[at] = value;
    samples->count++;
}

/* How many figures at either end may be left out: the number that lies below the median is
 * binomial with 1/2. */
static unsigned left_out(unsigned n)
{
    double chance = pow(0.5, n), below = chance;
    unsigned k = 0;
    while (2 * below <= OUTSIDE_MAX && k < n) {
        chance *= (double)(n - k) / (k + 1);
        below += chance;
        k++;
    }
    return k;
}

struct interval interval_of(const struct samples *samples)
{
    unsigned n = samples->count, k = left_out(n);
    struct interval interval = {.n = n, .median = NAN, .low = NAN, .high = NAN, .width = INFINITY};
    if (n != 0)
        interval.median = (samples->items[(n - 1) / 2] + samples->items[n / 2]) / 2;
    if (k == 0)
        return interval;
    interval.low = samples->items[k - 1];
    interval.high = samples->items[n - k];
    if (interval.median != 0)
        interval.width = (interval.high - interval.low) / fabs(interval.median);
    else if (interval.low == interval.high)
        interval.width = 0;
    return interval;
}

void budget_note(struct arena *arena, struct budget *budget, unsigned cell_index, const char *line)
{
    struct arena scratch = {0};
    double value;
    if (budget->samples == NULL)
        return;
    const struct cell *cell = budget->cells->items[cell_index];
    if (run_end_of_line(&scratch, line, cell) == RUN_GOOD &&
        json_find_number(line, cell->metric, &value))
        samples_add(arena, &budget->samples[cell_index], value);
    arena_free(&scratch);
}

unsigned budget_within(const struct budget *budget, unsigned *widest)
{
    unsigned within = 0;
    double width = 0;
    *widest = budget->cells->count;
    for (unsigned i = 0; i < budget->cells->count; i++) {
        struct interval interval = interval_of(&budget->samples[i]);
        if (interval.width <= budget->cells->items[i]->precision) {
            within++;
        } else if (isfinite(interval.width) && interval.width > width) {
            width = interval.width;
            *widest = i;
        }
    }
    return within;
}

bool budget_round(struct arena *arena, struct budget *budget, double left_s, uint64_t seed,
                  struct plan *plan)
{
    const struct cells *cells = budget->cells;
    struct arena scratch = {0};
    double *widths = arena_take(&scratch, cells->count * sizeof *widths), widest = 0;
    unsigned first = plan->count, block = plan->rows[first - 1].repeat + 1;
    bool any_open = false, any_wide = false, any_full = false;
    assert(budget->samples != NULL);
    for (unsigned i = 0; i < cells->count; i++) {
        const struct cell *cell = cells->items[i];
        struct interval interval = interval_of(&budget->samples[i]);
        bool wide = interval.width > cell->precision, full = interval.n >= CELL_REPEAT_MAX;
        bool open = wide && !full && interval.n != 0 && cell->skip_reason == NULL;
        any_open = any_open || open;
        any_wide = any_wide || wide;
        any_full = any_full || full;
        widths[i] = open && cell_row_s(cell) <= left_s ? interval.width : 0;
        widest = fmax(widest, widths[i]);
    }
    for (unsigned i = 0; i < cells->count && widest > 0; i++) {
        if (widths[i] >= widest / 2)
            plan_append(arena, plan, cells->items[i], i, block);
    }
    arena_free(&scratch);
    if (plan->count == first) {
        budget->stopped = any_open    ? BUDGET_STOP_TIME
                          : !any_wide ? BUDGET_STOP_PRECISE
                          : any_full  ? BUDGET_STOP_MOST
                                      : BUDGET_STOP_NO_FIGURE;
        return false;
    }
    plan_shuffle_block(plan, first, seed);
    return true;
}

void budget_write(struct json *json, const struct budget *budget)
{
    struct arena arena = {0};
    json_number(json, "minutes", budget->minutes > 0 ? budget->minutes : NAN);
    json_count(json, "blocks", budget->blocks);
    json_count(json, "further_rows", budget->further);
    json_text(json, "stopped", budget->stopped);
    json_object_open(json, "cells");
    for (unsigned i = 0; i < budget->cells->count; i++) {
        const struct cell *cell = budget->cells->items[i];
        struct interval interval = interval_of(&budget->samples[i]);
        json_object_open(json, cell_title(&arena, cell));
        json_text(json, "metric", cell->metric);
        json_count(json, "n", interval.n);
        json_number(json, "median", interval.median);
        json_number(json, "low", interval.low);
        json_number(json, "high", interval.high);
        json_number(json, "width", interval.width);
        json_number(json, "precision", cell->precision);
        json_flag(json, "within", interval.width <= cell->precision);
        json_object_close(json);
    }
    json_object_close(json);
    arena_free(&arena);
}
