/* Windows has no control groups. */
#include "base/cgroup.h"

#include <math.h>

bool cgroup_find(const char *root, const char *controller, struct cgroup *group)
{
    return false;
}

bool cgroup_go_up(struct cgroup *group)
{
    return false;
}

void cpu_quota_read(const char *root, struct cpu_quota *quota)
{
    *quota = (struct cpu_quota){
        .cpus = NAN, .throttled_periods = UINT64_MAX, .throttled_ns = UINT64_MAX};
}

bool pids_limit_read(const char *root, struct pids_limit *limit)
{
    return false;
}
