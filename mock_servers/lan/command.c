#include "mock_servers/lan/command.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

/* ---- the child's side: only async-signal-safe calls until exec ------------------------------ */

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
    streams_set(side);
    signals_reset();
    execvp(argv[0], argv);
    int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(EXIT_COMMAND_CANNOT_RUN);
}

/* ---- our side ------------------------------------------------------------------------------- */

int command_start(struct command *command, const struct namespaces *namespaces, enum lan_side side,
                  char *const argv[], bool own_group)
{
    int report[2], error = 0;

    *command = (struct command){.own_group = own_group};
    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    int result = namespaces_fork(namespaces, &command->pid, &command->reaper);
    if (result == 0)
        child_run(namespaces, side, argv, own_group, report[1]);
    close(report[1]);
    /* End of file: exec has closed the pipe. */
    if (result > 0 && read(report[0], &error, sizeof error) == sizeof error) {
        waitpid(command->reaper, NULL, 0);
        result = -error;
    }
    close(report[0]);
    if (result < 0)
        command->pid = 0;
    return result < 0 ? result : 0;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

bool command_reap(struct command *command)
{
    struct rusage usage;
    int status;

    if (command->pid == 0)
        return true;
    if (wait4(command->reaper, &status, WNOHANG, &usage) != command->reaper)
        return false;
    command->pid = 0;
    command->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    command->exit_code =
        WIFSIGNALED(status) ? EXIT_COMMAND_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

void command_signal(const struct command *command, int number)
{
    if (command->pid > 0)
        kill(command->own_group ? -command->pid : command->pid, number);
}

/* A shell ends at once when it is told to; what it started may take its time to end well. */
static bool group_ended(const struct command *command, pid_t pid)
{
    return !command->own_group || kill(-pid, 0) != 0;
}

void command_stop(struct command *command, unsigned long long grace_ns)
{
    enum { LOOK_EVERY_NS = 2 * OS_NS_PER_MS };
    uint64_t until_ns = os_now_ns() + grace_ns;
    pid_t pid = command->pid;

    command_signal(command, SIGTERM);
    while (!command_reap(command) || (pid > 0 && !group_ended(command, pid))) {
        if (os_now_ns() >= until_ns && pid > 0)
            kill(command->own_group ? -pid : pid, SIGKILL);
        os_sleep_ns(LOOK_EVERY_NS);
    }
}
