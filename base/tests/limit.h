/* Limits of a test's own process. */
#ifndef FANIN_TESTS_LIMIT_H
#define FANIN_TESTS_LIMIT_H

#include <sys/resource.h>

#include "base/tests/test.h"

/* limit_lower: lowers a soft limit; returns what it was. */
static inline struct rlimit limit_lower(__typeof__(RLIMIT_NOFILE) resource, rlim_t soft)
{
    struct rlimit before, low;
    assert_int_equal(getrlimit(resource, &before), 0);
    low = (struct rlimit){soft, before.rlim_max};
    assert_int_equal(setrlimit(resource, &low), 0);
    return before;
}

#endif
