/* Starts commands in a side's namespaces. */
#include "mock_servers/lan/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child: only async-signal-safe calls until exec ------------------------------------ */

static void streams_set(enum lan_side side)
{
    if (side == LAN_NEAR)
        return;
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) {
        dup2(nothing, STDIN_FILENO);
        close(nothing);
    }
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

static void signals_reset(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGPIPE};
    sigset_t none;

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        signal(numbers[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_run(const struct namespaces *namespaces, enum lan_side side,
                                char *const argv[], bool own_group, int report)
{
    if (own_group)
        setpgid(0, 0);
    namespaces_enter(namespaces, side);
    namespaces_show_processes();
    streams_set(side);
    signals_reset();
    execvp(argv[0], argv);
    int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(EXIT_COMMAND_CANNOT_RUN);
}

/* ---- the session ---------------------------------------------------------------------------- */

int command_start(struct command *command, const struct namespaces *namespaces, enum lan_side side,
                  char *const argv[], bool own_group)
{
    int report[2], error = 0;

    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        child_run(namespaces, side, argv, own_group, report[1]);
    if (pid < 0)
        error = errno;
    close(report[1]);
    /* The end of the file: exec has closed the pipe. */
    if (pid > 0 && read(report[0], &error, sizeof error) == sizeof error)
        waitpid(pid, NULL, 0);
    close(report[0]);
    *command = (struct command){.own_group = own_group, .pid = error == 0 ? pid : 0};
    return -error;
}

int command_exit_code(int status)
{
    return WIFSIGNALED(status) ? EXIT_COMMAND_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

void command_signal(const struct command *command, int number)
{
    if (command->pid > 0)
        kill(command->own_group ? -command->pid : command->pid, number);
}
