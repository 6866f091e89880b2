/* Calibrations: sections that find the value of a key at which a figure is what it shall be. Other
 * cells of their scenario take the value with "KEY = =[SECTION]". */
#ifndef FANIN_CALIBRATION_H
#define FANIN_CALIBRATION_H

#include "base/json.h"
#include "scenarios/sweep/cell.h"
#include "scenarios/sweep/crossing.h"
#include "scenarios/sweep/plan.h"

#define LABEL_CALIBRATION "calibration" /* label of its rows */

enum calibration_status {
    CALIBRATION_OPEN, /* it is to be run */
    CALIBRATION_OK,
    CALIBRATION_FAILED,      /* its runs do not give the value */
    CALIBRATION_UNAVAILABLE, /* this machine lacks what its runs need */
};

struct calibration {
    const char *scenario, *name; /* of the file; "[SECTION]" */
    struct cell *cell;           /* what it runs, but for the factor */
    struct crossing crossing;

    /* What it came to; texts NULL and numbers NAN where there is none. */
    enum calibration_status status;
    const char *value; /* of the key; NULL: not found */
    struct crossing_estimate estimate;
    unsigned runs;      /* rows that it left */
    const char *reason; /* why it is not ok */

    double asked; /* the factor of the run that was last asked for */
    unsigned bad_runs;
};

struct calibrations {
    struct calibration **items;
    unsigned count;
};

/* calibrations_take: takes the cells of calibrations out of `cells`; those that are neither `only`
 * (as of cells_expand) nor needed by what is are dropped. In `calibrations` may be what a record
 * holds. Cells get the values that are known, and values that stand for the others. 0, or -1 with
 * an error. */
int calibrations_take(struct arena *arena, struct cells *cells, const char *only,
                      struct calibrations *calibrations, struct error *error);

/* calibrations_bind: gives the values to the cells whose keys they set. A cell without its value
 * loses the key and gets the reason. What was planned for cells that take values is gone. 0, or -1
 * with an error. */
int calibrations_bind(struct arena *arena, const struct calibrations *calibrations,
                      const struct cells *cells, struct error *error);

/* calibration_cell: what it runs with this number of its factor, rounded to *number. NULL with an
 * error. */
struct cell *calibration_cell(struct arena *arena, const struct calibration *calibration,
                              double *number, struct error *error);

/* calibration_trial: the cell of the next run; NULL: it has ended, and the status says how. */
struct cell *calibration_trial(struct arena *arena, struct calibration *calibration,
                               struct error *error);

/* calibration_note: the figure of that run; NAN: the run failed, for this reason. */
void calibration_note(struct arena *arena, struct calibration *calibration, double figure,
                      const char *reason);

/* calibration_end: it cannot go on. */
void calibration_end(struct calibration *calibration, enum calibration_status status,
                     const char *reason);

/* calibration_words: the result in one line. */
const char *calibration_words(struct arena *arena, const struct calibration *calibration);

/* calibration_runs_expected: how many runs it is likely to take in all. */
unsigned calibration_runs_expected(const struct calibration *calibration);

/* calibrations_left_s: the expected seconds of the runs that are left. */
double calibrations_left_s(const struct calibrations *calibrations);

/* calibrations_write and calibrations_read: "calibrations" of the record: those that have ended.
 * calibrations_read: 0, or -1 with an error. */
void calibrations_write(struct json *json, const struct calibrations *calibrations);
int calibrations_read(struct arena *arena, const char *record, const struct place *place,
                      struct calibrations *calibrations, struct error *error);

#endif
