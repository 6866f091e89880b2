/* The middle of what several rounds came to. */
#ifndef FANIN_TESTS_MEDIAN_H
#define FANIN_TESTS_MEDIAN_H

#include <stdlib.h>

static inline int median_order(const void *left, const void *right)
{
    const double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

/* median_of: sorts the values, so that the least is the first and the most the last. */
static inline double median_of(double *values, unsigned count)
{
    qsort(values, count, sizeof *values, median_order);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

#endif
