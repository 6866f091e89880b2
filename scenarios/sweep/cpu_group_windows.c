/* Windows has no control groups. */
#include "scenarios/sweep/cpu_group.h"

void cpu_group_open(struct arena *arena, struct cpu_group *group, const char *log)
{
    group->reason = "Windows has no control groups";
}

const char *cpu_group_set(struct arena *arena, const struct cpu_group *group,
                          struct cpu_quota_asked quota)
{
    return group->reason;
}

struct command cpu_group_command(struct arena *arena, const struct cpu_group *group,
                                 struct cpu_quota_asked quota, const struct command *command)
{
    return *command;
}

bool cpu_group_is_inside(const struct cpu_group *group)
{
    return false;
}

void cpu_group_empty(const struct cpu_group *group)
{
}

void cpu_group_close(struct cpu_group *group)
{
}

const char *cpu_groups_clean(struct arena *arena, const char *root)
{
    return NULL;
}
