/* Makes namespaces, or enters those of another fanin-lan. */
#include "mock_servers/lan/namespace.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NUMBER_BYTES_MAX = 32, PATH_BYTES_MAX = 64 };

/* ---- advice where it is not allowed --------------------------------------------------------- */

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

/* The setting that keeps users from namespaces; NULL: none is known. */
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

static int refuse(const char *what, int error, struct failure *failure)
{
    const char *setting = advice();

    if (setting != NULL)
        return failure_set(failure, -error, "cannot make %s: %s; as root, allow it: %s", what,
                           strerror(error), setting);
    return failure_set(failure, -error,
                       "cannot make %s: %s; run as root or, in a container, with the capability "
                       "SYS_ADMIN (--cap-add SYS_ADMIN)",
                       what, strerror(error));
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

/* Users keep their ids: programs find their files and gain no rights. Only this process may
 * configure the two networks, and what it starts for that. */
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

void namespaces_close(struct namespaces *namespaces)
{
    for (int side = 0; side < LAN_SIDES; side++)
        if (namespaces->network[side] >= 0)
            close(namespaces->network[side]);
    *namespaces = (struct namespaces){.network = {-1, -1}};
}

int namespaces_open(struct namespaces *namespaces, struct failure *failure)
{
    *namespaces = (struct namespaces){.network = {-1, -1}};
    int result = network_make(&namespaces->network[LAN_NEAR]);

    if (result == -EPERM) {
        result = user_namespace_make();
        if (result < 0)
            return refuse("a user namespace, which takes the place of root's rights", -result,
                          failure);
        result = network_make(&namespaces->network[LAN_NEAR]);
    }
    if (result == 0)
        result = network_make(&namespaces->network[LAN_FAR]);
    if (result < 0) {
        namespaces_close(namespaces);
        return refuse("a network namespace", -result, failure);
    }
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

/* By clone and not by unshare: a process whose children are to be in another process namespace can
 * start no thread. */
pid_t namespaces_fork(struct failure *failure)
{
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);

    return pid >= 0 ? pid : refuse("a process namespace", errno, failure);
}

void namespaces_show_processes(void)
{
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0)
        (void)!mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
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

/* The first process of the other's process namespace is a child of it, beside a short-lived ip or
 * tc. -ECHILD: it is not there yet. */
static int first_process(int pid)
{
    char path[PATH_BYTES_MAX];
    int child = -ECHILD;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -errno;
    while (fscanf(file, "%d", &child) == 1)
        if (!shared_with(child, "pid"))
            break;
    fclose(file);
    return child > 0 && !shared_with(child, "pid") ? child : -ECHILD;
}

int namespaces_join(struct namespaces *namespaces, int pid, struct failure *failure)
{
    *namespaces = (struct namespaces){.network = {-1, -1}};
    if (kill(pid, 0) != 0 && errno == ESRCH) {
        return failure_set(failure, -ESRCH, "no such process");
    }
    if (shared_with(pid, "net")) {
        return failure_set(failure, -EINVAL, "it is not a fanin-lan: it has no network of its own");
    }
    int child = first_process(pid), result = child < 0 ? child : 0;
    if (result == 0 && !shared_with(pid, "user")) /* one's own cannot be entered */
        result = other_enter(pid, "user", CLONE_NEWUSER);
    if (result == 0)
        result = other_enter(child, "pid", CLONE_NEWPID);
    if (result == 0)
        result = namespaces->network[LAN_NEAR] = other_open(pid, "net");
    if (result >= 0 && setns(result, CLONE_NEWNET) == 0)
        return 0;
    result = result < 0 ? result : -errno;
    namespaces_close(namespaces);
    return failure_set(failure, result,
                       "cannot enter its namespaces: %s; only root and the user who started it may",
                       strerror(-result));
}
