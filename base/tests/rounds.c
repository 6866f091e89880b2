/* What benches share. */
#include "base/tests/rounds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"

static int order(const void *left, const void *right)
{
    const double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

struct summary ratio_of(const double *values, const double *others, unsigned rounds)
{
    double *sorted = malloc(rounds * sizeof *sorted);
    need(sorted != NULL, "no memory");
    for (unsigned round = 0; round < rounds; round++)
        sorted[round] = others ? values[round] / others[round] : values[round];
    qsort(sorted, rounds, sizeof *sorted, order);
    struct summary summary = {(sorted[(rounds - 1) / 2] + sorted[rounds / 2]) / 2, sorted[0],
                              sorted[rounds - 1]};
    free(sorted);
    return summary;
}

struct summary summary_of(const double *values, unsigned rounds)
{
    return ratio_of(values, NULL, rounds);
}

void need(bool truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "%s (%s)\n", what, strerror(errno));
    exit(EXIT_MACHINE_CANNOT);
}
