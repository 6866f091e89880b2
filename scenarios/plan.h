/* The order of a sweep: block k holds repeat k of every cell, shuffled. The same cells and seed
 * give the same order on every machine. */
#ifndef FANIN_PLAN_H
#define FANIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "scenarios/cell.h"

enum { PLAN_ROWS_MAX = 1000000 };

struct plan_row {
    const struct cell *cell;
    unsigned cell_index;
    unsigned repeat, order; /* both from 1 */
    bool done;              /* found in the rows of a sweep that is resumed */
};

struct plan {
    struct plan_row *rows;
    unsigned count;
};

/* plan_make: rows in the order in which they are to run. False when there are more than
 * PLAN_ROWS_MAX. */
bool plan_make(struct arena *arena, const struct cells *cells, uint64_t seed, struct plan *plan);

#endif
