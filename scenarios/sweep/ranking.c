#include "scenarios/sweep/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"

struct figure {
    const char *key;
    bool more_is_better;
};

/* `chance`: the share by which a few rows' first figure may differ for no reason. The slowest
 * hundredth of one second's frames hangs on whatever else the machine did in that second; without
 * an allowance for it a search would follow that. */
struct criterion {
    const char *name;
    struct figure first, second;
    double chance;
};

static const struct criterion criteria[] = {
    {"latency", {"latency_us_p99", false}, {"cpu_s", false}, 0.5},
    {"cpu", {"gb_per_cpu_s", true}, {"peak_rss_kb", false}, 0},
    {"throughput", {"bytes_per_s", true}, {"gb_per_cpu_s", true}, 0},
    {"memory", {"peak_rss_kb", false}, {"cpu_s", false}, 0},
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

/* ---- costs: the less the better, whichever way the figure counts ---- */

/* What a cell came to. INFINITY: one of its rows is no result. */
struct score {
    unsigned cell;
    double first, second;
};

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, by_value);
    return count == 0 ? INFINITY : (values[(count - 1) / 2] + values[count / 2]) / 2;
}

static double cost_of(const char *line, const struct figure *figure)
{
    double value;

    if (!row_number(line, figure->key, &value) || value <= 0)
        return INFINITY;
    return figure->more_is_better ? 1 / value : value;
}

/* NULL if the row is a result. */
static const char *why_unsound(struct arena *arena, const char *line, const struct figure *figure)
{
    const char *status = row_text(arena, line, "status"), *reason;

    if (status == NULL || strcmp(status, "ok") != 0) {
        reason = row_text(arena, line, "reason");
        return arena_text(arena, "%s: %s", status == NULL ? "no status" : status,
                          reason == NULL || *reason == '\0' ? "no reason given" : reason);
    }
    if (isinf(cost_of(line, figure)))
        return arena_text(arena, "its rows have no %s", figure->key);
    return NULL;
}

static struct score score_of(struct arena *arena, const struct ranking_question *question,
                             unsigned cell, const char **reason)
{
    const struct criterion *criterion = question->criterion;
    double *first = arena_take(arena, question->rows->count * sizeof *first + 1);
    double *second = arena_take(arena, question->rows->count * sizeof *second + 1);
    unsigned count = 0;

    for (unsigned i = question->first_row; i < question->rows->count; i++) {
        const char *line = question->rows->lines[i], *why;

        if (question->plan->rows[i].cell_index != cell)
            continue;
        why = why_unsound(arena, line, &criterion->first);
        if (why != NULL) {
            *reason = *reason == NULL ? why : *reason;
            return (struct score){cell, INFINITY, INFINITY};
        }
        first[count] = cost_of(line, &criterion->first);
        second[count++] = cost_of(line, &criterion->second);
    }
    return (struct score){cell, median(first, count), median(second, count)};
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

/* "The same but for the margin" is no order: so the best and all that equal it are put in order
 * among themselves, then the best of the rest and all that equal that one. */
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

unsigned ranking_make(struct arena *arena, const struct ranking_question *question, unsigned *field,
                      unsigned count, const char **reason)
{
    struct score *scores = arena_take(arena, count * sizeof *scores + 1);
    unsigned sound = 0;

    *reason = NULL;
    for (unsigned i = 0; i < count; i++)
        scores[i] = score_of(arena, question, field[i], reason);
    qsort(scores, count, sizeof *scores, by_first);
    while (sound < count && !isinf(scores[sound].first))
        sound++;
    put_in_order(scores, sound, fmax(question->margin, question->criterion->chance));
    for (unsigned i = 0; i < count; i++)
        field[i] = scores[i].cell;
    return sound;
}
