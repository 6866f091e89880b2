/* The built client while its processing thread is stopped for a moment, as by a debugger or a page
 * fault: memory stays under the cap, nothing is lost, and the run then continues. */
#include <dirent.h>
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "client/collector/tests/program.h"

enum {
    FLEET = 6,
    FRAMES = 200,
    CAP_BYTES = 4 << 20,
    ELSE_BYTES = 16 << 20, /* of a process without buffers: programs, stacks */
    HOLD_MS = 500,
    STEP_US = 100,
    STEPS_MAX = 100000,
};

static bool has_role(pid_t process, const char *thread)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/comm", (int)process, thread);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool read = fgets(name, sizeof name, file) != NULL;
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    return read && strcmp(name, OS_ROLE_BUFFER) == 0;
}

/* The first of its processing threads; 0: there is none yet. */
static pid_t thread_find(pid_t process)
{
    char path[64];
    pid_t found = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; tasks != NULL && found == 0 && (entry = readdir(tasks)) != NULL;)
        if (has_role(process, entry->d_name))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    if (tasks != NULL)
        closedir(tasks);
    return found;
}

/* Stops that thread and no other. */
static pid_t thread_hold(pid_t process)
{
    pid_t thread = 0;
    int status;
    for (unsigned i = 0; i < STEPS_MAX && thread == 0; i++) {
        thread = thread_find(process);
        os_sleep_ns((uint64_t)STEP_US * 1000);
    }
    if (thread == 0)
        fail_msg("the client has no processing thread");
    if (ptrace(PTRACE_SEIZE, thread, NULL, NULL) != 0) {
        int error = errno;
        kill(process, SIGKILL);
        waitpid(process, &status, 0);
        printf("skip: a thread cannot be held: %s\n", strerror(error));
        skip();
    }
    assert_int_equal(ptrace(PTRACE_INTERRUPT, thread, NULL, NULL), 0);
    assert_int_equal(waitpid(thread, &status, __WALL), thread);
    return thread;
}

static const char *const *options_of(const char *scheme)
{
    static const char *options[] = {NULL,
                                    "--frames=200",
                                    "--size=10kB..50kB",
                                    "--processors=1",
                                    "--pool-cap=4MiB",
                                    "--json=-",
                                    "--quiet",
                                    NULL};
    options[0] = scheme;
    return options;
}

static void assert_clean(void)
{
    assert_results(EXIT_DONE, "audit=pass, frames=%u, blocks_lost=0", FLEET * FRAMES);
    assert_true(results_count("buffer_peak_bytes") <= CAP_BYTES);
}

static void hold(const char *scheme)
{
    struct running running;
    uint64_t began_ns = os_now_ns();
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client", options_of(scheme));
    assert_clean();
    const uint64_t alone_ns = os_now_ns() - began_ns;
    devices_close(NULL);

    devices_open(FLEET, 0, DEVICE_GOOD); /* it counts from 0 */
    program_start(&running, "fanin-client", options_of(scheme));
    pid_t thread = thread_hold(running.child);
    os_sleep_ns((uint64_t)HOLD_MS * OS_NS_PER_MS);
    const struct os_process process = {running.child};
    const uint64_t held_bytes = os_process_peak_bytes(&process);
    assert_int_equal(waitpid(running.child, &(int){0}, WNOHANG), 0); /* it is not over without */
    began_ns = os_now_ns();
    assert_int_equal(ptrace(PTRACE_DETACH, thread, NULL, NULL), 0);
    program_finish(&running);
    const uint64_t after_ns = os_now_ns() - began_ns;
    assert_clean();
    if (!SANITIZED)
        assert_true(held_bytes < CAP_BYTES + ELSE_BYTES);
    assert_true(after_ns < 10 * alone_ns + 120 * (uint64_t)OS_NS_PER_S);
    devices_close(NULL);
}

TEST(a_held_thread_costs_time_only, NULL, devices_close)
{
    static const char *const schemes[] = {"--scheme=chain", "--scheme=slices", "--scheme=fixed",
                                          "--scheme=ring"};
    for (unsigned i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        hold(schemes[i]);
}
