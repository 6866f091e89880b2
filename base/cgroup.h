/* What Linux's control groups allow this process: the limits of its own group and of every group
 * above it that can be seen, of version 1 and 2. Files are read below `root`: "" outside of tests.
 * Any thread may call. On other systems there are no control groups and no such limits. */
#ifndef FANIN_CGROUP_H
#define FANIN_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CGROUP_PATH_BYTES = 4096 };

struct cgroup {
    char path[CGROUP_PATH_BYTES]; /* its directory, below `root` */
    size_t top_bytes;             /* of the mount point: groups above it cannot be seen */
    bool version_1;
};

/* cgroup_find: the group in which the controller ("cpu") has this process. False: there are no
 * groups, or they are not mounted. cgroup_go_up: to the group above it; false: the group is the
 * topmost that can be seen. */
bool cgroup_find(const char *root, const char *controller, struct cgroup *group);
bool cgroup_go_up(struct cgroup *group);

struct cpu_quota {
    double cpus;        /* processors' worth of time: the smallest quota of all these groups.
                         * INFINITY: none has one; NAN: the system does not say */
    uint64_t period_ns; /* of that quota */
    /* How often and for how long groups with a quota were stopped because it was used up, since
     * they were made. The time is the sum over processors. UINT64_MAX: there is no quota, or the
     * system does not say. */
    uint64_t throttled_periods, throttled_ns;
    char group[CGROUP_PATH_BYTES]; /* directory of the group with that quota; "" without one */
};

void cpu_quota_read(const char *root, struct cpu_quota *quota);

/* The group that can have the fewest further threads. */
struct pids_limit {
    uint64_t used, most;
    char group[CGROUP_PATH_BYTES];
};

/* pids_limit_read: false: no group limits them, or the system does not say. */
bool pids_limit_read(const char *root, struct pids_limit *limit);

#endif
