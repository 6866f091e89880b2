/* Runs the calibrations of a sweep, before its rows.
 *
 *   for each calibration that has not ended:
 *        next factor -> its fleet up, others down -> run -> its figure -> ... -> value, or why not
 *        -> the cells that take it get it -> record
 *
 * Their rows go to calibration.jsonl, and what their programs say to calibration/log. A calibration
 * that was interrupted has left no value in the record, so a resume runs it from its start. */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/json_read.h"
#include "base/options.h"
#include "scenarios/sweep/check.h"
#include "scenarios/sweep/sweep.h"

struct trials {
    struct sweep *sweep;
    struct output_dir output;
    struct fleets fleets;
    unsigned rows; /* written so far, by all calibrations */

    struct calibration *calibration;
    const struct cell *cell; /* of the run */
    uint64_t began_ns;
};

/* ---- before anything runs ---- */

/* What runs at both ends of each range and in its middle: the programs are asked about these. */
int sweep_plan_probes(struct sweep *sweep)
{
    struct record *record = &sweep->record;
    struct links links = {0};
    struct cpu_shares shares = {0};
    struct cells *probes = &sweep->probes;
    for (unsigned i = 0; i < record->calibrations.count; i++) {
        const struct calibration *calibration = record->calibrations.items[i];
        for (unsigned k = 0; k < 3 && calibration->status == CALIBRATION_OPEN; k++) {
            double factor = pow(calibration->crossing.from, (2 - k) / 2.0) *
                            pow(calibration->crossing.to, k / 2.0);
            struct cell *probe =
                calibration_cell(sweep->arena, calibration, &factor, &sweep->error);
            if (probe == NULL)
                return -1;
            probes->items =
                arena_grow(sweep->arena, probes->items, probes->count, sizeof(struct cell *));
            probes->items[probes->count++] = probe;
        }
    }
    if (links_plan(sweep->arena, probes, record->scenarios[0]->path, &links, &sweep->error) != 0 ||
        launchers_plan(sweep->arena, probes, record->scenarios[0]->path, &sweep->error) != 0 ||
        cpu_shares_plan(sweep->arena, probes, &shares, &sweep->error) != 0)
        return -1;
    sweep->probe_links = links;
    return fleets_plan(sweep->arena, probes, &sweep->probe_fleets, &sweep->error);
}

int sweep_check_programs(struct sweep *sweep)
{
    int result = check_programs(&sweep->cells, &sweep->fleets, &sweep->record.links, &sweep->error);
    return result == EXIT_DONE ? check_programs(&sweep->probes, &sweep->probe_fleets,
                                                &sweep->probe_links, &sweep->error)
                               : result;
}

/* ---- the rows ---- */

/* Cuts off the rows of a calibration that has not ended. The offset, or -1 with errno. */
static off_t kept_bytes(struct arena *arena, const char *path, unsigned rows)
{
    enum { BYTES_MAX = 1 << 28 };
    size_t bytes, kept = 0;
    const char *text = arena_file(arena, path, BYTES_MAX, &bytes);
    if (text == NULL)
        return errno == ENOENT && rows == 0 ? 0 : -1;
    for (; rows > 0; rows--) {
        const char *newline = memchr(text + kept, '\n', bytes - kept);
        if (newline == NULL)
            break;
        kept = (size_t)(newline + 1 - text);
    }
    return (off_t)kept;
}

static int open_rows(struct trials *trials)
{
    struct sweep *sweep = trials->sweep;
    struct arena *arena = sweep->arena;
    struct place place = {.file = arena_text(arena, "%s/calibration.jsonl", sweep->output.path)};
    const char *path = arena_text(arena, "%s/calibration", sweep->output.path);
    const struct calibrations *calibrations = &sweep->record.calibrations;
    for (unsigned i = 0; i < calibrations->count; i++)
        trials->rows += calibrations->items[i]->runs;
    const off_t kept = kept_bytes(arena, place.file, trials->rows);
    if (kept < 0 || (file_is_readable(place.file) && truncate(place.file, kept) != 0)) {
        error_system(&sweep->error, &place, errno, "cannot continue it");
        return EXIT_MACHINE_CANNOT;
    }
    int code = os_directory_make(path);
    if (code == 0)
        code = os_directory_make(arena_text(arena, "%s/log", path));
    FILE *rows = code == 0 ? fopen(place.file, "ab") : NULL;
    if (code == 0 && rows == NULL)
        code = -errno;
    if (code != 0) {
        error_system(&sweep->error, &place, -code, "cannot write");
        return EXIT_MACHINE_CANNOT;
    }
    trials->output = (struct output_dir){.path = path, .rows = rows, .rows_path = place.file};
    return EXIT_DONE;
}

/* ---- one run ---- */

static void tick(void *context)
{
    struct trials *trials = context;
    struct sweep *sweep = trials->sweep;
    struct arena arena = {0};
    const struct calibration *calibration = trials->calibration;
    const uint64_t now_ns = os_now_ns();
    const unsigned expected = calibration_runs_expected(calibration);
    const double spent_s = (double)(now_ns - trials->began_ns) / OS_NS_PER_S;
    const double row_s = cell_row_s(calibration->cell);
    const double left_s = sweep_expected_s(sweep, 0) + links_check_seconds(&sweep->record.links) -
                          (spent_s < row_s ? spent_s : row_s);
    sweep_show(sweep, now_ns,
               arena_text(&arena, "calibration %s run %u/%u  %s", calibration->name,
                          calibration->runs + 1, expected, trials->cell->name),
               (double)calibration->runs / expected, left_s);
    arena_free(&arena);
}

/* The share of a processor, if the cell asks for one. That of the first run is measured. */
static int plan_share(struct trials *trials, struct cell *trial)
{
    struct sweep *sweep = trials->sweep;
    struct cpu_shares *shares = &sweep->record.cpu_shares;
    const struct cpu_shares listed = *shares;
    int result = EXIT_DONE;
    trial->cpu_share = cpu_share_of(sweep->arena, shares, trial, &sweep->error);
    if (trial->cpu_share == NULL)
        return sweep->error.text[0] == '\0' ? EXIT_DONE : EXIT_WRONG_USE;
    cpu_shares_open(sweep->arena, shares, sweep->output.path);
    if (shares->group.by == NULL) {
        calibration_end(trials->calibration, CALIBRATION_UNAVAILABLE, shares->group.reason);
        return EXIT_DONE;
    }
    if (trials->calibration->runs == 0) {
        shares->items = &trial->cpu_share;
        shares->count = 1;
        result = cpu_shares_check(sweep->arena, shares, sweep->output.path, &sweep->progress,
                                  sweep_expected_s(sweep, 0));
        shares->items = listed.items;
        shares->count = listed.count;
    }
    if (trial->cpu_share->status == CPU_SHARE_UNAVAILABLE)
        calibration_end(trials->calibration, CALIBRATION_UNAVAILABLE, trial->cpu_share->reason);
    return result;
}

/* The link and the fleet of the run's cell. A link that every run has is measured first, with
 * nothing of ours running; that of a run alone is not, as it would take longer than the run. */
static int plan_trial(struct trials *trials, struct cell *trial)
{
    struct sweep *sweep = trials->sweep;
    struct cells one = {&trial, 1};
    if (links_plan(sweep->arena, &one, sweep->record.scenarios[0]->path, &sweep->record.links,
                   &sweep->error) != 0 ||
        launchers_plan(sweep->arena, &one, sweep->record.scenarios[0]->path, &sweep->error) != 0)
        return EXIT_WRONG_USE;
    if (trial->link != NULL && trial->link->status == LINK_UNKNOWN &&
        strcmp(trial->factor->key, "rtt") != 0) {
        const struct links links = {&trial->link, 1};
        int result = links_check(sweep->arena, &links, sweep->output.path, &sweep->progress,
                                 sweep_expected_s(sweep, 0), &sweep->error);
        if (result != EXIT_DONE)
            return result;
    }
    if (trial->link != NULL && trial->link->status == LINK_UNAVAILABLE)
        calibration_end(
            trials->calibration, CALIBRATION_UNAVAILABLE,
            arena_text(sweep->arena, "link %s: %s", trial->link->name, trial->link->reason));
    return fleets_plan(sweep->arena, &one, &trials->fleets, &sweep->error) == 0 ? EXIT_DONE
                                                                                : EXIT_WRONG_USE;
}

/* A fleet that does not depend on the factor serves all runs. */
static int ready_fleet(struct trials *trials, struct fleet *fleet)
{
    struct sweep *sweep = trials->sweep;
    int exit_code;
    for (unsigned i = 0; i < trials->fleets.count; i++) {
        if (trials->fleets.items[i] != fleet)
            fleet_stop(trials->fleets.items[i]);
    }
    if (fleet == NULL)
        return EXIT_DONE;
    fleet_has_ended(fleet, 0, &exit_code);
    int result = fleet_start(sweep->arena, fleet, trials->output.path, &sweep->error);
    if (result == EXIT_MACHINE_CANNOT && fleet->link != NULL) {
        calibration_end(trials->calibration, CALIBRATION_UNAVAILABLE,
                        arena_text(sweep->arena, "link %s: %s", fleet->link->name,
                                   fleet_last_words(sweep->arena, fleet)));
        sweep->error = (struct error){0};
        return EXIT_DONE;
    }
    return result;
}

static int note_result(struct trials *trials, const struct run_result *result)
{
    struct sweep *sweep = trials->sweep;
    struct calibration *calibration = trials->calibration;
    const char *reason = result->reason == NULL || *result->reason == '\0'
                             ? "the row has none"
                             : arena_text(sweep->arena, "%s", result->reason);
    double figure = NAN;
    if (result->end == RUN_INTERRUPTED)
        return EXIT_MEASURED_FAILURE;
    if (result->end == RUN_UNWRITTEN) {
        error_set(&sweep->error, NULL, "%s, then --resume=%s", result->reason, sweep->output.path);
        return EXIT_MACHINE_CANNOT;
    }
    calibration->runs++;
    trials->rows++;
    if (result->end == RUN_SKIPPED) {
        calibration_end(calibration, CALIBRATION_UNAVAILABLE, reason);
        return EXIT_DONE;
    }
    if (result->end == RUN_GOOD && result->object != NULL)
        json_find_number(result->object, trials->cell->metric, &figure);
    calibration_note(sweep->arena, calibration, figure, reason);
    return EXIT_DONE;
}

static int run_trial(struct trials *trials, struct cell *trial)
{
    struct arena arena = {0};
    struct calibration *calibration = trials->calibration;
    int result = plan_trial(trials, trial);
    if (result == EXIT_DONE && calibration->status == CALIBRATION_OPEN)
        result = plan_share(trials, trial);
    if (result == EXIT_DONE && calibration->status == CALIBRATION_OPEN && !os_interrupted())
        result = ready_fleet(trials, trial->fleet);
    if (os_interrupted())
        return EXIT_MEASURED_FAILURE;
    if (result != EXIT_DONE || calibration->status != CALIBRATION_OPEN)
        return result;
    const struct plan_row row = {
        .cell = trial, .repeat = calibration->runs + 1, .order = trials->rows + 1};
    struct pace *pace = &calibration->cell->pace;
    trials->cell = trial;
    tick(trials);
    struct run_result ran = run_row(&arena, &trials->output, &row, trials->began_ns, tick, trials);
    result = note_result(trials, &ran);
    pace->sum_s += (double)(os_now_ns() - trials->began_ns) / OS_NS_PER_S;
    pace->count++;
    arena_free(&arena);
    return result;
}

static int run_calibration(struct trials *trials, struct calibration *calibration)
{
    struct sweep *sweep = trials->sweep;
    struct cell *trial;
    trials->calibration = calibration;
    for (;;) {
        trials->began_ns = os_now_ns();
        trial = calibration_trial(sweep->arena, calibration, &sweep->error);
        if (trial == NULL)
            break;
        int result = run_trial(trials, trial);
        if (result != EXIT_DONE)
            return result;
    }
    fleets_stop(&trials->fleets);
    progress_say(&sweep->progress, "%s", calibration_words(sweep->arena, calibration));
    if (calibrations_bind(sweep->arena, &sweep->record.calibrations, &sweep->cells,
                          &sweep->error) != 0)
        return EXIT_WRONG_USE;
    return sweep_write_record(sweep, &sweep->error);
}

/* ---- all of them ---- */

int sweep_calibrate(struct sweep *sweep)
{
    struct record *record = &sweep->record;
    struct calibrations *calibrations = &record->calibrations;
    struct trials trials = {.sweep = sweep};
    int result = EXIT_DONE;
    for (unsigned i = 0; i < calibrations->count && result == EXIT_DONE; i++) {
        if (calibrations->items[i]->status != CALIBRATION_OPEN)
            continue;
        if (trials.output.rows == NULL)
            result = open_rows(&trials);
        if (result == EXIT_DONE)
            result = run_calibration(&trials, calibrations->items[i]);
    }
    fleets_stop(&trials.fleets);
    if (trials.output.rows != NULL)
        fclose(trials.output.rows);
    if (result != EXIT_DONE)
        return result;
    if (sweep_plan_cells(sweep) != 0)
        return EXIT_WRONG_USE;
    links_prune(&record->links, &sweep->cells);
    return EXIT_DONE;
}
