/* What fanin-sweep prints to standard output. */
#ifndef FANIN_SUMMARY_H
#define FANIN_SUMMARY_H

#include <stdio.h>

#include "scenarios/sweep/output_dir.h"

/* summary_cells: each cell of a plan, its repeats and the seconds they are expected to take. */
void summary_cells(FILE *out, const struct cells *cells);

/* summary_rows: how many rows there are by status, and why rows failed or were skipped: a few
 * lines. `bad`: failed rows that were not expected to fail. */
void summary_rows(FILE *out, const struct rows *rows, unsigned bad);

#endif
