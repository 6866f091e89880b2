/* The search space: keys of a section that have several values are axes, and one value of each is a
 * point. Points are cells, which are made when the search needs them. */
#ifndef FANIN_SEARCH_SPACE_H
#define FANIN_SEARCH_SPACE_H

#include "scenarios/sweep/cell.h"

#define LABEL_SEARCH   "search"   /* label of the rows that the search itself looks at */
#define LABEL_FINAL    "final"    /* of those that judge what it has found */
#define LABEL_DEFAULTS "defaults" /* of those, with them, of the client's own default options */

struct search_space {
    struct arena *arena;
    struct cells *cells;   /* the points so far; the search begins with the first */
    struct setting **axes; /* each with its values */
    unsigned axis_count;
};

/* search_read: the axes of the one cell that cells_expand made of a section with the key `advise`.
 * Adds the cells that differ from it in one axis, and sets frames where they are `auto`. 0, or -1
 * with an error. */
int search_read(struct arena *arena, struct cells *cells, struct search_space *space,
                struct error *error);

/* search_vary: the index of the cell that differs from `cell` in one axis' value; added if new. */
unsigned search_vary(struct search_space *space, unsigned cell, unsigned axis, unsigned value);

/* search_final: the index of the same cell under the label LABEL_FINAL. */
unsigned search_final(struct search_space *space, unsigned cell);

/* search_defaults: the index of the cell without any of the axes' keys: the client's defaults. */
unsigned search_defaults(struct search_space *space);

/* search_is_rated: its frames come at a rate, not as fast as they are taken. */
bool search_is_rated(const struct cell *cell);

#endif
