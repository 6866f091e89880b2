/* Sweeps that end before their end - interrupted, killed, out of disk - and are gone on with. */
#include "scenarios/sweep/tests/sweep_fixture.h"

#include "scenarios/sweep/command.h"

SWEEP_TEST(an_interrupt_keeps_the_rows_and_leaves_nothing)
{
    interrupt_scenario(fixture, "mode = late\nx = 1, 2, 3\n", 2, SIGTERM);
    assert_said(fixture, "interrupted: 3 of 3 rows are missing; continue with --resume=");
    assert_nothing_left(fixture);
    assert_text(fixture, read_file(fixture, "out/run.json"), "state", "interrupted");
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_rows(fixture, 3);
    assert_true(number_of(read_file(fixture, "out/run.json"), "sessions") == 2);
    assert_nothing_left(fixture);
}

/* Ctrl-Z, and fg: the limit of 3 s for a row is not over, though 4 s have passed. */
SWEEP_TEST(a_stopped_sweep_goes_on_with_its_row)
{
    write_scenario(fixture, "mode = held\n");
    start_sweep(fixture, "--timeout=3");
    await_started(fixture, 2);
    kill((pid_t)fixture->process.handle, SIGSTOP);
    os_sleep_ns(4 * (uint64_t)OS_NS_PER_S);
    kill((pid_t)fixture->process.handle, SIGCONT);
    os_sleep_ns(300 * (uint64_t)OS_NS_PER_MS); /* it looks at its clock */
    write_file(fixture, "free", "");
    assert_int_equal(finish(fixture), EXIT_DONE);
    assert_rows(fixture, 1);
}

SWEEP_TEST(a_killed_sweep_leaves_no_child_and_resumes)
{
    write_scenario(fixture, "[a]\nmode = ok\nrepeat = 4\n[b]\nmode = late\nrepeat = 1\n");
    start_sweep(fixture, NULL);
    await_started(fixture, 2);
    assert_int_equal(interrupt(fixture, SIGKILL), 128 + SIGKILL);
    assert_nothing_left(fixture);
    double seed = number_of(read_file(fixture, "out/run.json"), "seed");
    /* The last line is torn. */
    write_file(fixture, "out/rows.jsonl",
               arena_text(&fixture->arena, "%s{\"schema\":3,\"scen",
                          read_file(fixture, "out/rows.jsonl")));
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_rows(fixture, 5);
    assert_true(number_of(read_file(fixture, "out/run.json"), "seed") == seed);
    assert_int_equal(resume(fixture, path_of(fixture, "t.conf"), NULL), EXIT_DONE);
    assert_rows(fixture, 5);
}

SWEEP_TEST(a_resume_refuses_what_differs)
{
    static const struct {
        const char *file, *text, *said;
    } damages[] = {
        {"out/rows.jsonl", "{\"order\":1}\n", "rows.jsonl:1: is not a row of this sweep"},
        {"out/rows.jsonl", "hello\n", "rows.jsonl:1: is not a row"},
        {"out/run.json", "{\"seed\":", "run.json: is not a whole record"},
        {"out/run.json", "{}", "run.json: lacks"},
        {"out/run.json", "{\"schema\":2,\"commit\":\"c0ffee1\"}",
         "run.json: has schema 2, and this program writes schema 5; resume it with the version "
         "that began it: commit c0ffee1"},
    };
    run_scenario(fixture, "mode = ok\n", "--x=1", EXIT_DONE);
    assert_int_equal(resume(fixture, path_of(fixture, "t.conf"), "--x=1"), EXIT_DONE);
    assert_int_equal(resume(fixture, "--x=2", NULL), EXIT_WRONG_USE);
    assert_said(fixture, "started with other keys");
    assert_int_equal(resume(fixture, path_of(fixture, "t.conf"), NULL), EXIT_WRONG_USE);
    write_scenario(fixture, "mode = fail\n");
    assert_int_equal(resume(fixture, path_of(fixture, "t.conf"), "--x=1"), EXIT_WRONG_USE);
    assert_said(fixture, "has changed since");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        write_file(fixture, damages[i].file, damages[i].text);
        assert_int_equal(resume(fixture, NULL, NULL), EXIT_WRONG_USE);
        assert_said(fixture, damages[i].said);
    }
}

/* Progress and summary that nobody reads are no reason to end. */
SWEEP_TEST(a_closed_pipe_ends_no_sweep)
{
    const char *conf = path_of(fixture, "t.conf");
    write_scenario(fixture, "mode = ok\nrepeat = 5\n");
    start(fixture,
          (const char *const[]){
              "/bin/sh", "-c", "{ \"$0\" \"$@\"; echo $? >\"$1.code\"; } 2>&1 | true",
              fixture->sweep, conf, arena_text(&fixture->arena, "--out=%s", fixture->out), NULL});
    assert_int_equal(finish(fixture), 0);
    assert_string_equal(read_file(fixture, "t.conf.code"), "0\n");
    assert_rows(fixture, 5);
    assert_text(fixture, read_file(fixture, "out/run.json"), "state", "done");
}

/* A file-size limit is a disk that is full. */
static int sweep_limited(struct fixture *fixture, unsigned blocks)
{
    const char *command =
        arena_text(&fixture->arena, "trap '' XFSZ; ulimit -f %u; exec \"$0\" \"$@\"", blocks);
    const char *const words[] = {"/bin/sh",
                                 "-c",
                                 command,
                                 fixture->sweep,
                                 path_of(fixture, "t.conf"),
                                 arena_text(&fixture->arena, "--out=%s", fixture->out),
                                 NULL};
    start(fixture, words);
    return finish(fixture);
}

SWEEP_TEST(a_full_disk_is_said_and_survived)
{
    write_scenario(fixture, "mode = ok\nrepeat = 40\n");
    assert_int_equal(sweep_limited(fixture, 1), EXIT_MACHINE_CANNOT);
    assert_said(fixture, "run.json: File too large");
    assert_false(exists(fixture, "pids"));

    fixture->out = path_of(fixture, "out/again");
    assert_int_equal(sweep_limited(fixture, 8), EXIT_MACHINE_CANNOT);
    assert_said(fixture, "rows.jsonl: File too large; make room, then --resume=");
    assert_nothing_left(fixture);
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_int_equal(
        rename(path_of(fixture, "out/again/rows.jsonl"), path_of(fixture, "out/rows.jsonl")), 0);
    assert_rows(fixture, 40);
}

/* A tmpfs that nobody else sees. The client of row 3 fills it up, and leaves no row therefore. */
SWEEP_TEST(a_row_that_met_a_full_disk_is_run_again)
{
    const char *script =
        arena_text(&fixture->arena, "mount -t tmpfs -o size=128k none \"$1\" || exit 99\n"
                                    "\"$2\" \"$3\" --out=\"$1/out\"; code=$?\n"
                                    "rm \"$1/out/filler\"; cp -r \"$1/out\" \"$4\"; exit $code\n");
    write_scenario(fixture, "mode = fill\nrepeat = 20\n");
    assert_int_equal(os_directory_make(path_of(fixture, "disk")), 0);
    start(fixture, (const char *const[]){"unshare", geteuid() == 0 ? "-m" : "-rm", "/bin/sh", "-c",
                                         script, "sh", path_of(fixture, "disk"), fixture->sweep,
                                         path_of(fixture, "t.conf"), fixture->out, NULL});
    int exit_code = finish(fixture);
    if (!exists(fixture, "out")) {
        print_message("skip: no tmpfs of one's own: %s", read_file(fixture, "stderr"));
        skip();
    }
    assert_int_equal(exit_code, EXIT_MACHINE_CANNOT);
    assert_said(fixture, "/disk/out: No space left on device; make room, then --resume=");
    assert_rows(fixture, 2);
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_rows(fixture, 20);
    assert_printed(fixture, "20 rows: 20 ok, 0 failed, 0 skipped");
}

/* What cannot be started says nothing about its cell. */
SWEEP_TEST(a_client_that_cannot_be_started_leaves_no_row)
{
    write_scenario(fixture, "mode = ok, gone\nrepeat = 2\n");
    assert_int_equal(sweep(fixture, NULL), EXIT_MACHINE_CANNOT);
    assert_said(fixture, "cannot start ");
    assert_said(fixture, "; remove the cause, then --resume=");
    for (unsigned i = 0; i < rows_of(fixture).count; i++)
        assert_text(fixture, rows_of(fixture).lines[i], "status", "ok");
    write_file(fixture, "client", read_file(fixture, "client.gone"));
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_rows(fixture, 4);
}

TEST(a_full_disk_at_the_start_of_a_program_is_not_taken_for_a_limit)
{
    struct arena arena = {0};
    struct command command = command_begin(&arena, "/bin/true");
    assert_string_equal(command_unstarted(&arena, &command, -ENOSPC),
                        "cannot start /bin/true: No space left on device");
    arena_free(&arena);
}

/* ---- one sweep a directory ---- */

/* Runs another sweep into the directory of the one that runs; it is refused at once. */
static void assert_refused(struct fixture *fixture, const char *option)
{
    struct os_process other;
    int exit_code = -1;
    const char *words[] = {fixture->sweep,
                           arena_text(&fixture->arena, "%s=%s", option, fixture->out),
                           strcmp(option, "--out") == 0 ? path_of(fixture, "t.conf") : NULL, NULL};
    remove(path_of(fixture, "other"));
    assert_int_equal(
        os_process_start(&other, (char *const *)words, NULL, path_of(fixture, "other")), 0);
    assert_int_equal(os_process_wait(&other, PATIENCE_NS, &exit_code), 1);
    assert_int_equal(exit_code, EXIT_WRONG_USE);
    assert_contains(read_file(fixture, "other"),
                    arena_text(&fixture->arena,
                               "%s=%s: another sweep writes to this directory (pid %ld, since 2",
                               option, fixture->out, (long)fixture->process.handle));
}

SWEEP_TEST(a_directory_has_one_sweep_and_is_free_when_that_ends)
{
    static const int signals[] = {SIGTERM, SIGKILL};
    for (unsigned i = 0; i < 2; i++) {
        write_scenario(fixture, "mode = late\nrepeat = 3\n");
        fixture->out = path_of(fixture, arena_text(&fixture->arena, "out%u", i));
        start_sweep(fixture, NULL);
        await_started(fixture, 2 * (i + 1));
        assert_refused(fixture, "--resume");
        assert_refused(fixture, "--out");
        interrupt(fixture, signals[i]);
    }
    write_file(fixture, "go", "");
    assert_int_equal(resume(fixture, NULL, NULL), EXIT_DONE);
    assert_int_equal(rename(fixture->out, path_of(fixture, "out")), 0);
    assert_rows(fixture, 3);
    assert_false(exists(fixture, "out/sweep.lock"));
    assert_false(exists(fixture, "out0/sweep.lock"));
}

SWEEP_TEST(a_directory_with_nothing_but_a_dead_lock_is_empty)
{
    assert_int_equal(os_directory_make(path_of(fixture, "out")), 0);
    write_file(fixture, "out/sweep.lock", "pid 1, since 2001-01-01T00:00:00Z\n");
    write_scenario(fixture, "mode = ok\n");
    assert_int_equal(sweep(fixture, NULL), EXIT_DONE);
    assert_rows(fixture, 1);
    assert_false(exists(fixture, "out/sweep.lock"));
}
