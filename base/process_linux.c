/* Linux's part of os.h: other processes and interrupts.
 *
 * Every child is started by one thread, the starter, that lives as long as the process:
 *
 *   caller --- request ---> starter --- fork ---> child: own group, dies with us, exec
 *          <--- result ----         <-- errno, or end of file by exec, on a pipe --'
 *
 * PR_SET_PDEATHSIG kills the child when the *thread* that forked it ends. Forked by its caller, a
 * child would die with a worker that is merely done. The starter blocks all signals, so that none
 * is handled in the child before exec, and Ctrl-C is left to the threads that wait for it. */
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os_parts.h"

enum { EXIT_BY_SIGNAL = 128, LOG_MODE = 0666 };

struct request {
    char *const *argv;
    const char *stdout_path, *stderr_path;
    int input, output; /* the child's ends of pipes; -1: none */
    int death_signal;  /* when this process dies */
    pid_t pid;         /* of the child, or -errno */
};

static struct {
    pthread_mutex_t lock; /* held by the caller until it has its answer */
    bool running;
    struct request *request;
    struct os_parker asked, answered;
} starter = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the child's side: only async-signal-safe calls until exec ----------------------------- */

static int redirect(int descriptor, const char *path, int flags)
{
    int file = open(path, flags, LOG_MODE);
    if (file < 0)
        return -errno;
    int moved = dup2(file, descriptor);
    if (file != descriptor)
        close(file);
    return moved < 0 ? -errno : 0;
}

static int take_pipe(int descriptor, int end)
{
    return dup2(end, descriptor) < 0 ? -errno : 0;
}

static int streams_set(const struct request *request)
{
    enum { APPEND = O_WRONLY | O_CREAT | O_APPEND };
    int error = request->input < 0 ? redirect(STDIN_FILENO, "/dev/null", O_RDONLY)
                                   : take_pipe(STDIN_FILENO, request->input);
    if (!error && request->output >= 0)
        error = take_pipe(STDOUT_FILENO, request->output);
    if (!error && request->stdout_path)
        error = redirect(STDOUT_FILENO, request->stdout_path, APPEND);
    if (!error && request->stderr_path)
        error = redirect(STDERR_FILENO, request->stderr_path, APPEND);
    return error;
}

/* What is caught here, exec resets; what was ignored at the start, by nohup, stays ignored. */
static void signals_reset(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_run(const struct request *request, pid_t parent, int report)
{
    prctl(PR_SET_PDEATHSIG, request->death_signal, 0, 0, 0);
    /* If the parent died before prctl, the signal never comes. */
    if (getppid() != parent)
        _exit(EXIT_BY_SIGNAL + SIGKILL);
    /* Where the parent runs without standard streams, the pipe has taken the number of one. */
    int spare = fcntl(report, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    report = spare < 0 ? report : spare;
    /* A group of its own: Ctrl-C reaches the parent only, which ends its children in order. */
    setpgid(0, 0);
    int error = streams_set(request);
    if (!error) {
        /* The child must not inherit our log files and sockets. Linux before 5.11 does not know
         * the flag; what was opened without O_CLOEXEC leaks there. */
        syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        signals_reset();
        execvp(request->argv[0], request->argv);
        error = -errno;
    }
    ssize_t written = write(report, &error, sizeof(error));
    _exit(written == sizeof(error) ? EXIT_BY_SIGNAL - 1 : EXIT_BY_SIGNAL);
}

/* ---- the starter's side ------------------------------------------------------------------ */

static pid_t child_start(const struct request *request)
{
    /* If SIGCHLD was ignored when we were started, exit codes of children would be lost. */
    signal(SIGCHLD, SIG_DFL);
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        child_run(request, parent, report[1]);
    int error = pid < 0 ? -errno : 0;
    close(report[1]);
    if (pid > 0 && read(report[0], &error, sizeof(error)) == sizeof(error))
        waitpid(pid, NULL, 0); /* exec failed: the child is about to end, leave no zombie */
    close(report[0]);
    assert(error <= 0);
    return error ? error : pid;
}

static void *starter_run(void *unused)
{
    while (os_park(&starter.asked, UINT64_MAX)) {
        starter.request->pid = child_start(starter.request);
        os_unpark(&starter.answered);
    }
    return NULL;
}

/* Called with the lock held. The new thread inherits the signal mask. */
static int starter_ensure(void)
{
    if (starter.running)
        return 0;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    int error = os_thread_start(&thread, "fanin-starter", 0, starter_run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return error;
    pthread_detach(thread);
    starter.running = true;
    return 0;
}

static int request_start(struct request *request, struct os_process *process)
{
    assert(request->argv[0]);
    pthread_mutex_lock(&starter.lock);
    request->pid = starter_ensure();
    if (request->pid == 0) {
        starter.request = request;
        os_unpark(&starter.asked);
        os_park(&starter.answered, UINT64_MAX);
    }
    pthread_mutex_unlock(&starter.lock);
    assert(request->pid != 0);
    process->handle = request->pid > 0 ? request->pid : 0;
    return request->pid > 0 ? 0 : request->pid;
}

int os_process_start(struct os_process *process, char *const argv[], const char *stdout_path,
                     const char *stderr_path)
{
    struct request request = {.argv = argv,
                              .stdout_path = stdout_path,
                              .stderr_path = stderr_path,
                              .input = -1,
                              .output = -1,
                              .death_signal = SIGKILL};
    return request_start(&request, process);
}

/* Its ends lie above the standard streams, which the child replaces; `ours` does not block. */
static int pipe_make(int ends[2], int ours)
{
    int made[2];
    if (pipe2(made, O_CLOEXEC) != 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(made[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(made[i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[ours], F_SETFL, O_NONBLOCK) == 0)
        return 0;
    int error = -errno;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return error;
}

int os_process_start_piped(struct os_process *process, char *const argv[], const char *stderr_path,
                           int *input, int *output)
{
    int in[2], out[2];
    process->handle = 0;
    int error = pipe_make(in, 1);
    if (error)
        return error;
    error = pipe_make(out, 0);
    if (!error) {
        struct request request = {.argv = argv,
                                  .stderr_path = stderr_path,
                                  .input = in[0],
                                  .output = out[1],
                                  .death_signal = SIGTERM};
        error = request_start(&request, process);
        close(out[1]);
        if (error)
            close(out[0]);
    }
    close(in[0]);
    if (error) {
        close(in[1]);
        return error;
    }
    *input = in[1];
    *output = out[0];
    return 0;
}

/* ---- waiting and stopping ---------------------------------------------------------------- */

/* True when the child has ended; it stays a zombie, so that pid and group remain its own. */
static bool child_ended(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};
    int failed;
    do {
        failed = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
    } while (failed != 0 && errno == EINTR);
    assert(failed == 0);
    return info.si_pid == pid;
}

/* Without a pidfd, which Linux before 5.3 lacks, it looks again and again. */
static void child_await(pid_t pid, uint64_t timeout_ns)
{
    enum { LOOK_EVERY_NS = 2 * OS_NS_PER_MS };
    const uint64_t began_ns = os_active_ns();
    uint64_t waited_ns;
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    while (!child_ended(pid) && (waited_ns = os_active_ns() - began_ns) < timeout_ns) {
        const uint64_t left_ns = os_slice_ns(timeout_ns - waited_ns);
        struct timespec left = os_timespec(end.fd < 0 ? LOOK_EVERY_NS : left_ns);
        ppoll(&end, 1, &left, NULL);
    }
    if (end.fd >= 0)
        close(end.fd);
}

static int child_reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        assert(errno == EINTR);
    return WIFSIGNALED(status) ? EXIT_BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

int os_process_wait(struct os_process *process, uint64_t timeout_ns, int *exit_code)
{
    assert(process->handle > 0);
    pid_t pid = (pid_t)process->handle;
    if (timeout_ns > 0)
        child_await(pid, timeout_ns);
    if (!child_ended(pid))
        return 0;
    *exit_code = child_reap(pid);
    process->handle = 0;
    return 1;
}

void os_process_stop(struct os_process *process, uint64_t grace_ns)
{
    if (process->handle <= 0)
        return;
    pid_t pid = (pid_t)process->handle;
    kill(-pid, SIGTERM);
    kill(-pid, SIGCONT); /* a stopped one would not see it */
    child_await(pid, grace_ns);
    /* The whole group, before the reaping frees its number: what the child started ends as well. */
    kill(-pid, SIGKILL);
    child_reap(pid);
    process->handle = 0;
}

void os_writes_fail(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* ---- interrupts -------------------------------------------------------------------------- */

/* What ends a process if nobody catches it, and is not an error of the program's own. */
static const struct {
    int number;
    const char *name;
    bool always; /* also if it was ignored: shells let what runs in the background ignore Ctrl-C */
} ends[] = {
    {SIGINT, "SIGINT", true},    {SIGTERM, "SIGTERM", true},  {SIGHUP, "SIGHUP", false},
    {SIGQUIT, "SIGQUIT", false}, {SIGXCPU, "SIGXCPU", false}, {SIGUSR1, "SIGUSR1", false},
    {SIGUSR2, "SIGUSR2", false},
};
enum { ENDS = sizeof ends / sizeof *ends };

static _Atomic(const char *) interrupted_by;
static _Atomic uint64_t interrupted_ns;

/* One end may be asked for twice: timeout(1) signals its child and then the child's group, a
 * terminal that closes does the same, and the limit of CPU time repeats itself. So only Ctrl-C,
 * SIGTERM and SIGQUIT end the process when they come again, and not at once. */
static void interrupt_note(int number)
{
    const uint64_t now_ns = os_now_ns();
    const char *by = NULL, *none = NULL;
    for (int i = 0; i < ENDS; i++)
        if (ends[i].number == number)
            by = ends[i].name;
    if (atomic_compare_exchange_strong(&interrupted_by, &none, by)) {
        atomic_store(&interrupted_ns, now_ns);
        return;
    }
    const bool insists = number == SIGINT || number == SIGTERM || number == SIGQUIT;
    const uint64_t since_ns = atomic_load(&interrupted_ns);
    if (!insists || since_ns == 0 || now_ns - since_ns < OS_NS_PER_S)
        return;
    signal(number, SIG_DFL);
    raise(number); /* delivered when this handler returns */
}

static void signal_catch(int number, void (*handler)(int), bool always)
{
    struct sigaction before, action = {.sa_handler = handler};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && (always || before.sa_handler == SIG_DFL))
        sigaction(number, &action, NULL);
}

void os_interrupts_catch(void)
{
    for (int i = 0; i < ENDS; i++)
        signal_catch(ends[i].number, interrupt_note, ends[i].always);
}

bool os_interrupted(void)
{
    return os_interrupted_by() != NULL;
}

const char *os_interrupted_by(void)
{
    return atomic_load(&interrupted_by);
}
