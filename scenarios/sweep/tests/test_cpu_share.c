/* Shares of a processor: what the keys take, the command lines of clients, and sweeps in a real
 * control group or where there is none. */
#include <dirent.h>
#include <math.h>

#include "scenarios/sweep/tests/sweep_fixture.h"

#include "base/cgroup.h"
#include "base/tests/limit.h"
#include "scenarios/sweep/cpu_share.h"
#include "scenarios/sweep/fleet.h"

/* ---- the keys ---- */

SWEEP_TEST(a_share_that_cannot_be_is_named_with_its_line)
{
    static const struct sweep_case cases[] = {
        {"mode = ok\ncpu-share = some\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: cpu-share = some: takes a percentage of one processor, such as 6%"},
        {"mode = ok\ncpu-share = 0%\n", NULL, EXIT_WRONG_USE, "t.conf:8: cpu-share = 0%: takes"},
        {"mode = ok\ncpu-share = -6%\n", NULL, EXIT_WRONG_USE, "t.conf:8: cpu-share = -6%: takes"},
        {"mode = ok\ncpu-share = 5%, nan\n", NULL, EXIT_WRONG_USE, "cpu-share = nan: takes"},
        {"mode = ok\ncpu-share = 5%, 9999900%\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: cpu-share = 9999900%: "},
        {"cpu-period = 20ms\nmode = ok\ncpu-share = 4%\n", "--dry-run", EXIT_WRONG_USE,
         "t.conf:9: cpu-share = 4% of cpu-period = 20ms is 0.8 ms, and the kernel takes no quota "
         "below 1 ms: use at least 5%"},
        {"mode = ok\ncpu-share = 6%\ncpu-period = 2s\n", NULL, EXIT_WRONG_USE,
         "t.conf:9: cpu-period = 2s: takes a time from 1ms to 1s"},
        {"mode = ok\ncpu-share = 6%\ncpu-period = 0\n", NULL, EXIT_WRONG_USE, "cpu-period = 0: "},
        {"mode = ok\n", "--cpu-share=2%", EXIT_WRONG_USE, "command line: cpu-share = 2% of"},
        {"mode = ok\ncpu-share = 5%\ncpu-period = 20ms\n", "--dry-run", EXIT_DONE,
         "held to 5 % of a processor in each 20 ms"},
    };
    ASSERT_CASES(fixture, cases);
    run_scenario(fixture, "mode = ok\ncpu-share = 100%\n", "--dry-run", EXIT_DONE);
    assert_null(strstr(read_file(fixture, "stdout"), "held to"));
}

/* ---- command lines ---- */

/* Where the word is in the command, from 1; 0: it is not there. */
static unsigned index_of(const struct command *command, const char *word)
{
    for (unsigned i = 0; i < command->count; i++) {
        if (strstr(command->argv[i], word) != NULL)
            return i + 1;
    }
    return 0;
}

/* A process enters a group when it is within the link already; systemd could not find it there. */
TEST(a_share_holds_the_client_and_not_the_link)
{
    struct arena arena = {0};
    struct link link = {.name = "a", .options = "", .rate_bits_per_s = NAN};
    struct fleet fleet = {.link = &link, .process = {.handle = 7}};
    struct cpu_group group = {.root = "", .by = "cgroup v1", .path = "/g"};
    struct cpu_share share = {.quota = {2400, 40000}, .group = &group};
    const struct cell on_link = {
        .client = "c", .fleet = &fleet, .link = &link, .cpu_share = &share};
    const struct cell plain = {.client = "c", .cpu_share = &share}, full = {.client = "c"};
    struct command command = fleet_client(&arena, &on_link, "r");
    assert_int_equal(index_of(&command, "fanin-lan"), 1);
    assert_true(index_of(&command, "--join=7") < index_of(&command, "/g/cgroup.procs"));
    assert_int_equal(index_of(&command, "--json=r"), command.count);
    command = fleet_client(&arena, &plain, "r");
    assert_int_equal(index_of(&command, "/g/cgroup.procs"), command.count - 2);

    group.path = NULL;
    command = fleet_client(&arena, &on_link, "r");
    assert_int_equal(index_of(&command, "systemd-run"), 1);
    assert_true(index_of(&command, "CPUQuota=6%") < index_of(&command, "fanin-lan"));
    command = fleet_client(&arena, &plain, "r");
    assert_int_equal(index_of(&command, "systemd-run"), 1);
    assert_int_equal(fleet_client(&arena, &full, "r").count, 2);
    arena_free(&arena);
}

/* ---- sweeps where there is no group ---- */

static const char *share_value(struct fixture *fixture, const char *key)
{
    const char *shares = json_find(read_file(fixture, "out/run.json"), "cpu_shares");
    assert_non_null(shares);
    assert_true(shares[0] == '[' && shares[1] == '{');
    return json_find_copy(&fixture->arena, shares + 1, key);
}

/* Runs the sweep behind the shell's `before`; exit code 77 skips the test. */
static void sweep_behind(struct fixture *fixture, const char *const *shell, const char *before,
                         int exit_code)
{
    enum { NOT_HERE = 77, WORDS_MAX = 12 };
    const char *words[WORDS_MAX];
    unsigned count = 0;
    while (shell[count] != NULL) {
        words[count] = shell[count];
        count++;
    }
    words[count++] = arena_text(&fixture->arena, "{ %s; } || exit %d; exec %s %s/t.conf --out=%s",
                                before, NOT_HERE, fixture->sweep, fixture->folder, fixture->out);
    words[count] = NULL;
    start(fixture, words);
    const int ended = finish(fixture);
    if (ended == NOT_HERE || (ended != exit_code && !exists(fixture, "out"))) {
        print_message("skip: %s", read_file(fixture, "stderr"));
        skip();
    }
    assert_int_equal(ended, exit_code);
}

static void assert_full_speed(struct fixture *fixture, const char *reason)
{
    const char *row = row_of(fixture, "");
    assert_text(fixture, row, "status", "ok");
    assert_true(number_of(row, "cpu_share_asked") == 0.06);
    assert_string_equal(json_find_copy(&fixture->arena, row, "cpu_share"), "null");
    assert_string_equal(json_find_copy(&fixture->arena, row, "cpu_period_ms"), "null");
    assert_text(fixture, row, "cpu_share_by", "");
    assert_contains(text_of(fixture, row, "cpu_share_reason"), reason);
    assert_text(fixture, row_of(fixture, "cpu-share=6%"), "status", "skipped");
    assert_said(fixture, "cpu-share 6% is unavailable, its rows run at full speed: ");
    assert_string_equal(share_value(fixture, "status"), "\"unavailable\"");
    assert_string_equal(share_value(fixture, "by"), "null");
    assert_nothing_left(fixture);
}

static const char keys[] = "mode = ok\ncpu-share = 6%\n[one]\nx = 1\n[two]\ncpu-share = 6%, 100%\n";

static void sweep_in_mounts(struct fixture *fixture, const char *scenario, const char *mount)
{
    const char *const shell[] = {"unshare", geteuid() == 0 ? "-m" : "-rm", "/bin/sh", "-c", NULL};
    write_systemd(fixture, NO_SYSTEMD);
    write_scenario(fixture, scenario);
    sweep_behind(fixture, shell, mount, EXIT_DONE);
}

static const char no_groups[] = "mount -t tmpfs none /sys/fs/cgroup";

SWEEP_TEST(without_control_groups_rows_run_at_full_speed)
{
    sweep_in_mounts(fixture, keys, no_groups);
    assert_full_speed(fixture, "no control groups are mounted here; and systemd makes no scope: "
                               "no systemd runs here");
}

SWEEP_TEST(without_control_groups_no_share_is_calibrated)
{
    sweep_in_mounts(fixture,
                    "mode = ok\n[share]\ncalibrate = cpu-share 5%..25%\ntarget = 1\n"
                    "[rows]\ncpu-share = =[share]\n",
                    no_groups);
    assert_said(fixture, "calibration [share] is unavailable: no control groups are mounted here");
    assert_null(strstr(read_file(fixture, "stderr"), "its rows run"));
    assert_contains(text_of(fixture, row_of(fixture, ""), "calibration_reason"),
                    "cpu-share: [share] is unavailable: no control groups");
}

SWEEP_TEST(read_only_control_groups_are_none)
{
    sweep_in_mounts(fixture, keys,
                    "for m in $(sed -n '/ - cgroup2* /p' /proc/self/mountinfo | "
                    "cut -d' ' -f5); do mount -o remount,bind,ro $m || exit 77; done");
    assert_full_speed(fixture, "");
    assert_contains(text_of(fixture, row_of(fixture, ""), "cpu_share_reason"),
                    geteuid() == 0 ? "Read-only file system" : "; and systemd makes no scope");
}

static void sweep_as_user(struct fixture *fixture, const char *systemd)
{
    static const char *const as_user[] = {"setpriv",
                                          "--reuid=65534",
                                          "--regid=65534",
                                          "--clear-groups",
                                          "env",
                                          "-u",
                                          "TMPDIR",
                                          "/bin/sh",
                                          "-c",
                                          NULL};
    const unsigned first = geteuid() == 0 ? 0 : 4;
    write_systemd(fixture, systemd);
    write_scenario(fixture, keys);
    assert_int_equal(chmod(fixture->folder, 0777), 0);
    sweep_behind(fixture, as_user + first, "true", EXIT_DONE);
}

SWEEP_TEST(an_ordinary_user_asks_systemd)
{
    sweep_as_user(fixture, NO_SYSTEMD);
    if (strcmp(text_of(fixture, row_of(fixture, ""), "cpu_share_by"), "") != 0) {
        print_message("skip: this user may make control groups\n");
        skip();
    }
    assert_full_speed(fixture, "systemd makes no scope: no systemd runs here");
    assert_contains(read_file(fixture, "scopes"), "--user --scope --quiet --collect -p CPUQuota=");
}

/* As a systemd does whose users have no cpu controller. */
SWEEP_TEST(a_scope_without_a_quota_is_found_out)
{
    sweep_as_user(fixture, PLAIN_SYSTEMD);
    if (strncmp(text_of(fixture, row_of(fixture, ""), "cpu_share_by"), "cgroup", 6) == 0) {
        print_message("skip: this user may make control groups\n");
        skip();
    }
    assert_full_speed(fixture, "a process in a systemd scope has no such quota");
    assert_contains(read_file(fixture, "scopes"),
                    "-p CPUQuota=6% -p CPUQuotaPeriodSec=40000us -- ");
    assert_contains(read_file(fixture, "scopes"), "--spin=500ms");
}

/* A scope that holds, and a loop that got another share. */
SWEEP_TEST(a_share_that_is_not_as_asked_for_is_a_warning)
{
    sweep_as_user(fixture,
                  "case \"$*\" in *--spin=*) echo '{\"share\":0.09,\"cpu_quota\":0.0601,"
                  "\"throttled_periods\":12,\"throttled_ms\":400}'; exit;; esac\n" PLAIN_SYSTEMD);
    const char *row = row_of(fixture, "cpu-share=6%");
    if (strncmp(text_of(fixture, row, "cpu_share_by"), "cgroup", 6) == 0) {
        print_message("skip: this user may make control groups\n");
        skip();
    }
    assert_text(fixture, row, "status", "ok");
    assert_text(fixture, row, "cpu_share_by", "systemd scope");
    assert_text(fixture, row, "cpu_share_reason", "");
    assert_true(number_of(row, "cpu_share") == 0.0601); /* what held, and not what was asked for */
    assert_true(number_of(row, "cpu_share_asked") == 0.06);
    assert_said(fixture,
                "warning: cpu-share 6%: a bare loop got 9 % of a processor instead of 6 %; "
                "its rows still run");
    assert_string_equal(share_value(fixture, "status"), "\"failed\"");
    assert_string_equal(share_value(fixture, "got"), "0.09");
    assert_string_equal(share_value(fixture, "by"), "\"systemd scope\"");
    assert_string_equal(
        json_find_copy(&fixture->arena, row_of(fixture, "cpu-share=100%"), "cpu_share_asked"),
        "null");
}

/* ---- sweeps in a real group ---- */

/* Where a sweep's group would be; skips the test where there can be none. */
static const char *real_place(struct fixture *fixture)
{
    struct quota_group trial;
    if (!quota_group_make(&trial, 20000, 100000)) {
        print_message("skip: %s\n", trial.why);
        skip();
    }
    quota_group_remove(&trial);
    return arena_text(&fixture->arena, "%s", trial.path);
}

/* How many groups of the sweep that was started, or had been, there are. */
static unsigned count_groups(struct fixture *fixture, pid_t pid)
{
    struct cgroup at;
    unsigned count = 0;
    const char *prefix = arena_text(&fixture->arena, "fanin-sweep-%d-", (int)pid);
    assert_true(cgroup_find("", "cpu", &at));
    do {
        const struct dirent *entry;
        DIR *groups = opendir(at.path);
        while (groups != NULL && (entry = readdir(groups)) != NULL)
            count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
        closedir(groups);
    } while (cgroup_go_up(&at));
    return count;
}

/* A client that writes down the control groups that it and its shell are in. */
static void write_client(struct fixture *fixture, const char *then)
{
    write_file(fixture, "client",
               arena_text(&fixture->arena,
                          "#!/bin/sh\nhere=${0%%/*}\n"
                          "for a; do case $a in --json=*) json=${a#*=};; --dry-run) exit 0;; esac; "
                          "done\ncat /proc/self/cgroup >>\"$here/groups\"\n%s\n"
                          "echo '{\"status\":\"ok\",\"reason\":\"\"}' >\"$json\"\n",
                          then));
}

SWEEP_TEST(a_client_runs_in_the_group_of_its_share)
{
    real_place(fixture);
    write_scenario(fixture, "cpu-share = 8%\ncpu-period = 20ms\n");
    write_client(fixture, "");
    start_sweep(fixture, NULL);
    const pid_t pid = (pid_t)fixture->process.handle;
    assert_int_equal(finish(fixture), EXIT_DONE);
    const char *row = row_of(fixture, "");
    assert_true(number_of(row, "cpu_share") == 0.08);
    assert_true(number_of(row, "cpu_share_asked") == 0.08);
    assert_true(number_of(row, "cpu_period_ms") == 20);
    assert_contains(text_of(fixture, row, "cpu_share_by"), "cgroup v");
    assert_text(fixture, row, "cpu_share_reason", "");
    assert_contains(read_file(fixture, "groups"),
                    arena_text(&fixture->arena, "/fanin-sweep-%d-1\n", (int)pid));
    assert_int_equal(count_groups(fixture, pid), 0);

    /* What the bare loop got: less, perhaps, on a machine that does much else, but not more. */
    const double got = strtod(share_value(fixture, "got"), NULL);
    assert_true(got > 0 && got < 0.08 * 1.1);
    assert_true(strtod(share_value(fixture, "throttled_periods"), NULL) > 0);
    assert_true(strtod(share_value(fixture, "throttled_ms"), NULL) > 0);
    assert_string_equal(share_value(fixture, "asked"), "0.08");
    assert_string_equal(share_value(fixture, "period_ms"), "20");
    assert_non_null(strstr(share_value(fixture, "by"), "cgroup v"));
}

/* A container's quota, which version 1 compares with each number of a group below it. */
SWEEP_TEST(a_share_changes_its_period_below_a_quota)
{
    struct quota_group above;
    if (!quota_group_make(&above, 50000, 100000)) {
        print_message("skip: %s\n", above.why);
        skip();
    }
    const char *const words[] = {
        "/bin/sh", "-c",
        arena_text(&fixture->arena, "echo 0 >%s/cgroup.procs && exec %s %s/t.conf --out=%s",
                   above.path, fixture->sweep, fixture->folder, fixture->out),
        NULL};
    write_scenario(fixture, "mode = ok\ncpu-share = 40%\ncpu-period = 100ms, 20ms\nrepeat = 2\n");
    start(fixture, words);
    const int ended = finish(fixture);
    quota_group_remove(&above);
    assert_int_equal(ended, EXIT_DONE);
    assert_rows(fixture, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_contains(text_of(fixture, rows_of(fixture).lines[i], "cpu_share_by"), "cgroup v");
}

/* The process is another's: it lives on, outside of the group. */
SWEEP_TEST(what_a_client_leaves_behind_leaves_the_group)
{
    real_place(fixture);
    write_scenario(fixture, "cpu-share = 50%\nrepeat = 2\n");
    write_client(fixture, "for p in $(cat \"$here/pids\"); do cat /proc/$p/cgroup; done "
                          ">>\"$here/held\" 2>/dev/null\n"
                          "setsid sleep 600 >/dev/null 2>&1 & echo $! >>\"$here/pids\"");
    start_sweep(fixture, NULL);
    const pid_t pid = (pid_t)fixture->process.handle;
    assert_int_equal(finish(fixture), EXIT_DONE);
    assert_rows(fixture, 2);
    assert_int_equal(count_groups(fixture, pid), 0);
    assert_int_equal(count_pids(fixture, true), 2);
    /* When the second row began, the group was empty. */
    assert_contains(read_file(fixture, "held"), ":/");
    assert_null(strstr(read_file(fixture, "held"), "fanin-sweep-"));
    char *rest, *line = arena_text(&fixture->arena, "%s", read_file(fixture, "pids"));
    for (line = strtok_r(line, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const char *groups = arena_text(&fixture->arena, "/proc/%s/cgroup", line);
        size_t bytes;
        const char *text = arena_file(&fixture->arena, groups, 1 << 16, &bytes);
        if (text != NULL) /* the servers have ended */
            assert_null(strstr(text, "fanin-sweep-"));
        kill((pid_t)atoi(line), SIGKILL);
    }
}

SWEEP_TEST(a_sweep_that_is_interrupted_removes_its_group)
{
    real_place(fixture);
    write_scenario(fixture, "mode = hang\ncpu-share = 50%\n");
    start_sweep(fixture, NULL);
    const pid_t pid = (pid_t)fixture->process.handle;
    await_started(fixture, 2);
    assert_int_equal(count_groups(fixture, pid), 1);
    assert_int_equal(interrupt(fixture, SIGINT), EXIT_MEASURED_FAILURE);
    assert_int_equal(count_groups(fixture, pid), 0);
    assert_nothing_left(fixture);
}

SWEEP_TEST(the_group_of_a_killed_sweep_is_removed_by_the_next)
{
    real_place(fixture);
    write_scenario(fixture, "mode = hang\ncpu-share = 50%\n");
    start_sweep(fixture, NULL);
    const pid_t pid = (pid_t)fixture->process.handle;
    await_started(fixture, 2);
    assert_int_equal(interrupt(fixture, SIGKILL), 128 + SIGKILL);
    assert_int_equal(count_groups(fixture, pid), 1);
    run_scenario(fixture, "mode = ok\n", NULL, EXIT_DONE);
    assert_int_equal(count_groups(fixture, pid), 0);
}

/* ---- the bare loop ---- */

SWEEP_TEST(a_bare_loop_says_what_it_got)
{
    const char *const words[] = {fixture->sweep, "--spin=50ms", NULL};
    start(fixture, words);
    assert_int_equal(finish(fixture), EXIT_DONE);
    const char *said = read_file(fixture, "stdout");
    const double wall_ms = number_of(said, "wall_ms"), cpu_ms = number_of(said, "cpu_ms");
    assert_true(wall_ms >= 50 && cpu_ms > 0);
    assert_true(fabs(number_of(said, "share") - cpu_ms / wall_ms) < 1e-9);
}
