/* Runs built programs against devices in the test's own process. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "client/collector/tests/program.h"

#include "base/tests/find.h"

struct devices devices;

struct program_limit program_limits[2] = {{RLIMIT_NOFILE, 0}, {RLIMIT_AS, 0}};

const char *program_hosts;
bool (*program_prepare)(void);

enum { NOT_ALLOWED = 125 }; /* exit code of a child that may not have what the test needs */

void devices_reset(void)
{
    devices = (struct devices){.user = devices.user,
                               .password = devices.password,
                               .clock_ahead_ns = devices.clock_ahead_ns,
                               .clock_step_ns = devices.clock_step_ns,
                               .timeless = devices.timeless};
}

void devices_open(unsigned good, unsigned bad, enum device_fault fault)
{
    devices_reset();
    for (unsigned i = 0; i < good + bad; i++)
        devices_add(&devices, i < good ? DEVICE_GOOD : fault);
    devices_start(&devices);
}

void devices_script(unsigned count, const struct device_script *script)
{
    devices_reset();
    devices.script = *script;
    for (unsigned i = 0; i < count; i++)
        devices_add(&devices, DEVICE_SCRIPTED);
    devices_start(&devices);
}

int devices_close(void **state)
{
    if (devices.count > 0)
        devices_stop(&devices);
    devices.count = 0;
    devices.user = devices.password = NULL;
    devices.clock_ahead_ns = devices.clock_step_ns = 0;
    devices.timeless = false;
    program_limits[0].most = program_limits[1].most = 0;
    program_hosts = NULL;
    program_prepare = NULL;
    return 0;
}

/* An ordinary user may do it in a user namespace. */
static void hosts_mount(void)
{
    static const char names[] = "hosts: files\n";
    char path[] = "/tmp/fanin-names-XXXXXX";
    const int file = mkstemp(path);
    const int spaces = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    bool done = file >= 0 && write(file, names, strlen(names)) == (ssize_t)strlen(names) &&
                unshare(spaces) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                mount(program_hosts, "/etc/hosts", NULL, MS_BIND, NULL) == 0 &&
                mount(path, "/etc/nsswitch.conf", NULL, MS_BIND, NULL) == 0;
    unlink(path);
    if (!done)
        _exit(NOT_ALLOWED);
}

void program_start(struct running *running, const char *name, const char *const *options)
{
    char path[4096], *arguments[ARGUMENTS_MAX] = {path, devices_option(&devices)};
    int count = 2;
    if (!find_upwards(path, sizeof path, name)) {
        printf("skip: %s is not built\n", name);
        skip();
    }
    while (*options != NULL)
        arguments[count++] = (char *)*options++;
    *running = (struct running){-1, tmpfile(), tmpfile()};
    /* Opened before root is given up: not everybody may enter the folder. */
    const int program = open(path, O_RDONLY | O_CLOEXEC);
    fflush(NULL);
    running->child = fork();
    if (running->child == 0) {
        for (unsigned i = 0; i < 2; i++)
            if (program_limits[i].most > 0)
                setrlimit(program_limits[i].resource,
                          &(struct rlimit){program_limits[i].most, program_limits[i].most});
        if (program_hosts != NULL)
            hosts_mount();
        dup2(fileno(running->output), STDOUT_FILENO);
        dup2(fileno(running->errors), STDERR_FILENO);
        if (program_prepare != NULL && !program_prepare())
            _exit(NOT_ALLOWED);
        fexecve(program, arguments, environ);
        _exit(127);
    }
    close(program);
    assert_true(running->child > 0);
}

void program_finish(struct running *running)
{
    int status;
    assert_int_equal(waitpid(running->child, &status, 0), running->child);
    file_slurp(running->output, results.row);
    file_slurp(running->errors, results.errors);
    if (!WIFEXITED(status))
        fail_msg("ended by signal %d: %s", WTERMSIG(status), results.errors);
    results.exit_code = WEXITSTATUS(status);
    if ((program_hosts != NULL || program_prepare != NULL) && results.exit_code == NOT_ALLOWED) {
        printf("skip: this system does not allow what the test needs\n");
        skip();
    }
}

void program_run(const char *name, const char *const *options)
{
    struct running running;
    program_start(&running, name, options);
    program_finish(&running);
}

static void devices_reopen(void)
{
    static struct devices old;
    devices_stop(&devices);
    old = devices;
    devices_reset();
    for (unsigned i = 0; i < old.count; i++)
        devices_add(&devices, old.faults[i]);
    devices_start(&devices);
}

/* How often the row's tallies count an error. */
static unsigned errors_named(const char *key)
{
    const char *found = strstr(results.row, key);
    return found == NULL ? 0 : (unsigned)strtoul(found + strlen(key), NULL, 10);
}

void program_run_patiently(const char *name, const char *const *options, unsigned late)
{
    enum { LEAST_MS = 300, MOST_MS = 5 * 60 * 1000 };
    const char *all[ARGUMENTS_MAX] = {NULL};
    unsigned count = 0;
    for (; options[count] != NULL; count++)
        all[count] = options[count];
    for (unsigned limit_ms = LEAST_MS;; limit_ms *= 4) {
        char stall[48], connect[48];
        snprintf(stall, sizeof stall, "--stall-timeout=%u", limit_ms);
        snprintf(connect, sizeof connect, "--connect-timeout=%u", limit_ms);
        all[count] = stall;
        all[count + 1] = connect;
        program_run(name, all);
        if (errors_named("\"stalled\":") + errors_named("\"timeout\":") <= late ||
            limit_ms > MOST_MS)
            return;
        devices_reopen();
    }
}

void await_unanswered(unsigned count)
{
    while (atomic_load(&devices.unanswered) < count)
        os_sleep_ns(OS_NS_PER_MS);
}
