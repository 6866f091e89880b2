/* Makes interfaces: by iproute2's programs ip and tc, and the ends of a link in user space. */
#include "mock_servers/lan/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "mock_servers/lan/namespace.h"

enum {
    /* Frames that the kernel keeps for a link in user space until it takes them: plenty, because
     * what does not fit is lost. */
    QUEUE_FRAMES = 4096,
    RECEIVE_BYTES = 16 << 20,
    ALL_PROTOCOLS = 3, /* ETH_P_ALL */
    PERCENT = 100,
    /* The kernel's timers are seldom later than this; what the bucket holds makes up for it. */
    BURST_US = 500,
    BURST_BYTES_MIN = 2 * WIRE_BYTES_MAX,
    TEXT_BYTES_MAX = 512,
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

/* Runs `program` (ip or tc) in the namespace of `side` with a batch of commands, one a line. Blocks
 * until it has ended. */
__attribute__((format(printf, 3, 4))) static bool command(enum lan_side side, const char *program,
                                                          const char *format, ...)
{
    int script = memfd_create("script", MFD_CLOEXEC), status = -1;
    int messages = memfd_create("messages", MFD_CLOEXEC);
    char line[TEXT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    bool written = script >= 0 && messages >= 0 && vdprintf(script, format, arguments) > 0 &&
                   lseek(script, 0, SEEK_SET) == 0;
    pid_t child = written ? fork() : -1;
    int error = errno;
    va_end(arguments);
    if (child == 0)
        program_run(side, program, script, messages);
    if (child > 0)
        waitpid(child, &status, 0);
    ssize_t got = pread(messages, line, sizeof line - 1, 0);
    line[got > 0 ? got : 0] = '\0';
    close(script);
    close(messages);
    if (child < 0)
        return lan_fail("%s: %s", program, strerror(error));
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
    command(side, "ip", "link set " LAN_INTERFACE " addrgenmode none\n");
    return command(side, "ip",
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

void interface_delete(enum lan_side side)
{
    command(side, "ip", "link delete " LAN_INTERFACE "\n");
}

/* A line of /proc/net/dev: the name, then eight figures on receiving and eight on sending; the
 * fourth of each is what was dropped. */
struct interface_drops interface_drops_read(enum lan_side side)
{
    char line[TEXT_BYTES_MAX];
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

/* ---- kernel --------------------------------------------------------------------------------- */
/* A veth pair, and where frames leave a side a token bucket (tbf) for rate and queue. For delay and
 * loss it takes the network emulator instead (netem, which many kernels leave out).
 *
 * Both are told what a frame occupies of the wire beyond its length, and interfaces send one frame
 * at a time, so that they count the frames of the wire. */

static bool wants_emulator(const struct shaper_config *path)
{
    return path->delay_ns > 0 || path->loss > 0;
}

/* What tc calls the discipline of this path. */
static void discipline_text(const struct shaper_config *path, char text[TEXT_BYTES_MAX])
{
    unsigned long long rate = path->rate_bits_per_s;
    snprintf(text, TEXT_BYTES_MAX, "noqueue");
    if (wants_emulator(path)) {
        int used = snprintf(text, TEXT_BYTES_MAX, "netem limit %llu delay %.3fus loss %.9g%%",
                            (unsigned long long)(shaper_held_bytes_max(path) / WIRE_BYTES_MAX + 1),
                            (double)path->delay_ns / 1e3, path->loss * PERCENT);
        if (rate > 0)
            snprintf(text + used, (size_t)(TEXT_BYTES_MAX - used), " rate %llubit %d", rate,
                     ETHERNET_WIRE_EXTRA_BYTES);
    } else if (rate > 0) {
        uint64_t burst = rate / BITS_PER_BYTE * BURST_US / (OS_NS_PER_S / 1000);
        /* tbf sizes its queue in bytes of frames, not of wire. */
        uint64_t limit = path->queue_bytes * ETHERNET_FRAME_BYTES_MAX / WIRE_BYTES_MAX;
        snprintf(text, TEXT_BYTES_MAX,
                 "tbf rate %llubit burst %llu limit %llu mtu %d overhead %d mpu %d", rate,
                 (unsigned long long)(burst < BURST_BYTES_MIN ? BURST_BYTES_MIN : burst),
                 (unsigned long long)limit, WIRE_BYTES_MAX, ETHERNET_WIRE_EXTRA_BYTES,
                 WIRE_BYTES_MIN);
    }
}

/* An interface that is taken down loses its routes; one whose frames vanish does not. */
static bool side_shape(const struct shaper_config *path, enum lan_side side, bool down)
{
    char discipline[TEXT_BYTES_MAX] = "blackhole";
    if (!down)
        discipline_text(path, discipline);
    return command(side, "tc", "qdisc replace dev " LAN_INTERFACE " root %s\n", discipline);
}

bool kernel_link_set_down(const struct shaper_config paths[LINK_DIRECTIONS], bool down)
{
    return side_shape(&paths[LINK_UP], LAN_NEAR, down) &&
           side_shape(&paths[LINK_DOWN], LAN_FAR, down);
}

bool kernel_link_open(const struct shaper_config paths[LINK_DIRECTIONS])
{
    if (paths[LINK_UP].jitter_ns > 0 || paths[LINK_DOWN].jitter_ns > 0)
        return lan_fail("with jitter it would reorder frames");
    /* Run on the far side: the peer goes to this process's namespace, the near one. */
    if (!command(LAN_FAR, "ip",
                 "link add " LAN_INTERFACE " gso_max_segs 1 type veth peer name " LAN_INTERFACE
                 " gso_max_segs 1 netns %d\n",
                 (int)getpid()))
        return lan_fail("%s; veth interfaces come with the module veth", lan_reason());
    if (kernel_link_set_down(paths, false))
        return true;
    if (wants_emulator(&paths[LINK_UP]) || wants_emulator(&paths[LINK_DOWN]))
        return lan_fail("it has no netem, which delay and loss need (as root: modprobe "
                        "sch_netem): %s",
                        lan_reason());
    return lan_fail("it has no tbf, which a rate needs (as root: modprobe sch_tbf): %s",
                    lan_reason());
}

/* ---- TAP devices, one in each namespace ----------------------------------------------------- */

static const char device[] = "/dev/net/tun";

static bool tap_fail(int error)
{
    if (error == EACCES || error == EPERM)
        return lan_fail("%s may not be opened by this user (as root: chmod 0666 %s)", device,
                        device);
    if (error == ENOENT || error == ENODEV || error == ENXIO)
        return lan_fail("the kernel has no TUN/TAP devices (as root: modprobe tun)");
    return lan_fail("%s: %s", device, strerror(error));
}

/* A device is made in the namespace where its descriptor is opened, and goes with it. */
bool tap_ends_open(int ends[LAN_SIDES])
{
    struct ifreq request = {.ifr_name = LAN_INTERFACE,
                            .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    bool opened = true;
    for (int side = 0; side < LAN_SIDES && opened; side++) {
        namespaces_enter(side);
        ends[side] = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        opened = (ends[side] >= 0 && ioctl(ends[side], TUNSETIFF, &request) == 0 &&
                  ioctl(ends[side], TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) == 0) ||
                 tap_fail(errno);
    }
    namespaces_enter(LAN_NEAR);
    return opened;
}

/* ---- packet sockets ------------------------------------------------------------------------- */
/* For users who may not open /dev/net/tun: in each namespace a veth interface, whose peer lies in a
 * third namespace, the hub, where a socket takes and gives its frames. */

static bool socket_prepare(int end, const char *name)
{
    static const int options[] = {PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, PACKET_QDISC_BYPASS};
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ALL_PROTOCOLS),
                                  .sll_ifindex = (int)if_nametoindex(name)};
    struct ifreq request = {.ifr_flags = IFF_UP};
    int bytes = RECEIVE_BYTES, on = 1;
    /* A user without that right gets what everyone may have. */
    if (setsockopt(end, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(end, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (setsockopt(end, SOL_PACKET, options[i], &on, sizeof on) != 0)
            return false;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    return ioctl(end, SIOCSIFFLAGS, &request) == 0 &&
           bind(end, (struct sockaddr *)&address, sizeof address) == 0;
}

/* Called in the hub. */
static bool packet_end_open(int *end, enum lan_side side)
{
    const char *name = lan_addresses[side].name;
    if (!command(side, "ip", "link add " LAN_INTERFACE " type veth peer name %s netns %d\n", name,
                 (int)getpid()))
        return false;
    /* Protocol 0: nothing is taken before the socket is ready and bound. */
    *end = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return (*end >= 0 && socket_prepare(*end, name)) ||
           lan_fail("cannot open a packet socket: %s", strerror(errno));
}

bool packet_ends_open(int ends[LAN_SIDES])
{
    if (unshare(CLONE_NEWNET) != 0) /* the hub, which the sockets hold from now on */
        return lan_fail("cannot make a third network namespace: %s", strerror(errno));
    bool opened =
        packet_end_open(&ends[LAN_NEAR], LAN_NEAR) && packet_end_open(&ends[LAN_FAR], LAN_FAR);
    namespaces_enter(LAN_NEAR);
    return opened;
}
