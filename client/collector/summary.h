/* A row for people. */
#ifndef FANIN_COLLECTOR_SUMMARY_H
#define FANIN_COLLECTOR_SUMMARY_H

#include <stdio.h>

#include "client/collector/row.h"

/* summary_write: what was run and what was measured, a few aligned lines with units. */
void summary_write(const struct row *row, FILE *out);

#endif
