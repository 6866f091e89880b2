/* Shared by benches: each round measures everything once, so that ratios within a round stay valid
 * on a busy machine. */
#ifndef FANIN_TESTS_ROUNDS_H
#define FANIN_TESTS_ROUNDS_H

#include <stdbool.h>

struct summary {
    double median, least, most;
};

/* summary_of: of the rounds' values. ratio_of: of the rounds' ratios, so that what disturbed one
 * round disturbs one ratio only. */
struct summary summary_of(const double *values, unsigned rounds);
struct summary ratio_of(const double *values, const double *others, unsigned rounds);

/* need: ends the bench with exit code 3 when something that it relies on fails. */
void need(bool truth, const char *what);

#endif
