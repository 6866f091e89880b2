/* A built program as others run it, against devices in the test's own process: its exit code, what
 * it wrote, the limits that it ran under. One fleet and one outcome a test program. */
#ifndef FANIN_TESTS_PROGRAM_H
#define FANIN_TESTS_PROGRAM_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/options.h"
#include "base/os.h"
#include "base/tests/find.h"
#include "client/collector/tests/devices.h"
#include "client/collector/tests/outcome.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define SANITIZED false
#endif

enum { ARGUMENTS_MAX = 16 };

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

static inline void fleet_open(unsigned count, enum device_fault fault, const char *user,
                              const char *password)
{
    memset(&devices, 0, sizeof devices);
    devices.user = user;
    devices.password = password;
    for (unsigned i = 0; i < count; i++)
        devices_add(&devices, fault);
    devices_start(&devices);
}

static inline int fleet_end(void **state)
{
    (void)state;
    if (devices.count > 0)
        devices_stop(&devices);
    devices.count = 0;
    limits[0].most = limits[1].most = 0;
    return 0;
}

/* Skips the test if the program is not built. */
static inline void start(struct running *running, const char *name, const char *const *options)
{
    char path[4096], list[DEVICES_MAX * 24], servers[sizeof list + 16];
    char *arguments[ARGUMENTS_MAX] = {path, servers};
    int count = 2;
    if (!find_upwards(path, sizeof path, name)) {
        printf("skip: %s is not built\n", name);
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

static inline void finish(struct running *running)
{
    int status;
    assert_int_equal(waitpid(running->child, &status, 0), running->child);
    file_slurp(running->output, outcome.row);
    file_slurp(running->errors, outcome.errors);
    if (!WIFEXITED(status))
        fail_msg("ended by signal %d: %s", WTERMSIG(status), outcome.errors);
    outcome.exit_code = WEXITSTATUS(status);
}

static inline void run(const char *name, const char *const *options)
{
    struct running running;
    start(&running, name, options);
    finish(&running);
}

#endif
