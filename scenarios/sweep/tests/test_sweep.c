/* fanin-sweep from end to end: rows, refusals, fleets. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/tests/limit.h"

enum { CANNOT_TRY = 77 };

/* ---- rows ---- */

SWEEP_TEST(good_rows_are_spliced)
{
    char *key;
    run_scenario(fixture, "mode = ok, lines\nrepeat = 3\nseed = 9\n", NULL, EXIT_DONE);
    assert_rows(fixture, 6);
    struct rows rows = rows_of(fixture);
    for (unsigned i = 0; i < rows.count; i++) {
        assert_non_null(json_member(&fixture->arena, rows.lines[i], 0, &key));
        assert_string_equal(key, "schema");
        assert_text(fixture, rows.lines[i], "scenario", "t");
        assert_text(fixture, rows.lines[i], "section", "");
        assert_text(fixture, rows.lines[i], "fleet", "");
        assert_text(fixture, rows.lines[i], "status", "ok");
        assert_true(strlen(text_of(fixture, rows.lines[i], "time_utc")) == 20);
        assert_int_equal((unsigned)number_of(rows.lines[i], "repeat"), i / 2 + 1);
        assert_true(number_of(rows.lines[i], "fleet_rss_kb") > 0);
        assert_true(number_of(rows.lines[i], "exit_code") == 0);
    }
    assert_true(number_of(row_of(fixture, "mode=ok"), "connect_ms") == 1.5);
    assert_printed(fixture, "6 rows: 6 ok, 0 failed, 0 skipped");
    assert_printed(fixture, "python3 plot/report.py");
    assert_null(strstr(read_file(fixture, "stdout"), "a summary"));
    assert_string_equal(read_file(fixture, "counts"), "3\n");
    assert_nothing_left(fixture);
}

SWEEP_TEST(the_record_has_what_a_reader_needs)
{
    run_scenario(fixture, "mode = ok\n", "--seed=77", EXIT_DONE);
    const char *record = read_file(fixture, "out/run.json");
    assert_true(json_is_object(record));
    assert_true(number_of(record, "seed") == 77);
    assert_true(number_of(record, "rows_written") == 1);
    assert_true(number_of(record, "actual_s") > 0);
    assert_text(fixture, record, "state", "done");
    assert_non_null(strstr(text_of(fixture, record, "command_line"), "--seed=77"));
    assert_true(strlen(text_of(fixture, record, "commit")) > 0);
    assert_true(strlen(text_of(fixture, record, "compiler")) > 0);
    const char *inner = json_find(record, "machine");
    assert_non_null(inner);
    assert_true(strlen(text_of(fixture, inner, "kernel")) > 0);
    inner = json_find(json_find(record, "scenarios"), "t");
    assert_text(fixture, inner, "text", read_file(fixture, "t.conf"));
}

static void assert_failed_row(struct fixture *fixture, const char *cell, const char *status,
                              const char *reason)
{
    const char *row = row_of(fixture, cell);
    assert_text(fixture, row, "status", status);
    assert_contains(text_of(fixture, row, "reason"), reason);
}

SWEEP_TEST(every_way_to_fail_is_a_row_with_its_reason)
{
    run_scenario(fixture, "mode = ok, fail, skip, die, crash, lie, garbage, nothing, silent\n",
                 NULL, EXIT_MEASURED_FAILURE);
    assert_rows(fixture, 9);
    assert_failed_row(fixture, "mode=ok", "ok", "");
    assert_failed_row(fixture, "mode=fail", "failed", "audit");
    assert_failed_row(fixture, "mode=skip", "skipped", "no such engine here");
    assert_failed_row(fixture, "mode=die", "failed", "killed by signal 11");
    assert_failed_row(fixture, "mode=crash", "failed",
                      "status ok, but it ended with killed by signal");
    assert_failed_row(fixture, "mode=lie", "failed", "status ok, but it ended with exit code 1");
    assert_failed_row(fixture, "mode=garbage", "failed", "is not a row");
    assert_failed_row(fixture, "mode=nothing", "failed", "is not a row");
    assert_failed_row(fixture, "mode=silent", "failed", "exit code 4: last \"words\"");
    assert_said(fixture, "failed: audit");
    assert_nothing_left(fixture);
}

SWEEP_TEST(a_sweep_ends_as_its_rows_do)
{
    static const struct {
        struct sweep_case sweep;
        const char *status, *reason;
    } cases[] = {
        {{"mode = hang\n", "--timeout=1", EXIT_MEASURED_FAILURE, "1 rows: 0 ok, 1 failed,"},
         "failed",
         "stopped after 1 s"},
        {{"mode = fail\nexpect = failures\n", NULL, EXIT_DONE,
          "1 rows: 0 ok, 1 failed (1 as expected), 0 skipped"},
         "failed",
         "audit"},
        {{"mode = die\nexpect = failures\n", NULL, EXIT_MEASURED_FAILURE, "killed by signal"},
         "failed",
         "killed by signal 11"},
        {{"mode = skip\n", NULL, EXIT_MACHINE_CANNOT, "1 skipped"}, "skipped", "no such engine"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_cases(fixture, &cases[i].sweep, 1);
        assert_rows(fixture, 1);
        assert_failed_row(fixture, "", cases[i].status, cases[i].reason);
        assert_nothing_left(fixture);
    }
}

SWEEP_TEST(a_budget_ends_after_the_first_repeats)
{
    run_scenario(fixture, "mode = slow\nx = 1, 2\nrepeat = 50\n", "--budget=0.001", EXIT_DONE);
    assert_rows(fixture, 2);
    assert_said(fixture, "the budget of 0.1 s is too small for all of them");
    assert_said(fixture, "out of time: 8 of 10 rows");
    assert_printed(fixture, "budget: too small; 0 further rows");
}

SWEEP_TEST(the_sweeps_own_time_is_in_each_row)
{
    double sum_ms = 0;
    run_scenario(fixture, "mode = ok\nrepeat = 3\n", NULL, EXIT_DONE);
    struct rows rows = rows_of(fixture);
    for (unsigned i = 0; i < rows.count; i++) {
        assert_true(number_of(rows.lines[i], "sweep_overhead_ms") > 0);
        sum_ms += number_of(rows.lines[i], "sweep_overhead_ms");
    }
    assert_true(sum_ms < number_of(read_file(fixture, "out/run.json"), "actual_s") * 1000);
}

/* ---- before anything runs ---- */

SWEEP_TEST(a_dry_run_prints_and_runs_nothing)
{
    run_scenario(fixture, "mode = ok, fail\nrepeat = 7\nrow-seconds = 2\n", "--dry-run", EXIT_DONE);
    assert_printed(fixture, "t mode=fail       7      14.0");
    assert_printed(fixture, "2 cells, 14 rows to run, about 28.0 s");
    run_scenario(fixture, "mode = ok\nfor = 20s\nrepeat = 2\n", "--dry-run", EXIT_DONE);
    assert_printed(fixture, "1 cells, 2 rows to run, about 40.0 s");
    assert_false(exists(fixture, "out"));
    assert_false(exists(fixture, "pids"));
}

SWEEP_TEST(wrong_use_is_one_line)
{
    static const struct sweep_case cases[] = {
        /* What a program refuses is named by its line. */
        {"mode = ok, bad\n", NULL, EXIT_WRONG_USE,
         "t.conf:7: client: --mode: takes ok, this is bad"},
        {"mode = ok\nfleet.fault = bad\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: servers: --fault: takes refuse"},
        {"mode = ok\nfor = 1s, 2min\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: for = 2min: a row would be stopped before, after timeout = 30 s"},
        {"mode = ok\n", "--mode=bad", EXIT_WRONG_USE, "command line: client: --mode"},
        {"mode = ok\n", "--mode=odd", EXIT_WRONG_USE, "--dry-run: exit code 7, expected 0, 2 or 3"},
        {"mode = ok\n", "--client=/nonexistent/client", EXIT_WRONG_USE,
         "cannot start /nonexistent/client: No such file"},
        {"mode = ok\n", "--only=nothing", EXIT_WRONG_USE,
         "--only=nothing: no scenario given has this section"},
        {"mode = ok\n", "/nonexistent.conf", EXIT_WRONG_USE,
         "/nonexistent.conf: cannot read this scenario"},
        {"mode = ok\n", "--repeat=x", EXIT_WRONG_USE,
         "command line: repeat = x: takes a whole number"},
        {"mode = ok\n", "--resume=/nonexistent", EXIT_WRONG_USE,
         "--out and --resume exclude each other"},
    };
    ASSERT_CASES(fixture, cases);
    assert_int_equal(sweep(fixture, path_of(fixture, "t.conf")), EXIT_WRONG_USE);
    assert_said(fixture, "are both called t");
    assert_false(exists(fixture, "out"));
    assert_false(exists(fixture, "pids"));
}

SWEEP_TEST(a_folder_for_temporary_files_that_cannot_be_written_is_named)
{
    static const char *const variables[] = {"TMPDIR", "TEMP"};
    for (unsigned i = 0; i < 2; i++) {
        const char *setting = arena_text(&fixture->arena, "%s=/nonexistent", variables[i]);
        const char *const words[] = {"env",   "-u",           "TMPDIR",
                                     setting, fixture->sweep, path_of(fixture, "t.conf"),
                                     "--out", fixture->out,   NULL};
        write_scenario(fixture, "mode = ok\n");
        start(fixture, words);
        assert_int_equal(finish(fixture), EXIT_MACHINE_CANNOT);
        assert_said(fixture, arena_text(&fixture->arena,
                                        "%s: cannot create a temporary file there: No such file or "
                                        "directory; name a directory that you can write, e.g. "
                                        "TMPDIR=$HOME fanin-sweep",
                                        setting));
        assert_false(exists(fixture, "out"));
    }
}

SWEEP_TEST(a_folder_with_something_in_it_is_left_alone)
{
    run_scenario(fixture, "mode = ok\n", NULL, EXIT_DONE);
    assert_int_equal(sweep(fixture, NULL), EXIT_WRONG_USE);
    assert_said(fixture, "the directory is not empty; name another one, or continue");
    assert_rows(fixture, 1);
    assert_int_equal(remove(path_of(fixture, "out/run.json")), 0);
    assert_int_equal(sweep(fixture, NULL), EXIT_WRONG_USE);
    assert_said(fixture, "the directory is not empty; name another one\n");
}

/* ---- what the machine lacks ---- */

SWEEP_TEST(a_cell_that_cannot_run_here_is_skipped_and_the_others_run)
{
    run_scenario(fixture, "mode = lacks, ok\n", NULL, EXIT_DONE);
    assert_rows(fixture, 2);
    assert_text(fixture, row_of(fixture, "mode=lacks"), "status", "skipped");
    assert_text(fixture, row_of(fixture, "mode=lacks"), "reason", "no memfd");
    assert_text(fixture, row_of(fixture, "mode=ok"), "status", "ok");
    assert_said(fixture, "(t mode=lacks, repeat 1) skipped: no memfd");
}

static bool no_further_process(void)
{
    const struct rlimit one = {1, 1};
    return limit_drop_root() && setrlimit(RLIMIT_NPROC, &one) == 0;
}

SWEEP_TEST(without_processes_it_is_the_machine_that_cannot)
{
    if (SANITIZED) {
        print_message("skip: a sanitizer has a thread of its own\n");
        skip();
    }
    write_scenario(fixture, "mode = ok\n");
    assert_int_equal(chmod(fixture->folder, 0777), 0);
    const int program = open(fixture->sweep, O_RDONLY | O_CLOEXEC);
    const int errors = open(path_of(fixture, "stderr"), O_WRONLY | O_CREAT, 0666);
    char *const words[] = {"fanin-sweep", (char *)path_of(fixture, "t.conf"), NULL};
    char *const environment[] = {(char *)arena_text(&fixture->arena, "TMPDIR=%s", fixture->folder),
                                 NULL};
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(errors, STDERR_FILENO);
        if (no_further_process())
            fexecve(program, words, environment);
        _exit(CANNOT_TRY);
    }
    int status;
    close(program);
    close(errors);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_TRY) {
        print_message("skip: root cannot be given up here\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_MACHINE_CANNOT);
    assert_said(fixture, "servers: Resource temporarily unavailable; the limit of threads of a "
                         "user is 1: as root, ulimit -u 4");
}

/* ---- fleets ---- */

SWEEP_TEST(a_fleet_that_cannot_start_ends_the_sweep)
{
    static const struct sweep_case cases[] = {
        {"mode = ok\nport = 20000\nfleet.fault = taken\n", NULL, EXIT_MACHINE_CANNOT,
         "t.conf:8: the servers on ports 20000 to 20002 did not start (exit code 3): servers: "
         "127.0.0.1:20000: in use; the key port (--port=BASE) moves them"},
        {"mode = ok\nfleet.fault = many\n", NULL, EXIT_WRONG_USE,
         "t.conf:8: servers: --fault: too many"},
    };
    ASSERT_CASES(fixture, cases);
}

SWEEP_TEST(a_fleet_that_ends_fails_the_row_and_is_started_again)
{
    run_scenario(fixture, "mode = slow\nfleet.fault = dies\nrepeat = 2\n", NULL,
                 EXIT_MEASURED_FAILURE);
    assert_rows(fixture, 2);
    assert_failed_row(fixture, "", "failed", "the servers ended during the row (exit code 5)");
    assert_int_equal(count_pids(fixture, false), 2);
    assert_nothing_left(fixture);
}

SWEEP_TEST(a_fleet_that_a_signal_ends_is_named_so)
{
    static const struct sweep_case cases[] = {
        {"mode = slow\nfleet.fault = killed\n", NULL, EXIT_MEASURED_FAILURE,
         "the servers ended during the row (killed by signal 9, as the kernel does when memory "
         "runs "
         "out: see dmesg)"},
        {"mode = slow\nfleet.fault = told\n", NULL, EXIT_MEASURED_FAILURE,
         "during the row (exit code 0: a signal told them to end, and not the sweep)"},
        {"mode = ok\nfleet.fault = after\nrepeat = 2\npause = 2000\n", NULL, EXIT_DONE,
         "the servers ended (killed by signal 9, as the kernel does when memory runs out: see "
         "dmesg); restarting them"},
    };
    ASSERT_CASES(fixture, cases);
}

SWEEP_TEST(each_set_of_options_has_a_fleet_that_is_kept)
{
    run_scenario(fixture, "mode = ok\nfleet.fault = x, y\nrepeat = 3\n", NULL, EXIT_DONE);
    assert_int_equal(count_pids(fixture, false), 2);
    struct rows rows = rows_of(fixture);
    for (unsigned i = 0; i < rows.count; i++)
        assert_non_null(strstr(text_of(fixture, rows.lines[i], "fleet"), "fault="));
    assert_nothing_left(fixture);
}

/* ---- names ---- */

/* A short name would name cells after what does not hold in them: an override of the whole one. */
SWEEP_TEST(a_key_that_only_begins_an_option_is_refused)
{
    static const char *const cases[][2] = {
        {"worker = 2, 4\n",
         "t.conf:7: fanin-client: --worker is only the beginning of a name; write --workers"},
        {"workers = 2\nfleet.faul = refuse:2%\n",
         "t.conf:8: fanin-servers: --faul is only the beginning of a name; write --fault"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const words[] = {fixture->sweep,
                                     path_of(fixture, "t.conf"),
                                     "--client=fanin-client",
                                     "--servers-program=fanin-servers",
                                     "--workers=8",
                                     "--dry-run",
                                     NULL};
        write_scenario(fixture, cases[i][0]);
        start(fixture, words);
        assert_int_equal(finish(fixture), EXIT_WRONG_USE);
        assert_said(fixture, cases[i][1]);
    }
}

#define NAME                                                                                       \
    "Gr\xc3\xb6\xc3\x9f"                                                                           \
    "e \xe6\xb5\x8b\xe8\xaf\x95 (1)"

SWEEP_TEST(a_scenario_and_its_directory_have_names_of_any_language)
{
    const char *out = path_of(fixture, "Ergebnisse " NAME);
    const char *const words[] = {fixture->sweep, path_of(fixture, NAME ".conf"),
                                 arena_text(&fixture->arena, "--out=%s", out), "--" NAME ".mode=ok",
                                 NULL};
    write_scenario(fixture, "mode = ok, fail\n");
    assert_int_equal(rename(path_of(fixture, "t.conf"), path_of(fixture, NAME ".conf")), 0);
    start(fixture, words);
    assert_int_equal(finish(fixture), EXIT_DONE);
    assert_printed(fixture, arena_text(&fixture->arena, "plot/report.py '%s'\n", out));
    const char *row = read_file(fixture, "Ergebnisse " NAME "/rows.jsonl");
    assert_text(fixture, row, "scenario", NAME);
    assert_text(fixture, row, "cell", "");
    fixture->out = out;
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
}

/* ---- nobody listens ---- */

SWEEP_TEST(progress_into_a_closed_pipe_costs_no_row)
{
    assert_int_equal(
        unheard_end(unheard_start("fanin-sweep", (const char *const[]){"--nonsense", NULL})),
        EXIT_WRONG_USE);
    write_scenario(fixture, "mode = ok, lines\n");
    const int process = unheard_start(
        "fanin-sweep",
        (const char *const[]){path_of(fixture, "t.conf"),
                              arena_text(&fixture->arena, "--out=%s", fixture->out), NULL});
    assert_int_equal(unheard_end(process), EXIT_DONE);
    assert_rows(fixture, 2);
}
