/* os.h's other processes. Run with an argument, this program plays the other process of a test. */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/find.h"
#include "base/tests/limit.h"
#include "base/tests/test.h"

enum {
    PATH_BYTES = 512,
    TEXT_BYTES = 1024,
    PATIENCE_MS = 20000, /* far more than a loaded machine needs; only failures wait that long */
};
static const uint64_t patience_ns = (uint64_t)PATIENCE_MS * OS_NS_PER_MS;

static char own_path[PATH_BYTES], directory[PATH_BYTES], output_path[PATH_BYTES + 16];

/* ---- helpers ----------------------------------------------------------------------------- */

static int directory_setup(void **state)
{
    if (!temporary_directory(directory, sizeof(directory)))
        return -1;
    snprintf(output_path, sizeof(output_path), "%s/output", directory);
    return 0;
}

static int directory_teardown(void **state)
{
    unlink(output_path);
    return rmdir(directory);
}

/* Waits until the child has written a whole line, and returns the number on it. */
static long output_await_number(void)
{
    char text[TEXT_BYTES];
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms++) {
        file_read(output_path, text, sizeof text);
        if (strchr(text, '\n'))
            return strtol(text, NULL, 10);
        os_sleep_ns(OS_NS_PER_MS);
    }
    fail_msg("the child wrote no line");
    return -1;
}

/* A zombie that nobody has reaped yet has ended. */
static bool process_lives(long pid)
{
    char path[64], text[TEXT_BYTES];
    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    file_read(path, text, sizeof text);
    const char *state = strrchr(text, ')');
    return state && state[2] != 'Z' && state[2] != 'X';
}

static bool process_ends(long pid)
{
    for (int waited_ms = 0; waited_ms < PATIENCE_MS && process_lives(pid); waited_ms++)
        os_sleep_ns(OS_NS_PER_MS);
    return !process_lives(pid);
}

static int start_shell(struct os_process *process, const char *script)
{
    unlink(output_path);
    char *const argv[] = {"sh", "-c", (char *)script, NULL};
    return os_process_start(process, argv, output_path, output_path);
}

static struct os_process shell(const char *script)
{
    struct os_process process;
    assert_int_equal(start_shell(&process, script), 0);
    return process;
}

static struct os_process self(const char *play)
{
    struct os_process process;
    unlink(output_path);
    char *const argv[] = {own_path, (char *)play, NULL};
    assert_int_equal(os_process_start(&process, argv, output_path, NULL), 0);
    return process;
}

static int exit_code(struct os_process *process)
{
    int code = -1;
    assert_int_equal(os_process_wait(process, patience_ns, &code), 1);
    return code;
}

static int run_shell(const char *script)
{
    struct os_process process = shell(script);
    return exit_code(&process);
}

/* ---- starting --------------------------------------------------------------------------- */

TEST(a_program_that_is_missing_is_an_error)
{
    struct os_process process = {.handle = 1};
    char *const nowhere[] = {"/nowhere/fanin", NULL};
    assert_int_equal(os_process_start(&process, nowhere, NULL, NULL), -ENOENT);
    assert_int_equal(process.handle, 0);
    char *const not_in_path[] = {"fanin-no-such-program", NULL};
    assert_int_equal(os_process_start(&process, not_in_path, NULL, NULL), -ENOENT);
    char *const no_program[] = {directory, NULL};
    assert_int_equal(os_process_start(&process, no_program, NULL, NULL), -EACCES);
    os_process_stop(&process, 0); /* nothing was started: nothing happens */
}

TEST(a_log_that_cannot_be_opened_is_an_error)
{
    struct os_process process;
    char *const argv[] = {"true", NULL};
    assert_int_equal(os_process_start(&process, argv, "/nowhere/log", NULL), -ENOENT);
    assert_int_equal(os_process_start(&process, argv, NULL, directory), -EISDIR);
}

TEST(no_descriptor_for_the_start_is_an_error)
{
    assert_int_equal(run_shell("exit 0"), 0);
    struct os_process process;
    struct rlimit before = limit_lower(RLIMIT_NOFILE, 3);
    int result = start_shell(&process, "exit 0");
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(result, -EMFILE);
}

TEST(the_exit_code_comes_back)
{
    assert_int_equal(run_shell("exit 0"), 0);
    assert_int_equal(run_shell("exit 37"), 37);
    assert_int_equal(run_shell("kill -KILL $$"), 128 + SIGKILL);
    assert_int_equal(run_shell("kill -SEGV $$"), 128 + SIGSEGV);
}

TEST(the_exit_code_comes_back_though_children_were_ignored)
{
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(run_shell("exit 4"), 4);
}

TEST(streams_are_appended_and_input_is_empty)
{
    char text[TEXT_BYTES];
    assert_int_equal(run_shell("cat; echo one; echo two >&2; exec echo three"), 0);
    file_read(output_path, text, sizeof text);
    assert_string_equal(text, "one\ntwo\nthree\n");
}

TEST(a_child_inherits_no_descriptor)
{
    int kept = dup(STDOUT_FILENO);
    if (syscall(SYS_close_range, kept, kept, CLOSE_RANGE_CLOEXEC) != 0) {
        close(kept);
        print_message("skip: this kernel has no close_range with CLOEXEC\n");
        skip();
    }
    fcntl(kept, F_SETFD, 0);
    char script[64];
    snprintf(script, sizeof(script), "test ! -e /proc/self/fd/%d", kept);
    int code = run_shell(script);
    close(kept);
    assert_int_equal(code, 0);
}

TEST(waiting_for_a_child_times_out)
{
    struct os_process process = shell("exec sleep 60");
    int code = -1;
    pid_t pid = (pid_t)process.handle;
    assert_int_equal(os_process_wait(&process, 0, &code), 0);
    assert_int_equal(os_process_wait(&process, 3 * OS_NS_PER_MS, &code), 0);
    assert_int_equal(code, -1);
    assert_int_equal(getpgid(pid), pid);
    os_process_stop(&process, patience_ns);
    assert_int_equal(process.handle, 0);
    assert_false(process_lives(pid));
}

TEST(waiting_works_without_a_pidfd)
{
    struct os_process process = shell("sleep 0.05; exit 5");
    int code = -1;
    struct rlimit before = limit_lower(RLIMIT_NOFILE, 3);
    int early = os_process_wait(&process, OS_NS_PER_MS, &code);
    int late = os_process_wait(&process, patience_ns, &code);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(early, 0);
    assert_int_equal(late, 1);
    assert_int_equal(code, 5);
}

TEST(the_peak_of_a_running_child_is_read)
{
    struct os_process process = shell("echo 1; sleep 60");
    output_await_number();
    uint64_t peak_bytes = os_process_peak_bytes(&process);
    os_process_stop(&process, patience_ns);
    assert_in_range(peak_bytes, 64 << 10, 64 << 20);
    assert_int_equal(os_process_peak_bytes(&process), 0);
}

TEST(the_cpu_time_of_a_child_is_read)
{
    struct os_process process =
        shell("i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done; echo 1; sleep 60");
    output_await_number();
    uint64_t cpu_ns = os_process_cpu_ns(&process);
    os_process_stop(&process, patience_ns);
    assert_in_range(cpu_ns, OS_NS_PER_MS, patience_ns);
    assert_int_equal(os_process_cpu_ns(&process), 0);
}

TEST(a_deaf_child_is_killed_with_its_own)
{
    struct os_process process = shell("trap '' TERM; sleep 60 & echo $!; wait; sleep 60");
    pid_t pid = (pid_t)process.handle;
    long grandchild = output_await_number();
    assert_true(process_lives(grandchild));
    os_process_stop(&process, 20 * OS_NS_PER_MS);
    assert_false(process_lives(pid));
    assert_true(process_ends(grandchild));
}

static void *start_sleeper(void *process)
{
    char *const argv[] = {"sleep", "60", NULL};
    int error = os_process_start(process, argv, NULL, NULL);
    assert(error == 0);
    (void)error;
    return NULL;
}

TEST(children_outlive_the_thread_that_asked)
{
    enum { CHILDREN = 4 };
    struct os_process processes[CHILDREN];
    pthread_t threads[CHILDREN];
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(os_thread_start(&threads[i], "asker", 0, start_sleeper, &processes[i]), 0);
    for (int i = 0; i < CHILDREN; i++)
        pthread_join(threads[i], NULL);
    os_sleep_ns(10 * OS_NS_PER_MS);
    for (int i = 0; i < CHILDREN; i++) {
        int code = -1;
        assert_int_equal(os_process_wait(&processes[i], 0, &code), 0);
        os_process_stop(&processes[i], patience_ns);
    }
}

/* The other process: starts a child, says its pid, and never gets to stop it. */
static _Noreturn void play_parent(void)
{
    struct os_process process;
    start_sleeper(&process);
    printf("%ld\n", (long)process.handle);
    fflush(stdout);
    for (;;)
        os_sleep_ns(OS_NS_PER_S);
}

TEST(children_die_with_a_killed_parent)
{
    struct os_process parent = self("parent");
    long child = output_await_number();
    assert_true(process_lives(child));
    kill((pid_t)parent.handle, SIGKILL);
    assert_int_equal(exit_code(&parent), 128 + SIGKILL);
    assert_true(process_ends(child));
}

/* The other process: notes an interrupt, says so, and goes on. */
static int play_interrupted(void)
{
    os_interrupts_catch();
    bool before = os_interrupted();
    printf("%d\n", before);
    fflush(stdout);
    while (!os_interrupted())
        os_sleep_ns(OS_NS_PER_MS);
    printf("%s", os_interrupted_by());
    fflush(stdout);
    /* In steps: a signal that comes in a sleep waits for its end under the thread sanitizer. */
    for (int i = 0; i < PATIENCE_MS && os_interrupted(); i++)
        os_sleep_ns(OS_NS_PER_MS);
    return 0;
}

static void await_noted(const char *name)
{
    char text[TEXT_BYTES] = "", wanted[TEXT_BYTES];
    snprintf(wanted, sizeof wanted, "0\n%s", name);
    for (int waited_ms = 0; waited_ms < PATIENCE_MS && strcmp(text, wanted) != 0; waited_ms++) {
        os_sleep_ns(OS_NS_PER_MS);
        file_read(output_path, text, sizeof text);
    }
    assert_string_equal(text, wanted);
}

static void check_interrupts(int first, const char *name, int second)
{
    struct os_process process = self("interrupted");
    int code = -1;
    assert_int_equal(output_await_number(), 0);
    kill((pid_t)process.handle, first);
    await_noted(name);
    assert_int_equal(os_process_wait(&process, 0, &code), 0);
    /* One that comes at once is the same: timeout(1) signals its child twice. */
    while (os_process_wait(&process, 50 * (uint64_t)OS_NS_PER_MS, &code) == 0)
        kill((pid_t)process.handle, second);
    assert_int_equal(code, 128 + second);
}

TEST(the_first_interrupt_is_noted_and_the_second_ends)
{
    check_interrupts(SIGINT, "SIGINT", SIGINT);
    check_interrupts(SIGTERM, "SIGTERM", SIGTERM);
    check_interrupts(SIGHUP, "SIGHUP", SIGINT);
    check_interrupts(SIGQUIT, "SIGQUIT", SIGTERM);
}

/* As nohup starts it. */
TEST(what_was_ignored_at_the_start_stays_ignored)
{
    signal(SIGHUP, SIG_IGN);
    struct os_process process = self("interrupted");
    signal(SIGHUP, SIG_DFL);
    assert_int_equal(output_await_number(), 0);
    kill((pid_t)process.handle, SIGHUP);
    kill((pid_t)process.handle, SIGTERM);
    await_noted("SIGTERM");
    os_process_stop(&process, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "parent") == 0)
        play_parent();
    if (argc > 1 && strcmp(argv[1], "interrupted") == 0)
        return play_interrupted();
    if (readlink("/proc/self/exe", own_path, sizeof(own_path) - 1) < 0)
        return 1;
    return tests_run(directory_setup, directory_teardown);
}
