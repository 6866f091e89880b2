/* The sweep's control group on Linux.
 *
 *   own group --> version 1: a group below it
 *             `-> version 2: a group below it, else below the one above, and so on: a group with
 *                 processes of its own cannot give its groups a controller
 *                     |-> none can be made, or a process cannot enter it
 *                     `-> systemd-run --scope, of the user's own systemd where he is not root */
#include "scenarios/sweep/cpu_group.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/options.h"
#include "base/os.h"

#define NAME_PREFIX   "fanin-sweep-"
#define REMOVE_NS_MAX ((uint64_t)OS_NS_PER_S)
#define LOOK_AGAIN_NS ((uint64_t)2 * OS_NS_PER_MS)

enum {
    TRY_S_MAX = 20,
    NUMBER_MAX = 1000,
    FILE_BYTES_MAX = 1 << 20,
    NAME_BYTES = 32,
    GROUP_MODE = 0755
};

/* ---- files ---- */

/* 0, or errno. The kernel lets nobody create files among its own; in a tree of a test they are
 * made. */
static int put(const char *directory, const char *name, const char *text)
{
    char path[CGROUP_PATH_BYTES + NAME_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        return errno;
    int error = write(file, text, strlen(text)) < 0 ? errno : 0;
    close(file);
    return error;
}

static bool has_word(struct arena *arena, const char *directory, const char *name, const char *word)
{
    size_t bytes;
    char *rest, *text = arena_file(arena, arena_text(arena, "%s/%s", directory, name),
                                   FILE_BYTES_MAX, &bytes);
    for (text = text == NULL ? NULL : strtok_r(text, " \n", &rest); text != NULL;
         text = strtok_r(NULL, " \n", &rest))
        if (strcmp(text, word) == 0)
            return true;
    return false;
}

static const char *refusal(struct arena *arena, const char *what, const char *path, int error)
{
    return arena_text(arena, "%s %s: %s", what, path, strerror(error));
}

/* ---- emptying and removing ---- */

/* Moves the processes of a group to another. False: it had none. */
static bool move_processes(const char *from, const char *to)
{
    struct arena arena = {0};
    size_t bytes;
    char *rest, *text = arena_file(&arena, arena_text(&arena, "%s/cgroup.procs", from),
                                   FILE_BYTES_MAX, &bytes);
    const bool some = text != NULL && bytes != 0;
    for (text = text == NULL ? NULL : strtok_r(text, "\n", &rest); text != NULL;
         text = strtok_r(NULL, "\n", &rest))
        put(to, "cgroup.procs", text);
    arena_free(&arena);
    return some;
}

/* A process that is ending keeps its group for a moment. 0, or errno. */
static int remove_group(const char *path, const char *home)
{
    const uint64_t began_ns = os_now_ns();
    while (rmdir(path) != 0 && errno != ENOENT) {
        if (errno != EBUSY || os_now_ns() - began_ns > REMOVE_NS_MAX)
            return errno;
        move_processes(path, home);
        os_sleep_ns(LOOK_AGAIN_NS);
    }
    return 0;
}

void cpu_group_empty(const struct cpu_group *group)
{
    const uint64_t began_ns = os_now_ns();
    while (group->path != NULL && move_processes(group->path, group->home) &&
           os_now_ns() - began_ns < REMOVE_NS_MAX)
        os_sleep_ns(LOOK_AGAIN_NS);
}

/* The process id in the name of a sweep's group; 0: the name is another's. */
static long pid_of_name(const char *name)
{
    char *end;
    const char *digits = name + strlen(NAME_PREFIX);
    if (strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 || !isdigit((unsigned char)*digits))
        return 0;
    const long pid = strtol(digits, &end, 10);
    return *end == '-' && end[1] != '\0' && end[1 + strspn(end + 1, "0123456789")] == '\0' ? pid
                                                                                           : 0;
}

static bool is_of_living_sweep(struct arena *arena, const char *root, long pid)
{
    return pid != (long)getpid() &&
           has_word(arena, arena_text(arena, "%s/proc/%ld", root, pid), "comm", "fanin-sweep");
}

/* The first group below the directory that no living sweep has, or, with `living`, that one has;
 * NULL: there is none. */
static const char *find_group(struct arena *arena, const char *root, const char *directory,
                              bool living)
{
    DIR *groups = opendir(directory);
    const struct dirent *entry;
    const char *found = NULL;
    while (groups != NULL && found == NULL && (entry = readdir(groups)) != NULL) {
        const long pid = pid_of_name(entry->d_name);
        if (pid != 0 && is_of_living_sweep(arena, root, pid) == living)
            found = arena_text(arena, "%s/%s", directory, entry->d_name);
    }
    if (groups != NULL)
        closedir(groups);
    return found;
}

const char *cpu_groups_clean(struct arena *arena, const char *root)
{
    struct cgroup at;
    if (!cgroup_find(root, "cpu", &at))
        return NULL;
    const char *home = arena_text(arena, "%s", at.path), *left;
    do {
        while ((left = find_group(arena, root, at.path, false)) != NULL) {
            const int error = remove_group(left, home);
            if (error != 0)
                return refusal(arena, "cannot remove", left, error);
        }
    } while (cgroup_go_up(&at));
    return NULL;
}

/* The controller is taken back from the groups that got it from us, unless another sweep has come
 * to use it. */
void cpu_group_close(struct cpu_group *group)
{
    struct arena arena = {0};
    if (group->path != NULL)
        remove_group(group->path, group->home);
    if (group->granted != NULL && find_group(&arena, group->root, group->granted, true) == NULL)
        put(group->granted, "cgroup.subtree_control", "-cpu");
    group->by = group->path = group->granted = NULL;
    arena_free(&arena);
}

/* ---- making ---- */

/* Version 2: groups below the directory have the controller. NULL, or why not. */
static const char *grant(struct arena *arena, struct cpu_group *group, const char *directory)
{
    if (!has_word(arena, directory, "cgroup.controllers", "cpu"))
        return arena_text(arena, "%s has no cpu controller", directory);
    if (has_word(arena, directory, "cgroup.subtree_control", "cpu"))
        return NULL;
    const int error = put(directory, "cgroup.subtree_control", "+cpu");
    if (error != 0)
        return refusal(arena, "no cpu controller for groups below", directory, error);
    group->granted = arena_text(arena, "%s", directory);
    return NULL;
}

static const char *make_below(struct arena *arena, struct cpu_group *group, const char *directory)
{
    const char *path = NULL;
    int error = EEXIST;
    for (int number = 1; number <= NUMBER_MAX && error == EEXIST; number++) {
        path = arena_text(arena, "%s/" NAME_PREFIX "%ld-%d", directory, (long)getpid(), number);
        error = mkdir(path, GROUP_MODE) == 0 ? 0 : errno;
    }
    if (error != 0)
        return refusal(arena, "cannot make a control group below", directory, error);
    group->path = path;
    return NULL;
}

/* NULL, or why there is none. The topmost group's answer tells most. */
static const char *make(struct arena *arena, struct cpu_group *group)
{
    struct cgroup at;
    const char *why;
    if (!cgroup_find(group->root, "cpu", &at))
        return "no control groups are mounted here";
    group->home = arena_text(arena, "%s", at.path);
    group->version_1 = at.version_1;
    do {
        why = at.version_1 ? NULL : grant(arena, group, at.path);
        if (why == NULL)
            why = make_below(arena, group, at.path);
        if (why != NULL)
            cpu_group_close(group);
    } while (why != NULL && !at.version_1 && cgroup_go_up(&at));
    if (why == NULL)
        group->by = at.version_1 ? "cgroup v1" : "cgroup v2";
    return why;
}

/* Whether a process can enter: NULL, or why not. */
static const char *try_to_enter(struct arena *arena, const struct cpu_group *group, const char *log)
{
    const struct cpu_quota_asked whole = {100000, 100000};
    const char *out = arena_text(arena, "%s.out", log), *err = arena_text(arena, "%s.err", log);
    struct command nothing = command_begin(arena, "true");
    nothing = cpu_group_command(arena, group, whole, &nothing);
    const struct command_result result =
        command_run(arena, &nothing, out, err, TRY_S_MAX, NULL, NULL);
    const char *words = command_last_line(arena, err);
    remove(out);
    remove(err);
    if (result.reason != NULL)
        return result.reason;
    if (result.exit_code == EXIT_DONE)
        return NULL;
    return *words != '\0' ? words
                          : arena_text(arena, "%s: %s", nothing.argv[0],
                                       command_ending(arena, result.exit_code));
}

void cpu_group_open(struct arena *arena, struct cpu_group *group, const char *log)
{
    if (group->by != NULL || group->reason != NULL)
        return;
    const char *no_group = make(arena, group);
    if (no_group == NULL)
        no_group = try_to_enter(arena, group, log);
    if (no_group == NULL)
        return;
    cpu_group_close(group);
    group->by = "systemd scope";
    const char *no_scope = try_to_enter(arena, group, log);
    if (no_scope == NULL)
        return;
    group->by = NULL;
    group->reason = arena_text(arena, "%s; and systemd makes no scope: %s", no_group, no_scope);
}

/* ---- using ---- */

/* Version 1 checks each number against the other as it stands, so the quota goes first. A sweep
 * that does not see our process may have taken the group for one that is left. */
const char *cpu_group_set(struct arena *arena, const struct cpu_group *group,
                          struct cpu_quota_asked quota)
{
    const struct {
        const char *name, *text;
    } writes[] = {
        {"cpu.cfs_quota_us", "-1"},
        {"cpu.cfs_period_us", arena_text(arena, "%llu", (unsigned long long)quota.period_us)},
        {"cpu.cfs_quota_us", arena_text(arena, "%llu", (unsigned long long)quota.quota_us)},
        {"cpu.max", arena_text(arena, "%llu %llu", (unsigned long long)quota.quota_us,
                               (unsigned long long)quota.period_us)},
    };
    if (group->path == NULL)
        return group->reason;
    mkdir(group->path, GROUP_MODE);
    const unsigned first = group->version_1 ? 0 : 3, end = group->version_1 ? 3 : 4;
    for (unsigned i = first; i < end; i++) {
        const int error = put(group->path, writes[i].name, writes[i].text);
        if (error != 0)
            return refusal(arena, "cannot write",
                           arena_text(arena, "%s/%s", group->path, writes[i].name), error);
    }
    return NULL;
}

/* systemd knows hundredths of a percent. */
static struct command scope_begin(struct arena *arena, struct cpu_quota_asked quota)
{
    const double percent = 100.0 * (double)quota.quota_us / (double)quota.period_us;
    struct command scope = {0};
    command_add(arena, &scope, "systemd-run");
    if (geteuid() != 0)
        command_add(arena, &scope, "--user");
    command_add(arena, &scope, "--scope");
    command_add(arena, &scope, "--quiet");
    command_add(arena, &scope, "--collect");
    command_add(arena, &scope, "-p");
    command_add(arena, &scope, "CPUQuota=%.10g%%", round(percent * 100) / 100);
    command_add(arena, &scope, "-p");
    command_add(arena, &scope, "CPUQuotaPeriodSec=%lluus", (unsigned long long)quota.period_us);
    command_add(arena, &scope, "--");
    return scope;
}

static struct command entry_begin(struct arena *arena, const struct cpu_group *group)
{
    struct command entry = {0};
    command_add(arena, &entry, "sh");
    command_add(arena, &entry, "-c");
    command_add(arena, &entry, "%s",
                "{ echo 0 >\"$1\"; } 2>/dev/null || { why=$({ echo $$ >\"$1\"; } 2>&1)\n"
                "echo \"the control group refuses the process: $why\" >&2; exit 1; }\n"
                "shift; exec \"$@\"");
    command_add(arena, &entry, "sh");
    command_add(arena, &entry, "%s/cgroup.procs", group->path);
    return entry;
}

struct command cpu_group_command(struct arena *arena, const struct cpu_group *group,
                                 struct cpu_quota_asked quota, const struct command *command)
{
    struct command whole =
        group->path == NULL ? scope_begin(arena, quota) : entry_begin(arena, group);
    for (unsigned i = 0; i < command->count; i++)
        command_add(arena, &whole, "%s", command->argv[i]);
    return whole;
}

/* systemd would take the process id that it sees there for one of its own. */
bool cpu_group_is_inside(const struct cpu_group *group)
{
    return group->path != NULL;
}
