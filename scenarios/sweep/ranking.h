/* Which of the cells in a search did best, by the rows that they left. */
#ifndef FANIN_RANKING_H
#define FANIN_RANKING_H

#include "scenarios/sweep/budget.h"
#include "scenarios/sweep/output_dir.h"

/* A key of a row that candidates are compared by. */
struct figure {
    const char *key, *name;
    bool more_is_better;
};

/* The first figure decides; among candidates that are equal in it each of the others in turn. */
struct criterion {
    const char *name;
    const struct figure *figures[4]; /* NULL-terminated */
    double chance; /* the share by which a few rows' first figure may differ for no reason */
};

/* criterion_find: NULL if there is none of this name. `auto` is latency for frames that come at a
 * rate, CPU for frames that come as fast as they are taken. */
const struct criterion *criterion_find(const char *name, bool rated);

/* figure_value: the row's figure; NAN if it is missing or not positive. */
double figure_value(const char *line, const struct figure *figure);

/* figure_cost: of a figure or a median of it: the less the better; INFINITY for NAN. */
double figure_cost(double value, const struct figure *figure);

/* criterion_names: for an error: "auto, latency, ...". */
const char *criterion_names(struct arena *arena);

/* The rows of a search, and how its cells are compared by them. */
struct comparison {
    const struct criterion *criterion;
    double margin; /* a share: first figures that differ by less are equal */
    const struct cells *cells;
    const struct plan *plan;
    const struct rows *rows; /* line i is of the plan's row i */
    unsigned first_row;      /* rows before it are not looked at */
};

/* The rows of one cell. */
struct cell_rows {
    const char **lines;
    unsigned count, bad; /* all of them; those that are not a result with the first figure */
    const char *failure; /* why the first bad one is not; NULL: there is none */
};

/* cell_rows_read: those that the comparison looks at. */
struct cell_rows cell_rows_read(struct arena *arena, const struct comparison *comparison,
                                unsigned cell);

/* ranking_make: puts the cells of `field` (indices) in order, best first by the medians of their
 * rows, and returns how many are sound: all their rows are ok and have the figure. Those that are
 * not stand behind; *reason is why the first of them is not, NULL if there is none. */
unsigned ranking_make(struct arena *arena, const struct comparison *comparison, unsigned *field,
                      unsigned count, const char **reason);

#endif
