/* Shares of a processor: what the keys take, cells that fall together, and sweeps in a real control
 * group or where there is none. */
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

struct plan_fixture {
    struct arena arena;
    struct cells cells;
    struct cpu_shares shares;
    struct error error;
};

static void plan_shares(struct plan_fixture *plan, const char *keys)
{
    struct overrides none = {0};
    *plan = (struct plan_fixture){0};
    struct scenario *scenario = scenario_parse(&plan->arena, "t.conf", keys, &plan->error);
    assert_non_null(scenario);
    assert_int_equal(cells_expand(&plan->arena, scenario, &none, NULL, &plan->cells, &plan->error),
                     0);
    assert_int_equal(cpu_shares_plan(&plan->arena, &plan->cells, &plan->shares, &plan->error), 0);
}

TEST(cells_of_one_share_have_one)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\ncpu-share = 6%, 6.0%, 100%, 5.87%\ncpu-period = 40ms, 20ms\n");
    struct cell **cells = plan.cells.items;
    assert_int_equal(plan.cells.count, 8);
    assert_int_equal(plan.shares.count, 4);
    assert_non_null(cells[0]->cpu_share);
    assert_ptr_equal(cells[0]->cpu_share, cells[2]->cpu_share);
    assert_null(cells[4]->cpu_share);
    assert_int_equal(cells[0]->cpu_share->quota.quota_us, 2400);
    assert_int_equal(cells[1]->cpu_share->quota.quota_us, 1200);
    assert_int_equal(cells[6]->cpu_share->quota.quota_us, 2348);
    assert_int_equal(cells[6]->cpu_share->quota.period_us, 40000);
    assert_int_equal(cpu_shares_plan(&plan.arena, &plan.cells, &plan.shares, &plan.error), 0);
    assert_int_equal(plan.shares.count, 4);
    arena_free(&plan.arena);
}

TEST(a_share_that_is_searched_for_is_not_listed)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\ncpu-share = 6%\n");
    struct cell cell = *plan.cells.items[0];
    cell.cpu_share_asked = 0.09;
    struct cpu_share *share = cpu_share_of(&plan.arena, &plan.shares, &cell, &plan.error);
    assert_non_null(share);
    assert_int_equal(share->quota.quota_us, 3600);
    assert_ptr_equal(share->group, &plan.shares.group);
    assert_int_equal(plan.shares.count, 1);
    cell.cpu_share_asked = 0.02;
    assert_null(cpu_share_of(&plan.arena, &plan.shares, &cell, &plan.error));
    assert_contains(plan.error.text, "t.conf:2: cpu-share = 2% of");
    arena_free(&plan.arena);
}

static void lose(struct plan_fixture *plan, unsigned share)
{
    plan->shares.items[share]->status = CPU_SHARE_UNAVAILABLE;
    plan->shares.items[share]->reason = "none here";
    cpu_shares_fall_back(&plan->cells);
    cells_skip_twins(&plan->arena, &plan->cells);
}

TEST(cells_that_fall_back_to_full_speed_run_once)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\n[one]\ncpu-share = 6%, 100%, 7%\n[two]\ncpu-share = 6%, 7%\n"
                       "[three]\nlabel = A, B\ncpu-share = 6%\n");
    struct cell **cells = plan.cells.items;
    lose(&plan, 0);
    assert_string_equal(cells[0]->skip_reason,
                        "cpu-share 6% is unavailable; at full speed this cell would duplicate "
                        "cpu-share = 100%: none here");
    assert_null(cells[1]->skip_reason);
    assert_non_null(cells[2]->cpu_share);
    assert_null(cells[3]->cpu_share);
    assert_string_equal(cells[3]->cpu_share_reason, "none here");
    for (unsigned i = 1; i < plan.cells.count; i++)
        assert_null(cells[i]->skip_reason);
    lose(&plan, 1);
    assert_non_null(cells[2]->skip_reason);
    assert_null(cells[3]->skip_reason);
    assert_contains(cells[4]->skip_reason, "would duplicate cpu-share = 6%");
    arena_free(&plan.arena);
}

/* Of cells that differ in link and share, and have neither, one runs, in whatever order they
 * stand. */
TEST(cells_without_link_and_share_run_once)
{
    static const char *const orders[] = {"a, loopback", "loopback, a"};
    for (unsigned i = 0; i < 2; i++) {
        struct plan_fixture plan;
        struct link link = {.name = "a", .status = LINK_UNAVAILABLE, .reason = "no link"};
        unsigned run = 0;
        plan_shares(&plan, arena_text(&plan.arena, "servers = 1\nlink = %s\ncpu-share = 6%%, 7%%\n",
                                      orders[i]));
        for (unsigned k = 0; k < plan.cells.count; k++) {
            struct cell *cell = plan.cells.items[k];
            cell->link = strcmp(cell->link_asked, "a") == 0 ? &link : NULL;
        }
        links_fall_back(&plan.cells);
        cells_skip_twins(&plan.arena, &plan.cells);
        lose(&plan, 0);
        lose(&plan, 1);
        for (unsigned k = 0; k < plan.cells.count; k++)
            run += plan.cells.items[k]->skip_reason == NULL;
        assert_int_equal(run, 1);
        arena_free(&plan.arena);
    }
}

TEST(a_period_of_full_speed_is_one_cell)
{
    struct plan_fixture plan;
    plan_shares(&plan, "servers = 1\ncpu-share = 6%, 100%\ncpu-period = 20ms, 40ms\n");
    cells_skip_twins(&plan.arena, &plan.cells);
    for (unsigned i = 0; i < 3; i++)
        assert_null(plan.cells.items[i]->skip_reason);
    assert_string_equal(plan.cells.items[3]->skip_reason,
                        "cpu-period = 40ms changes nothing at full speed: this cell would "
                        "duplicate cpu-period = 20ms");
    arena_free(&plan.arena);
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

static void sweep_in_mounts(struct fixture *fixture, const char *mount)
{
    const char *const shell[] = {"unshare", geteuid() == 0 ? "-m" : "-rm", "/bin/sh", "-c", NULL};
    write_systemd(fixture, NO_SYSTEMD);
    write_scenario(fixture, keys);
    sweep_behind(fixture, shell, mount, EXIT_DONE);
}

SWEEP_TEST(without_control_groups_rows_run_at_full_speed)
{
    sweep_in_mounts(fixture, "mount -t tmpfs none /sys/fs/cgroup");
    assert_full_speed(fixture, "no control groups are mounted here; and systemd makes no scope: "
                               "no systemd runs here");
}

SWEEP_TEST(read_only_control_groups_are_none)
{
    sweep_in_mounts(fixture, "for m in $(sed -n '/ - cgroup2* /p' /proc/self/mountinfo | "
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
