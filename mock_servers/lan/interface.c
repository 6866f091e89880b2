/* Runs ip and tc in a side's namespace. */
#include "mock_servers/lan/interface.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    /* Frames that the kernel keeps for a link in user space until it takes them: plenty, because
     * what does not fit is lost. */
    QUEUE_FRAMES = 4096,
    LINE_BYTES_MAX = 512,
    PATH_BYTES_MAX = 4096,
    EXIT_NOT_FOUND = 127,
};

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

static _Noreturn void program_run(enum lan_side side, const char *program, int script, int messages)
{
    char path[PATH_BYTES_MAX];
    const char *own = getenv("PATH");

    /* The PATH of an ordinary user may not lead there. */
    snprintf(path, sizeof path, "%s:/usr/sbin:/sbin:/usr/bin:/bin", own == NULL ? "" : own);
    setenv("PATH", path, 1);
    namespaces_enter(side);
    capability_keep();
    dup2(script, STDIN_FILENO);
    dup2(messages, STDOUT_FILENO);
    dup2(messages, STDERR_FILENO);
    execlp(program, program, "-batch", "-", (char *)NULL);
    _exit(EXIT_NOT_FOUND);
}

bool interface_command(enum lan_side side, const char *program, const char *format, ...)
{
    int script = memfd_create("script", MFD_CLOEXEC), status = -1;
    int messages = memfd_create("messages", MFD_CLOEXEC);
    char line[LINE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    bool written = vdprintf(script, format, arguments) > 0 && lseek(script, 0, SEEK_SET) == 0;
    va_end(arguments);
    pid_t child = written ? fork() : -1;
    if (child == 0)
        program_run(side, program, script, messages);
    if (child > 0)
        waitpid(child, &status, 0);
    ssize_t got = pread(messages, line, sizeof line - 1, 0);
    line[got > 0 ? got : 0] = '\0';
    close(script);
    close(messages);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND)
        return lan_fail("needs the program %s (as root: apt install iproute2)", program);
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           lan_fail("%s: %.*s", program, (int)strcspn(line, "\n"), line);
}

/* The other side's Ethernet address is permanent: an ARP request could be lost. The two routes make
 * every address of a network its side's own. A kernel without IPv6 refuses the first command, and
 * does not need it: without IPv6 addresses nothing travels but what the commands send. */
bool interface_configure(enum lan_side side)
{
    const struct lan_address *own = &lan_addresses[side], *other = &lan_addresses[!side];

    interface_command(side, "ip", "link set " LAN_INTERFACE " addrgenmode none\n");
    return interface_command(side, "ip",
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
struct interface_drops interface_drops_read(enum lan_side side)
{
    char line[LINE_BYTES_MAX];
    struct interface_drops drops = {0};

    namespaces_enter(side);
    FILE *file = fopen("/proc/thread-self/net/dev", "re");
    namespaces_enter(LAN_NEAR);
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
