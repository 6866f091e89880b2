/* The built programs, as others run them: rows on standard output, signals, limits, the raw
 * loop. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/options.h"
#include "client/os/os.h"
#include "client/tests/devices.h"
#include "client/tests/outcome.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

enum { FLEET = 5, ARGUMENTS_MAX = 16, DESCRIPTORS_FEW = 50 };

static struct devices devices;
static struct outcome outcome;

/* What the next programs may use; 0: as the tests. */
static struct {
    __typeof__(RLIMIT_AS) resource;
    rlim_t most;
} limits[] = {{RLIMIT_NOFILE, 0}, {RLIMIT_AS, 0}};

/* A program that is running: its standard output and error go to files. */
struct running {
    pid_t child;
    FILE *output, *errors;
};

static void fleet_open(unsigned count, enum device_fault fault, const char *user,
                       const char *password)
{
    memset(&devices, 0, sizeof devices);
    devices.user = user;
    devices.password = password;
    for (unsigned i = 0; i < count; i++)
        devices_add(&devices, fault);
    devices_start(&devices);
}

static int fleet_end(void **state)
{
    (void)state;
    if (devices.count > 0)
        devices_stop(&devices);
    devices.count = 0;
    limits[0].most = limits[1].most = 0;
    return 0;
}

/* The programs lie two folders above the tests. Skips the test if they are not built. */
static void start(struct running *running, const char *name, const char *const *options)
{
    char path[4096], list[DEVICES_MAX * 24], servers[sizeof list + 16];
    char *arguments[ARGUMENTS_MAX] = {path, servers};
    int count = 2;
    assert_int_equal(os_program_directory(path, sizeof path / 2), 0);
    snprintf(path + strlen(path), sizeof path / 2, "/../../%s", name);
    if (access(path, X_OK) != 0) {
        printf("skip: %s is not built\n", path);
        skip();
    }
    snprintf(servers, sizeof servers, "--servers=%s", devices_list(&devices, list, sizeof list));
    while (*options != NULL)
        arguments[count++] = (char *)*options++;
    *running = (struct running){-1, tmpfile(), tmpfile()};
    fflush(NULL);
    running->child = fork();
    if (running->child == 0) {
        for (unsigned i = 0; i < 2; i++)
            if (limits[i].most > 0)
                setrlimit(limits[i].resource, &(struct rlimit){limits[i].most, limits[i].most});
        dup2(fileno(running->output), STDOUT_FILENO);
        dup2(fileno(running->errors), STDERR_FILENO);
        execv(path, arguments);
        _exit(127);
    }
    assert_true(running->child > 0);
}

static void finish(struct running *running)
{
    int status;
    assert_int_equal(waitpid(running->child, &status, 0), running->child);
    file_slurp(running->output, outcome.row);
    file_slurp(running->errors, outcome.errors);
    if (!WIFEXITED(status))
        fail_msg("ended by signal %d: %s", WTERMSIG(status), outcome.errors);
    outcome.exit_code = WEXITSTATUS(status);
}

static void run(const char *name, const char *const *options)
{
    struct running running;
    start(&running, name, options);
    finish(&running);
}

/* ---- the client ------------------------------------------------------------------------------ */

static void a_row_on_standard_output_is_all_that_is_there(void **state)
{
    (void)state;
    fleet_open(FLEET, DEVICE_GOOD, NULL, NULL);
    run("fanin-client", (const char *const[]){"--frames=5", "--json=-", NULL});
    assert_int_equal(outcome.exit_code, EXIT_DONE);
    assert_string_equal(outcome.errors, "");
    assert_int_equal(outcome.row[0], '{');
    assert_string_equal(strchr(outcome.row, '\n'), "\n");
    assert_string_equal(row_text(&outcome, "audit"), "pass");
}

static void a_summary_is_for_people(void **state)
{
    (void)state;
    fleet_open(FLEET, DEVICE_GOOD, NULL, NULL);
    run("fanin-client", (const char *const[]){"--frames=5", NULL});
    assert_int_equal(outcome.exit_code, EXIT_DONE);
    assert_non_null(strstr(outcome.row, "audit       pass\n"));
    assert_non_null(strstr(outcome.row, "connect     5 of 5 servers in "));
}

static void help_and_version_are_there(void **state)
{
    (void)state;
    fleet_open(FLEET, DEVICE_GOOD, NULL, NULL);
    run("fanin-client", (const char *const[]){"--help", NULL});
    assert_int_equal(outcome.exit_code, EXIT_DONE);
    assert_non_null(strstr(outcome.row, "Examples:"));
    assert_non_null(strstr(outcome.row, "chain"));
    run("fanin-client", (const char *const[]){"--version", NULL});
    assert_int_equal(outcome.exit_code, EXIT_DONE);
}

static void a_signal_ends_the_run_with_a_row(void **state)
{
    enum { ASKED_BY_NOW_MS = 500 };
    (void)state;
    struct running running;
    fleet_open(FLEET, DEVICE_MUTE, NULL, NULL);
    start(&running, "fanin-client", (const char *const[]){"--json=-", NULL});
    os_sleep_ns((uint64_t)ASKED_BY_NOW_MS * OS_NS_PER_MS);
    kill(running.child, SIGTERM);
    finish(&running);
    assert_int_equal(outcome.exit_code, EXIT_MEASURED_FAILURE);
    assert_string_equal(row_text(&outcome, "status"), "failed");
    assert_int_equal(row_member_count(&outcome, "errors", "interrupted"), FLEET);
    assert_int_equal(row_count(&outcome, "blocks_lost"), 0);
}

static void too_few_descriptors_are_told_with_what_to_do(void **state)
{
    (void)state;
    fleet_open(FLEET, DEVICE_GOOD, NULL, NULL);
    limits[0].most = DESCRIPTORS_FEW;
    run("fanin-client", (const char *const[]){"--servers=200", "--json=-", NULL});
    assert_int_equal(outcome.exit_code, EXIT_MACHINE_CANNOT);
    assert_string_equal(row_text(&outcome, "status"), "skipped");
    assert_non_null(strstr(row_text(&outcome, "reason"), "hard limit is 50"));
    assert_non_null(strstr(outcome.errors, "ulimit -Hn"));
}

/* Whatever the memory suffices for, the program ends in order: it cannot run, or connections fail,
 * or all is well. */
static void run_in(const char *scheme, rlim_t memory_bytes)
{
    fleet_open(DEVICES_MAX, DEVICE_GOOD, NULL, NULL);
    limits[1].most = memory_bytes;
    run("fanin-client", (const char *const[]){scheme, "--workers=1", "--frames=2", "--json=-",
                                              "--stall-timeout=200", NULL});
    fleet_end(NULL);
}

static void memory_may_run_out_anywhere(void **state)
{
    enum { LEAST_MB = 8, STEP_MB = 2, MOST_MB = 64, LOADER_FAILED = 127 };
    (void)state;
    static const char *const schemes[] = {"--scheme=fixed", "--scheme=chain"};
    if (SANITIZED) {
        puts("skip: a sanitizer's shadow is larger than any limit that would bite");
        skip();
    }
    bool no_thread = false;
    for (unsigned i = 0; i < 2; i++) {
        rlim_t limit_mb = LEAST_MB;
        for (run_in(schemes[i], limit_mb << 20); outcome.exit_code != EXIT_DONE;
             run_in(schemes[i], (limit_mb += STEP_MB) << 20)) {
            assert_true(limit_mb < MOST_MB);
            if (outcome.exit_code == LOADER_FAILED || outcome.exit_code == EXIT_WRONG_USE)
                continue;
            bool skipped = outcome.exit_code == EXIT_MACHINE_CANNOT;
            assert_string_equal(row_text(&outcome, "status"), skipped ? "skipped" : "failed");
            no_thread |= strstr(row_text(&outcome, "reason"), "no thread for connection") != NULL;
        }
        assert_string_equal(row_text(&outcome, "audit"), "pass");
    }
    assert_true(no_thread);
}

/* ---- the raw loop ---------------------------------------------------------------------------- */

static void the_raw_loop_writes_the_same_row(void **state)
{
    (void)state;
    fleet_open(FLEET, DEVICE_GOOD, NULL, NULL);
    run("fanin-raw",
        (const char *const[]){"--frames=20", "--scheme=fixed", "--workers=4", "--json=-", NULL});
    assert_int_equal(outcome.exit_code, EXIT_DONE);
    assert_string_equal(row_text(&outcome, "audit"), "pass");
    assert_string_equal(row_text(&outcome, "scheme"), "raw");
    assert_string_equal(row_text(&outcome, "gate"), "none");
    assert_string_equal(row_text(&outcome, "connect"), "sync");
    assert_int_equal(row_count(&outcome, "workers"), 1);
    assert_int_equal(row_count(&outcome, "worker_threads"), 0);
    assert_int_equal(row_count(&outcome, "bytes"), row_count(&outcome, "server_bytes"));
    assert_true(row_is_null(&outcome, "frames"));
}

static void the_raw_loop_tells_what_fails(void **state)
{
    (void)state;
    static const struct {
        enum device_fault fault;
        const char *object, *name;
    } cases[] = {
        {DEVICE_RESETS, "errors", "reset"},
        {DEVICE_TRUNCATES, "errors", "closed-early"},
        {DEVICE_STALLS, "errors", "stalled"},
        {DEVICE_REFUSES, "connect_errors", "refused"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fleet_open(FLEET, cases[i].fault, NULL, NULL);
        run("fanin-raw",
            (const char *const[]){"--frames=20", "--stall-timeout=300", "--json=-", NULL});
        assert_int_equal(outcome.exit_code, EXIT_MEASURED_FAILURE);
        assert_int_equal(row_member_count(&outcome, cases[i].object, cases[i].name), FLEET);
        fleet_end(NULL);
    }
}

static void the_raw_loop_logs_in_and_asks_servers_that_are_not_ours(void **state)
{
    (void)state;
    fleet_open(FLEET, DEVICE_FOREIGN, NULL, NULL);
    run("fanin-raw",
        (const char *const[]){"--request=READ\\n", "--end-marker=\\x03", "--json=-", NULL});
    assert_int_equal(outcome.exit_code, EXIT_DONE);
    assert_int_equal(row_count(&outcome, "bytes"), FLEET * FOREIGN_RECORDS * FOREIGN_RECORD_BYTES);
    fleet_end(NULL);
    fleet_open(FLEET, DEVICE_GOOD, "operator", "secret");
    run("fanin-raw",
        (const char *const[]){"--login=operator:secret", "--frames=2", "--json=-", NULL});
    assert_int_equal(outcome.exit_code, EXIT_DONE);
    run("fanin-raw",
        (const char *const[]){"--login=operator:guess", "--frames=2", "--json=-", NULL});
    assert_int_equal(outcome.exit_code, EXIT_MEASURED_FAILURE);
    assert_int_equal(row_member_count(&outcome, "errors", "login-refused"), FLEET);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, fleet_end)
    const struct CMUnitTest tests[] = {
        CASE(a_row_on_standard_output_is_all_that_is_there),
        CASE(a_summary_is_for_people),
        CASE(help_and_version_are_there),
        CASE(a_signal_ends_the_run_with_a_row),
        CASE(too_few_descriptors_are_told_with_what_to_do),
        CASE(memory_may_run_out_anywhere),
        CASE(the_raw_loop_writes_the_same_row),
        CASE(the_raw_loop_tells_what_fails),
        CASE(the_raw_loop_logs_in_and_asks_servers_that_are_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
