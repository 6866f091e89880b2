/* The link of our own whose ends are packet sockets: in each namespace a veth interface, whose peer
 * lies in a third namespace that nobody else enters, where a socket takes and gives its frames. It
 * needs no /dev/net/tun, which many systems keep for root. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/kinds.h"
#include "mock_servers/lan/cable.h"

enum { ALL_PROTOCOLS = 3 /* ETH_P_ALL */, RECEIVE_BYTES = 16 << 20 };

static int option_on(int end, int option)
{
    int on = 1;

    return setsockopt(end, SOL_PACKET, option, &on, sizeof on) == 0 ? 0 : -errno;
}

static int end_prepare(int end, const char *name)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ALL_PROTOCOLS),
                                  .sll_ifindex = (int)if_nametoindex(name)};
    int bytes = RECEIVE_BYTES;

    /* Whoever may not have that much keeps what everyone gets. */
    if (setsockopt(end, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
        setsockopt(end, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    int result = option_on(end, PACKET_VNET_HDR);
    if (result == 0)
        result = option_on(end, PACKET_IGNORE_OUTGOING);
    if (result == 0)
        result = option_on(end, PACKET_QDISC_BYPASS);
    if (result == 0 && bind(end, (struct sockaddr *)&address, sizeof address) != 0)
        result = -errno;
    return result;
}

/* Called in the third namespace, which `hub` is a descriptor of. */
static int end_open(const struct namespaces *namespaces, enum lan_side side, int hub)
{
    const char *name = lan_addresses[side].name;

    namespaces_enter(namespaces, side);
    int result = interface_pair(LAN_INTERFACE, name, hub);
    setns(hub, CLONE_NEWNET);
    if (result == 0)
        result = interface_up(name);
    if (result < 0)
        return result;
    /* Protocol 0: nothing is taken before the socket is ready and bound. */
    int end = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (end < 0)
        return -errno;
    result = end_prepare(end, name);
    if (result == 0)
        return end;
    close(end);
    return result;
}

static int hub_make(void)
{
    if (unshare(CLONE_NEWNET) != 0)
        return -errno;
    int hub = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return hub < 0 ? -errno : hub;
}

static int ends_open(int ends[LAN_SIDES], const struct namespaces *namespaces)
{
    int hub = hub_make();
    int result = hub;

    for (int side = 0; side < LAN_SIDES && result >= 0; side++)
        result = ends[side] = end_open(namespaces, side, hub);
    namespaces_enter(namespaces, LAN_NEAR);
    if (hub >= 0)
        close(hub); /* the sockets hold it from now on */
    return result < 0 ? result : 0;
}

static int packet_open(void **state, const struct link_request *request,
                       const struct namespaces *namespaces, char *why, size_t why_bytes)
{
    int ends[LAN_SIDES] = {-1, -1};
    struct cable *cable;
    int result = ends_open(ends, namespaces);

    if (result == 0)
        result = cable_open(&cable, request, ends, namespaces);
    if (result == 0) {
        *state = cable;
        return 0;
    }
    snprintf(why, why_bytes, "cannot make veth interfaces with packet sockets: %s",
             strerror(-result));
    for (int side = 0; side < LAN_SIDES; side++)
        if (ends[side] >= 0)
            close(ends[side]);
    /* Their peers went with the third namespace, but only when the kernel gets round to it. */
    for (int side = 0; side < LAN_SIDES; side++) {
        namespaces_enter(namespaces, side);
        interface_drop(LAN_INTERFACE);
    }
    namespaces_enter(namespaces, LAN_NEAR);
    return result;
}

const struct link_kind link_packet = {
    .name = "packet",
    .about = "the same between packet sockets: can do everything; needs veth",
    .open = packet_open,
    .start = cable_start,
    .set_down = cable_set_down,
    .read = cable_read,
    .close = cable_close,
};
