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

/* search_point: the index of the cell like `like` under `label`, with the axis' value where `axis`
 * is not NULL. LABEL_DEFAULTS: without any of the axes' keys. Adds the cell if it is new. */
unsigned search_point(struct search_space *space, unsigned like, const char *label,
                      const struct setting *axis, unsigned value);

/* search_rate: frames a second that the cell asks for; 0: as fast as they are taken. */
double search_rate(const struct cell *cell);

#endif
