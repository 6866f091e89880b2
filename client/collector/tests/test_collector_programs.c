/* The built client, as others run it: rows on standard output, signals, limits. */
#include <unistd.h>

#include "base/tests/find.h"
#include "client/collector/tests/program.h"

enum { FLEET = 5, DESCRIPTORS_FEW = 50 };

/* ---- the client ------------------------------------------------------------------------------ */

static void run_client(const char *const options[])
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client", options);
    assert_int_equal(results.exit_code, EXIT_DONE);
}

TEST(standard_output_has_the_row_alone, NULL, devices_close)
{
    run_client((const char *const[]){"--frames=5", "--json=-", NULL});
    assert_string_equal(results.errors, "");
    assert_int_equal(results.row[0], '{');
    assert_string_equal(strchr(results.row, '\n'), "\n");
    assert_string_equal(results_text("audit"), "pass");
}

TEST(the_summary_is_readable, NULL, devices_close)
{
    run_client((const char *const[]){"--frames=5", NULL});
    assert_non_null(strstr(results.row, "audit       pass\n"));
    assert_non_null(strstr(results.row, "connect     5 of 5 servers in "));
}

static bool output_without_reader(void)
{
    int ends[2];
    return pipe(ends) == 0 && close(ends[0]) == 0 && dup2(ends[1], STDOUT_FILENO) >= 0;
}

TEST(a_reader_of_the_summary_may_leave_early, NULL, devices_close)
{
    program_prepare = output_without_reader;
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client", (const char *const[]){"--frames=5", NULL});
    program_prepare = NULL;
    assert_int_equal(results.exit_code, EXIT_DONE);
    assert_string_equal(results.errors, "");
}

TEST(help_and_version_are_printed, NULL, devices_close)
{
    run_client((const char *const[]){"--help", NULL});
    assert_non_null(strstr(results.row, "Examples:"));
    assert_non_null(strstr(results.row, "chain"));
    program_run("fanin-client", (const char *const[]){"--version", NULL});
    assert_int_equal(results.exit_code, EXIT_DONE);
}

/* The one look of ten seconds does not come first. */
TEST(a_long_look_does_not_delay_the_end, NULL, devices_close)
{
    static const char *const look = "--look=every:10s:one";
    struct running running;
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client",
                (const char *const[]){"--json=-", look, "--for=200ms", "--rate=500", NULL});
    assert_results(EXIT_DONE, "status=ok, audit=pass, ended_by_time=%u", FLEET);
    assert_true(results_number("frames") > 1);
    program_start(&running, "fanin-client",
                  (const char *const[]){"--json=-", look, "--frames=100", NULL});
    os_sleep_ns((uint64_t)300 * OS_NS_PER_MS);
    kill(running.child, SIGINT);
    program_finish(&running);
    assert_results(EXIT_MEASURED_FAILURE, "interrupted_by=SIGINT");
    assert_string_equal(results_text("look"), "every:10s:one");
}

TEST(work_and_looks_are_in_the_row, NULL, devices_close)
{
    run_client((const char *const[]){"--frames=5", "--json=-", "--size=5000",
                                     "--work=spin:100us/record", "--look=every:1ms:one", NULL});
    assert_string_equal(results_text("work"), "spin:100us/record");
    assert_true(results_number("work_s") >= 0.999 * FLEET * 5 * 100e-6);
    assert_string_equal(results_text("look"), "every:1ms:one");
    assert_in_range(results_count("looks"), FLEET * 5, UINT32_MAX);
    /* From one look to the last; the first may be as late as the tick behind it. */
    assert_true(results_number("elapsed_ms") >= FLEET * 5 - 2);
    assert_true(results_is_null("buffer_predicted_bytes"));
    program_run("fanin-client", (const char *const[]){"--frames=5", NULL});
    assert_non_null(strstr(results.row, "look        wake, "));
    assert_null(strstr(results.row, "work "));
}

static void run_handing_over(const char *option)
{
    run_client((const char *const[]){"--scheme=slices", option, "--frames=5", "--json=-", NULL});
    devices_close(NULL);
}

TEST(hand_overs_are_counted_where_threads_take_them, NULL, devices_close)
{
    run_handing_over("--processors=1");
    assert_in_range(results_count("hand_overs"), 1, results_count("receive_calls"));
    run_handing_over("--processors=0");
    assert_true(results_is_null("hand_overs"));
    run_handing_over("--scheme=chain");
    assert_true(results_is_null("hand_overs"));
}

/* ---- ends from outside ----------------------------------------------------------------------- */

static void start_waiting(struct running *running)
{
    devices_open(0, FLEET, DEVICE_MUTE);
    program_start(running, "fanin-client", (const char *const[]){"--json=-", NULL});
    await_unanswered(FLEET);
}

static void assert_interrupted(struct running *running, const char *by)
{
    program_finish(running);
    assert_results(EXIT_MEASURED_FAILURE,
                   "status=failed, reason=interrupted by %s; *, interrupted_by=%s, "
                   "errors.interrupted=%u, blocks_lost=0",
                   by, by, FLEET);
    devices_close(NULL);
}

TEST(every_signal_that_ends_a_run_leaves_a_row_with_its_name, NULL, devices_close)
{
    static const struct {
        int number;
        const char *name;
    } signals[] = {
        {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"},   {SIGHUP, "SIGHUP"},   {SIGQUIT, "SIGQUIT"},
        {SIGXCPU, "SIGXCPU"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"},
    };
    for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct running running;
        start_waiting(&running);
        kill(running.child, signals[i].number);
        assert_interrupted(&running, signals[i].name);
    }
}

/* As timeout(1) does: its child, and then its child's group. */
TEST(a_signal_that_comes_twice_at_once_leaves_a_row, NULL, devices_close)
{
    enum { TIMES = 10 };
    struct running running;
    start_waiting(&running);
    for (unsigned i = 0; i < TIMES; i++) {
        kill(running.child, SIGTERM);
        os_sleep_ns(OS_NS_PER_MS);
    }
    assert_interrupted(&running, "SIGTERM");
}

TEST(under_nohup_a_hangup_ends_nothing, NULL, devices_close)
{
    struct running running;
    signal(SIGHUP, SIG_IGN);
    start_waiting(&running);
    signal(SIGHUP, SIG_DFL);
    kill(running.child, SIGHUP);
    kill(running.child, SIGTERM);
    assert_interrupted(&running, "SIGTERM");
}

static bool limit_files(void)
{
    const struct rlimit limit = {100, 100};
    return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

TEST(a_file_at_its_limit_is_an_error_and_no_end, NULL, devices_close)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_prepare = limit_files;
    program_run("fanin-client", (const char *const[]){"--frames=5", "--json=-", NULL});
    program_prepare = NULL;
    assert_int_equal(results.exit_code, EXIT_MACHINE_CANNOT);
    assert_non_null(strstr(results.errors, "cannot write '-': File too large"));
}

/* Until SIGTERM no longer ends it. */
static void await_caught(pid_t process)
{
    unsigned long long caught = 0;
    while ((caught >> (SIGTERM - 1) & 1) == 0) {
        char path[64], text[4096];
        snprintf(path, sizeof path, "/proc/%d/status", (int)process);
        file_read(path, text, sizeof text);
        const char *line = strstr(text, "SigCgt:");
        assert_non_null(line);
        sscanf(line, "SigCgt: %llx", &caught);
        os_sleep_ns(OS_NS_PER_MS);
    }
}

/* One name, whoever took the connects back: the port, by closing or cancelling, or a blocking call
 * that had not begun. */
TEST(connects_that_a_signal_ends_are_interrupted, NULL, devices_close)
{
    static const struct {
        const char *program, *option;
    } cases[] = {
        {"fanin-client", "--connect=async"},
        {"fanin-client", "--connect=sync"},
        {"fanin-peer-blocking", "--connect=sync"},
        {"fanin-raw", "--connect=sync"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct running running;
        devices_open(0, FLEET, DEVICE_FULL);
        program_start(
            &running, cases[i].program,
            (const char *const[]){cases[i].option, "--connect-timeout=600s", "--json=-", NULL});
        await_caught(running.child);
        kill(running.child, SIGTERM);
        program_finish(&running);
        assert_results(EXIT_MEASURED_FAILURE,
                       "connected=0, connect_errors.interrupted=%u, interrupted_by=SIGTERM", FLEET);
        devices_close(NULL);
    }
}

/* ---- limits of the system -------------------------------------------------------------------- */

TEST(too_few_descriptors_are_reported_with_advice, NULL, devices_close)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_limits[0].most = DESCRIPTORS_FEW;
    program_run("fanin-client", (const char *const[]){"--servers=200", "--json=-", NULL});
    assert_results(EXIT_MACHINE_CANNOT, "status=skipped");
    assert_non_null(strstr(results_text("reason"), "hard limit is 50"));
    assert_non_null(strstr(results.errors, "ulimit -Hn"));
}

/* Whatever the memory suffices for, the program ends in order: it cannot run, or connections fail,
 * or all is well. */
static void run_in(const char *scheme, rlim_t memory_bytes)
{
    devices_open(DEVICES_MAX, 0, DEVICE_GOOD);
    program_limits[1].most = memory_bytes;
    program_run("fanin-client", (const char *const[]){scheme, "--workers=1", "--frames=2",
                                                      "--json=-", "--stall-timeout=1000", NULL});
    devices_close(NULL);
}

TEST(memory_may_run_out_anywhere, NULL, devices_close)
{
    enum { LEAST_MB = 8, STEP_MB = 2, MOST_MB = 64, LOADER_FAILED = 127 };
    static const char *const schemes[] = {"--scheme=fixed", "--scheme=chain"};
    if (SANITIZED) {
        puts("skip: a sanitizer's shadow is larger than any limit that would bite");
        skip();
    }
    bool no_thread = false;
    for (unsigned i = 0; i < 2; i++) {
        rlim_t limit_mb = LEAST_MB;
        for (run_in(schemes[i], limit_mb << 20); results.exit_code != EXIT_DONE;
             run_in(schemes[i], (limit_mb += STEP_MB) << 20)) {
            assert_true(limit_mb < MOST_MB);
            if (results.exit_code == LOADER_FAILED)
                continue;
            bool skipped = results.exit_code == EXIT_MACHINE_CANNOT;
            assert_string_equal(results_text("status"), skipped ? "skipped" : "failed");
            assert_true(!skipped || strstr(results_text("reason"), "ulimit -v ") != NULL);
            no_thread |= strstr(results_text("reason"), "no thread for connection") != NULL;
        }
        assert_string_equal(results_text("audit"), "pass");
    }
    assert_true(no_thread);
}

/* ---- nobody listens -------------------------------------------------------------------------- */

TEST(messages_into_a_closed_pipe_cost_nothing, NULL, devices_close)
{
    static const char *const programs[] = {"fanin-client", "fanin-raw", "fanin-peer-blocking",
                                           "fanin-peer-libuv", "fanin-peer-libevent"};
    char directory[64], json[96];
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++) {
        const int process = unheard_start(programs[i], (const char *const[]){"--nonsense", NULL});
        const int code = process < 0 ? EXIT_MACHINE_CANNOT : unheard_end(process);
        assert_true(code == EXIT_WRONG_USE || code == EXIT_MACHINE_CANNOT); /* without a library */
    }
    devices_open(0, 2, DEVICE_REFUSES);
    assert_true(temporary_directory(directory, sizeof directory));
    snprintf(json, sizeof json, "--json=%s/row", directory);
    const int process = unheard_start(
        "fanin-client", (const char *const[]){devices_option(&devices), "--quiet", json, NULL});
    assert_true(process > 0);
    assert_int_equal(unheard_end(process), EXIT_MEASURED_FAILURE);
    file_read(json + strlen("--json="), results.row, sizeof results.row);
    assert_string_equal(results_text("status"), "failed");
    remove(json + strlen("--json="));
    assert_int_equal(rmdir(directory), 0);
}
