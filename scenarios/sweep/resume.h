/* The rows of an output directory, for a resumed sweep and for the summary. */
#ifndef FANIN_RESUME_H
#define FANIN_RESUME_H

#include "scenarios/sweep/plan.h"

struct rows {
    const char **lines; /* each a whole JSON object, without its newline */
    unsigned count;
    bool torn;          /* something without an end follows the last of them */
    size_t whole_bytes; /* of the file up to where it is torn */
};

/* rows_read: the file at `path`; none there is no error. 0, or -1 with an error (file:line). */
int rows_read(struct arena *arena, const char *path, struct rows *rows, struct error *error);

/* rows_mark: marks the rows of the plan that are there as done, and appends further ones. 0, or -1
 * with an error when a line belongs to another plan. */
int rows_mark(struct arena *arena, const struct rows *rows, const char *path, struct plan *plan,
              struct error *error);

#endif
