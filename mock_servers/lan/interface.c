#include "mock_servers/lan/interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mock_servers/lan/netlink.h"

enum {
    /* Frames that a kernel keeps for a link of our own until we take them: plenty, for whatever
     * does not fit is lost without having been asked to. */
    QUEUE_FRAMES = 4096,
    LINE_BYTES_MAX = 512,
    LOOPBACK_INDEX = 1, /* in every namespace */
};

/* ---- links ---------------------------------------------------------------------------------- */

int interface_pair(const char *name, const char *peer, int peer_network)
{
    struct netlink_message message;
    struct ifinfomsg here = {.ifi_family = AF_UNSPEC};

    netlink_start(&message, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &here, sizeof here);
    netlink_put_text(&message, IFLA_IFNAME, name);
    size_t info = netlink_nest(&message, IFLA_LINKINFO);
    netlink_put_text(&message, IFLA_INFO_KIND, "veth");
    size_t data = netlink_nest(&message, IFLA_INFO_DATA);
    size_t other = netlink_nest(&message, VETH_INFO_PEER);
    netlink_append(&message, &here, sizeof here);
    netlink_put_text(&message, IFLA_IFNAME, peer);
    netlink_put_u32(&message, IFLA_NET_NS_FD, (uint32_t)peer_network);
    netlink_unnest(&message, other);
    netlink_unnest(&message, data);
    netlink_unnest(&message, info);
    return netlink_ask(&message);
}

void interface_drop(const char *name)
{
    struct netlink_message message;
    struct ifinfomsg link = {.ifi_index = (int)if_nametoindex(name)};

    if (link.ifi_index == 0)
        return;
    netlink_start(&message, RTM_DELLINK, 0, &link, sizeof link);
    netlink_ask(&message);
}

static void up_start(struct netlink_message *message, int index)
{
    struct ifinfomsg link = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};

    netlink_start(message, RTM_NEWLINK, 0, &link, sizeof link);
}

static int index_up(int index)
{
    struct netlink_message message;

    up_start(&message, index);
    return netlink_ask(&message);
}

int interface_up(const char *name)
{
    int index = (int)if_nametoindex(name);

    return index == 0 ? -errno : index_up(index);
}

static int identity_set(int index, const struct lan_address *address)
{
    struct netlink_message message;

    struct ifinfomsg link = {.ifi_index = index};
    netlink_start(&message, RTM_NEWLINK, 0, &link, sizeof link);
    netlink_put(&message, IFLA_ADDRESS, address->ethernet, sizeof address->ethernet);
    netlink_put_u32(&message, IFLA_MTU, LAN_MTU_BYTES);
    netlink_put_u32(&message, IFLA_TXQLEN, QUEUE_FRAMES);
    return netlink_ask(&message);
}

/* A kernel without IPv6 refuses this, and needs it not: no IPv6 address, so that nothing travels
 * on the link but what the commands send. */
static void version_six_off(int index)
{
    enum { NO_ADDRESS = 1 }; /* IN6_ADDR_GEN_MODE_NONE */
    struct netlink_message message;
    struct ifinfomsg link = {.ifi_index = index};
    uint8_t mode = NO_ADDRESS;

    netlink_start(&message, RTM_NEWLINK, 0, &link, sizeof link);
    size_t families = netlink_nest(&message, IFLA_AF_SPEC);
    size_t family = netlink_nest(&message, AF_INET6);
    netlink_put(&message, IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
    netlink_unnest(&message, family);
    netlink_unnest(&message, families);
    netlink_ask(&message);
}

/* ---- addresses and routes ------------------------------------------------------------------- */

static int address_add(int index, uint32_t host)
{
    struct netlink_message message;
    struct ifaddrmsg address = {
        .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = (unsigned)index};
    uint32_t text = htonl(host);

    netlink_start(&message, RTM_NEWADDR, NLM_F_CREATE, &address, sizeof address);
    netlink_put(&message, IFA_LOCAL, &text, sizeof text);
    return netlink_ask(&message);
}

/* Local: every address of the network is this machine's own. */
static int route_add_local(uint32_t network)
{
    struct netlink_message message;
    struct rtmsg route = {.rtm_family = AF_INET,
                          .rtm_dst_len = LAN_PREFIX_BITS,
                          .rtm_table = RT_TABLE_LOCAL,
                          .rtm_protocol = RTPROT_STATIC,
                          .rtm_scope = RT_SCOPE_HOST,
                          .rtm_type = RTN_LOCAL};

    network = htonl(network);
    netlink_start(&message, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof route);
    netlink_put(&message, RTA_DST, &network, sizeof network);
    netlink_put_u32(&message, RTA_OIF, LOOPBACK_INDEX);
    return netlink_ask(&message);
}

static int route_add_through(int index, const struct lan_address *own,
                             const struct lan_address *other)
{
    struct netlink_message message;
    struct rtmsg route = {.rtm_family = AF_INET,
                          .rtm_dst_len = LAN_PREFIX_BITS,
                          .rtm_table = RT_TABLE_MAIN,
                          .rtm_protocol = RTPROT_STATIC,
                          .rtm_scope = RT_SCOPE_UNIVERSE,
                          .rtm_type = RTN_UNICAST,
                          .rtm_flags = RTNH_F_ONLINK};
    uint32_t network = htonl(other->network), gateway = htonl(other->host);
    uint32_t source = htonl(own->host);

    netlink_start(&message, RTM_NEWROUTE, NLM_F_CREATE, &route, sizeof route);
    netlink_put(&message, RTA_DST, &network, sizeof network);
    netlink_put(&message, RTA_GATEWAY, &gateway, sizeof gateway);
    netlink_put(&message, RTA_PREFSRC, &source, sizeof source);
    netlink_put_u32(&message, RTA_OIF, (uint32_t)index);
    return netlink_ask(&message);
}

static int neighbour_add(int index, const struct lan_address *other)
{
    struct netlink_message message;
    struct ndmsg neighbour = {
        .ndm_family = AF_INET, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};
    uint32_t host = htonl(other->host);

    netlink_start(&message, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &neighbour,
                  sizeof neighbour);
    netlink_put(&message, NDA_DST, &host, sizeof host);
    netlink_put(&message, NDA_LLADDR, other->ethernet, sizeof other->ethernet);
    return netlink_ask(&message);
}

int interface_address(enum lan_side side)
{
    const struct lan_address *own = &lan_addresses[side];
    const struct lan_address *other = &lan_addresses[side == LAN_NEAR ? LAN_FAR : LAN_NEAR];
    int index = (int)if_nametoindex(LAN_INTERFACE);

    if (index == 0)
        return -errno;
    version_six_off(index);
    int result = identity_set(index, own);
    if (result == 0)
        result = index_up(LOOPBACK_INDEX);
    if (result == 0)
        result = index_up(index);
    if (result == 0)
        result = address_add(index, own->host);
    if (result == 0)
        result = route_add_local(own->network);
    if (result == 0)
        result = route_add_through(index, own, other);
    return result == 0 ? neighbour_add(index, other) : result;
}

/* ---- what else there is to an interface ----------------------------------------------------- */

static int offload_off(int descriptor, const char *name, uint32_t which)
{
    struct ethtool_value value = {.cmd = which, .data = 0};
    struct ifreq request = {.ifr_data = (char *)&value};

    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(descriptor, SIOCETHTOOL, &request) == 0 || errno == EOPNOTSUPP)
        return 0;
    return -errno;
}

int interface_plain(const char *name)
{
    static const uint32_t offloads[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = 0;

    if (descriptor < 0)
        return -errno;
    for (size_t i = 0; i < sizeof offloads / sizeof *offloads && result == 0; i++)
        result = offload_off(descriptor, name, offloads[i]);
    close(descriptor);
    return result;
}

/* A line of /proc/net/dev: name, then eight figures each of what came and what went; the fourth of
 * either is what was dropped. */
struct interface_missed interface_missed_read(void)
{
    char line[LINE_BYTES_MAX];
    struct interface_missed missed = {0};
    FILE *file = fopen("/proc/thread-self/net/dev", "re");

    if (file == NULL)
        return missed;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line,
                   " " LAN_INTERFACE ": %*u %*u %*u %" SCNu64
                   " %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
                   &missed.received, &missed.sent) == 2)
            break;
    fclose(file);
    return missed;
}
