#include "mock_servers/lan/namespace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NUMBER_BYTES_MAX = 32, PATH_BYTES_MAX = 64 };

/* ---- what to do where it is not allowed ----------------------------------------------------- */

static bool setting_is(const char *path, char value)
{
    char text[NUMBER_BYTES_MAX] = "";
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    bool is = fgets(text, sizeof text, file) != NULL && text[0] == value && text[1] == '\n';
    fclose(file);
    return is;
}

/* The settings that keep users from namespaces, and what they are called. */
static const char *advice(void)
{
    static const struct {
        const char *path, *advice;
        char value;
    } settings[] = {
        {"/proc/sys/user/max_user_namespaces", "sysctl -w user.max_user_namespaces=10000", '0'},
        {"/proc/sys/user/max_net_namespaces", "sysctl -w user.max_net_namespaces=10000", '0'},
        {"/proc/sys/user/max_pid_namespaces", "sysctl -w user.max_pid_namespaces=10000", '0'},
        {"/proc/sys/kernel/unprivileged_userns_clone",
         "sysctl -w kernel.unprivileged_userns_clone=1", '0'},
        {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
         "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0", '1'},
    };

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        if (setting_is(settings[i].path, settings[i].value))
            return settings[i].advice;
    return NULL;
}

static int refuse(const char *what, int error, char *why, size_t why_bytes)
{
    const char *setting = advice();

    if (setting != NULL)
        snprintf(why, why_bytes, "cannot make %s: %s; as root, let users have them: %s", what,
                 strerror(error), setting);
    else
        snprintf(why, why_bytes,
                 "cannot make %s: %s; run it as root or, in a container, give that the capability "
                 "SYS_ADMIN (--cap-add SYS_ADMIN)",
                 what, strerror(error));
    return -error;
}

/* ---- user namespace ------------------------------------------------------------------------- */

static int file_write(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);

    if (file < 0)
        return -errno;
    int result = write(file, text, strlen(text)) < 0 ? -errno : 0;
    close(file);
    return result;
}

static int identity_map(const char *path, unsigned id)
{
    char line[2 * NUMBER_BYTES_MAX];

    snprintf(line, sizeof line, "%u %u 1\n", id, id);
    return file_write(path, line);
}

/* Everyone stays who they are: programs find their files, and have no rights that they did not have
 * before. Only this process, until it starts them, may configure the two networks. */
static int user_namespace_make(void)
{
    unsigned user = geteuid(), group = getegid();

    if (unshare(CLONE_NEWUSER) != 0)
        return -errno;
    int result = file_write("/proc/self/setgroups", "deny");
    if (result == 0 || result == -ENOENT)
        result = identity_map("/proc/self/uid_map", user);
    return result == 0 ? identity_map("/proc/self/gid_map", group) : result;
}

/* ---- network namespaces --------------------------------------------------------------------- */

static int network_make(int *network)
{
    if (unshare(CLONE_NEWNET) != 0)
        return -errno;
    *network = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return *network < 0 ? -errno : 0;
}

static int networks_make(struct namespaces *namespaces, char *why, size_t why_bytes)
{
    int result = network_make(&namespaces->network[LAN_NEAR]);

    if (result == -EPERM) {
        result = user_namespace_make();
        if (result < 0)
            return refuse("a user namespace, which takes the place of root's rights", -result, why,
                          why_bytes);
        result = network_make(&namespaces->network[LAN_NEAR]);
    }
    if (result == 0)
        result = network_make(&namespaces->network[LAN_FAR]);
    if (result < 0)
        return refuse("a network namespace", -result, why, why_bytes);
    namespaces_enter(namespaces, LAN_NEAR);
    return 0;
}

void namespaces_enter(const struct namespaces *namespaces, enum lan_side side)
{
    int failed = setns(namespaces->network[side], CLONE_NEWNET);

    assert(!failed);
    (void)failed;
}

/* A descriptor of the namespace of that kind that process `pid` is in, or -errno. */
static int other_open(int pid, const char *kind)
{
    char path[PATH_BYTES_MAX];

    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kind);
    int other = open(path, O_RDONLY | O_CLOEXEC);
    return other < 0 ? -errno : other;
}

/* ---- process namespace ---------------------------------------------------------------------- */

/* Whoever waits for the end of our output shall not wait for a process that only keeps others. */
static void descriptors_close(void)
{
    if (syscall(SYS_close_range, STDIN_FILENO + 1, ~0U, 0) != 0)
        for (int i = STDIN_FILENO + 1; i < sysconf(_SC_OPEN_MAX); i++)
            close(i);
}

/* Reaps `child`, and ends as it did, in one word. Signals are blocked here, as in our parent. */
static _Noreturn void reap_and_end(pid_t child)
{
    int status = 0;

    close(STDIN_FILENO);
    descriptors_close();
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFSIGNALED(status) ? NAMESPACES_EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status));
}

static void child_note(int number)
{
    (void)number; /* it is enough that ppoll is interrupted */
}

/* Runs as the namespace's first process, to which orphans fall; it reaps them, so that their CPU
 * time is its own children's. Only the process that made us holds the pipe's other end. */
static _Noreturn void keeper_run(int pipe_end)
{
    struct sigaction action = {.sa_handler = child_note};
    struct pollfd polled = {.fd = STDIN_FILENO};
    sigset_t children, none;

    sigemptyset(&none);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    sigaction(SIGCHLD, &action, NULL);
    dup2(pipe_end, STDIN_FILENO);
    descriptors_close();
    while (ppoll(&polled, 1, NULL, &none) < 0 && errno == EINTR)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    _exit(EXIT_SUCCESS);
}

/* A process whose children are to be in another process namespace can start no thread. So it is
 * always a child of ours that enters the namespace, and forks once more. `process` -1: a new
 * one. */
static int child_fork(int process, pid_t *child, pid_t *reaper)
{
    int report[2];
    pid_t pid;

    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    *reaper = fork();
    if (*reaper == 0) {
        int entered = process < 0 ? unshare(CLONE_NEWPID) : setns(process, CLONE_NEWPID);
        pid = entered == 0 ? fork() : -1;
        if (pid == 0)
            return 0;
        pid = pid < 0 ? -errno : pid;
        if (write(report[1], &pid, sizeof pid) != sizeof pid || pid < 0)
            _exit(EXIT_FAILURE);
        reap_and_end(pid);
    }
    int result = *reaper < 0 ? -errno : 1;
    close(report[1]);
    if (result == 1 && read(report[0], &pid, sizeof pid) != sizeof pid)
        pid = -ECHILD;
    close(report[0]);
    if (result < 0)
        return result;
    if (pid < 0) {
        waitpid(*reaper, NULL, 0);
        return pid;
    }
    *child = pid;
    return 1;
}

int namespaces_fork(const struct namespaces *namespaces, pid_t *child, pid_t *reaper)
{
    assert(namespaces->process >= 0);
    int result = child_fork(namespaces->process, child, reaper);

    if (result != 0)
        return result;
    /* The processes of the namespace, where that may be; in a container it may not, and programs
     * see those outside, as they did before. */
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
        (void)!mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
    return 0;
}

static int keeper_start(struct namespaces *namespaces)
{
    int ends[2];
    pid_t keeper;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    int result = child_fork(-1, &keeper, &namespaces->keeper);
    if (result == 0) {
        close(ends[1]);
        keeper_run(ends[0]);
    }
    close(ends[0]);
    namespaces->keeper_pipe = ends[1];
    if (result < 0) {
        namespaces->keeper = 0;
        return result;
    }
    namespaces->process = other_open(keeper, "pid");
    return namespaces->process < 0 ? namespaces->process : 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

int namespaces_open(struct namespaces *namespaces, char *why, size_t why_bytes)
{
    *namespaces = (struct namespaces){.network = {-1, -1}, .process = -1, .keeper_pipe = -1};
    int result = networks_make(namespaces, why, why_bytes);
    if (result == 0) {
        result = keeper_start(namespaces);
        if (result < 0)
            refuse("a process namespace", -result, why, why_bytes);
    }
    if (result < 0)
        namespaces_close(namespaces);
    return result;
}

double namespaces_end(struct namespaces *namespaces)
{
    struct rusage usage = {0};

    if (namespaces->keeper_pipe >= 0)
        close(namespaces->keeper_pipe);
    namespaces->keeper_pipe = -1;
    while (namespaces->keeper > 0 && wait4(namespaces->keeper, NULL, 0, &usage) < 0 &&
           errno == EINTR)
        ;
    namespaces->keeper = 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void namespaces_close(struct namespaces *namespaces)
{
    namespaces_end(namespaces);
    if (namespaces->process >= 0)
        close(namespaces->process);
    for (int side = 0; side < LAN_SIDES; side++)
        if (namespaces->network[side] >= 0)
            close(namespaces->network[side]);
    *namespaces = (struct namespaces){.network = {-1, -1}, .process = -1, .keeper_pipe = -1};
}

/* ---- another fanin-lan's -------------------------------------------------------------------- */

static int other_enter(int pid, const char *kind, int type)
{
    int other = other_open(pid, kind);

    if (other < 0)
        return other;
    int result = setns(other, type) == 0 ? 0 : -errno;
    close(other);
    return result;
}

static bool shared_with(int pid, const char *kind)
{
    char path[PATH_BYTES_MAX], own_path[PATH_BYTES_MAX];
    struct stat own, other;

    snprintf(own_path, sizeof own_path, "/proc/self/ns/%s", kind);
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kind);
    return stat(own_path, &own) == 0 && stat(path, &other) == 0 && own.st_ino == other.st_ino;
}

static int first_child(int pid)
{
    char path[PATH_BYTES_MAX];
    int child = -1;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    if (fscanf(file, "%d", &child) != 1)
        child = -ECHILD;
    fclose(file);
    return child;
}

/* The process namespace is that of the keeper, which is the first grandchild. */
static int other_process(int pid)
{
    int child = first_child(pid);
    int keeper = child > 0 ? first_child(child) : -1;

    return keeper > 0 ? other_open(keeper, "pid") : -EINVAL;
}

int namespaces_join(struct namespaces *namespaces, int pid, char *why, size_t why_bytes)
{
    int result = 0;

    *namespaces = (struct namespaces){.network = {-1, -1}, .process = -1, .keeper_pipe = -1};
    if (kill(pid, 0) != 0 && errno == ESRCH) {
        snprintf(why, why_bytes, "there is no such process");
        return -ESRCH;
    }
    if (shared_with(pid, "net")) {
        snprintf(why, why_bytes, "it is not a fanin-lan, for it has no network of its own");
        return -EINVAL;
    }
    if (!shared_with(pid, "user")) /* one's own cannot be entered */
        result = other_enter(pid, "user", CLONE_NEWUSER);
    if (result == 0)
        result = namespaces->process = other_process(pid);
    if (result >= 0)
        result = namespaces->network[LAN_NEAR] = other_open(pid, "net");
    if (result >= 0 && setns(namespaces->network[LAN_NEAR], CLONE_NEWNET) == 0)
        return 0;
    result = result < 0 ? result : -errno;
    snprintf(why, why_bytes,
             "cannot enter its namespaces: %s; only root and the user who started "
             "it may",
             strerror(-result));
    namespaces_close(namespaces);
    return result;
}
