/* Running a plan.
 *
 *   ask the programs (--dry-run) -> make the directory -> record "running"
 *        -> check the host -> calibrate -> measure the links and the shares of a processor
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

#define PAUSE_SLICE_NS ((uint64_t)50 * OS_NS_PER_MS)
#define PLAIN_LINE_NS  ((uint64_t)30 * OS_NS_PER_S) /* between lines that are not redrawn */

static unsigned rows_written(const struct sweep *sweep)
{
    return sweep->ends[RUN_GOOD] + sweep->ends[RUN_BAD] + sweep->ends[RUN_SKIPPED];
}

void sweep_show(struct sweep *sweep, uint64_t now_ns, const char *what, double share_done,
                double left_s)
{
    if (sweep->progress.terminal || now_ns - sweep->progress.drawn_ns >= PLAIN_LINE_NS)
        progress_show(&sweep->progress, now_ns, what, share_done, (uint64_t)(left_s * OS_NS_PER_S));
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
    sweep_show(sweep, now_ns,
               arena_text(&arena, "row %u/%u  %s", written + 1, expected,
                          cell_title(&arena, sweep->row->cell)),
               (double)written / expected, left_s);
    arena_free(&arena);
}

static void pause_for(uint64_t duration_ns)
{
    uint64_t end_ns = os_now_ns() + duration_ns, now_ns;
    while ((now_ns = os_now_ns()) < end_ns && !os_interrupted())
        os_sleep_ns(end_ns - now_ns < PAUSE_SLICE_NS ? end_ns - now_ns : PAUSE_SLICE_NS);
}

/* What follows from the loss of a host. Fewer hosts are another cell, so it is the scenario that
 * wants to go on with them. */
static int after_loss(struct sweep *sweep, struct fleet *fleet, const char *lost)
{
    if (strcmp(fleet->cell->on_host_loss, "continue") == 0) {
        fleet_leave_lost(sweep->arena, fleet);
        progress_say(&sweep->progress, "%s; the sweep goes on without it", lost);
        return EXIT_DONE;
    }
    error_set(&sweep->error, NULL,
              "%s; the sweep ends here (on-host-loss = stop): --resume=%s goes on when the host is "
              "back",
              lost, sweep->output.path);
    return EXIT_MACHINE_CANNOT;
}

static int start_fleet(struct sweep *sweep, struct fleet *fleet)
{
    const bool runs = fleet->running;
    int result = fleet_start(sweep->arena, fleet, sweep->output.path, &sweep->error);
    if (result != EXIT_DONE || runs || fleet->hosts == NULL)
        return result;
    fleet_note_hosts(sweep->arena, fleet, &sweep->record.hosts);
    return sweep_write_record(sweep, &sweep->error);
}

static int ready_fleet(struct sweep *sweep, struct fleet *fleet)
{
    int exit_code;
    const char *name, *lost;
    if (fleet == NULL)
        return EXIT_DONE;
    lost = fleet_lost_host(sweep->arena, fleet, false, &name);
    if (lost != NULL && after_loss(sweep, fleet, lost) != EXIT_DONE)
        return EXIT_MACHINE_CANNOT;
    if (fleet_has_ended(fleet, 0, &exit_code))
        progress_say(&sweep->progress, "the servers ended (%s); restarting them",
                     fleet_ending(sweep->arena, fleet, exit_code));
    return start_fleet(sweep, fleet);
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

/* *loss: EXIT_DONE, or how the sweep ends as a host was lost. */
static enum run_end run_one(struct sweep *sweep, struct plan_row *row, int *loss)
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
    sweep->ends[result.end]++;
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
    if (result.end == RUN_UNWRITTEN)
        error_set(&sweep->error, NULL, "%s, then --resume=%s", result.reason, sweep->output.path);
    row->done = result.end != RUN_INTERRUPTED && result.end != RUN_UNWRITTEN;
    if (row->done && result.host_lost != NULL)
        *loss = after_loss(sweep, row->cell->fleet, result.host_lost);
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
        int loss = EXIT_DONE;
        enum run_end end = run_one(sweep, row, &loss);
        if (end == RUN_INTERRUPTED)
            return end_as(sweep, "interrupted", EXIT_MEASURED_FAILURE);
        if (end == RUN_UNWRITTEN)
            return end_as(sweep, "failed", EXIT_MACHINE_CANNOT);
        if (loss != EXIT_DONE)
            return end_as(sweep, "failed", loss);
    }
    return end_as(sweep, "done", EXIT_DONE);
}

int sweep_write_record(struct sweep *sweep, struct error *error)
{
    struct record *record = &sweep->record;
    record->rows_planned = sweep->plan.count;
    record->rows_written = rows_written(sweep);
    record->budget.further = sweep->plan.count - sweep->plan.due;
    return record_write(sweep->arena, record, sweep->output.path, error) == 0 ? EXIT_DONE
                                                                              : EXIT_MACHINE_CANNOT;
}

/* Before the first fleet starts, so that nothing of the sweep disturbs the measurement. Cells whose
 * link is unavailable need other fleets than planned. */
static int ready_links_and_shares(struct sweep *sweep)
{
    const double later_s = sweep_expected_s(sweep, 0);
    int result = links_check(sweep->arena, &sweep->record.links, sweep->output.path,
                             &sweep->progress, later_s, &sweep->error);
    if (result == EXIT_DONE)
        result = cpu_shares_check(sweep->arena, &sweep->record.cpu_shares, sweep->output.path,
                                  &sweep->progress, later_s);
    if (result != EXIT_DONE)
        return result;
    links_fall_back(&sweep->cells);
    cpu_shares_fall_back(&sweep->cells);
    cells_skip_twins(sweep->arena, &sweep->cells);
    sweep->fleets = (struct fleets){0};
    if (fleets_plan(sweep->arena, &sweep->cells, &sweep->fleets, &sweep->error) != 0)
        return EXIT_WRONG_USE;
    return sweep_write_record(sweep, &sweep->error);
}

static void remove_old_groups(struct sweep *sweep)
{
    const char *left = cpu_groups_clean(sweep->arena, "");
    if (left != NULL)
        progress_say(&sweep->progress, "warning: control group of a killed sweep: %s", left);
}

/* A noisy machine makes results less precise, not wrong: so a warning is enough. */
static void check_host(struct sweep *sweep)
{
    struct host_check *check = arena_take(sweep->arena, sizeof *check);
    *check = host_check_of(sweep->arena, &sweep->fleets, HOST_CHECK_QUICK_MS);
    struct error error;
    if (host_check_run(check, &error) != 0) {
        progress_say(&sweep->progress, "warning: no host check: %s", error.text);
        return;
    }
    sweep->record.host_check = check;
    if (host_check_count(check, LEVEL_NOISY) != 0)
        progress_say(&sweep->progress,
                     "warning: this machine makes results noisy: %s (details: fanin-sweep --check)",
                     host_check_names(check));
}

/* ---- before and after ---- */

static int open_directory(struct sweep *sweep)
{
    struct record *record = &sweep->record;
    if (sweep->request->resume == NULL &&
        output_dir_make(sweep->arena, &sweep->output, &sweep->error) != 0)
        return error_exit_code(&sweep->error);
    sweep->output.rows_path = arena_text(sweep->arena, "%s/rows.jsonl", sweep->output.path);
    sweep->output.rows =
        output_dir_open_rows(sweep->arena, sweep->output.path, &sweep->old_rows, &sweep->error);
    if (sweep->output.rows == NULL)
        return EXIT_MACHINE_CANNOT;
    record->command_line = sweep->request->command_line;
    record->state = "running";
    record->sessions++;
    int result = sweep_write_record(sweep, &sweep->error);
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
        sweep->ends[run_end_of_line(sweep->arena, line, row->cell)]++;
        budget_note(sweep->arena, &sweep->record.budget, row->cell_index, line);
    }
}

/* Returns the sweep's exit code: without a record of its end it has not ended well. */
static int close_record(struct sweep *sweep, int exit_code)
{
    struct record *record = &sweep->record;
    struct error error;
    plan_trim(&sweep->plan);
    record->ended_utc = record_time(sweep->arena, false);
    record->actual_s += (double)(os_now_ns() - sweep->began_ns) / OS_NS_PER_S;
    if (record->budget.samples != NULL && exit_code != EXIT_DONE)
        record->budget.stopped = record->state;
    else if (record->budget.samples != NULL && *record->budget.stopped == '\0')
        record->budget.stopped = BUDGET_STOP_TIME; /* resumed with nothing left of it */
    if (sweep_write_record(sweep, &error) == EXIT_DONE)
        return exit_code;
    fprintf(stderr, "fanin-sweep: %s\n", error.text);
    return exit_code == EXIT_DONE ? EXIT_MACHINE_CANNOT : exit_code;
}

static int run_all(struct sweep *sweep)
{
    sweep->began_ns = os_now_ns();
    progress_start(&sweep->progress, stderr, sweep->request->quiet, sweep->began_ns);
    if (sweep->output.lock_path == NULL)
        progress_say(&sweep->progress,
                     "warning: the file system of %s has no locks; run no second sweep there",
                     sweep->output.path);
    check_host(sweep);
    remove_old_groups(sweep);
    int result = sweep_calibrate(sweep);
    if (result == EXIT_DONE)
        result = ready_links_and_shares(sweep);
    if (result == EXIT_DONE)
        result = run_rows(sweep);
    else
        end_as(sweep, os_interrupted() ? "interrupted" : "failed", result);
    progress_end(&sweep->progress);
    fleets_stop(&sweep->fleets);
    cpu_shares_close(&sweep->record.cpu_shares);
    fclose(sweep->output.rows);
    return close_record(sweep, result);
}

static bool any_failed(const struct calibrations *calibrations)
{
    bool failed = false;
    for (unsigned i = 0; i < calibrations->count; i++)
        failed = failed || calibrations->items[i]->status == CALIBRATION_FAILED;
    return failed;
}

int sweep_run(struct sweep *sweep)
{
    os_interrupts_catch();
    int result = sweep_check_programs(sweep);
    if (result != EXIT_DONE)
        return result;
    if (os_interrupted())
        return EXIT_MEASURED_FAILURE;
    count_old_rows(sweep);
    result = open_directory(sweep);
    if (result != EXIT_DONE)
        return result;
    if (!sweep->request->quiet)
        sweep_announce(sweep, stderr);
    result = run_all(sweep);
    bool ended_well = result == EXIT_DONE;
    if (ended_well && (sweep->ends[RUN_BAD] != 0 || any_failed(&sweep->record.calibrations)))
        result = EXIT_MEASURED_FAILURE;
    else if (ended_well && sweep->plan.count != 0 && sweep->ends[RUN_GOOD] == 0)
        result = EXIT_MACHINE_CANNOT;
    struct rows rows;
    struct error unread = {0};
    if (rows_read(sweep->arena, sweep->output.path, &rows, &unread) != 0) {
        if (result != EXIT_DONE) /* what ended the sweep is the cause */
            return result;
        sweep->error = unread;
        return EXIT_MEASURED_FAILURE;
    }
    sweep_print_end(sweep, &rows);
    if (sweep->advice != NULL && ended_well &&
        advice_conclude(sweep->advice, &rows, sweep->output.path, sweep->request->quiet,
                        &sweep->error) != 0)
        return EXIT_MEASURED_FAILURE;
    return result;
}
