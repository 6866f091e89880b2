/* Runs the real fanin-lan and keeps what it said. The file that includes this is a program of its
 * own: called with an argument it is one of the commands that fanin-lan runs. */
#ifndef FANIN_LAN_UNDER_TEST_H
#define FANIN_LAN_UNDER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/find.h"

enum {
    LAN_WORDS_MAX = 24,
    LAN_TEXT_BYTES = 16384,
    LAN_PATH_BYTES = 1024,
    LAN_SECONDS_MAX = 60,
    LAN_SIGNALLED = 128,
    LAN_NOBODY = 65534,
};

struct lan_run {
    pid_t pid;
    int outputs[2]; /* ends of pipes that we read */
    char out[LAN_TEXT_BYTES], error[LAN_TEXT_BYTES];
    int exit_code; /* 128 + signal */
    uint64_t wall_ns;
};

static char lan_program[LAN_PATH_BYTES + 64], lan_self[LAN_PATH_BYTES + 64];

/* What a child does before fanin-lan is executed. */
typedef void lan_preparation(void);

static void lan_find(const char *self)
{
    char directory[LAN_PATH_BYTES];

    assert_int_equal(os_program_directory(directory, sizeof directory), 0);
    assert_true(find_upwards(lan_program, sizeof lan_program, "fanin-lan"));
    snprintf(lan_self, sizeof lan_self, "%s/%s", directory,
             strrchr(self, '/') ? strrchr(self, '/') + 1 : self);
}

static void lan_child(int out, int error, lan_preparation *prepare, char *const argv[])
{
    dup2(out, STDOUT_FILENO);
    dup2(error, STDERR_FILENO);
    if (prepare != NULL)
        prepare();
    execv(lan_program, argv);
    _exit(99);
}

/* Starts it with a NULL-terminated list of words. */
static void lan_start(struct lan_run *run, lan_preparation *prepare, const char *const words[])
{
    char *argv[LAN_WORDS_MAX] = {lan_program};
    int out[2], error[2];

    for (int i = 0; words[i] != NULL; i++)
        argv[i + 1] = (char *)words[i];
    assert_int_equal(pipe(out) | pipe(error), 0);
    run->wall_ns = os_now_ns();
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        close(out[0]);
        close(error[0]);
        lan_child(out[1], error[1], prepare, argv);
    }
    close(out[1]);
    close(error[1]);
    run->outputs[0] = out[0], run->outputs[1] = error[0];
    run->out[0] = run->error[0] = '\0';
}

/* Reads what there is; false once the other end is closed by all who held it. */
static bool lan_read(int from, char *text, size_t *used)
{
    ssize_t got = read(from, text + *used, LAN_TEXT_BYTES - 1 - *used);

    if (got <= 0)
        return false;
    *used += (size_t)got;
    text[*used] = '\0';
    return true;
}

/* Reads both outputs to their ends, which come only when every process that fanin-lan started has
 * ended: so whoever returns from here knows that none is left. */
static void lan_drain(struct lan_run *run)
{
    char *texts[2] = {run->out, run->error};
    size_t used[2] = {0, 0};
    struct pollfd polled[2] = {{.fd = run->outputs[0], .events = POLLIN},
                               {.fd = run->outputs[1], .events = POLLIN}};
    int open = 2;

    while (open > 0) {
        int ready = poll(polled, 2, LAN_SECONDS_MAX * 1000);
        if (ready == 0)
            kill(run->pid, SIGKILL);
        assert_true(ready > 0);
        for (int i = 0; i < 2; i++) {
            if (polled[i].revents == 0 || lan_read(run->outputs[i], texts[i], &used[i]))
                continue;
            close(run->outputs[i]);
            polled[i].fd = -1;
            open--;
        }
    }
}

static void lan_finish(struct lan_run *run)
{
    int status;

    lan_drain(run);
    assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
    run->wall_ns = os_now_ns() - run->wall_ns;
    run->exit_code = WIFSIGNALED(status) ? LAN_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static void lan_run_as(struct lan_run *run, lan_preparation *prepare, const char *const words[])
{
    lan_start(run, prepare, words);
    lan_finish(run);
}

#define LAN_WORDS(...)    ((const char *const[]){__VA_ARGS__, NULL})
#define LAN_RUN(run, ...) lan_run_as(run, NULL, LAN_WORDS(__VA_ARGS__))

/* Where this machine allows no namespaces the test is skipped, with the reason. */
static void lan_need(lan_preparation *prepare, const char *link)
{
    struct lan_run run;

    lan_run_as(&run, prepare, LAN_WORDS("--link", link, "--rtt=0", "--", "true"));
    if (run.exit_code == 0)
        return;
    assert_int_equal(run.exit_code, 3);
    print_message("skip: %s", run.error);
    skip();
}

#endif
