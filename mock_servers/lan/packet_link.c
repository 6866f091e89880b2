/* The link in user space between packet sockets, for users who may not open /dev/net/tun: in each
 * namespace a veth interface, whose peer lies in a third namespace, the hub, where a socket takes
 * and gives its frames. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/link_kinds.h"

enum { ALL_PROTOCOLS = 3 /* ETH_P_ALL */, RECEIVE_BYTES = 16 << 20 };

static int socket_prepare(int end, const char *name)
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
            return -errno;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(end, SIOCSIFFLAGS, &request) != 0 ||
        bind(end, (struct sockaddr *)&address, sizeof address) != 0)
        return -errno;
    return 0;
}

/* Called in the hub; the descriptor or -errno. */
static int socket_open(const char *name, struct failure *failure)
{
    /* Protocol 0: nothing is taken before the socket is ready and bound. */
    int end = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = end < 0 ? -errno : socket_prepare(end, name);

    if (result == 0)
        return end;
    if (end >= 0)
        close(end);
    return failure_set(failure, result, "cannot open a packet socket: %s", strerror(-result));
}

static int side_open(const struct namespaces *namespaces, enum lan_side side,
                     struct failure *failure)
{
    const char *name = lan_addresses[side].name;
    int result = interface_command(namespaces, side, "ip", failure,
                                   "link add " LAN_INTERFACE " type veth peer name %s netns %d\n",
                                   name, (int)getpid());

    return result < 0 ? result : socket_open(name, failure);
}

int packet_ends_open(int ends[LAN_SIDES], const struct namespaces *namespaces,
                     struct failure *failure)
{
    int result = 0;

    if (unshare(CLONE_NEWNET) != 0) { /* the hub, which the sockets hold from now on */
        return failure_set(failure, -errno, "cannot make a third network namespace: %s",
                           strerror(errno));
    }
    for (int side = 0; side < LAN_SIDES && result >= 0; side++)
        result = ends[side] = side_open(namespaces, side, failure);
    namespaces_enter(namespaces, LAN_NEAR);
    return result < 0 ? result : 0;
}
