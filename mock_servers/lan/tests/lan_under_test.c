/* Runs the real fanin-lan for tests. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/tests/find.h"

enum { WORDS_MAX = 24, SILENCE_MS_MAX = 120000 };

char lan_program[LAN_PATH_BYTES + 64], lan_self[LAN_PATH_BYTES + 64];

void lan_find(const char *self)
{
    char directory[LAN_PATH_BYTES], path[4 * LAN_PATH_BYTES];
    assert_int_equal(os_program_directory(directory, sizeof directory), 0);
    assert_true(find_upwards(lan_program, sizeof lan_program, "fanin-lan"));
    snprintf(lan_self, sizeof lan_self, "%s/%s", directory, os_path_name(self));
    snprintf(path, sizeof path, "%.*s:%s", (int)(os_path_name(lan_program) - lan_program),
             lan_program, getenv("PATH"));
    setenv("PATH", path, 1);
}

void lan_start(struct lan_run *run, lan_preparation *prepare, const char *const words[])
{
    char *argv[WORDS_MAX] = {lan_program};
    int out[2], error[2];
    for (int i = 0; words[i] != NULL; i++)
        argv[i + 1] = (char *)words[i];
    assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(error, O_CLOEXEC), 0);
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(error[1], STDERR_FILENO);
        if (prepare != NULL)
            prepare();
        execv(lan_program, argv);
        _exit(99);
    }
    close(out[1]);
    close(error[1]);
    run->outputs[0] = out[0], run->outputs[1] = error[0];
    run->out[0] = run->error[0] = '\0';
}

/* Appends what has come; false at the end. */
static bool output_read(struct lan_run *run, int which)
{
    char *text = which == 0 ? run->out : run->error;
    size_t used = strlen(text);
    ssize_t got = read(run->outputs[which], text + used, LAN_TEXT_BYTES - 1 - used);
    text[used + (size_t)(got > 0 ? got : 0)] = '\0';
    return got > 0;
}

void lan_await_output(struct lan_run *run, int which, const char *text)
{
    while (strstr(which == 0 ? run->out : run->error, text) == NULL)
        assert_true(output_read(run, which));
}

static void output_drain(struct lan_run *run)
{
    struct pollfd polled[2] = {{.fd = run->outputs[0], .events = POLLIN},
                               {.fd = run->outputs[1], .events = POLLIN}};
    while (polled[0].fd >= 0 || polled[1].fd >= 0) {
        int ready = poll(polled, 2, SILENCE_MS_MAX);
        if (ready == 0)
            kill(run->pid, SIGKILL);
        assert_true(ready > 0);
        for (int i = 0; i < 2; i++)
            if (polled[i].revents != 0 && !output_read(run, i)) {
                close(run->outputs[i]);
                polled[i].fd = -1;
            }
    }
}

void lan_finish(struct lan_run *run)
{
    int status;
    output_drain(run);
    assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
    run->exit_code = WIFSIGNALED(status) ? LAN_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

void lan_run_as(struct lan_run *run, lan_preparation *prepare, const char *const words[])
{
    lan_start(run, prepare, words);
    lan_finish(run);
}

bool lan_has(struct lan_run *run, lan_preparation *prepare, const char *link)
{
    lan_run_as(run, prepare, LAN_WORDS("--link", link, "--rtt=0", "--", "true"));
    assert_true(run->exit_code == 0 || run->exit_code == 3);
    return run->exit_code == 0;
}

void lan_need(lan_preparation *prepare, const char *link)
{
    static struct lan_run run;
    lan_skip_if(!lan_has(&run, prepare, link), run.error);
}

void lan_skip_if(bool condition, const char *reason)
{
    if (!condition)
        return;
    print_message("skip: %s\n", reason);
    skip();
}
