/* The order of a sweep: block k holds repeat k of every cell, shuffled. The same cells and seed
 * give the same order on every machine. Behind these blocks, which every cell is due, there may be
 * further ones of some cells. */
#ifndef FANIN_PLAN_H
#define FANIN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "scenarios/sweep/cell.h"

enum { PLAN_ROWS_MAX = 1000000 };

struct plan_row {
    const struct cell *cell;
    unsigned cell_index;
    unsigned repeat, order; /* both from 1; the repeat is the number of the block */
    bool done;              /* found in the rows of a sweep that is resumed */
};

struct plan {
    struct plan_row *rows;
    unsigned count;
    unsigned due; /* of them, those that every cell is due: the first */
};

/* plan_make: rows in the order in which they are to run. False when there are more than
 * PLAN_ROWS_MAX. */
bool plan_make(struct arena *arena, const struct cells *cells, uint64_t seed, struct plan *plan);

/* plan_append: one more row behind the last. */
void plan_append(struct arena *arena, struct plan *plan, const struct cell *cell,
                 unsigned cell_index, unsigned repeat);

/* plan_shuffle_block: the rows from `first` on, which are one block. */
void plan_shuffle_block(struct plan *plan, unsigned first, uint64_t seed);

/* plan_trim: takes off further rows at the end that were not run. */
void plan_trim(struct plan *plan);

#endif
