/* The link that the kernel makes alone: a veth pair, and where frames leave a side a token bucket
 * (tbf) for rate and queue. For delay and loss it takes the network emulator instead (netem, which
 * many kernels leave out).
 *
 * Both are told what a frame occupies of the wire beyond its length, and interfaces send one frame
 * at a time, so that they count the frames of the wire. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/link_kinds.h"

enum {
    BITS_PER_BYTE = 8,
    PERCENT = 100,
    /* The kernel's timers are seldom later than this; what the bucket holds makes up for it. */
    BURST_US = 500,
    DISCIPLINE_BYTES = 256,
};

/* ---- queueing disciplines ------------------------------------------------------------------- */

static bool wants_emulator(const struct shaper_config *path)
{
    return path->delay_ns > 0 || path->loss > 0;
}

static uint64_t burst_bytes(const struct shaper_config *path)
{
    uint64_t burst = path->rate_bits_per_s / BITS_PER_BYTE * BURST_US / (OS_NS_PER_S / 1000);

    return burst < 2 * WIRE_BYTES_MAX ? 2 * WIRE_BYTES_MAX : burst;
}

/* What tc calls the discipline of this path; "" for none. */
static void discipline_text(const struct shaper_config *path, char text[DISCIPLINE_BYTES])
{
    unsigned long long rate = path->rate_bits_per_s;
    int used;

    text[0] = '\0';
    if (wants_emulator(path)) {
        used = snprintf(text, DISCIPLINE_BYTES, "netem limit %llu delay %.3fus loss %.9g%%",
                        (unsigned long long)(shaper_held_bytes_max(path) / WIRE_BYTES_MAX + 1),
                        (double)path->delay_ns / 1e3, path->loss * PERCENT);
        if (rate > 0)
            snprintf(text + used, (size_t)(DISCIPLINE_BYTES - used), " rate %llubit %d", rate,
                     ETHERNET_WIRE_EXTRA_BYTES);
    } else if (rate > 0) {
        /* tbf sizes its queue in bytes of frames, not of wire. */
        snprintf(
            text, DISCIPLINE_BYTES,
            "tbf rate %llubit burst %llu limit %llu mtu %d overhead %d mpu %d", rate,
            (unsigned long long)burst_bytes(path),
            (unsigned long long)(path->queue_bytes * ETHERNET_FRAME_BYTES_MAX / WIRE_BYTES_MAX),
            WIRE_BYTES_MAX, ETHERNET_WIRE_EXTRA_BYTES, WIRE_BYTES_MIN);
    }
}

/* An interface that is taken down loses its routes; one whose frames vanish does not. */
static int side_shape(const struct link_request *request, const struct namespaces *namespaces,
                      enum lan_side side, bool down, struct failure *failure)
{
    char discipline[DISCIPLINE_BYTES] = "blackhole";

    if (!down)
        discipline_text(&request->path[side == LAN_NEAR ? LINK_UP : LINK_DOWN], discipline);
    return interface_command(namespaces, side, "tc", failure,
                             "qdisc replace dev " LAN_INTERFACE " root %s\n",
                             discipline[0] == '\0' ? "noqueue" : discipline);
}

/* ---- the link ------------------------------------------------------------------------------- */

int kernel_link_open(const struct link_request *request, const struct namespaces *namespaces,
                     struct failure *failure)
{
    const struct shaper_config *up = &request->path[LINK_UP], *down = &request->path[LINK_DOWN];
    struct failure error;

    if (up->jitter_ns > 0 || down->jitter_ns > 0) {
        return failure_set(failure, -EOPNOTSUPP, "with jitter it would reorder frames");
    }
    /* Run on the far side: the peer goes to this process's namespace, the near one. */
    int result = interface_command(namespaces, LAN_FAR, "ip", &error,
                                   "link add " LAN_INTERFACE
                                   " gso_max_segs 1 type veth peer name " LAN_INTERFACE
                                   " gso_max_segs 1 netns %d\n",
                                   (int)getpid());
    if (result < 0)
        failure_set(failure, result, "%s; veth interfaces come with the module veth", error.text);
    for (int side = 0; side < LAN_SIDES && result == 0; side++) {
        result = side_shape(request, namespaces, side, false, &error);
        if (result < 0)
            failure_set(
                failure, result, "%s: %s",
                wants_emulator(up) || wants_emulator(down)
                    ? "it has no netem, which delay and loss need (as root: modprobe sch_netem)"
                    : "it has no tbf, which a rate needs (as root: modprobe sch_tbf)",
                error.text);
    }
    return result;
}

int kernel_link_set_down(const struct link_request *request, const struct namespaces *namespaces,
                         bool down)
{
    struct failure ignored;
    int result = 0;

    for (int side = 0; side < LAN_SIDES && result == 0; side++)
        result = side_shape(request, namespaces, side, down, &ignored);
    return result;
}
