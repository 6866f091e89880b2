#include "scenarios/sweep/summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"

enum { FIGURES = 3 };

static const struct {
    const char *key, *heading;
    double scale;
} figures[FIGURES] = {
    {"connect_ms", "connect ms", 1},
    {"elapsed_ms", "elapsed ms", 1},
    {"bytes_per_s", "MB/s", 1e-6},
};

static int widest_name(struct arena *arena, const struct cells *cells)
{
    size_t widest = strlen("cell");

    for (unsigned i = 0; i < cells->count; i++) {
        size_t length = strlen(cell_title(arena, cells->items[i]));

        widest = length > widest ? length : widest;
    }
    return (int)widest;
}

void summary_cells(FILE *out, const struct cells *cells)
{
    struct arena arena = {0};
    int width = widest_name(&arena, cells);

    fprintf(out, "%-*s  %6s  %8s  %s\n", width, "cell", "repeat", "seconds", "client");
    for (unsigned i = 0; i < cells->count; i++) {
        const struct cell *cell = cells->items[i];

        fprintf(out, "%-*s  %6llu  %8.1f  %s\n", width, cell_title(&arena, cell),
                (unsigned long long)cell->repeat, (double)cell->repeat * cell->row_seconds,
                cell->client);
    }
    arena_free(&arena);
}

/* ---- after the runs ---- */

struct entry {
    unsigned cell;
    const char *line;
};

static int by_cell(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    return (left->cell > right->cell) - (left->cell < right->cell);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static bool has_status(struct arena *arena, const char *line, const char *status)
{
    const char *text = row_text(arena, line, "status");

    return text != NULL && strcmp(text, status) == 0;
}

static unsigned count_status(struct arena *arena, const struct entry *entries, unsigned count,
                             const char *status)
{
    unsigned found = 0;

    for (unsigned i = 0; i < count; i++)
        found += has_status(arena, entries[i].line, status);
    return found;
}

/* "-" where no row has the figure: a number that was not measured is not 0. */
static const char *median(struct arena *arena, const struct entry *entries, unsigned count,
                          const struct cell *cell, unsigned figure)
{
    double *values = arena_take(arena, count * sizeof *values);
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++) {
        if (cell->failures_expected || has_status(arena, entries[i].line, "ok"))
            n += row_number(entries[i].line, figures[figure].key, &values[n]);
    }
    if (n == 0)
        return "-";
    qsort(values, n, sizeof *values, by_value);
    return arena_text(arena, "%.1f",
                      (values[(n - 1) / 2] + values[n / 2]) / 2 * figures[figure].scale);
}

static void print_cell(FILE *out, struct arena *arena, int width, const struct cell *cell,
                       const struct entry *entries, unsigned count)
{
    fprintf(out, "%-*s  %4u  %4u  %6u  %7u", width, cell_title(arena, cell), count,
            count_status(arena, entries, count, "ok"),
            count_status(arena, entries, count, "failed"),
            count_status(arena, entries, count, "skipped"));
    for (unsigned i = 0; i < FIGURES; i++)
        fprintf(out, "  %10s", median(arena, entries, count, cell, i));
    fputc('\n', out);
}

static struct entry *sort_rows(struct arena *arena, const struct plan *plan,
                               const struct rows *rows)
{
    struct entry *entries = arena_take(arena, rows->count * sizeof *entries);

    for (unsigned i = 0; i < rows->count; i++) {
        double order = 1;

        row_number(rows->lines[i], "order", &order);
        entries[i] = (struct entry){.cell = plan->rows[(unsigned)order - 1].cell_index,
                                    .line = rows->lines[i]};
    }
    qsort(entries, rows->count, sizeof *entries, by_cell);
    return entries;
}

void summary_rows(FILE *out, const struct cells *cells, const struct plan *plan,
                  const struct rows *rows)
{
    struct arena arena = {0};
    const struct entry *entries = sort_rows(&arena, plan, rows);
    int width = widest_name(&arena, cells);
    unsigned first = 0;

    fprintf(out, "%-*s  %4s  %4s  %6s  %7s", width, "cell", "n", "ok", "failed", "skipped");
    for (unsigned i = 0; i < FIGURES; i++)
        fprintf(out, "  %10s", figures[i].heading);
    fputs("   (medians)\n", out);
    for (unsigned i = 0; i < cells->count; i++) {
        unsigned end = first;

        while (end < rows->count && entries[end].cell == i)
            end++;
        print_cell(out, &arena, width, cells->items[i], entries + first, end - first);
        first = end;
    }
    arena_free(&arena);
}
