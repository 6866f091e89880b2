/* Makes namespaces, or enters those of another fanin-lan. */
#include "mock_servers/lan/namespace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TEXT_BYTES_MAX = 64 };

static int networks[LAN_SIDES] = {-1, -1};

/* ---- advice where it is not allowed --------------------------------------------------------- */

static bool setting_is(const char *path, char value)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is = fgetc(file) == value && fgetc(file) == '\n';
    fclose(file);
    return is;
}

/* Names the setting that keeps users from namespaces, if one is known. */
static bool refuse(const char *what, int error)
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
            return lan_fail("cannot make %s: %s; as root, allow it: %s", what, strerror(error),
                            settings[i].advice);
    return lan_fail("cannot make %s: %s; run as root or, in a container, with the capability "
                    "SYS_ADMIN (--cap-add SYS_ADMIN)",
                    what, strerror(error));
}

/* ---- user and network namespaces ------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static int file_write(const char *path, const char *format,
                                                            ...)
{
    int file = open(path, O_WRONLY | O_CLOEXEC), result = 0;
    va_list arguments;
    va_start(arguments, format);
    if (file < 0 || vdprintf(file, format, arguments) < 0)
        result = -errno;
    va_end(arguments);
    if (file >= 0)
        close(file);
    return result;
}

/* Users keep their ids: programs find their files and gain no rights. Only this process may
 * configure the two networks, and what it starts for that. */
static int user_namespace_make(void)
{
    unsigned user = geteuid(), group = getegid();
    if (unshare(CLONE_NEWUSER) != 0)
        return -errno;
    int result = file_write("/proc/self/setgroups", "deny");
    if (result == 0 || result == -ENOENT)
        result = file_write("/proc/self/uid_map", "%u %u 1\n", user, user);
    return result == 0 ? file_write("/proc/self/gid_map", "%u %u 1\n", group, group) : result;
}

/* Keeps the network namespace that the thread is in. */
static int network_keep(enum lan_side side)
{
    networks[side] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return networks[side] < 0 ? -errno : 0;
}

static int network_make(enum lan_side side)
{
    return unshare(CLONE_NEWNET) == 0 ? network_keep(side) : -errno;
}

bool namespaces_open(void)
{
    int result = network_make(LAN_NEAR);
    if (result == -EPERM) {
        result = user_namespace_make();
        if (result < 0)
            return refuse("a user namespace, which takes the place of root's rights", -result);
        result = network_make(LAN_NEAR);
    }
    if (result == 0)
        result = network_make(LAN_FAR);
    if (result < 0)
        return refuse("a network namespace", -result);
    namespaces_enter(LAN_NEAR);
    return true;
}

void namespaces_enter(enum lan_side side)
{
    int failed = setns(networks[side], CLONE_NEWNET);
    assert(!failed);
    (void)failed;
}

/* ---- process namespace ---------------------------------------------------------------------- */

/* By clone and not by unshare: a process whose children are to be in another process namespace can
 * start no thread. */
pid_t namespaces_fork(void)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0)
        refuse("a process namespace", errno);
    return pid;
}

void namespaces_show_processes(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
        (void)!mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* ---- another fanin-lan's -------------------------------------------------------------------- */

static bool shared_with(int pid, const char *kind)
{
    char path[TEXT_BYTES_MAX], own_path[TEXT_BYTES_MAX];
    struct stat own, other;
    snprintf(own_path, sizeof own_path, "/proc/self/ns/%s", kind);
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kind);
    return stat(own_path, &own) == 0 && stat(path, &other) == 0 && own.st_ino == other.st_ino;
}

/* The first process of the other's process namespace is a child of it, beside a short-lived ip or
 * tc. -ECHILD: it is not there yet. */
static int first_process(int pid)
{
    char path[TEXT_BYTES_MAX];
    int child, found = -ECHILD;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    while (found < 0 && fscanf(file, "%d", &child) == 1)
        if (!shared_with(child, "pid"))
            found = child;
    fclose(file);
    return found;
}

static int process_enter(int pid)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int own_user = shared_with(pid, "user") ? 0 : CLONE_NEWUSER; /* one's own cannot be entered */
    if (process < 0)
        return -errno;
    int result = setns(process, own_user | CLONE_NEWPID | CLONE_NEWNET) == 0 ? 0 : -errno;
    close(process);
    return result;
}

bool namespaces_join(int pid)
{
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return lan_fail("no such process");
    if (shared_with(pid, "net"))
        return lan_fail("it is not a fanin-lan: it has no network of its own");
    int child = first_process(pid), result = child < 0 ? child : process_enter(child);
    if (result == 0)
        result = network_keep(LAN_NEAR);
    return result == 0 || lan_fail("cannot enter its namespaces: %s; only root and the user who "
                                   "started it may",
                                   strerror(-result));
}
