/* The tables that fanin-sweep prints to standard output. */
#ifndef FANIN_SUMMARY_H
#define FANIN_SUMMARY_H

#include <stdio.h>

#include "scenarios/sweep/plan.h"
#include "scenarios/sweep/resume.h"

/* summary_cells: what would run: each cell, its repeats and the seconds expected for them. */
void summary_cells(FILE *out, const struct cells *cells);

/* summary_rows: each cell with its rows by status and the medians of its main figures over the
 * rows that are ok (of all that have the figure where the cell expects failures). */
void summary_rows(FILE *out, const struct cells *cells, const struct plan *plan,
                  const struct rows *rows);

#endif
