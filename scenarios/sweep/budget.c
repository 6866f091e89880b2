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

void budget_note(struct arena *arena, struct budget *budget, const struct cell *cell,
                 unsigned cell_index, const char *line)
{
    struct arena scratch = {0};
    double value;

    if (run_end_of_line(&scratch, line, cell) == RUN_GOOD &&
        json_find_number(line, cell->metric, &value))
        samples_add(arena, &budget->samples[cell_index], value);
    arena_free(&scratch);
}

static bool is_within(const struct cell *cell, const struct interval *interval)
{
    return interval->width <= cell->precision;
}

static bool is_open(const struct cell *cell, const struct interval *interval)
{
    return interval->n != 0 && interval->n < CELL_REPEAT_MAX && cell->skip_reason == NULL &&
           !is_within(cell, interval);
}

unsigned budget_within(const struct budget *budget, const struct cells *cells)
{
    unsigned within = 0;

    for (unsigned i = 0; i < cells->count; i++) {
        struct interval interval = interval_of(&budget->samples[i]);

        within += is_within(cells->items[i], &interval);
    }
    return within;
}

unsigned budget_widest(const struct budget *budget, const struct cells *cells)
{
    unsigned widest = cells->count;
    double width = 0;

    for (unsigned i = 0; i < cells->count; i++) {
        struct interval interval = interval_of(&budget->samples[i]);

        if (!is_within(cells->items[i], &interval) && isfinite(interval.width) &&
            interval.width > width) {
            width = interval.width;
            widest = i;
        }
    }
    return widest;
}

/* Why a round has no cell: there is no time for the open ones, or none is open: all are precise, or
 * have their most repeats, or no figures. */
static const char *why_none(const struct budget *budget, const struct cells *cells, bool open)
{
    if (open)
        return BUDGET_STOP_TIME;
    if (budget_within(budget, cells) == cells->count)
        return BUDGET_STOP_PRECISE;
    for (unsigned i = 0; i < cells->count; i++) {
        if (budget->samples[i].count >= CELL_REPEAT_MAX)
            return BUDGET_STOP_MOST;
    }
    return BUDGET_STOP_NO_FIGURE;
}

bool budget_round(struct arena *arena, struct budget *budget, const struct cells *cells,
                  const double *row_s, double left_s, uint64_t seed, struct plan *plan)
{
    struct arena scratch = {0};
    double *widths = arena_take(&scratch, cells->count * sizeof *widths), widest = 0;
    unsigned first = plan->count, block = plan_last_block(plan) + 1;
    bool open = false;

    assert(budget->samples != NULL);
    for (unsigned i = 0; i < cells->count; i++) {
        struct interval interval = interval_of(&budget->samples[i]);
        bool asks = is_open(cells->items[i], &interval);

        open = open || asks;
        widths[i] = asks && row_s[i] <= left_s ? interval.width : 0;
        widest = fmax(widest, widths[i]);
    }
    for (unsigned i = 0; i < cells->count && widest > 0; i++) {
        if (widths[i] >= widest / 2)
            plan_append(arena, plan, cells->items[i], i, block);
    }
    arena_free(&scratch);
    if (plan->count == first) {
        budget->stopped = why_none(budget, cells, open);
        return false;
    }
    plan_shuffle_block(plan, first, seed);
    return true;
}

static void write_cell(struct json *json, const struct cell *cell, const struct interval *interval)
{
    json_text(json, "metric", cell->metric);
    json_count(json, "n", interval->n);
    json_number(json, "median", interval->median);
    json_number(json, "low", interval->low);
    json_number(json, "high", interval->high);
    json_number(json, "width", interval->width);
    json_number(json, "precision", cell->precision);
    json_flag(json, "within", is_within(cell, interval));
}

void budget_write(struct json *json, const struct budget *budget, const struct cells *cells)
{
    struct arena arena = {0};

    json_number(json, "minutes", budget->minutes > 0 ? budget->minutes : NAN);
    json_count(json, "blocks", budget->blocks);
    json_count(json, "further_rows", budget->further);
    json_text(json, "stopped", budget->stopped);
    json_object_open(json, "cells");
    for (unsigned i = 0; i < cells->count; i++) {
        const struct cell *cell = cells->items[i];
        struct interval interval = interval_of(&budget->samples[i]);

        json_object_open(json, cell_title(&arena, cell));
        write_cell(json, cell, &interval);
        json_object_close(json);
    }
    json_object_close(json);
    arena_free(&arena);
}
