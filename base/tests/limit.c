/* Limits that tests set for processes of their own. */
#include "base/tests/limit.h"

#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOBODY = 65534 };

bool limit_forbid(long call, unsigned argument, uint32_t least, int os_error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[argument])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, least, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)os_error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

bool limit_drop_root(void)
{
    return geteuid() != 0 || (setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 &&
                              setresuid(NOBODY, NOBODY, NOBODY) == 0);
}

/* ---- control groups ----------------------------------------------------------------------- */

static bool group_write(const struct quota_group *group, const char *name, const char *text)
{
    char path[sizeof group->path + 32];
    snprintf(path, sizeof path, "%s/%s", group->path, name);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        return false;
    const bool written = fputs(text, file) >= 0;
    return fclose(file) == 0 && written;
}

static bool quota_write(const struct quota_group *group, unsigned quota_us, unsigned period_us)
{
    char both[64], quota[32], period[32];
    snprintf(both, sizeof both, "%u %u", quota_us, period_us);
    snprintf(quota, sizeof quota, "%u", quota_us);
    snprintf(period, sizeof period, "%u", period_us);
    return group_write(group, "cpu.max", both) ||
           (group_write(group, "cpu.cfs_period_us", period) &&
            group_write(group, "cpu.cfs_quota_us", quota));
}

bool quota_group_make(struct quota_group *group, unsigned quota_us, unsigned period_us)
{
    static const char *const mounts[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct",
                                         "/sys/fs/cgroup"};
    for (unsigned i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
        snprintf(group->path, sizeof group->path, "%s/fanin-test-%d", mounts[i], (int)getpid());
        if (mkdir(group->path, 0755) == 0) {
            if (quota_write(group, quota_us, period_us))
                return true;
            quota_group_remove(group);
        }
        snprintf(group->why, sizeof group->why, "%s: %s", group->path, strerror(errno));
    }
    return false;
}

bool quota_group_enter(const struct quota_group *group)
{
    char process[32];
    snprintf(process, sizeof process, "%d", (int)getpid());
    return group_write(group, "cgroup.procs", process);
}

void quota_group_remove(const struct quota_group *group)
{
    rmdir(group->path);
}
