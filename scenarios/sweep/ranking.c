/* The criteria of a search, and the order of its candidates. */
#include "scenarios/sweep/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"

static const struct figure latency = {"latency_us_p99", "p99 latency", false};
static const struct figure cpu = {"cpu_s", "CPU time", false};
static const struct figure gb_per_cpu = {"gb_per_cpu_s", "GB per CPU second", true};
static const struct figure throughput = {"bytes_per_s", "throughput", true};
static const struct figure memory = {"peak_rss_kb", "peak memory", false};

/* The p99 latency of one second's frames varies with whatever else the machine did in that second;
 * a search without an allowance for it would follow that. */
static const struct criterion criteria[] = {
    {"latency", {&latency, &cpu, &memory}, 0.5},
    {"cpu", {&gb_per_cpu, &memory}, 0},
    {"throughput", {&throughput, &gb_per_cpu, &memory}, 0},
    {"memory", {&memory, &cpu}, 0},
};

enum { CRITERIA = sizeof criteria / sizeof *criteria };

const struct criterion *criterion_find(const char *name, bool rated)
{
    if (strcmp(name, "auto") == 0)
        return criterion_find(rated ? "latency" : "cpu", rated);
    for (unsigned i = 0; i < CRITERIA; i++) {
        if (strcmp(criteria[i].name, name) == 0)
            return &criteria[i];
    }
    return NULL;
}

const char *criterion_names(struct arena *arena)
{
    const char *names = "auto";
    for (unsigned i = 0; i < CRITERIA; i++)
        names = arena_join(arena, names, ", ", criteria[i].name);
    return names;
}

double figure_value(const char *line, const struct figure *figure)
{
    double value;
    return json_find_number(line, figure->key, &value) && value > 0 ? value : NAN;
}

double figure_cost(double value, const struct figure *figure)
{
    if (isnan(value))
        return INFINITY;
    return figure->more_is_better ? 1 / value : value;
}

/* Why a result lacks the figure: of latencies the row says it. */
static const char *figure_absence(struct arena *arena, const char *line,
                                  const struct figure *figure)
{
    const char *reason = figure == &latency ? json_find_text(arena, line, "latency_reason") : NULL;
    if (reason == NULL || *reason == '\0')
        return arena_text(arena, "its rows have no %s", figure->key);
    return arena_text(arena, "its rows have no %s: %s", figure->key, reason);
}

/* Why a row is not a result; NULL if it is one that has the figure. */
static const char *row_failure(struct arena *arena, const char *line, const struct figure *figure)
{
    const char *status = json_find_text(arena, line, "status");
    if (status == NULL || strcmp(status, "ok") != 0) {
        const char *reason = json_find_text(arena, line, "reason");
        return arena_text(arena, "%s: %s", status == NULL ? "no status" : status,
                          reason == NULL || *reason == '\0' ? "no reason given" : reason);
    }
    if (isnan(figure_value(line, figure)))
        return figure_absence(arena, line, figure);
    return NULL;
}

struct cell_rows cell_rows_read(struct arena *arena, const struct comparison *comparison,
                                unsigned cell)
{
    struct cell_rows rows = {0};
    for (unsigned i = comparison->first_row; i < comparison->rows->count; i++) {
        const char *line = comparison->rows->lines[i];
        if (comparison->plan->rows[i].cell_index != cell)
            continue;
        rows.lines = arena_grow(arena, rows.lines, rows.count, sizeof(char *));
        rows.lines[rows.count++] = line;
        const char *failure = row_failure(arena, line, comparison->criterion->figures[0]);
        rows.bad += failure != NULL;
        rows.failure = rows.failure == NULL ? failure : rows.failure;
    }
    return rows;
}

/* ---- the order ---- */

struct score {
    unsigned cell, group; /* of those that equal its best by the first figure; 0: no groups yet */
    double costs[2];      /* median costs by the first and the second figure; INFINITY: one of its
                             rows is not a result, or it has none */
};

static struct score score_of(struct arena *arena, const struct comparison *comparison,
                             unsigned cell, const char **reason)
{
    struct cell_rows rows = cell_rows_read(arena, comparison, cell);
    struct score score = {cell, 0, {INFINITY, INFINITY}};
    if (*reason == NULL)
        *reason = rows.failure;
    for (unsigned i = 0; i < 2 && rows.failure == NULL && rows.count != 0; i++) {
        const struct figure *figure = comparison->criterion->figures[i];
        struct samples costs = {0};
        for (unsigned k = 0; k < rows.count; k++)
            samples_add(arena, &costs, figure_cost(figure_value(rows.lines[k], figure), figure));
        score.costs[i] = interval_of(&costs).median;
    }
    return score;
}

/* Within a group the second figure decides. */
static int compare(const void *a, const void *b)
{
    const struct score *left = a, *right = b;
    unsigned figure = left->group != 0 && left->group == right->group;
    if (left->costs[figure] != right->costs[figure])
        return left->costs[figure] < right->costs[figure] ? -1 : 1;
    if (left->costs[0] != right->costs[0])
        return left->costs[0] < right->costs[0] ? -1 : 1;
    return (left->cell > right->cell) - (left->cell < right->cell);
}

unsigned ranking_make(struct arena *arena, const struct comparison *comparison, unsigned *field,
                      unsigned count, const char **reason)
{
    struct score *scores = arena_take(arena, count * sizeof *scores + 1);
    double margin = fmax(comparison->margin, comparison->criterion->chance);
    unsigned sound = 0;
    *reason = NULL;
    for (unsigned i = 0; i < count; i++)
        scores[i] = score_of(arena, comparison, field[i], reason);
    qsort(scores, count, sizeof *scores, compare);
    /* "Equal within the margin" is not transitive. So the best and all that equal it are a group,
     * then the best of the rest and all that equal that one, and so on. */
    for (unsigned best = 0; sound < count && !isinf(scores[sound].costs[0]); sound++) {
        if (scores[sound].costs[0] > scores[best].costs[0] * (1 + margin))
            best = sound;
        scores[sound].group = best + 1;
    }
    qsort(scores, sound, sizeof *scores, compare);
    for (unsigned i = 0; i < count; i++)
        field[i] = scores[i].cell;
    return sound;
}
