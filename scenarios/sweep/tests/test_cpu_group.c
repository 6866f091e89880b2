/* The sweep's control group, in trees of files as Linux shows them, and systemd's scopes. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/cpu_group.h"

#define OWN    "proc/self/cgroup"
#define MOUNTS "proc/self/mountinfo"
#define VERSION_1                                                                                  \
    {OWN, "4:cpu,cpuacct:/a\n0::/else\n"},                                                         \
    {                                                                                              \
        MOUNTS, "31 23 0:28 / /g rw - cgroup cgroup rw,cpu,cpuacct\n"                              \
    }
#define VERSION_2                                                                                  \
    {OWN, "0::/a/b\n"},                                                                            \
    {                                                                                              \
        MOUNTS, "41 23 0:38 / /g rw - cgroup2 cgroup2 rw\n"                                        \
    }

enum { FILES_MAX = 9 };

struct tree_case {
    const char *name;
    struct {
        const char *path, *text; /* a text of NULL: a directory */
    } files[FILES_MAX];
    const char *below;  /* the directory of the group; NULL: there is none */
    const char *reason; /* part of why not */
};

static const struct tree_case trees[] = {
    {"version 1", {VERSION_1, {"g/a", NULL}}, "g/a", NULL},
    {"version 1, not a directory",
     {VERSION_1, {"g/a", ""}},
     NULL,
     "cannot make a control group below"},
    {"no control groups", {{MOUNTS, ""}}, NULL, "no control groups are mounted here"},
    {"groups that are not mounted",
     {{OWN, "4:cpu:/a\n0::/\n"}, {MOUNTS, ""}},
     NULL,
     "no control groups are mounted here"},
    {"version 2, the own group has the controller to give",
     {VERSION_2, {"g/a/b/cgroup.controllers", "cpuset cpu io\n"}},
     "g/a/b",
     NULL},
    {"version 2, the group above gives it already",
     {VERSION_2,
      {"g/a/b/cgroup.controllers", "cpu\n"},
      {"g/a/b/cgroup.subtree_control", NULL}, /* cannot be written */
      {"g/a/cgroup.controllers", "cpu\n"},
      {"g/a/cgroup.subtree_control", "memory cpu\n"}},
     "g/a",
     NULL},
    {"version 2, the topmost has it",
     {VERSION_2,
      {"g/a/b/cgroup.controllers", "cpuset memory\n"},
      {"g/a/cgroup.controllers", "\n"},
      {"g/cgroup.controllers", "cpu\n"}},
     "g",
     NULL},
    {"version 2, no cpu controller",
     {VERSION_2, {"g/a/b/cgroup.controllers", "cpuset memory\n"}},
     NULL,
     "/g has no cpu controller"},
    {"version 2, it cannot be given",
     {VERSION_2,
      {"g/a/b/cgroup.controllers", ""},
      {"g/cgroup.controllers", "cpu\n"},
      {"g/cgroup.subtree_control", NULL}},
     NULL,
     "no cpu controller for groups below"},
};

static void put_tree(struct fixture *fixture, const struct tree_case *tree)
{
    assert_int_equal(system(arena_text(&fixture->arena, "rm -rf '%s/tree'", fixture->folder)), 0);
    for (unsigned i = 0; i < FILES_MAX && tree->files[i].path != NULL; i++) {
        char *path =
            arena_text(&fixture->arena, "%s/tree/%s", fixture->folder, tree->files[i].path);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        assert_int_equal(os_directory_make(path), 0);
        *slash = '/';
        if (tree->files[i].text == NULL)
            assert_int_equal(os_directory_make(path), 0);
        else
            write_file(fixture, path + strlen(fixture->folder) + 1, tree->files[i].text);
    }
}

static struct cpu_group open_tree(struct fixture *fixture, const struct tree_case *tree)
{
    struct cpu_group group = {.root = path_of(fixture, "tree")};
    put_tree(fixture, tree);
    cpu_group_open(&fixture->arena, &group, path_of(fixture, "log"));
    return group;
}

SWEEP_TEST(a_group_is_made_where_one_can_be)
{
    write_systemd(fixture, NO_SYSTEMD);
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        const struct tree_case *tree = &trees[i];
        const struct cpu_group group = open_tree(fixture, tree);
        if (tree->below == NULL) {
            assert_null(group.by);
            assert_contains(group.reason, tree->reason);
            assert_contains(group.reason, "systemd makes no scope: no systemd runs here");
            continue;
        }
        if (group.path == NULL)
            fail_msg("%s: %s", tree->name, group.reason);
        assert_string_equal(group.path, arena_text(&fixture->arena, "%s/tree/%s/fanin-sweep-%d-1",
                                                   fixture->folder, tree->below, (int)getpid()));
        assert_string_equal(group.by, group.version_1 ? "cgroup v1" : "cgroup v2");
    }
}

static void assert_holds(struct fixture *fixture, const char *directory, const char *name,
                         const char *text)
{
    size_t bytes;
    const char *held = arena_file(
        &fixture->arena, arena_text(&fixture->arena, "%s/%s", directory, name), 1024, &bytes);
    assert_non_null(held);
    assert_string_equal(held, text);
}

SWEEP_TEST(a_quota_is_written_as_the_version_wants_it)
{
    const struct cpu_quota_asked quota = {2400, 40000};
    struct cpu_group group = open_tree(fixture, &trees[0]);
    assert_null(cpu_group_set(&fixture->arena, &group, quota));
    assert_holds(fixture, group.path, "cpu.cfs_quota_us", "2400");
    assert_holds(fixture, group.path, "cpu.cfs_period_us", "40000");
    group = open_tree(fixture, &trees[6]);
    assert_null(cpu_group_set(&fixture->arena, &group, quota));
    assert_holds(fixture, group.path, "cpu.max", "2400 40000");
    assert_holds(fixture, path_of(fixture, "tree/g"), "cgroup.subtree_control", "+cpu");
    /* What a group has got from us is taken back. */
    const char *path = group.path;
    assert_int_equal(system(arena_text(&fixture->arena, "rm -rf '%s'", path)), 0);
    cpu_group_close(&group);
    assert_holds(fixture, path_of(fixture, "tree/g"), "cgroup.subtree_control", "-cpu");
}

/* What the test makes a directory cannot be written. */
static void forbid(struct fixture *fixture, const char *directory, const char *name)
{
    const char *path = arena_text(&fixture->arena, "%s/%s", directory, name);
    remove(path);
    assert_int_equal(mkdir(path, 0755), 0);
}

SWEEP_TEST(a_group_that_refuses_says_so)
{
    const struct cpu_quota_asked quota = {2400, 40000};
    struct cpu_group group = open_tree(fixture, &trees[0]);
    forbid(fixture, group.path, "cpu.cfs_quota_us");
    assert_contains(cpu_group_set(&fixture->arena, &group, quota), "cpu.cfs_quota_us: Is a direc");

    /* A client that cannot enter does not run. */
    struct command touch = {0};
    command_add(&fixture->arena, &touch, "touch");
    command_add(&fixture->arena, &touch, "%s", path_of(fixture, "ran"));
    forbid(fixture, group.path, "cgroup.procs");
    const struct command entered = cpu_group_command(&fixture->arena, &group, quota, &touch);
    start(fixture, (const char *const *)entered.argv);
    assert_int_equal(finish(fixture), 1);
    assert_said(fixture, "the control group refuses the process: ");
    assert_said(fixture, "cgroup.procs");
    assert_false(exists(fixture, "ran"));
}

SWEEP_TEST(systemd_makes_scopes_where_there_is_no_group)
{
    const struct cpu_quota_asked quota = {2348, 40000};
    write_systemd(fixture, PLAIN_SYSTEMD);
    struct cpu_group group = open_tree(fixture, &trees[2]);
    assert_string_equal(group.by, "systemd scope");
    assert_null(group.path);
    assert_null(cpu_group_set(&fixture->arena, &group, quota));
    assert_false(cpu_group_is_inside(&group));
    struct command client = {0};
    command_add(&fixture->arena, &client, "true");
    client = cpu_group_command(&fixture->arena, &group, quota, &client);
    start(fixture, (const char *const *)client.argv);
    assert_int_equal(finish(fixture), 0);
    assert_contains(read_file(fixture, "scopes"),
                    arena_text(&fixture->arena,
                               "%s--scope --quiet --collect -p CPUQuota=5.87%% -p "
                               "CPUQuotaPeriodSec=40000us -- true\n",
                               geteuid() == 0 ? "" : "--user "));
    cpu_group_empty(&group);
    cpu_group_close(&group);
}

static void make_old_group(struct fixture *fixture, const char *name, bool alive)
{
    const char *digits = name + strlen("fanin-sweep-");
    assert_int_equal(
        os_directory_make(path_of(fixture, arena_text(&fixture->arena, "tree/g/a/%s", name))), 0);
    if (!alive)
        return;
    const char *process =
        arena_text(&fixture->arena, "tree/proc/%.*s", (int)strcspn(digits, "-"), digits);
    assert_int_equal(os_directory_make(path_of(fixture, process)), 0);
    write_file(fixture, arena_text(&fixture->arena, "%s/comm", process), "fanin-sweep\n");
}

SWEEP_TEST(groups_of_killed_sweeps_are_removed_and_no_others)
{
    static const struct {
        const char *name;
        bool alive, stays;
    } groups[] = {
        {"fanin-sweep-999999998-1", false, false},
        {"fanin-sweep-999999999-12", true, true},
        {"fanin-sweep-12", false, true},
        {"fanin-sweep-1-", false, true},
        {"fanin-sweep-1-x", false, true},
        {"fanin-sweeper-1-1", false, true},
        {"other", false, true},
    };
    put_tree(fixture, &trees[0]);
    const char *own = arena_text(&fixture->arena, "fanin-sweep-%d-1", (int)getpid());
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        make_old_group(fixture, groups[i].name, groups[i].alive);
    make_old_group(fixture, own, true); /* of an earlier process with our number */
    assert_null(cpu_groups_clean(&fixture->arena, path_of(fixture, "tree")));
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        assert_int_equal(
            exists(fixture, arena_text(&fixture->arena, "tree/g/a/%s", groups[i].name)),
            groups[i].stays);
    assert_false(exists(fixture, arena_text(&fixture->arena, "tree/g/a/%s", own)));

    make_old_group(fixture, "fanin-sweep-999999998-1", false);
    write_file(fixture, "tree/g/a/fanin-sweep-999999998-1/stays", "");
    assert_contains(cpu_groups_clean(&fixture->arena, path_of(fixture, "tree")),
                    "fanin-sweep-999999998-1: Directory not empty");
}
