/* Two processes: fanin-lan itself, whose thread is the link, and the session, the first process of
 * the process namespace and the parent of both commands:
 *
 *     fanin-lan --- signals ---> session --- starts ---> far command
 *       link    <-- cut, mend ---   |    --- ready? ---> near command --- ends ---> far is stopped
 *               <-- exit code ---   '--- far fails: near is stopped, exit code 1
 *
 * The session dies with fanin-lan, however that ends, and all other processes of the namespace die
 * with the session.
 *
 * In a terminal's foreground the near command shares fanin-lan's process group, as usual for a
 * program that starts another: the terminal's keys reach it directly, and fanin-lan does not pass
 * them on. Otherwise it has its own group and gets its signals from the session only: a signal to a
 * whole group (as timeout sends it) would reach it twice. */
#include "mock_servers/lan/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/options.h"
#include "base/os.h"
#include "mock_servers/lan/namespace.h"

enum {
    /* As shells have them. */
    EXIT_COMMAND_CANNOT_RUN = 126,
    EXIT_COMMAND_NOT_FOUND = 127,
    EXIT_COMMAND_SIGNAL = 128, /* and the signal's number */
};

static const uint64_t ready_poll_ns = 5 * OS_NS_PER_MS, stop_poll_ns = 2 * OS_NS_PER_MS;
static const uint64_t grace_ns = 2ULL * OS_NS_PER_S;

struct command {
    pid_t pid;      /* 0: not running */
    bool own_group; /* signals go to all that it started */
    int exit_code;  /* once it has ended */
};

struct session {
    const struct session_config *config;
    struct link *link; /* NULL: another fanin-lan's */
    pid_t fanin_lan;
    bool foreground;
    struct command near, far;
    struct session_results *results; /* in shared memory */
    uint64_t started_ns;             /* of the near command */
    int edge; /* the next one: cut edge / 2 begins at even ones, ends at odd ones */
    bool edge_failed;
};

/* ---- signals -------------------------------------------------------------------------------- */

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};

enum { SIGNALS = sizeof signals / sizeof *signals };

static sigset_t waited_signals;

void session_prepare(void)
{
    /* Where SIGCHLD is ignored, as a parent may have set it, no exit code is kept. */
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&waited_signals);
    sigaddset(&waited_signals, SIGRTMIN);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&waited_signals, signals[i]);
    sigprocmask(SIG_BLOCK, &waited_signals, NULL);
}

/* The next signal, SIGCHLD included; 0: none came in time. */
static int signal_wait(uint64_t timeout_ns, siginfo_t *info)
{
    struct timespec timeout = os_timespec(timeout_ns);
    int number = sigtimedwait(&waited_signals, info, &timeout);
    return number < 0 ? 0 : number;
}

/* In the session: the next signal that fanin-lan has passed on, inside a realtime signal, because
 * a plain one is lost while the same one from elsewhere is pending. 0: none, the time is over or a
 * child has ended. */
static int signal_receive(uint64_t timeout_ns)
{
    siginfo_t info;
    int number = signal_wait(timeout_ns, &info);
    return number == SIGRTMIN ? info.si_value.sival_int : 0;
}

/* ---- starting a command --------------------------------------------------------------------- */

/* In the child: only async-signal-safe calls. The far command has no input and writes its output to
 * standard error, because standard output is the near command's. */
static _Noreturn void command_run(enum lan_side side, char *const argv[], bool own_group,
                                  int report)
{
    sigset_t none;
    if (own_group)
        setpgid(0, 0);
    namespaces_enter(side);
    namespaces_show_processes();
    if (side == LAN_FAR) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(nothing, STDIN_FILENO);
        dup2(STDERR_FILENO, STDOUT_FILENO);
    }
    for (int i = 0; i < SIGNALS; i++)
        signal(signals[i], SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvp(argv[0], argv);
    int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(EXIT_COMMAND_CANNOT_RUN);
}

/* Starts argv[0] (searched in PATH) on one side. EXIT_DONE, or an exit code as shells have it,
 * after a line on standard error that calls the command `what`. */
static int command_start(struct command *command, enum lan_side side, char *const argv[],
                         const char *what, bool own_group)
{
    int report[2] = {-1, -1};
    pid_t pid = pipe2(report, O_CLOEXEC) == 0 ? fork() : -1;
    if (pid == 0)
        command_run(side, argv, own_group, report[1]);
    int error = pid < 0 ? errno : 0;
    close(report[1]);
    /* The end of the file: exec has closed the pipe. */
    if (pid > 0 && read(report[0], &error, sizeof error) == sizeof error)
        waitpid(pid, NULL, 0);
    close(report[0]);
    if (error == 0) {
        *command = (struct command){.own_group = own_group, .pid = pid};
        return EXIT_DONE;
    }
    message_print("cannot start %s: %s", what, strerror(error));
    return error == ENOENT ? EXIT_COMMAND_NOT_FOUND : EXIT_COMMAND_CANNOT_RUN;
}

/* ---- ending commands ------------------------------------------------------------------------ */

static int exit_code_of(int status)
{
    return WIFSIGNALED(status) ? EXIT_COMMAND_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static void children_reap(struct session *session)
{
    struct rusage usage;
    int status;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
        struct command *command = pid == session->near.pid ? &session->near : &session->far;
        if (pid == command->pid)
            *command = (struct command){.exit_code = exit_code_of(status)};
        if (command == &session->near)
            session->results->near_cpu_s = cpu_seconds(&usage);
        else /* and of what either command has left running */
            session->results->far_cpu_s += cpu_seconds(&usage);
    }
}

static bool command_ended(struct session *session, const struct command *command)
{
    children_reap(session);
    return command->pid == 0;
}

/* Whom the command's signals go to. */
static pid_t target(const struct command *command)
{
    return command->own_group ? -command->pid : command->pid;
}

/* SIGTERM, and SIGKILL after a while. A shell ends at once; what it started may take its time. */
static void command_stop(struct session *session, struct command *command)
{
    uint64_t until_ns = os_now_ns() + grace_ns;
    pid_t to = target(command);
    if (to == 0)
        return;
    kill(to, SIGTERM);
    while (!command_ended(session, command) || (to < 0 && kill(to, 0) == 0)) {
        if (os_now_ns() >= until_ns)
            kill(to, SIGKILL);
        os_sleep_ns(stop_poll_ns);
    }
}

/* As the first process of its namespace the session may kill all others at once. */
static void all_stop(struct session *session)
{
    struct rusage usage;
    command_stop(session, &session->far);
    kill(-1, SIGKILL);
    while (wait4(-1, NULL, 0, &usage) > 0)
        session->results->far_cpu_s += cpu_seconds(&usage);
}

/* ---- far ------------------------------------------------------------------------------------ */

/* A far command that succeeds may have left servers running. */
static bool far_failed(struct session *session)
{
    return command_ended(session, &session->far) && session->far.exit_code != 0;
}

static void far_failure_say(const struct session *session, const char *when)
{
    int code = session->far.exit_code;
    if (code > EXIT_COMMAND_SIGNAL)
        message_print("the far command was killed by signal %d (%s) %s", code - EXIT_COMMAND_SIGNAL,
                      strsignal(code - EXIT_COMMAND_SIGNAL), when);
    else
        message_print("the far command ended with exit code %d %s", code, when);
}

/* EXIT_DONE: it is ready; 128 + a signal that came first. */
static int far_await(struct session *session)
{
    const struct session_config *config = session->config;
    uint64_t until_ns = os_active_ns() + config->ready_timeout_ms * OS_NS_PER_MS;
    while (config->ready_file != NULL && access(config->ready_file, F_OK) != 0) {
        int number = signal_receive(ready_poll_ns);
        if (number != 0)
            return EXIT_COMMAND_SIGNAL + number;
        if (far_failed(session)) {
            far_failure_say(session, "before it was ready");
            return EXIT_MEASURED_FAILURE;
        }
        if (os_active_ns() >= until_ns) {
            message_print("--ready-file: %s has not appeared within %g s; if the far command "
                          "takes longer, raise --ready-timeout",
                          config->ready_file, (double)config->ready_timeout_ms / 1e3);
            return EXIT_MEASURED_FAILURE;
        }
    }
    return EXIT_DONE;
}

/* ---- near ----------------------------------------------------------------------------------- */

/* Time at which the link is cut or mended next. */
static uint64_t edge_ns(const struct session *session)
{
    const struct cut_list *list = &session->config->cuts;
    if (session->link == NULL || session->near.pid == 0 || session->edge >= 2 * list->count)
        return UINT64_MAX;
    const struct cut *cut = &list->cuts[session->edge / 2];
    return session->started_ns + (session->edge % 2 == 0 ? cut->from_ns : cut->until_ns);
}

static void edges_pass(struct session *session)
{
    while (os_now_ns() >= edge_ns(session)) {
        bool down = session->edge % 2 == 0;
        bool done = link_set_down(session->link, down);
        session->edge_failed = session->edge_failed || !done;
        if (!done)
            message_print("--cut: cannot %s the link: %s", down ? "cut" : "mend", lan_reason());
        else if (!session->config->quiet)
            message_print("the link is %s", down ? "cut" : "up again");
        session->edge++;
    }
}

/* Until the near command ends or, without one, until a signal comes; or until the far command
 * fails. */
static int near_await(struct session *session)
{
    const struct session_config *config = session->config;
    bool holds = config->near_command == NULL;
    if (holds && !config->quiet)
        message_print("the link is up; fanin-lan --join %d -- COMMAND uses it",
                      (int)session->fanin_lan);
    while (holds || !command_ended(session, &session->near)) {
        uint64_t now_ns = os_now_ns(), next_ns = edge_ns(session);
        uint64_t wait_ns = next_ns > now_ns ? next_ns - now_ns : 0;
        int number = signal_receive(wait_ns > OS_NS_PER_S ? OS_NS_PER_S : wait_ns);
        if (number != 0 && holds)
            return EXIT_DONE;
        if (number != 0 && session->near.pid > 0)
            kill(target(&session->near), number);
        edges_pass(session);
        if (far_failed(session) && (holds || !command_ended(session, &session->near))) {
            far_failure_say(session, holds ? "while the link was held"
                                           : "before the near command, which is stopped now");
            command_stop(session, &session->near);
            return EXIT_MEASURED_FAILURE;
        }
    }
    if (session->edge_failed && session->near.exit_code == EXIT_DONE)
        return EXIT_MEASURED_FAILURE;
    return session->near.exit_code;
}

/* ---- the session ---------------------------------------------------------------------------- */

static _Noreturn void session_main(struct session *session)
{
    char *const *near = session->config->near_command;
    char *far[] = {"sh", "-c", (char *)session->config->far_command, NULL};
    int code = EXIT_DONE;
    for (int side = 0; side < LAN_SIDES; side++)
        setenv(lan_addresses[side].variable, lan_addresses[side].host, 1);
    if (far[2] != NULL &&
        command_start(&session->far, LAN_FAR, far, "sh for the far command", true) != EXIT_DONE)
        code = EXIT_MACHINE_CANNOT;
    if (code == EXIT_DONE)
        code = far_await(session);
    session->started_ns = os_now_ns();
    if (code == EXIT_DONE && near != NULL)
        code = command_start(&session->near, LAN_NEAR, near, near[0], !session->foreground);
    if (code == EXIT_DONE)
        code = near_await(session);
    session->results->wall_ms = (double)(os_now_ns() - session->started_ns) / OS_NS_PER_MS;
    if (session->link != NULL)
        all_stop(session);
    fflush(NULL);
    _exit(code);
}

/* ---- fanin-lan itself ----------------------------------------------------------------------- */

/* As fork(), but the child dies with this process. Negative with lan_reason(). */
static pid_t session_fork(bool joins)
{
    int parent = (int)syscall(SYS_pidfd_open, getpid(), 0); /* readable when it has ended */
    pid_t pid = joins ? fork() : namespaces_fork();
    if (pid < 0 && joins)
        lan_fail("cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        struct pollfd polled = {.fd = parent, .events = POLLIN};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (poll(&polled, 1, 0) != 0) /* it has ended already */
            _exit(EXIT_FAILURE);
    }
    close(parent);
    return pid;
}

/* Passes signals on until the session has ended. */
static int session_await(const struct session *session, pid_t pid)
{
    bool shares_keys = session->foreground && session->config->near_command != NULL;
    siginfo_t info;
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        int number = signal_wait(OS_NS_PER_S, &info);
        if (number != 0 && number != SIGCHLD && !(shares_keys && info.si_code > 0))
            sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = number});
    }
    return exit_code_of(status);
}

int session_run(const struct session_config *config, struct link *link,
                struct session_results *results)
{
    struct session session = {.config = config,
                              .link = link,
                              .fanin_lan = getpid(),
                              .foreground = tcgetpgrp(STDIN_FILENO) == getpgrp(),
                              .results = mmap(NULL, sizeof *results, PROT_READ | PROT_WRITE,
                                              MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    if (session.results == MAP_FAILED) {
        message_print("no memory");
        return EXIT_MACHINE_CANNOT;
    }
    pid_t pid = session_fork(link == NULL);
    if (pid == 0)
        session_main(&session);
    if (pid > 0 && link != NULL && !link_start(link)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        pid = -1;
    }
    if (pid < 0) {
        message_print("%s", lan_reason());
        return EXIT_MACHINE_CANNOT;
    }
    int code = session_await(&session, pid);
    *results = *session.results;
    munmap(session.results, sizeof *results);
    return code;
}
