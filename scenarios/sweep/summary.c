/* What fanin-sweep prints besides progress: the plan of a dry run, and the end of a sweep. */
#include <string.h>

#include "base/json_read.h"
#include "scenarios/sweep/command.h"
#include "scenarios/sweep/sweep.h"

enum { REASONS_MAX = 5 };

/* A character of UTF-8 is one column: continuation bytes are not counted. */
static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

static const char *share_words(struct arena *arena, const struct cell *cell)
{
    const struct pair *pair = cell_find(cell, "cpu-share");
    if (pair != NULL && pair->calibration != NULL && *cell->calibrated == '\0')
        return arena_text(arena, ", held to the share of a processor that %s finds",
                          pair->calibration);
    if (cell->cpu_share == NULL)
        return "";
    return arena_text(arena, ", held to %.10g %% of a processor in each %llu ms",
                      cell->cpu_share_asked * 100, (unsigned long long)cell->cpu_period_ms);
}

/* What each calibration will do, or has come to. */
static void print_calibrations(const struct sweep *sweep, FILE *out)
{
    const struct calibrations *calibrations = &sweep->record.calibrations;
    struct arena arena = {0};
    for (unsigned i = 0; i < calibrations->count; i++) {
        const struct calibration *calibration = calibrations->items[i];
        const struct cell *cell = calibration->cell;
        const unsigned runs = calibration_runs_expected(calibration);
        char duration[32];
        progress_duration((uint64_t)(runs * cell->row_seconds * OS_NS_PER_S), duration);
        if (calibration->status != CALIBRATION_OPEN)
            fprintf(out, "%s\n", calibration_words(&arena, calibration));
        else
            fprintf(out,
                    "calibration %s of %s: %s from %s to %s until %s is %.6g, about %u runs, %s; "
                    "=%s is not known before\n",
                    calibration->name, calibration->scenario, cell->factor->key,
                    cell->factor->from_text, cell->factor->to_text, cell->metric, cell->target,
                    runs, duration, calibration->name);
    }
    arena_free(&arena);
}

void sweep_print_cells(const struct sweep *sweep, FILE *out)
{
    const struct cells *cells = &sweep->cells;
    struct arena arena = {0};
    int width = (int)strlen("cell");
    for (unsigned i = 0; i < cells->count; i++) {
        int columns = columns_of(cell_title(&arena, cells->items[i]));
        width = columns > width ? columns : width;
    }
    fprintf(out, "%-*s  %6s  %8s  %s\n", width, "cell", "repeat", "seconds", "client");
    for (unsigned i = 0; i < cells->count; i++) {
        const struct cell *cell = cells->items[i];
        const char *title = cell_title(&arena, cell);
        fprintf(out, "%s%*s  %6llu  %8.1f  %s%s\n", title, width - columns_of(title), "",
                (unsigned long long)cell->repeat, (double)cell->repeat * cell->row_seconds,
                cell->client, share_words(&arena, cell));
    }
    arena_free(&arena);
}

/* What a budget adds to the line of sweep_announce. */
static const char *budget_words(struct arena *arena, const struct sweep *sweep)
{
    char whole[32];
    if (sweep->further_ns == 0)
        return "";
    progress_duration(sweep->further_ns, whole);
    if (sweep->due_ns != UINT64_MAX &&
        sweep->record.estimated_s > (double)sweep->due_ns / OS_NS_PER_S)
        return arena_text(arena, "; the budget of %s is too small for all of them", whole);
    return arena_text(arena, ", then more of the cells with wide intervals, for %s in all", whole);
}

static bool is_same_place(const struct setting *a, const struct setting *b)
{
    return a->place.line == b->place.line && strcmp(a->place.file, b->place.file) == 0 &&
           strcmp(a->key, b->key) == 0;
}

static bool is_among(const struct setting **told, unsigned count, const struct setting *setting)
{
    while (count > 0 && !is_same_place(told[count - 1], setting))
        count--;
    return count > 0;
}

/* A key of several sections is told of once. */
static void print_hints(const struct sweep *sweep, FILE *out)
{
    struct arena arena = {0};
    const struct setting **told = NULL;
    unsigned told_count = 0;
    struct error line;
    for (unsigned i = 0; i < sweep->cells.count; i++) {
        const struct settings *settings = sweep->cells.items[i]->settings;
        if (i > 0 && settings == sweep->cells.items[i - 1]->settings)
            continue;
        for (unsigned k = 0; k < settings->count; k++) {
            const struct setting *setting = &settings->items[k];
            const char *hint = key_hint(&arena, setting);
            if (hint == NULL || is_among(told, told_count, setting))
                continue;
            error_set(&line, &setting->place, "%s", hint);
            fprintf(out, "%s\n", line.text);
            told = arena_grow(&arena, told, told_count, sizeof(struct setting *));
            told[told_count++] = setting;
        }
    }
    arena_free(&arena);
}

void sweep_announce(const struct sweep *sweep, FILE *out)
{
    print_hints(sweep, out);
    print_calibrations(sweep, out);
    if (sweep->advice != NULL) {
        advice_announce(sweep->advice, sweep_budget_s(sweep), sweep->output.path, out);
        return;
    }
    struct arena arena = {0};
    char duration[32];
    unsigned left = 0;
    for (unsigned i = 0; i < sweep->plan.count; i++)
        left += !sweep->plan.rows[i].done;
    progress_duration((uint64_t)(sweep->record.estimated_s * OS_NS_PER_S), duration);
    fprintf(out, "%u cells, %u rows to run, about %s%s; order seed %llu; rows to %s\n",
            sweep->cells.count, left, duration, budget_words(&arena, sweep),
            (unsigned long long)sweep->record.seed, sweep->output.path);
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

static void print_rows(const struct rows *rows, unsigned bad)
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
    printf("%u rows: %u ok, %u failed%s, %u skipped\n", rows->count, rows->count - failed - skipped,
           failed, failed <= bad ? "" : arena_text(&arena, " (%u as expected)", failed - bad),
           skipped);
    for (unsigned i = 0; i < count; i++)
        printf("  %u %s\n", reasons[i].count, reasons[i].text);
    arena_free(&arena);
}

static void print_budget(struct arena *arena, const struct budget *budget)
{
    unsigned widest, within = budget_within(budget, &widest);
    printf("budget: %s; %u further rows; %u of %u cells within their precision", budget->stopped,
           budget->further, within, budget->cells->count);
    if (widest != budget->cells->count) {
        const struct cell *cell = budget->cells->items[widest];
        struct interval interval = interval_of(&budget->samples[widest]);
        printf("; widest: %s, %s within %.1f %% of its median (n = %u)", cell_title(arena, cell),
               cell->metric, interval.width * 100, interval.n);
    }
    putchar('\n');
}

void sweep_print_end(struct sweep *sweep, const struct rows *rows)
{
    const struct record *record = &sweep->record;
    const char *path = sweep->output.path;
    const char *again = command_word(sweep->arena, arena_text(sweep->arena, "--resume=%s", path));
    unsigned left = record->rows_planned - record->rows_written;
    if (left != 0)
        fprintf(stderr, "fanin-sweep: %s: %u of %u rows are missing; continue with %s\n",
                record->state, left, record->rows_planned, again);
    else if (strcmp(record->state, "done") != 0)
        fprintf(stderr, "fanin-sweep: %s; continue with %s\n", record->state, again);
    if (sweep->request->quiet)
        return;
    print_calibrations(sweep, stdout);
    if (record->rows_written == 0)
        return;
    print_rows(rows, sweep->ends[RUN_BAD]);
    if (*record->budget.stopped != '\0')
        print_budget(sweep->arena, &record->budget);
    printf("rows: %s/rows.jsonl\n", path);
    if (sweep->advice == NULL)
        printf("next: python3 plot/report.py %s\n", command_word(sweep->arena, path));
}
