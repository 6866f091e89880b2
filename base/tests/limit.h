/* Limits of a test's own process, and of children that it forks: what cannot be undone belongs
 * there. */
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

/* limit_forbid: from here on a system call whose argument number `argument` is at least `least`
 * fails with `os_error`, in this process and in those it starts. False: this system has no
 * filters. */
bool limit_forbid(long call, unsigned argument, uint32_t least, int os_error);

/* limit_drop_root: from here on this process is an ordinary user's. False: it cannot be. */
bool limit_drop_root(void);

/* A control group of the test's own, with a CPU quota. quota_group_make: false, with the reason:
 * there is none to be had here. quota_group_enter: this process and those it starts are in it.
 * quota_group_remove: when its processes have ended. */
struct quota_group {
    char path[256], why[320];
};
bool quota_group_make(struct quota_group *group, unsigned quota_us, unsigned period_us);
bool quota_group_enter(const struct quota_group *group);
void quota_group_remove(const struct quota_group *group);

#endif
