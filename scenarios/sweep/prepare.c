/* From a request to a plan: scenarios, seed, cells and their order. A resumed sweep takes them from
 * its record, so its order stays the same; options that are given again must not differ. */
#include "scenarios/sweep/sweep.h"

#include <math.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"
#include "scenarios/sweep/check.h"

static int read_scenarios(struct sweep *sweep, struct record *record)
{
    const struct sweep_request *request = sweep->request;
    record->scenarios =
        arena_take(sweep->arena, request->scenario_count * sizeof(struct scenario *));
    for (unsigned i = 0; i < request->scenario_count; i++) {
        struct scenario *scenario =
            scenario_read(sweep->arena, request->scenario_paths[i], &sweep->error);
        if (scenario == NULL)
            return -1;
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(record->scenarios[j]->name, scenario->name) == 0)
                return error_set(&sweep->error, NULL, "%s and %s are both called %s; rename one",
                                 record->scenarios[j]->path, scenario->path, scenario->name);
        }
        record->scenarios[record->scenario_count++] = scenario;
    }
    return 0;
}

/* For --check with keys and no scenario: servers on hosts, with those keys. */
static int take_hosts(struct sweep *sweep)
{
    static const char text[] = "launcher = ssh\nservers = 200\n";
    struct record *record = &sweep->record;
    record->scenarios = arena_take(sweep->arena, sizeof(struct scenario *));
    record->scenarios[0] = scenario_parse(sweep->arena, "command line", text, &sweep->error);
    record->scenario_count = record->scenarios[0] != NULL;
    return record->scenarios[0] != NULL ? 0 : -1;
}

static int take_request(struct sweep *sweep)
{
    const struct sweep_request *request = sweep->request;
    if (request->scenario_count == 0 && !request->check)
        return error_set(&sweep->error, NULL,
                         "no scenario given; try scenarios/smoke.conf (--help lists more)");
    sweep->record.overrides = request->overrides_text;
    sweep->record.only = request->only == NULL ? "" : request->only;
    sweep->record.started_utc = record_time(sweep->arena, false);
    sweep->record.budget.minutes = request->budget_min;
    return request->scenario_count == 0 ? take_hosts(sweep) : read_scenarios(sweep, &sweep->record);
}

/* ---- resuming ---- */

static int compare_scenarios(struct sweep *sweep)
{
    struct record typed = {0};
    const struct record *recorded = &sweep->record;
    const char *resume = sweep->request->resume;
    if (read_scenarios(sweep, &typed) != 0)
        return -1;
    for (unsigned i = 0; i < typed.scenario_count || i < recorded->scenario_count; i++) {
        bool both = i < typed.scenario_count && i < recorded->scenario_count;
        if (!both || strcmp(typed.scenarios[i]->name, recorded->scenarios[i]->name) != 0)
            return error_set(&sweep->error, NULL,
                             "--resume=%s: it has other scenarios; remove them from the command, "
                             "they are recorded",
                             resume);
        if (strcmp(typed.scenarios[i]->text, recorded->scenarios[i]->text) != 0)
            return error_set(&sweep->error, NULL,
                             "%s has changed since %s was started; remove it from the command to "
                             "use the recorded one, or start a new sweep with --out",
                             typed.scenarios[i]->path, resume);
    }
    return 0;
}

/* Before anything is read of it. A directory without a record is not touched. */
static int lock_resumed(struct sweep *sweep)
{
    const struct sweep_request *request = sweep->request;
    sweep->output.path = request->resume;
    if (request->dry_run || request->check ||
        !file_is_readable(arena_text(sweep->arena, "%s/run.json", request->resume)))
        return 0;
    return output_dir_lock(sweep->arena, &sweep->output, "--resume", &sweep->error);
}

static int take_record(struct sweep *sweep)
{
    const struct sweep_request *request = sweep->request;
    const char *only = request->only == NULL ? "" : request->only;
    bool typed =
        request->scenario_count != 0 || *request->overrides_text != '\0' || request->only != NULL;
    if (request->out != NULL)
        return error_set(&sweep->error, NULL, "--out and --resume exclude each other");
    if (lock_resumed(sweep) != 0)
        return -1;
    if (record_read(sweep->arena, request->resume, &sweep->record, &sweep->error) != 0)
        return -1;
    if (request->scenario_count != 0 && compare_scenarios(sweep) != 0)
        return -1;
    if (typed && (strcmp(request->overrides_text, sweep->record.overrides) != 0 ||
                  strcmp(only, sweep->record.only) != 0))
        return error_set(&sweep->error, NULL,
                         "--resume=%s: it was started with other keys; remove them from the "
                         "command, they are recorded",
                         request->resume);
    return 0;
}

/* ---- the plan ---- */

/* The record has the overrides one a line. */
static int parse_overrides(struct sweep *sweep, struct overrides *overrides)
{
    const char *line = sweep->record.overrides;
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        const char *argument = arena_copy(sweep->arena, line, length);
        if (strchr(argument, '=') == NULL)
            return error_set(&sweep->error, NULL,
                             "--resume=%s: run.json has an override without \"=\"",
                             sweep->request->resume);
        if (override_parse(sweep->arena, argument, overrides, &sweep->error) != 0)
            return -1;
        line += length + (line[length] == '\n');
    }
    return 0;
}

int sweep_plan_cells(struct sweep *sweep)
{
    struct record *record = &sweep->record;
    sweep->fleets = (struct fleets){0};
    record->cpu_shares.count = 0;
    if (links_plan(sweep->arena, &sweep->cells, record->scenarios[0]->path, &record->links,
                   &sweep->error) != 0 ||
        launchers_plan(sweep->arena, &sweep->cells, record->scenarios[0]->path, &sweep->error) !=
            0 ||
        cpu_shares_plan(sweep->arena, &sweep->cells, &record->cpu_shares, &sweep->error) != 0)
        return -1;
    return fleets_plan(sweep->arena, &sweep->cells, &sweep->fleets, &sweep->error);
}

static int expand(struct sweep *sweep)
{
    struct record *record = &sweep->record;
    const char *only = *record->only == '\0' ? NULL : record->only;
    struct overrides overrides = {0};
    if (parse_overrides(sweep, &overrides) != 0 ||
        overrides_check(&overrides, record->scenarios, record->scenario_count, &sweep->error) != 0)
        return -1;
    for (unsigned i = 0; i < record->scenario_count; i++) {
        if (cells_expand(sweep->arena, record->scenarios[i], &overrides, only, &sweep->cells,
                         &sweep->error) != 0)
            return -1;
    }
    if (calibrations_take(sweep->arena, &sweep->cells, only, &record->calibrations,
                          &sweep->error) != 0)
        return -1;
    if (sweep->cells.count == 0 && record->calibrations.count == 0)
        return only == NULL ? error_set(&sweep->error, NULL, "repeat = 0 leaves out every section")
                            : error_set(&sweep->error, NULL,
                                        "--only=%s: no scenario given has this section", only);
    return sweep_plan_cells(sweep) == 0 ? sweep_plan_probes(sweep) : -1;
}

/* The given seed, or one from the clock that is short enough to type. */
static uint64_t find_seed(const struct cells *cells)
{
    for (unsigned i = 0; i < cells->count; i++) {
        if (cells->items[i]->seed != 0)
            return cells->items[i]->seed;
    }
    return os_wall_ns() / 1000 % 1000000000 + 1;
}

/* A resumed sweep may use the rest of its budget, or a new one. It finishes the rows that every
 * cell is due in any case. */
static void plan_time(struct sweep *sweep)
{
    const struct record *record = &sweep->record;
    double asked_min = sweep->request->budget_min;
    double left_min = asked_min > 0 ? asked_min : record->budget.minutes - record->actual_s / 60;
    sweep->further_ns = left_min > 0 ? (uint64_t)(left_min * 60 * OS_NS_PER_S) : 0;
    sweep->due_ns = asked_min > 0 ? sweep->further_ns : UINT64_MAX;
}

/* With a budget every cell is due a few repeats; the remaining time decides about more. */
static void plan_budget(struct sweep *sweep)
{
    struct budget *budget = &sweep->record.budget;
    for (unsigned i = 0; i < sweep->cells.count; i++) {
        struct cell *cell = sweep->cells.items[i];
        if (budget->minutes > 0 && cell->repeat > BUDGET_BLOCKS_MIN)
            cell->repeat = BUDGET_BLOCKS_MIN;
        if (cell->repeat > budget->blocks)
            budget->blocks = (unsigned)cell->repeat;
    }
    budget->stopped = "";
    if (budget->minutes > 0 || sweep->further_ns != 0)
        budget->samples = arena_take(sweep->arena, sweep->cells.count * sizeof *budget->samples);
}

static int plan(struct sweep *sweep)
{
    if (sweep->record.seed == 0)
        sweep->record.seed = find_seed(&sweep->cells);
    plan_time(sweep);
    if (advice_open(sweep->arena, &sweep->cells, &sweep->plan, sweep->record.seed, &sweep->advice,
                    &sweep->error) != 0)
        return -1;
    if (sweep->advice != NULL) {
        sweep->due_ns = UINT64_MAX; /* the search itself keeps to the budget */
        sweep->record.budget.stopped = "";
        return sweep->request->resume != NULL
                   ? 0
                   : advice_check_budget(sweep->advice, sweep_budget_s(sweep), &sweep->error);
    }
    plan_budget(sweep);
    if (!plan_make(sweep->arena, &sweep->cells, sweep->record.seed, &sweep->plan))
        return error_set(&sweep->error, NULL, "more than %d rows; fewer cells or repeats",
                         PLAN_ROWS_MAX);
    return 0;
}

static int mark_old_rows(struct sweep *sweep)
{
    struct rows *rows = &sweep->old_rows;
    if (rows_read(sweep->arena, sweep->output.path, rows, &sweep->error) != 0)
        return -1;
    if (sweep->advice != NULL)
        advice_resume(sweep->advice, rows);
    return rows_mark(sweep->arena, rows, sweep->output.path, &sweep->plan, &sweep->error);
}

/* ---- how long rows take ---- */

double sweep_budget_s(const struct sweep *sweep)
{
    return sweep->further_ns == 0 ? INFINITY : (double)sweep->further_ns / OS_NS_PER_S;
}

double sweep_left_s(const struct sweep *sweep)
{
    return sweep_budget_s(sweep) - (double)(os_now_ns() - sweep->began_ns) / OS_NS_PER_S;
}

double sweep_expected_s(const struct sweep *sweep, unsigned first_row)
{
    double seconds = calibrations_left_s(&sweep->record.calibrations);
    for (unsigned i = first_row; i < sweep->plan.count; i++) {
        if (!sweep->plan.rows[i].done)
            seconds += cell_row_s(sweep->plan.rows[i].cell);
    }
    return seconds;
}

static const char *default_directory(struct sweep *sweep)
{
    const char *path = "results/";
    for (unsigned i = 0; i < sweep->record.scenario_count; i++)
        path = arena_text(sweep->arena, "%s%s-", path, sweep->record.scenarios[i]->name);
    return arena_text(sweep->arena, "%s%s", path, record_time(sweep->arena, true));
}

int sweep_prepare(struct sweep *sweep)
{
    const char *resume = sweep->request->resume;
    if ((resume == NULL ? take_request(sweep) : take_record(sweep)) != 0 || expand(sweep) != 0 ||
        plan(sweep) != 0)
        return error_exit_code(&sweep->error);
    sweep->output.path = resume != NULL                ? resume
                         : sweep->request->out != NULL ? sweep->request->out
                                                       : default_directory(sweep);
    if (resume != NULL && mark_old_rows(sweep) != 0)
        return error_exit_code(&sweep->error);
    sweep->record.budget.cells = &sweep->cells;
    sweep->record.estimated_s = sweep_expected_s(sweep, 0) +
                                links_check_seconds(&sweep->record.links) +
                                cpu_shares_check_seconds(&sweep->record.cpu_shares);
    return EXIT_DONE;
}
