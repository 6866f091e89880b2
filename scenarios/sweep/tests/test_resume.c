/* Sweeps that end before their end - interrupted, killed, out of disk - and are gone on with. */
#include "scenarios/sweep/tests/sweep_fixture.h"

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
               arena_text(&fixture->arena, "%s{\"schema\":2,\"scen",
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
