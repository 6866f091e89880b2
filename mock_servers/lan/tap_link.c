/* The link in user space between TAP devices, one in each namespace. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mock_servers/lan/link_kinds.h"

static const char device[] = "/dev/net/tun";

/* The device is made in the namespace where its descriptor is opened, and is closed with it. */
static int end_open(const struct namespaces *namespaces, enum lan_side side)
{
    struct ifreq request = {.ifr_name = LAN_INTERFACE,
                            .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

    namespaces_enter(namespaces, side);
    int end = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int result = end < 0 ? -errno : 0;
    if (end >= 0 && (ioctl(end, TUNSETIFF, &request) != 0 ||
                     ioctl(end, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) != 0)) {
        result = -errno;
        close(end);
    }
    namespaces_enter(namespaces, LAN_NEAR);
    return result < 0 ? result : end;
}

static int explain(int error, struct failure *failure)
{
    if (error == -EACCES || error == -EPERM)
        return failure_set(failure, error,
                           "%s may not be opened by this user (as root: chmod 0666 %s)", device,
                           device);
    if (error == -ENOENT || error == -ENODEV || error == -ENXIO)
        return failure_set(failure, error,
                           "the kernel has no TUN/TAP devices (as root: modprobe tun)");
    return failure_set(failure, error, "%s: %s", device, strerror(-error));
}

int tap_ends_open(int ends[LAN_SIDES], const struct namespaces *namespaces, struct failure *failure)
{
    for (int side = 0; side < LAN_SIDES; side++) {
        ends[side] = end_open(namespaces, side);
        if (ends[side] < 0)
            return explain(ends[side], failure);
    }
    return 0;
}
