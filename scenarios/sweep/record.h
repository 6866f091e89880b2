/* run.json: what was run, on what, by which command: written when a sweep starts and again when it
 * ends, and read when it is resumed. */
#ifndef FANIN_RECORD_H
#define FANIN_RECORD_H

#include "scenarios/sweep/budget.h"
#include "scenarios/sweep/calibration.h"
#include "scenarios/sweep/cpu_share.h"
#include "scenarios/sweep/host_check.h"

struct record {
    const char *command_line;
    const char *overrides; /* one a line, as typed without the dashes */
    const char *only;      /* "" for all sections */
    uint64_t seed;
    struct scenario **scenarios;
    unsigned scenario_count;
    struct links links;
    struct cpu_shares cpu_shares;
    struct calibrations calibrations;
    struct host_records hosts;
    const struct host_check *host_check; /* of the last session; NULL: none yet, or it failed */

    struct budget budget; /* its cells are always set */

    const char *state; /* "running", "done", "interrupted", "out of time", "failed" */
    const char *started_utc, *ended_utc; /* ISO 8601; ended NULL while it runs */
    unsigned rows_planned, rows_written;
    double estimated_s, actual_s; /* actual: of all sessions of a resumed sweep together */
    unsigned sessions;            /* 1, and one more for each resume */
};

/* record_write: replaces DIR/run.json. 0, or -1 with an error. */
int record_write(struct arena *arena, const struct record *record, const char *directory,
                 struct error *error);

/* record_read: what a resume needs of DIR/run.json: overrides, only, seed, scenarios (parsed),
 * links, calibrations, hosts, budget.minutes, started_utc, actual_s, sessions. 0, or -1 with an
 * error. */
int record_read(struct arena *arena, const char *directory, struct record *record,
                struct error *error);

/* record_commit: of this program. */
const char *record_commit(void);

/* record_time: now, as ISO 8601 in UTC; `compact`: as a file's name may hold it. */
char *record_time(struct arena *arena, bool compact);

#endif
