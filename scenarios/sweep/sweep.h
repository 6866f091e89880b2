/* A sweep: scenarios in, rows out. */
#ifndef FANIN_SWEEP_H
#define FANIN_SWEEP_H

#include "base/progress.h"
#include "scenarios/sweep/advice.h"
#include "scenarios/sweep/budget.h"
#include "scenarios/sweep/fleet.h"
#include "scenarios/sweep/plan.h"
#include "scenarios/sweep/record.h"
#include "scenarios/sweep/output_dir.h"
#include "scenarios/sweep/run.h"

/* What the command line asks for. */
struct sweep_request {
    char **scenario_paths;
    unsigned scenario_count;
    const char *overrides_text; /* one a line, "" for none */
    const char *command_line;
    const char *only; /* "" for all sections; NULL where not given, like the next five */
    const char *out, *resume;
    const char *repeat, *seed, *precision;
    double budget_min; /* minutes; 0: none */
    const char *json;  /* of --check; NULL where not given */
    uint64_t spin_ms;  /* 0: a sweep, and not a bare loop */
    bool check, dry_run, quiet;
};

struct sweep {
    struct arena *arena;
    const struct sweep_request *request;
    struct error error;
    struct record record;
    struct cells cells;
    struct fleets fleets;
    struct cells probes; /* of the calibrations, for sweep_check_programs */
    struct links probe_links;
    struct fleets probe_fleets;
    struct plan plan;
    struct advice *advice; /* NULL: the sweep is no search */
    struct rows old_rows;  /* of a sweep that is resumed */
    uint64_t due_ns;       /* for the rows that every cell is due; UINT64_MAX: no limit */
    uint64_t further_ns;   /* for further rows, from the same begin; 0: none are run */
    uint64_t began_ns;     /* set by sweep_run */
    struct output_dir output;
    struct progress progress;
    unsigned ends[RUN_UNWRITTEN + 1]; /* rows by how they ended */

    /* Of the row that runs, for the progress line. */
    const struct plan_row *row;
    uint64_t row_began_ns;
    double left_s; /* of the rows behind it */
};

/* sweep_prepare: from the request to cells, fleets and order; reads the scenarios, or locks and
 * reads the record of the sweep to be resumed. Starts nothing. EXIT_DONE, or EXIT_WRONG_USE with an
 * error. */
int sweep_prepare(struct sweep *sweep);

/* sweep_plan_cells: links and fleets of the cells. sweep_plan_probes: of what the calibrations are
 * going to run. 0, or -1 with an error. */
int sweep_plan_cells(struct sweep *sweep);
int sweep_plan_probes(struct sweep *sweep);

/* sweep_check_programs: check_programs for the cells and the calibrations. */
int sweep_check_programs(struct sweep *sweep);

/* sweep_calibrate: runs the calibrations that have not ended, with progress on standard error,
 * gives the cells their values and plans them anew. EXIT_DONE, also when a calibration failed;
 * EXIT_WRONG_USE or EXIT_MACHINE_CANNOT with an error; interrupted, EXIT_MEASURED_FAILURE. */
int sweep_calibrate(struct sweep *sweep);

/* sweep_write_record: run.json, as the sweep stands. EXIT_DONE, or EXIT_MACHINE_CANNOT with an
 * error. */
int sweep_write_record(struct sweep *sweep, struct error *error);

/* sweep_budget_s: in seconds; INFINITY where there is none. sweep_left_s: what is left of it, which
 * may be negative. */
double sweep_budget_s(const struct sweep *sweep);
double sweep_left_s(const struct sweep *sweep);

/* sweep_expected_s: what the rows that are not done are expected to take, from what was measured
 * so far. */
double sweep_expected_s(const struct sweep *sweep, unsigned first_row);

/* sweep_show: the progress of a run that is under way; on no terminal a line now and then. */
void sweep_show(struct sweep *sweep, uint64_t now_ns, const char *what, double share_done,
                double left_s);

/* sweep_print_cells: each cell, its repeats and the seconds they are expected to take. */
void sweep_print_cells(const struct sweep *sweep, FILE *out);

/* sweep_announce: one line: cells, rows, expected time, seed, directory; before it one for each key
 * that may not mean what it looks like. */
void sweep_announce(const struct sweep *sweep, FILE *out);

/* sweep_print_end: on standard error what is missing, on standard output, unless it is quiet, how
 * many `rows` there are by status and why rows failed or were skipped. */
void sweep_print_end(struct sweep *sweep, const struct rows *rows);

/* sweep_run: runs the rows that are not done, with progress on standard error and a summary on
 * standard output. Returns the program's exit code; the caller prints the error, if any. */
int sweep_run(struct sweep *sweep);

#endif
