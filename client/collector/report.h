/* Where a run's outcome goes: the row to --json, the summary to standard output, one line to
 * standard error, and an exit code. The same for every program that writes rows. */
#ifndef FANIN_COLLECTOR_REPORT_H
#define FANIN_COLLECTOR_REPORT_H

#include <stdio.h>

#include "client/collector/row.h"

struct report {
    const char *program;
    const struct collector_options *options;
    FILE *json; /* NULL: none is wanted */
};

/* report_open: opens --json before anything runs, so that a run is not lost to a wrong path. 0, or
 * an exit code after one line on standard error. A dry run opens nothing. */
int report_open(struct report *report, const char *program,
                const struct collector_options *options);

/* report_close: writes everything and closes. Returns the exit code that the row asks for, or 1
 * after one line on standard error if the row could not be written. */
int report_close(struct report *report, const struct row *row);

/* report_drop: closes without a row, after wrong use was found. */
void report_drop(struct report *report);

#endif
