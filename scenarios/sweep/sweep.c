/* Running a plan.
 *
 *   ask the programs (--dry-run) -> make the directory -> record "running"
 *        -> check the host -> measure the links
 *        -> for each row: fleet up? pause, run, append -> stop fleets -> record the end -> table
 *             |-> no row is left: a further round, where there is a budget
 *             `-> interrupted, out of time, disk full, fleet cannot start: the same way out
 *
 * However a sweep ends, its directory is valid, and --resume continues from there. */
#include "scenarios/sweep/sweep.h"

#include <errno.h>
#include <string.h>

#include "base/options.h"
#include "scenarios/sweep/check.h"
#include "scenarios/sweep/output_dir.h"
#include "base/json_read.h"
#include "scenarios/sweep/summary.h"

#define PAUSE_SLICE_NS ((uint64_t)50 * OS_NS_PER_MS)
#define PLAIN_LINE_NS  ((uint64_t)30 * OS_NS_PER_S) /* between lines that are not redrawn */

static unsigned rows_written(const struct sweep *sweep)
{
    return sweep->good + sweep->bad + sweep->skipped;
}

static void tick(void *context)
{
    struct sweep *sweep = context;
    struct arena arena = {0};
    uint64_t now_ns = os_now_ns();
    double row_s = cell_row_s(sweep->row->cell);
    double spent_s = (double)(now_ns - sweep->row_began_ns) / OS_NS_PER_S;
    double left_s = sweep->left_s + (spent_s < row_s ? row_s - spent_s : 0);
    unsigned written = rows_written(sweep);
    unsigned expected = sweep->advice == NULL
                            ? sweep->plan.count
                            : advice_rows(sweep->advice, sweep->row->order, sweep->left_s);
    if (sweep->progress.terminal || now_ns - sweep->progress.drawn_ns >= PLAIN_LINE_NS)
        progress_show(&sweep->progress, now_ns,
                      arena_text(&arena, "row %u/%u  %s", written + 1, expected,
                                 cell_title(&arena, sweep->row->cell)),
                      (double)written / expected, (uint64_t)(left_s * OS_NS_PER_S));
    arena_free(&arena);
}

static void pause_for(uint64_t duration_ns)
{
    uint64_t end_ns = os_now_ns() + duration_ns, now_ns;
    while ((now_ns = os_now_ns()) < end_ns && !os_interrupted())
        os_sleep_ns(end_ns - now_ns < PAUSE_SLICE_NS ? end_ns - now_ns : PAUSE_SLICE_NS);
}

static int ready_fleet(struct sweep *sweep, struct fleet *fleet)
{
    int exit_code;
    if (fleet == NULL)
        return EXIT_DONE;
    if (fleet_has_ended(fleet, &exit_code))
        progress_say(&sweep->progress, "the servers ended (exit code %d); restarting them",
                     exit_code);
    return fleet_start(sweep->arena, fleet, sweep->output.path, &sweep->error);
}

/* An idle fleet takes memory and a link takes namespaces, so both end with their last row. Which
 * row is the last is unknown while there can be further rows. */
static void release_fleet(struct sweep *sweep, const struct plan_row *row)
{
    struct fleet *fleet = row->cell->fleet;
    if (fleet == NULL || sweep->further_ns != 0 || sweep->advice != NULL)
        return;
    for (unsigned i = row->order; i < sweep->plan.count; i++) {
        const struct plan_row *later = &sweep->plan.rows[i];
        if (!later->done && later->cell->fleet == fleet && later->cell->skip_reason == NULL)
            return;
    }
    fleet_stop(fleet);
}

static bool is_further(const struct sweep *sweep, const struct plan_row *row)
{
    return row->order > sweep->plan.due;
}

static void count_end(struct sweep *sweep, enum run_end end)
{
    sweep->good += end == RUN_GOOD;
    sweep->bad += end == RUN_BAD;
    sweep->skipped += end == RUN_SKIPPED;
}

static enum run_end run_one(struct sweep *sweep, struct plan_row *row)
{
    struct arena arena = {0};
    struct pace *pace = &sweep->cells.items[row->cell_index]->pace;
    sweep->row = row;
    sweep->row_began_ns = os_now_ns();
    sweep->left_s = sweep->advice != NULL
                        ? advice_left_s(sweep->advice, row->order, sweep_left_s(sweep))
                    : is_further(sweep, row) ? sweep_left_s(sweep) - cell_row_s(row->cell)
                                             : sweep_expected_s(sweep, row->order);
    tick(sweep);
    struct run_result result =
        run_row(&arena, &sweep->output, row, sweep->row_began_ns, tick, sweep);
    count_end(sweep, result.end);
    if (result.object != NULL)
        budget_note(sweep->arena, &sweep->record.budget, row->cell_index, result.object);
    if (result.end == RUN_GOOD || result.end == RUN_BAD) {
        pace->sum_s += (double)(os_now_ns() - sweep->row_began_ns) / OS_NS_PER_S +
                       (double)row->cell->pause_ms / 1000;
        pace->count++;
    }
    if (result.end == RUN_BAD || (result.end == RUN_SKIPPED && row->cell->skip_reason == NULL))
        progress_say(&sweep->progress, "row %u (%s, repeat %u) %s: %s", row->order,
                     cell_title(&arena, row->cell), row->repeat,
                     result.end == RUN_BAD ? "failed" : "skipped",
                     result.reason == NULL ? "no reason given" : result.reason);
    row->done = result.end != RUN_INTERRUPTED && result.end != RUN_UNWRITTEN;
    arena_free(&arena);
    release_fleet(sweep, row);
    return result.end;
}

/* Even without time, each cell gets its first repeat. */
static bool is_late(const struct sweep *sweep, const struct plan_row *row)
{
    if (is_further(sweep, row))
        return sweep_left_s(sweep) < cell_row_s(row->cell);
    return row->repeat > 1 && os_now_ns() - sweep->began_ns >= sweep->due_ns;
}

static bool extend_search(struct sweep *sweep)
{
    struct arena arena = {0};
    struct rows rows;
    bool more = rows_read(&arena, sweep->output.path, &rows, &sweep->error) == 0 &&
                advice_extend(sweep->advice, &rows, sweep_left_s(sweep));
    arena_free(&arena);
    sweep->record.cells = sweep->cells.count;
    return more;
}

/* Another round of repeats where the spread is, if there is time for one. */
static bool add_round(struct sweep *sweep)
{
    struct budget *budget = &sweep->record.budget;

    if (sweep->advice != NULL)
        return extend_search(sweep);
    return sweep->further_ns != 0 && budget->samples != NULL &&
           budget_round(sweep->arena, budget, sweep_left_s(sweep), sweep->record.seed,
                        &sweep->plan);
}

/* `state` is for the record. The exit code EXIT_DONE leaves it to the rows. */
static int end_as(struct sweep *sweep, const char *state, int exit_code)
{
    sweep->record.state = state;
    return exit_code;
}

static int run_rows(struct sweep *sweep)
{
    for (unsigned i = 0; i < sweep->plan.count || add_round(sweep); i++) {
        struct plan_row *row = &sweep->plan.rows[i];
        bool runs = row->cell->skip_reason == NULL;
        int fleet = EXIT_DONE;
        if (row->done)
            continue;
        if (is_late(sweep, row)) {
            bool further = is_further(sweep, row);
            sweep->record.budget.stopped = further ? BUDGET_STOP_TIME : BUDGET_STOP_TOO_SMALL;
            return end_as(sweep, further ? "done" : "out of time", EXIT_DONE);
        }
        if (rows_written(sweep) != 0 && runs)
            pause_for(row->cell->pause_ms * OS_NS_PER_MS);
        if (!os_interrupted() && runs)
            fleet = ready_fleet(sweep, row->cell->fleet);
        if (os_interrupted())
            return end_as(sweep, "interrupted", EXIT_MEASURED_FAILURE);
        if (fleet != EXIT_DONE)
            return end_as(sweep, "failed", fleet);
        enum run_end end = run_one(sweep, row);
        if (end == RUN_INTERRUPTED)
            return end_as(sweep, "interrupted", EXIT_MEASURED_FAILURE);
        if (end == RUN_UNWRITTEN) {
            error_set(&sweep->error, NULL,
                      "cannot write %s/rows.jsonl: %s; make room, then --resume=%s",
                      sweep->output.path, strerror(errno), sweep->output.path);
            return end_as(sweep, "failed", EXIT_MACHINE_CANNOT);
        }
    }
    return end_as(sweep, "done", EXIT_DONE);
}

static int write_record(struct sweep *sweep)
{
    return record_write(sweep->arena, &sweep->record, sweep->output.path, &sweep->error) == 0
               ? EXIT_DONE
               : EXIT_MACHINE_CANNOT;
}

/* Before the first fleet starts, so that nothing of the sweep disturbs the measurement. Cells whose
 * link is unavailable need other fleets than planned. */
static int ready_links(struct sweep *sweep)
{
    int result = links_check(sweep->arena, &sweep->record.links, sweep->output.path,
                             &sweep->progress, sweep_expected_s(sweep, 0), &sweep->error);
    if (result != EXIT_DONE)
        return result;
    links_fall_back(sweep->arena, &sweep->cells);
    sweep->fleets = (struct fleets){0};
    if (fleets_plan(sweep->arena, &sweep->cells, &sweep->fleets, &sweep->error) != 0)
        return EXIT_WRONG_USE;
    return write_record(sweep);
}

/* A noisy machine makes results less precise, not wrong: so a warning is enough. */
static void check_host(struct sweep *sweep)
{
    struct host_needs needs = host_needs_of(sweep->arena, &sweep->fleets, HOST_CHECK_QUICK_MS);
    struct host_check *check = arena_take(sweep->arena, sizeof *check);
    struct error error;
    if (host_check_run(sweep->arena, &needs, check, &error) != 0) {
        progress_say(&sweep->progress, "warning: no host check: %s", error.text);
        return;
    }
    sweep->record.host_check = check;
    if (host_check_count(check, LEVEL_NOISY) != 0)
        progress_say(&sweep->progress,
                     "warning: this machine makes results noisy: %s (details: fanin-sweep --check)",
                     host_check_names(sweep->arena, check));
}

/* ---- before and after ---- */

static double expected_s(const struct sweep *sweep)
{
    return sweep_expected_s(sweep, 0) + links_check_seconds(&sweep->record.links);
}

/* What a budget adds to the line of sweep_announce. */
static const char *budget_words(struct arena *arena, const struct sweep *sweep, double due_s)
{
    char whole[32];
    if (sweep->further_ns == 0)
        return "";
    progress_duration(sweep->further_ns, whole);
    if (sweep->due_ns != UINT64_MAX && due_s > (double)sweep->due_ns / OS_NS_PER_S)
        return arena_text(arena, "; the budget of %s is too small for all of them", whole);
    return arena_text(arena, ", then more of the cells with wide intervals, for %s in all", whole);
}

void sweep_announce(const struct sweep *sweep, FILE *out)
{
    if (sweep->advice != NULL) {
        advice_announce(sweep->advice, sweep_budget_s(sweep), sweep->output.path, out);
        return;
    }
    struct arena arena = {0};
    char duration[32];
    unsigned left = 0;
    for (unsigned i = 0; i < sweep->plan.count; i++)
        left += !sweep->plan.rows[i].done;
    fprintf(out, "%u cells, %u rows to run, about %s%s; order seed %llu; rows to %s\n",
            sweep->cells.count, left,
            progress_duration((uint64_t)(expected_s(sweep) * OS_NS_PER_S), duration),
            budget_words(&arena, sweep, expected_s(sweep)), (unsigned long long)sweep->record.seed,
            sweep->output.path);
    arena_free(&arena);
}

static int open_directory(struct sweep *sweep)
{
    struct record *record = &sweep->record;
    if (sweep->request->resume == NULL &&
        output_dir_make(sweep->arena, sweep->output.path, &sweep->error) != 0)
        return EXIT_WRONG_USE;
    sweep->output.rows =
        output_dir_open_rows(sweep->arena, sweep->output.path, &sweep->old_rows, &sweep->error);
    if (sweep->output.rows == NULL)
        return EXIT_MACHINE_CANNOT;
    record->command_line = sweep->request->command_line;
    record->state = "running";
    record->sessions++;
    record->estimated_s = expected_s(sweep);
    record->rows_written = sweep->old_rows.count;
    int result = write_record(sweep);
    if (result != EXIT_DONE)
        fclose(sweep->output.rows);
    return result;
}

static void count_old_rows(struct sweep *sweep)
{
    for (unsigned i = 0; i < sweep->old_rows.count; i++) {
        const char *line = sweep->old_rows.lines[i];
        double order = 1;
        json_find_number(line, "order", &order);
        const struct plan_row *row = &sweep->plan.rows[(unsigned)order - 1];
        count_end(sweep, run_end_of_line(sweep->arena, line, row->cell));
        budget_note(sweep->arena, &sweep->record.budget, row->cell_index, line);
    }
}

static void close_record(struct sweep *sweep, int exit_code)
{
    struct record *record = &sweep->record;
    struct budget *budget = &record->budget;
    struct error error;
    plan_trim(&sweep->plan);
    record->rows_planned = sweep->plan.count;
    record->rows_written = rows_written(sweep);
    record->ended_utc = record_time(sweep->arena, false);
    record->actual_s += (double)(os_now_ns() - sweep->began_ns) / OS_NS_PER_S;
    budget->further = sweep->plan.count - sweep->plan.due;
    if (budget->samples != NULL && exit_code != EXIT_DONE)
        budget->stopped = record->state;
    else if (budget->samples != NULL && *budget->stopped == '\0')
        budget->stopped = BUDGET_STOP_TIME; /* resumed with nothing left of it */
    if (record_write(sweep->arena, record, sweep->output.path, &error) != 0)
        fprintf(stderr, "fanin-sweep: %s\n", error.text);
}

static void print_budget(struct sweep *sweep)
{
    const struct budget *budget = &sweep->record.budget;
    unsigned widest, within = budget_within(budget, &widest);
    printf("budget: %s; %u further rows; %u of %u cells within their precision", budget->stopped,
           budget->further, within, sweep->cells.count);
    if (widest != sweep->cells.count) {
        const struct cell *cell = sweep->cells.items[widest];
        struct interval interval = interval_of(&budget->samples[widest]);
        printf("; widest: %s, %s within %.1f %% of its median (n = %u)",
               cell_title(sweep->arena, cell), cell->metric, interval.width * 100, interval.n);
    }
    putchar('\n');
}

static void print_summary(struct sweep *sweep, const struct rows *rows)
{
    const char *state = sweep->record.state, *path = sweep->output.path;
    unsigned left = sweep->plan.count - rows_written(sweep);
    if (left != 0)
        fprintf(stderr, "fanin-sweep: %s: %u of %u rows are missing; continue with --resume=%s\n",
                state, left, sweep->plan.count, path);
    else if (strcmp(state, "done") != 0)
        fprintf(stderr, "fanin-sweep: %s; continue with --resume=%s\n", state, path);
    if (sweep->request->quiet || rows_written(sweep) == 0)
        return;
    summary_rows(stdout, rows, sweep->bad);
    if (*sweep->record.budget.stopped != '\0')
        print_budget(sweep);
    printf("rows: %s/rows.jsonl\n", path);
    if (sweep->advice == NULL)
        printf("next: python3 plot/report.py %s\n", path);
}

static int run_all(struct sweep *sweep)
{
    sweep->began_ns = os_now_ns();
    progress_start(&sweep->progress, stderr, sweep->request->quiet, sweep->began_ns);
    check_host(sweep);
    int result = ready_links(sweep);
    if (result == EXIT_DONE)
        result = run_rows(sweep);
    else
        end_as(sweep, os_interrupted() ? "interrupted" : "failed", result);
    progress_end(&sweep->progress);
    fleets_stop(&sweep->fleets);
    fclose(sweep->output.rows);
    close_record(sweep, result);
    return result;
}

int sweep_run(struct sweep *sweep)
{
    os_interrupts_catch();
    if (check_programs(&sweep->cells, &sweep->fleets, &sweep->record.links, &sweep->error) != 0)
        return EXIT_WRONG_USE;
    if (os_interrupted())
        return EXIT_MEASURED_FAILURE;
    int result = open_directory(sweep);
    if (result != EXIT_DONE)
        return result;
    if (!sweep->request->quiet)
        sweep_announce(sweep, stderr);
    count_old_rows(sweep);
    result = run_all(sweep);
    bool ended_well = result == EXIT_DONE;
    if (ended_well && sweep->bad != 0)
        result = EXIT_MEASURED_FAILURE;
    else if (ended_well && sweep->good == 0)
        result = EXIT_MACHINE_CANNOT;
    struct rows rows;
    struct error unread = {0};
    if (rows_read(sweep->arena, sweep->output.path, &rows, &unread) != 0) {
        if (result != EXIT_DONE) /* what ended the sweep is the cause */
            return result;
        sweep->error = unread;
        return EXIT_MEASURED_FAILURE;
    }
    print_summary(sweep, &rows);
    if (sweep->advice != NULL && ended_well &&
        advice_conclude(sweep->advice, &rows, sweep->output.path, sweep->request->quiet,
                        &sweep->error) != 0)
        return EXIT_MEASURED_FAILURE;
    return result;
}
