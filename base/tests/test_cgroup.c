/* Control groups, in trees of files as Linux shows them, and one quota that is real. */
#include "base/cgroup.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/find.h"
#include "base/tests/limit.h"

enum { FILES_MAX = 8, PATH_BYTES = 256, KNOWN_NOT = -1 };

static char root[PATH_BYTES];

static int root_setup(void **state)
{
    return temporary_directory(root, sizeof root) ? 0 : -1;
}

static int root_teardown(void **state)
{
    char command[PATH_BYTES + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

struct file {
    const char *path, *text;
};

static void put_all(const struct file *files)
{
    root_teardown(NULL);
    for (; files->path != NULL; files++) {
        char path[2 * PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", root, files->path);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        assert_int_equal(os_directory_make(path), 0);
        *slash = '/';
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(files->text, file);
        fclose(file);
    }
}

/* ---- processors --------------------------------------------------------------------------- */

#define OWN    "proc/self/cgroup"
#define MOUNTS "proc/self/mountinfo"
#define CPU    "31 23 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
#define ALL    "41 23 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

static const struct {
    const char *name;
    struct file files[FILES_MAX];
    double cpus;
    int period_ms, throttled_periods, throttled_us; /* KNOWN_NOT: null */
    const char *group;
} cases[] = {
    {"version 1, the own group",
     {{OWN, "5:pids:/\n4:cpu,cpuacct:/a/b\n0::/else\n"},
      {MOUNTS, "23 1 0:2 / / rw - ext4 /dev/sda rw\n" CPU},
      {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "25000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "50000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/a/b/cpu.stat",
       "nr_periods 9\nnr_throttled 3\nthrottled_time 7000000\n"}},
     0.5,
     50,
     3,
     7000,
     "/sys/fs/cgroup/cpu,cpuacct/a/b"},
    {"version 2, a parent's limit",
     {{OWN, "0::/user/app\n"},
      {MOUNTS, ALL},
      {"sys/fs/cgroup/user/app/cpu.max", "max 100000\n"},
      {"sys/fs/cgroup/user/cpu.max", "150000 100000\n"},
      {"sys/fs/cgroup/user/cpu.stat", "usage_usec 5\nnr_throttled 2\nthrottled_usec 30\n"}},
     1.5,
     100,
     2,
     30,
     "/sys/fs/cgroup/user"},
    {"the smallest limit, and all that throttles",
     {{OWN, "0::/user/app\n"},
      {MOUNTS, ALL},
      {"sys/fs/cgroup/user/app/cpu.max", "300000 100000\n"},
      {"sys/fs/cgroup/user/app/cpu.stat", "nr_throttled 1\nthrottled_usec 4\n"},
      {"sys/fs/cgroup/user/cpu.max", "20000 10000\n"},
      {"sys/fs/cgroup/user/cpu.stat", "nr_throttled 2\nthrottled_usec 30\n"}},
     2,
     10,
     3,
     34,
     "/sys/fs/cgroup/user"},
    {"a container that sees its own group only",
     {{OWN, "2:cpu:/docker/x\n"},
      {MOUNTS, "31 23 0:28 /docker/x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n"},
      {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}},
     2,
     100,
     KNOWN_NOT,
     KNOWN_NOT,
     "/sys/fs/cgroup/cpu"},
    {"a container whose path is the host's",
     {{OWN, "0::/../../x\n"}, {MOUNTS, ALL}, {"sys/fs/cgroup/cpu.max", "10000 100000\n"}},
     0.1,
     100,
     KNOWN_NOT,
     KNOWN_NOT,
     "/sys/fs/cgroup"},
    {"a mount point with a blank, behind another mount of the hierarchy",
     {{OWN, "0::/a\n"},
      {MOUNTS, "40 23 0:38 /b /mnt/b rw - cgroup2 none rw\n"
               "41 23 0:38 / /mnt/c\\040g rw - cgroup2 none rw\n"},
      {"mnt/b/cpu.max", "1000 100000\n"},
      {"mnt/c g/a/cpu.max", "400000 100000\n"},
      {"mnt/c g/a/cpu.stat", "nr_throttled 0\nthrottled_usec 0\n"}},
     4,
     100,
     0,
     0,
     "/mnt/c g/a"},
    {"no quota",
     {{OWN, "0::/a\n"}, {MOUNTS, ALL}, {"sys/fs/cgroup/a/cpu.max", "max 100000\n"}},
     INFINITY,
     0,
     KNOWN_NOT,
     KNOWN_NOT,
     ""},
    {"groups that are not mounted",
     {{OWN, "4:cpu:/a\n0::/\n"}, {MOUNTS, ALL}},
     NAN,
     0,
     KNOWN_NOT,
     KNOWN_NOT,
     ""},
    {"no control groups", {{MOUNTS, CPU}}, NAN, 0, KNOWN_NOT, KNOWN_NOT, ""},
    {"nonsense",
     {{OWN, "4\ncpu:/\n:\n0::/a\n"},
      {MOUNTS, "\n - \n41 - cgroup2\n" ALL},
      {"sys/fs/cgroup/a/cpu.max", "-5 \n"},
      {"sys/fs/cgroup/cpu.max", "5 0\n"}},
     INFINITY,
     0,
     KNOWN_NOT,
     KNOWN_NOT,
     ""},
};

static uint64_t known(int number, uint64_t unit)
{
    return number == KNOWN_NOT ? UINT64_MAX : (uint64_t)number * unit;
}

TEST(the_smallest_quota_is_found, root_setup, root_teardown)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cpu_quota quota;
        put_all(cases[i].files);
        cpu_quota_read(root, &quota);
        const bool same_cpus =
            isnan(cases[i].cpus) ? isnan(quota.cpus) : quota.cpus == cases[i].cpus;
        if (!same_cpus || strcmp(quota.group, cases[i].group) != 0)
            fail_msg("%s: %g CPUs, group '%s'", cases[i].name, quota.cpus, quota.group);
        assert_int_equal(quota.period_ns, (uint64_t)cases[i].period_ms * OS_NS_PER_MS);
        assert_int_equal(quota.throttled_periods, known(cases[i].throttled_periods, 1));
        assert_int_equal(quota.throttled_ns, known(cases[i].throttled_us, 1000));
    }
}

/* ---- threads ------------------------------------------------------------------------------ */

TEST(the_group_nearest_to_its_limit_of_threads_is_found, root_setup, root_teardown)
{
    struct pids_limit limit;
    put_all((const struct file[]){{OWN, "0::/user/app\n"},
                                  {MOUNTS, ALL},
                                  {"sys/fs/cgroup/user/app/pids.max", "100\n"},
                                  {"sys/fs/cgroup/user/app/pids.current", "10\n"},
                                  {"sys/fs/cgroup/user/pids.max", "500\n"},
                                  {"sys/fs/cgroup/user/pids.current", "495\n"},
                                  {"sys/fs/cgroup/pids.max", "max\n"},
                                  {NULL, NULL}});
    assert_true(pids_limit_read(root, &limit));
    assert_int_equal(limit.used, 495);
    assert_int_equal(limit.most, 500);
    assert_string_equal(limit.group, "/sys/fs/cgroup/user");
    put_all((const struct file[]){{OWN, "0::/user/app\n"},
                                  {MOUNTS, ALL},
                                  {"sys/fs/cgroup/user/app/pids.max", "100\n"},
                                  {"sys/fs/cgroup/user/app/pids.current", "10\n"},
                                  {"sys/fs/cgroup/user/pids.max", "5\n"},
                                  {"sys/fs/cgroup/user/pids.current", "10\n"},
                                  {NULL, NULL}});
    assert_true(pids_limit_read(root, &limit));
    assert_int_equal(limit.used, 5);
    assert_string_equal(limit.group, "/sys/fs/cgroup/user");
    put_all((const struct file[]){{OWN, "0::/a\n"},
                                  {MOUNTS, ALL},
                                  {"sys/fs/cgroup/a/pids.max", "max\n"},
                                  {"sys/fs/cgroup/a/pids.current", "10\n"},
                                  {NULL, NULL}});
    assert_false(pids_limit_read(root, &limit));
}

/* ---- a real group ------------------------------------------------------------------------- */

enum { QUOTA_US = 20000, PERIOD_US = 100000, PATIENCE_S = 120 };

/* Works until it has been throttled, or patience is over. */
static bool is_throttled(void)
{
    struct cpu_quota quota;
    const uint64_t deadline_ns = os_now_ns() + PATIENCE_S * (uint64_t)OS_NS_PER_S;
    do {
        cpu_quota_read("", &quota);
    } while ((quota.throttled_periods == 0 || quota.throttled_ns == 0) &&
             os_now_ns() < deadline_ns);
    return quota.throttled_periods > 0 && quota.throttled_periods != UINT64_MAX &&
           quota.throttled_ns > 0;
}

static int in_group(const struct quota_group *group)
{
    struct cpu_quota quota;
    if (!quota_group_enter(group))
        return 1;
    cpu_quota_read("", &quota);
    if (quota.cpus != (double)QUOTA_US / PERIOD_US ||
        quota.period_ns != (uint64_t)PERIOD_US * 1000 || strcmp(quota.group, group->path) != 0)
        return 2;
    if (os_cpu_count() != 1)
        return 3;
    return is_throttled() ? 0 : 4;
}

TEST(a_real_quota_is_seen_and_counted)
{
    struct quota_group group;
    int status;
    if (!quota_group_make(&group, QUOTA_US, PERIOD_US)) {
        print_message("skip: no control group can be made: %s\n", group.why);
        skip();
    }
    pid_t child = fork();
    if (child == 0)
        _exit(in_group(&group));
    const bool ended = child > 0 && waitpid(child, &status, 0) == child;
    quota_group_remove(&group);
    assert_true(ended && WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
