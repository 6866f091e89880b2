/* What fanin-sweep prints to standard output: the plan of a dry run, and the end of a sweep. */
#include "scenarios/sweep/summary.h"

#include <string.h>

#include "base/json_read.h"

enum { REASONS_MAX = 5 };

void summary_cells(FILE *out, const struct cells *cells)
{
    struct arena arena = {0};
    int width = (int)strlen("cell");
    for (unsigned i = 0; i < cells->count; i++) {
        int length = (int)strlen(cell_title(&arena, cells->items[i]));
        width = length > width ? length : width;
    }
    fprintf(out, "%-*s  %6s  %8s  %s\n", width, "cell", "repeat", "seconds", "client");
    for (unsigned i = 0; i < cells->count; i++) {
        const struct cell *cell = cells->items[i];
        fprintf(out, "%-*s  %6llu  %8.1f  %s\n", width, cell_title(&arena, cell),
                (unsigned long long)cell->repeat, (double)cell->repeat * cell->row_seconds,
                cell->client);
    }
    arena_free(&arena);
}

/* Rows that are not ok, by what they say. */
struct reason {
    const char *text; /* "skipped: no io_uring here" */
    unsigned count;
};

static void count_reason(struct arena *arena, struct reason *reasons, unsigned *count,
                         const char *text)
{
    unsigned i = 0;
    while (i < *count && i < REASONS_MAX && strcmp(reasons[i].text, text) != 0)
        i++;
    if (i == *count)
        reasons[(*count)++] = (struct reason){.text = arena_copy(arena, text, strlen(text))};
    reasons[i].count++;
    if (*count > REASONS_MAX)
        reasons[REASONS_MAX].text = "(other reasons)";
}

void summary_rows(FILE *out, const struct rows *rows, unsigned bad)
{
    struct arena arena = {0};
    struct reason reasons[REASONS_MAX + 1];
    unsigned count = 0, failed = 0, skipped = 0;
    for (unsigned i = 0; i < rows->count; i++) {
        const char *status = json_find_text(&arena, rows->lines[i], "status");
        const char *reason = json_find_text(&arena, rows->lines[i], "reason");
        if (status == NULL || strcmp(status, "ok") == 0)
            continue;
        failed += strcmp(status, "failed") == 0;
        skipped += strcmp(status, "skipped") == 0;
        count_reason(&arena, reasons, &count,
                     arena_text(&arena, "%s: %s", status, reason == NULL ? "no reason" : reason));
    }
    fprintf(out, "%u rows: %u ok, %u failed%s, %u skipped\n", rows->count,
            rows->count - failed - skipped, failed,
            failed <= bad ? "" : arena_text(&arena, " (%u as expected)", failed - bad), skipped);
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "  %u %s\n", reasons[i].count, reasons[i].text);
    arena_free(&arena);
}
