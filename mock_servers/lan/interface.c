/* Runs ip and tc in a side's namespace. */
#include "mock_servers/lan/interface.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* Frames that the kernel keeps for a link in user space until it takes them: plenty, because
     * what does not fit is lost. */
    QUEUE_FRAMES = 4096,
    LINE_BYTES_MAX = 512,
    SCRIPT_BYTES_MAX = 1024,
    PATH_BYTES_MAX = 4096,
    EXIT_NOT_FOUND = 127,
};

/* ---- ip and tc ------------------------------------------------------------------------------ */

/* An ordinary user who owns the namespaces keeps this right through exec only as an ambient one. */
static void capability_keep(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, sets) != 0)
        return;
    sets[0].inheritable |= 1u << CAP_NET_ADMIN;
    if (syscall(SYS_capset, &header, sets) == 0)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0);
}

static _Noreturn void program_run(const struct namespaces *namespaces, enum lan_side side,
                                  const char *program, int script, int messages)
{
    char path[PATH_BYTES_MAX];
    const char *own = getenv("PATH");

    /* The PATH of an ordinary user may not lead there. */
    snprintf(path, sizeof path, "%s:/usr/sbin:/sbin:/usr/bin:/bin", own == NULL ? "" : own);
    setenv("PATH", path, 1);
    namespaces_enter(namespaces, side);
    capability_keep();
    dup2(script, STDIN_FILENO);
    dup2(messages, STDOUT_FILENO);
    dup2(messages, STDERR_FILENO);
    execlp(program, program, "-batch", "-", (char *)NULL);
    _exit(EXIT_NOT_FOUND);
}

/* Reads to the end, and keeps the first line. */
static void first_line_read(int from, char *line, size_t line_bytes)
{
    char rest[LINE_BYTES_MAX];
    ssize_t got = read(from, line, line_bytes - 1);

    line[got > 0 ? got : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    while (read(from, rest, sizeof rest) > 0)
        ;
}

static int outcome(const char *program, int status, const char *line, struct failure *failure)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND) {
        return failure_set(failure, -ENOENT, "needs the program %s (as root: apt install iproute2)",
                           program);
    }
    return failure_set(failure, -EIO, "%s: %s", program, line);
}

int interface_command(const struct namespaces *namespaces, enum lan_side side, const char *program,
                      struct failure *failure, const char *format, ...)
{
    char script[SCRIPT_BYTES_MAX], line[LINE_BYTES_MAX];
    int input[2], messages[2], status;
    va_list arguments;

    va_start(arguments, format);
    int script_bytes = vsnprintf(script, sizeof script, format, arguments);
    va_end(arguments);
    if (pipe2(input, O_CLOEXEC) != 0)
        return failure_set(failure, -errno, "%s: no pipe: %s", program, strerror(errno));
    if (pipe2(messages, O_CLOEXEC) != 0) {
        int result = failure_set(failure, -errno, "%s: no pipe: %s", program, strerror(errno));
        close(input[0]);
        close(input[1]);
        return result;
    }
    pid_t child = fork();
    if (child == 0)
        program_run(namespaces, side, program, input[0], messages[1]);
    /* The pipe has room for it, and a reader as long as its other end is open here too. */
    bool sent = write(input[1], script, (size_t)script_bytes) == script_bytes;
    close(input[0]);
    close(input[1]);
    close(messages[1]);
    first_line_read(messages[0], line, sizeof line);
    close(messages[0]);
    if (child < 0 || waitpid(child, &status, 0) != child || !sent)
        status = -1;
    return outcome(program, status, line, failure);
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* The other side's Ethernet address is permanent: an ARP request could be lost. The two routes make
 * every address of a network its side's own. A kernel without IPv6 refuses the last command, and
 * does not need it: without IPv6 addresses nothing travels but what the commands send. */
int interface_configure(const struct namespaces *namespaces, enum lan_side side,
                        struct failure *failure)
{
    const struct lan_address *own = &lan_addresses[side];
    const struct lan_address *other = &lan_addresses[side == LAN_NEAR ? LAN_FAR : LAN_NEAR];
    struct failure ignored;

    interface_command(namespaces, side, "ip", &ignored,
                      "link set " LAN_INTERFACE " addrgenmode none\n");
    return interface_command(namespaces, side, "ip", failure,
                             "link set " LAN_INTERFACE " address %s mtu %d txqueuelen %d\n"
                             "link set lo up\n"
                             "link set " LAN_INTERFACE " up\n"
                             "address add %s/32 dev " LAN_INTERFACE "\n"
                             "route add local %s dev lo\n"
                             "route add %s via %s dev " LAN_INTERFACE " src %s onlink\n"
                             "neigh replace %s lladdr %s dev " LAN_INTERFACE " nud permanent\n",
                             own->ethernet, LAN_MTU_BYTES, QUEUE_FRAMES, own->host, own->network,
                             other->network, other->host, own->host, other->host, other->ethernet);
}

/* A line of /proc/net/dev: the name, then eight figures on receiving and eight on sending; the
 * fourth of each is what was dropped. */
struct interface_drops interface_drops_read(const struct namespaces *namespaces, enum lan_side side)
{
    char line[LINE_BYTES_MAX];
    struct interface_drops drops = {0};

    namespaces_enter(namespaces, side);
    FILE *file = fopen("/proc/thread-self/net/dev", "re");
    namespaces_enter(namespaces, LAN_NEAR);
    if (file == NULL)
        return drops;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line,
                   " " LAN_INTERFACE ": %*u %*u %*u %" SCNu64
                   " %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
                   &drops.received, &drops.sent) == 2)
            break;
    fclose(file);
    return drops;
}
