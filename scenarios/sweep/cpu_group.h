/* The control group that holds a sweep's clients to a share of a processor: one group of the
 * sweep's own, "fanin-sweep-PID-N", whose quota is set anew for each row. Where no group can be
 * made, systemd makes a scope for each client. Files of control groups are read and written below
 * `root`: "" outside of tests. */
#ifndef FANIN_CPU_GROUP_H
#define FANIN_CPU_GROUP_H

#include "scenarios/sweep/command.h"

/* What the kernel takes. */
enum { CPU_QUOTA_US_MIN = 1000, CPU_PERIOD_MS_MAX = 1000 };

struct cpu_quota_asked {
    uint64_t quota_us, period_us; /* time of a processor in each period */
};

struct cpu_group {
    const char *root;
    const char *by;     /* "cgroup v2", "cgroup v1" or "systemd scope"; NULL: not opened, or none */
    const char *reason; /* why there is none; NULL: not opened, or there is one */
    const char *path;   /* its directory; NULL: none, or systemd makes a scope for each client */
    const char *home;   /* where the sweep itself runs, and what stays behind goes */
    const char *granted; /* the directory whose groups have the controller from us; or NULL */
    bool version_1;
};

/* cpu_group_open: makes the group, by the first way in which a process can enter it; blocks while
 * one tries to, whose output goes to `log` and a suffix. Without effect after the first call. */
void cpu_group_open(struct arena *arena, struct cpu_group *group, const char *log);

/* cpu_group_set: gives it a quota. NULL, or why it cannot be had. */
const char *cpu_group_set(struct arena *arena, const struct cpu_group *group,
                          struct cpu_quota_asked quota);

/* cpu_group_command: the command as one that runs in the group from its first instant, or ends with
 * exit code 1 and a line that says that the group refused it. */
struct command cpu_group_command(struct arena *arena, const struct cpu_group *group,
                                 struct cpu_quota_asked quota, const struct command *command);

/* cpu_group_is_inside: the command that enters it works within a link's namespaces. */
bool cpu_group_is_inside(const struct cpu_group *group);

/* cpu_group_empty: what is still in it, such as a wineserver, goes to the sweep's own group, where
 * it would be without us. */
void cpu_group_empty(const struct cpu_group *group);

/* cpu_group_close: empties and removes it; blocks for at most a second. */
void cpu_group_close(struct cpu_group *group);

/* cpu_groups_clean: removes groups that killed sweeps have left. NULL, or the first that cannot be
 * removed, and why. */
const char *cpu_groups_clean(struct arena *arena, const char *root);

#endif
