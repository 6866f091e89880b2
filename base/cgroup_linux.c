/* Control groups on Linux.
 *
 *   /proc/self/cgroup         which group a controller has this process in
 *   /proc/self/mountinfo      where that controller's groups are mounted, and from which on
 *   mount point + own group   its files, and those of each directory above up to the mount point
 *
 * A controller with a line of its own in /proc/self/cgroup is version 1; all others are in version
 * 2's one hierarchy. */
#include "base/cgroup.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/os_parts.h"

enum { NAME_BYTES = 64, VALUE_BYTES = 1024, NS_PER_US = 1000 };

/* ---- finding the own group ---------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
    const size_t bytes = strlen(word);
    for (; *list != '\0'; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",\n") == bytes && memcmp(list, word, bytes) == 0)
            return true;
    return false;
}

/* "3:cpu,cpuacct:/own/group", or in version 2 "0::/own/group". */
static bool own_path(const char *root, const char *controller, char *path, bool *version_1)
{
    char name[CGROUP_PATH_BYTES], *line = NULL;
    size_t line_bytes = 0;
    bool found = false;
    snprintf(name, sizeof name, "%s/proc/self/cgroup", root);
    FILE *file = fopen(name, "re");
    *version_1 = false;
    while (file != NULL && !*version_1 && getline(&line, &line_bytes, file) > 0) {
        char *list = strchr(line, ':'), *own = list == NULL ? NULL : strchr(list + 1, ':');
        if (own == NULL)
            continue;
        *own++ = '\0';
        own[strcspn(own, "\n")] = '\0';
        *version_1 = has_word(list + 1, controller);
        if (!*version_1 && list[1] != '\0')
            continue;
        found = true;
        snprintf(path, CGROUP_PATH_BYTES, "%s", own);
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return found;
}

/* Resolves mountinfo's "\040" for characters that separate fields. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at != '\0'; to++) {
        unsigned byte;
        const bool escaped = *at == '\\' && sscanf(at + 1, "%3o", &byte) == 1;
        *to = escaped ? (char)byte : *at;
        at += escaped ? 4 : 1;
    }
    *to = '\0';
}

/* What of `path` lies below `top`; NULL: it lies elsewhere. */
static const char *path_below(const char *path, const char *top)
{
    const size_t bytes = strcmp(top, "/") == 0 ? 0 : strlen(top);
    const bool below = strncmp(path, top, bytes) == 0 && (path[bytes] == '/' || path[bytes] == 0);
    return !below ? NULL : strcmp(path + bytes, "/") == 0 ? "" : path + bytes;
}

/* Of a line of mountinfo: "36 35 98:0 /top /mount/point rw,noatime - cgroup cgroup rw,cpu". False:
 * it is no mount of the controller's hierarchy. */
static bool mount_read(const char *line, const char *controller, bool version_1, char *top,
                       char *point)
{
    char type[NAME_BYTES];
    int options = 0;
    const char *end = strstr(line, " - ");
    if (end == NULL || sscanf(line, "%*s %*s %*s %4095s %4095s", top, point) != 2 ||
        sscanf(end, " - %63s %*s %n", type, &options) != 1 || options == 0)
        return false;
    unescape(top);
    unescape(point);
    return version_1 ? strcmp(type, "cgroup") == 0 && has_word(end + options, controller)
                     : strcmp(type, "cgroup2") == 0;
}

/* A container may see its group's files while the path is one of the host: then the mount point is
 * the own group. */
bool cgroup_find(const char *root, const char *controller, struct cgroup *group)
{
    char own[CGROUP_PATH_BYTES], top[CGROUP_PATH_BYTES], point[CGROUP_PATH_BYTES];
    char name[2 * CGROUP_PATH_BYTES], *line = NULL;
    size_t line_bytes = 0;
    bool found = false;
    const char *below = NULL;
    if (!own_path(root, controller, own, &group->version_1))
        return false;
    snprintf(name, sizeof name, "%s/proc/self/mountinfo", root);
    FILE *file = fopen(name, "re");
    while (file != NULL && below == NULL && getline(&line, &line_bytes, file) > 0) {
        if (!mount_read(line, controller, group->version_1, top, point))
            continue;
        below = path_below(own, top);
        if (found && below == NULL)
            continue;
        found = true;
        group->top_bytes = (size_t)snprintf(name, sizeof name, "%s%s", root, point);
        snprintf(name + group->top_bytes, sizeof name - group->top_bytes, "%s",
                 below == NULL ? "" : below);
    }
    free(line);
    if (file != NULL)
        fclose(file);
    if (!found || strlen(name) >= sizeof group->path)
        return false;
    if (access(name, F_OK) != 0)
        name[group->top_bytes] = '\0';
    strcpy(group->path, name);
    return access(name, F_OK) == 0;
}

bool cgroup_go_up(struct cgroup *group)
{
    if (strlen(group->path) <= group->top_bytes)
        return false;
    *strrchr(group->path, '/') = '\0';
    return true;
}

static bool group_file_read(const struct cgroup *group, const char *file, char *text)
{
    char path[CGROUP_PATH_BYTES + NAME_BYTES];
    snprintf(path, sizeof path, "%s/%s", group->path, file);
    return os_file_read(path, text, VALUE_BYTES);
}

/* What sscanf's `format` finds behind `label` in the group's file. */
static bool group_number(const struct cgroup *group, const char *file, const char *label,
                         const char *format, uint64_t *number)
{
    char text[VALUE_BYTES];
    const char *at = group_file_read(group, file, text) ? strstr(text, label) : NULL;
    return at != NULL && sscanf(at + strlen(label), format, number) == 1;
}

/* ---- processors --------------------------------------------------------------------------- */

/* Version 2 has both numbers in one file, "max" for no quota; version 1 says -1. */
static bool quota_of(const struct cgroup *group, double *cpus, uint64_t *period_us)
{
    char text[VALUE_BYTES];
    long long quota = 0, period = 0;
    if (group_file_read(group, "cpu.max", text))
        sscanf(text, "%lld %lld", &quota, &period);
    else if (group_file_read(group, "cpu.cfs_quota_us", text) &&
             sscanf(text, "%lld", &quota) == 1 && group_file_read(group, "cpu.cfs_period_us", text))
        sscanf(text, "%lld", &period);
    if (quota <= 0 || period <= 0)
        return false;
    *cpus = (double)quota / (double)period;
    *period_us = (uint64_t)period;
    return true;
}

/* Adds what the group was throttled. Version 1 has nanoseconds. */
static void add_throttled(const struct cgroup *group, struct cpu_quota *quota)
{
    uint64_t periods, time, unit_ns = NS_PER_US;
    bool known = group_number(group, "cpu.stat", "nr_throttled ", "%" SCNu64, &periods);
    if (!group_number(group, "cpu.stat", "throttled_usec ", "%" SCNu64, &time)) {
        unit_ns = 1;
        known &= group_number(group, "cpu.stat", "throttled_time ", "%" SCNu64, &time);
    }
    if (!known || quota->throttled_periods == UINT64_MAX) {
        quota->throttled_periods = quota->throttled_ns = UINT64_MAX;
        return;
    }
    quota->throttled_periods += periods;
    quota->throttled_ns += time * unit_ns;
}

void cpu_quota_read(const char *root, struct cpu_quota *quota)
{
    struct cgroup group;
    double cpus;
    uint64_t period_us;
    *quota = (struct cpu_quota){.cpus = NAN};
    if (cgroup_find(root, "cpu", &group)) {
        quota->cpus = INFINITY;
        do {
            if (!quota_of(&group, &cpus, &period_us))
                continue;
            add_throttled(&group, quota);
            if (cpus >= quota->cpus)
                continue;
            quota->cpus = cpus;
            quota->period_ns = period_us * NS_PER_US;
            snprintf(quota->group, sizeof quota->group, "%s", group.path + strlen(root));
        } while (cgroup_go_up(&group));
    }
    if (!isfinite(quota->cpus))
        quota->throttled_periods = quota->throttled_ns = UINT64_MAX;
}

/* ---- threads ------------------------------------------------------------------------------ */

bool pids_limit_read(const char *root, struct pids_limit *limit)
{
    struct cgroup group;
    uint64_t used, most;
    *limit = (struct pids_limit){.most = UINT64_MAX};
    if (!cgroup_find(root, "pids", &group))
        return false;
    do {
        if (!group_number(&group, "pids.max", "", "%" SCNu64, &most) ||
            !group_number(&group, "pids.current", "", "%" SCNu64, &used))
            continue;                     /* also where it says "max" */
        used = used < most ? used : most; /* a limit may be set below what is used */
        if (limit->most != UINT64_MAX && most - used >= limit->most - limit->used)
            continue;
        limit->used = used;
        limit->most = most;
        snprintf(limit->group, sizeof limit->group, "%s", group.path + strlen(root));
    } while (cgroup_go_up(&group));
    return limit->most != UINT64_MAX;
}
