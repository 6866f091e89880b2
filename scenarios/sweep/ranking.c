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
        names = arena_text(arena, "%s, %s", names, criteria[i].name);
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

const char *row_failure(struct arena *arena, const char *line, const struct figure *figure)
{
    const char *status = json_find_text(arena, line, "status"), *reason;

    if (status == NULL || strcmp(status, "ok") != 0) {
        reason = json_find_text(arena, line, "reason");
        return arena_text(arena, "%s: %s", status == NULL ? "no status" : status,
                          reason == NULL || *reason == '\0' ? "no reason given" : reason);
    }
    if (isnan(figure_value(line, figure)))
        return arena_text(arena, "its rows have no %s", figure->key);
    return NULL;
}

/* Costs of a cell; INFINITY: one of its rows is not a result. */
struct score {
    unsigned cell;
    double first, second;
};

static struct score score_of(struct arena *arena, const struct comparison *comparison,
                             unsigned cell, const char **reason)
{
    const struct figure *const *figures = comparison->criterion->figures;
    struct samples first = {0}, second = {0};

    for (unsigned i = comparison->first_row; i < comparison->rows->count; i++) {
        const char *line = comparison->rows->lines[i], *why;

        if (comparison->plan->rows[i].cell_index != cell)
            continue;
        why = row_failure(arena, line, figures[0]);
        if (why != NULL) {
            *reason = *reason == NULL ? why : *reason;
            return (struct score){cell, INFINITY, INFINITY};
        }
        samples_add(arena, &first, figure_cost(figure_value(line, figures[0]), figures[0]));
        samples_add(arena, &second, figure_cost(figure_value(line, figures[1]), figures[1]));
    }
    if (first.count == 0)
        return (struct score){cell, INFINITY, INFINITY};
    return (struct score){cell, interval_of(&first).median, interval_of(&second).median};
}

/* ---- the order ---- */

static int by_first(const void *a, const void *b)
{
    const struct score *left = a, *right = b;

    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return (left->cell > right->cell) - (left->cell < right->cell);
}

static int by_second(const void *a, const void *b)
{
    const struct score *left = a, *right = b;

    if (left->second != right->second)
        return left->second < right->second ? -1 : 1;
    return by_first(a, b);
}

/* "Equal within the margin" is not transitive. So the best and all that equal it are sorted by the
 * second figure, then the best of the rest and all that equal that one, and so on. */
static void put_in_order(struct score *scores, unsigned count, double margin)
{
    qsort(scores, count, sizeof *scores, by_first);
    for (unsigned begin = 0, end; begin < count; begin = end) {
        for (end = begin + 1;
             end < count && scores[end].first <= scores[begin].first * (1 + margin); end++)
            ;
        qsort(scores + begin, end - begin, sizeof *scores, by_second);
    }
}

unsigned ranking_make(struct arena *arena, const struct comparison *comparison, unsigned *field,
                      unsigned count, const char **reason)
{
    struct score *scores = arena_take(arena, count * sizeof *scores + 1);
    unsigned sound = 0;

    *reason = NULL;
    for (unsigned i = 0; i < count; i++)
        scores[i] = score_of(arena, comparison, field[i], reason);
    qsort(scores, count, sizeof *scores, by_first);
    while (sound < count && !isinf(scores[sound].first))
        sound++;
    put_in_order(scores, sound, fmax(comparison->margin, comparison->criterion->chance));
    for (unsigned i = 0; i < count; i++)
        field[i] = scores[i].cell;
    return sound;
}
