/* The search as a state machine that puts one round after the other on the plan:
 *
 *   SEARCHING: axis 0, round 1, 2, ... -> axis 1, round 1, ... -> ... -> the last axis
 *      |  ^--- with a budget, once more from the best: corrects an unlucky row -----'
 *      |  `-> every candidate has failed -----------------------------------> ENDED
 *      |  `-> out of time before the first round ----------------------------> ENDED
 *      `--> no axis is left, or time only for the finals -> FINALS: block 1, 2, ... -> ENDED */
#include "scenarios/sweep/advice.h"

#include <math.h>
#include <string.h>

#include "base/json_read.h"
#include "base/os.h"
#include "base/progress.h"
#include "scenarios/sweep/search_space.h"

/* Candidates that the next axis starts from: the second best now may be the best with another
 * value. */
enum { BEST_MAX = 3, FINALISTS_MAX = BEST_MAX + 1 };

/* The rest of a budget is spent on the finals. */
enum { PASSES_MAX = 2, FINALS_MAX = 4 };

/* The finals' share of the budget. */
#define FINALS_SHARE 0.4

enum stage { SEARCHING, FINALS, ENDED };

struct advice {
    struct search_space space;
    struct plan *plan;            /* rows of the advice alone */
    struct comparison comparison; /* rows as far as they are there; first_row: of the axis */
    unsigned blocks;              /* of the finals, at least where there is time */
    uint64_t seed;                /* of the order within a round */

    enum stage stage;
    unsigned pass, axis, round;   /* round 0: the axis has not begun */
    unsigned rounds_judged;       /* of all axes */
    unsigned *field, field_count; /* candidates in the race, or finalists */
    unsigned best[BEST_MAX], best_count;
    unsigned block;
    double total_s, left_s; /* of the budget; total NAN: not known yet, INFINITY: there is none */
    const char *reason;     /* why there is nothing to recommend, as far as the search knows */
};

int advice_open(struct arena *arena, struct cells *cells, struct plan *plan, uint64_t seed,
                struct advice **advice, struct error *error)
{
    const struct cell *first = cells->items[0];
    *advice = NULL;
    for (unsigned i = 0; i < cells->count; i++) {
        if ((cells->items[i]->advise == NULL) != (first->advise == NULL))
            return error_set(error, &cells->items[i]->place,
                             "advise searches one scenario at a time; run the others separately");
    }
    if (first->advise == NULL)
        return 0;
    struct advice *fresh = arena_take(arena, sizeof *fresh);
    *fresh = (struct advice){
        .plan = plan,
        .comparison = {.criterion = criterion_find(first->advise, search_rate(first) > 0),
                       .margin = first->margin,
                       .cells = cells,
                       .plan = plan},
        .blocks = (unsigned)first->repeat,
        .seed = seed,
        .best_count = 1,
        .total_s = NAN,
    };
    if (fresh->comparison.criterion == NULL)
        return error_set(error, &cell_find(first, "advise")->place, "advise = %s: takes %s",
                         first->advise, criterion_names(arena));
    if (search_read(arena, cells, &fresh->space, error) != 0)
        return -1;
    *advice = fresh;
    return 0;
}

/* ---- time ---- */

/* What a row takes: the mean so far, else what the scenario expects. */
static double row_s(const struct advice *advice)
{
    const struct cells *cells = advice->comparison.cells;
    struct pace all = {0};
    for (unsigned i = 0; i < cells->count; i++) {
        all.sum_s += cells->items[i]->pace.sum_s;
        all.count += cells->items[i]->pace.count;
    }
    return all.count == 0 ? cell_row_s(cells->items[0]) : all.sum_s / all.count;
}

static double least_s(const struct advice *advice)
{
    return (advice->space.axes[0]->value_count + FINALISTS_MAX) * row_s(advice);
}

static bool has_time(const struct advice *advice)
{
    if (advice->rounds_judged == 0)
        return advice->left_s >= least_s(advice);
    double finals_s = advice->blocks * FINALISTS_MAX * row_s(advice);
    return advice->left_s >=
           advice->field_count * row_s(advice) + fmin(finals_s, FINALS_SHARE * advice->total_s);
}

int advice_check_budget(const struct advice *advice, double budget_s, struct error *error)
{
    const struct setting *axis = advice->space.axes[0];
    double least = least_s(advice);
    if (budget_s >= least)
        return 0;
    return error_set(error, NULL,
                     "--budget=%.3g is too small: a first round of %u rows (%s) and one of the "
                     "finals take about %.0f s; use at least --budget=%.1f, better 3",
                     budget_s / 60, axis->value_count, axis->key, least, ceil(least / 6) / 10);
}

/* ---- the search ---- */

/* How many of a round's candidates stay in the race. */
static unsigned keep_of(unsigned count)
{
    unsigned half = (count + 1) / 2;
    return half < BEST_MAX ? BEST_MAX : half;
}

/* All rows of the round are there. */
static void judge_round(struct advice *advice)
{
    const char *reason;
    unsigned keep = keep_of(advice->field_count);
    unsigned sound = ranking_make(advice->space.arena, &advice->comparison, advice->field,
                                  advice->field_count, &reason);
    advice->rounds_judged++;
    if (sound == 0) {
        advice->stage = ENDED;
        advice->reason =
            arena_text(advice->space.arena, "every candidate failed, the first with: %s",
                       reason == NULL ? "no row" : reason);
        return;
    }
    advice->field_count = sound < keep ? sound : keep;
    advice->best_count = advice->field_count < BEST_MAX ? advice->field_count : BEST_MAX;
    memcpy(advice->best, advice->field, advice->best_count * sizeof *advice->best);
    if (advice->field_count <= BEST_MAX) {
        advice->axis++;
        advice->round = 0;
    }
}

/* Room for `count` candidates, which begins empty. */
static void begin_field(struct advice *advice, unsigned count)
{
    advice->field = arena_take(advice->space.arena, count * sizeof(unsigned));
    advice->field_count = 0;
}

/* Adds search_point's cell, unless it is there: two of the best may differ in this axis alone. */
static void put_in_field(struct advice *advice, unsigned like, const char *label,
                         const struct setting *axis, unsigned value)
{
    unsigned cell = search_point(&advice->space, like, label, axis, value);
    for (unsigned i = 0; i < advice->field_count; i++) {
        if (advice->field[i] == cell)
            return;
    }
    advice->field[advice->field_count++] = cell;
}

static void begin_axis(struct advice *advice)
{
    const struct setting *axis = advice->space.axes[advice->axis];
    begin_field(advice, advice->best_count * axis->value_count);
    for (unsigned i = 0; i < advice->best_count; i++) {
        for (unsigned value = 0; value < axis->value_count; value++)
            put_in_field(advice, advice->best[i], LABEL_SEARCH, axis, value);
    }
    advice->comparison.first_row = advice->plan->count;
}

static void begin_finals(struct advice *advice)
{
    advice->stage = FINALS;
    begin_field(advice, FINALISTS_MAX);
    for (unsigned i = 0; i < advice->best_count; i++)
        put_in_field(advice, advice->best[i], LABEL_FINAL, NULL, 0);
    put_in_field(advice, 0, LABEL_DEFAULTS, NULL, 0);
}

static void put_on_plan(struct advice *advice)
{
    struct plan *plan = advice->plan;
    unsigned first = plan->count;
    for (unsigned i = 0; i < advice->field_count; i++) {
        unsigned cell = advice->field[i], repeat = 1;
        for (unsigned k = 0; k < first; k++)
            repeat += plan->rows[k].cell_index == cell;
        plan_append(advice->space.arena, plan, advice->space.cells->items[cell], cell, repeat);
    }
    plan_shuffle_block(plan, first, advice->seed + first);
    plan->due = plan->count;
}

/* Leaves SEARCHING when there is nothing more to search, or no time. */
static void search_on(struct advice *advice)
{
    unsigned axes = advice->space.axis_count;
    if (advice->round > 0)
        judge_round(advice);
    if (advice->stage == ENDED)
        return;
    if (advice->axis == axes && isfinite(advice->total_s) && advice->pass + 1 < PASSES_MAX) {
        advice->pass++;
        advice->axis = 0;
    }
    if (advice->axis < axes) {
        if (advice->round == 0)
            begin_axis(advice);
        if (has_time(advice))
            return;
    }
    if (advice->rounds_judged != 0) {
        begin_finals(advice);
    } else {
        advice->stage = ENDED;
        advice->reason = "the budget was used up before the first round";
    }
}

bool advice_extend(struct advice *advice, const struct rows *rows, double left_s)
{
    advice->comparison.rows = rows;
    advice->left_s = left_s;
    if (isnan(advice->total_s))
        advice->total_s = left_s;
    if (advice->stage == SEARCHING)
        search_on(advice);
    unsigned most = isfinite(advice->total_s) ? FINALS_MAX * advice->blocks : advice->blocks;
    if (advice->stage == FINALS &&
        (advice->block >= most || left_s < advice->field_count * row_s(advice))) {
        advice->stage = ENDED;
        if (advice->block == 0)
            advice->reason = "the budget was used up before the finals";
    }
    if (advice->stage == ENDED)
        return false;
    put_on_plan(advice);
    advice->round += advice->stage == SEARCHING;
    advice->block += advice->stage == FINALS;
    return true;
}

void advice_resume(struct advice *advice, const struct rows *rows)
{
    struct rows seen = {.lines = rows->lines};
    bool more = true;
    advice->total_s = 0; /* the earlier budget is not known, but there may have been one */
    while (more && advice->plan->count < rows->count) {
        const char *label =
            json_find_text(advice->space.arena, rows->lines[advice->plan->count], "label");
        bool searched = label != NULL && strcmp(label, LABEL_SEARCH) == 0;
        seen.count = advice->plan->count;
        advice->comparison.rows = &seen;
        if (advice->stage == SEARCHING && !searched && advice->round > 0) {
            judge_round(advice);
            if (advice->stage == SEARCHING)
                begin_finals(advice);
        }
        more = advice_extend(advice, &seen, INFINITY);
    }
    advice->total_s = NAN;
}

/* ---- what is said about it ---- */

/* How many rows there will be at most. */
static unsigned rows_max(const struct advice *advice)
{
    unsigned rows = advice->blocks * FINALISTS_MAX, best = 1;
    for (unsigned i = 0; i < advice->space.axis_count; i++) {
        unsigned field = best * advice->space.axes[i]->value_count;
        do {
            rows += field;
            field = field < keep_of(field) ? field : keep_of(field);
        } while (field > BEST_MAX);
        best = field;
    }
    return rows;
}

double advice_left_s(const struct advice *advice, unsigned order, double left_s)
{
    unsigned most = rows_max(advice);
    if (isfinite(left_s))
        return fmax(left_s - row_s(advice), 0);
    return most > order ? (most - order) * row_s(advice) : 0;
}

unsigned advice_rows(const struct advice *advice, unsigned order, double left_s)
{
    return order + (unsigned)(left_s / row_s(advice));
}

void advice_announce(const struct advice *advice, double budget_s, const char *directory, FILE *out)
{
    unsigned most = rows_max(advice);
    double points = 1, longest_s = fmin(most * row_s(advice), budget_s);
    char duration[32];
    for (unsigned i = 0; i < advice->space.axis_count; i++) {
        const struct setting *axis = advice->space.axes[i];
        fprintf(out, "%s %s =", i == 0 ? "searches" : "        ", axis->key);
        for (unsigned j = 0; j < axis->value_count; j++)
            fprintf(out, "%s %s", j == 0 ? "" : ",", axis->values[j].text);
        fputc('\n', out);
        points *= axis->value_count;
    }
    fprintf(out,
            "%.0f candidates; at most %u rows find the best %d, then %u rows of each\n"
            "about %s%s; order seed %llu; rows to %s\n",
            points, most - advice->blocks * FINALISTS_MAX, BEST_MAX, advice->blocks,
            progress_duration((uint64_t)(longest_s * OS_NS_PER_S), duration),
            isfinite(budget_s) ? ", as the budget has it" : "", (unsigned long long)advice->seed,
            directory);
}

/* ---- the end ---- */

int advice_conclude(struct advice *advice, const struct rows *rows, const char *directory,
                    bool quiet, struct error *error)
{
    unsigned tried = advice->axis + (advice->round > 0);
    const char *untried = "";
    if (advice->reason != NULL)
        return error_set(error, NULL, "nothing to recommend: %s", advice->reason);
    for (unsigned i = tried; i < advice->space.axis_count && advice->pass == 0; i++)
        untried = arena_join(advice->space.arena, untried, ", ", advice->space.axes[i]->key);
    advice->comparison.rows = rows;
    advice->comparison.first_row = 0;
    return advice_judge(advice->space.arena, &advice->comparison, untried, directory, quiet, error);
}
