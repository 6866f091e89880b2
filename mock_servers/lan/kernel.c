/* The link that the kernel makes alone: a veth pair, and on each side's way out a token bucket
 * (tbf), which knows a rate and a queue; or, where it has the network emulator (netem, which many
 * kernels leave out), that for delay and loss too.
 *
 * Interfaces send frames no larger than the MTU, so that the queueing disciplines count the frames
 * of the wire; tbf and netem are told what each takes beyond its length. */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/lan/interface.h"
#include "mock_servers/lan/kinds.h"
#include "mock_servers/lan/netlink.h"

enum {
    SHAPER_HANDLE = 0x10000,
    BLACKHOLE_HANDLE = 0x20000, /* one handle cannot be of two kinds */
    BITS_PER_BYTE = 8,
    WIRE_BYTES_MAX = ETHERNET_FRAME_BYTES_MAX + ETHERNET_WIRE_EXTRA_BYTES,
    WIRE_BYTES_MIN = ETHERNET_FRAME_BYTES_MIN + ETHERNET_WIRE_EXTRA_BYTES,
    /* A timer of the kernel comes that much too late, seldom more; what the bucket holds makes up
     * for it. */
    BURST_US = 500,
};

struct kernel_link {
    struct shaper_config path[LINK_DIRECTIONS];
    const struct namespaces *namespaces;
};

/* ---- queueing disciplines ------------------------------------------------------------------- */

static void discipline_start(struct netlink_message *message, const char *kind, uint32_t handle)
{
    struct tcmsg root = {.tcm_family = AF_UNSPEC,
                         .tcm_ifindex = (int)if_nametoindex(LAN_INTERFACE),
                         .tcm_parent = TC_H_ROOT,
                         .tcm_handle = handle};

    netlink_start(message, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, &root, sizeof root);
    netlink_put_text(message, TCA_KIND, kind);
}

static uint32_t rate_word(uint64_t bytes_per_s)
{
    return bytes_per_s > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes_per_s;
}

static uint32_t burst_bytes(uint64_t bytes_per_s)
{
    uint64_t burst = bytes_per_s * BURST_US / (OS_NS_PER_S / 1000);

    return (uint32_t)(burst < 2 * WIRE_BYTES_MAX ? 2 * WIRE_BYTES_MAX : burst);
}

/* tbf sizes its queue in bytes of frames, not of wire. */
static uint32_t limit_bytes(uint64_t queue_bytes)
{
    return (uint32_t)(queue_bytes * ETHERNET_FRAME_BYTES_MAX / WIRE_BYTES_MAX);
}

static int bucket_set(const struct shaper_config *path)
{
    struct netlink_message message;
    uint64_t bytes_per_s = path->rate_bits_per_s / BITS_PER_BYTE;
    uint32_t burst = burst_bytes(bytes_per_s);
    struct tc_tbf_qopt bucket = {.rate = {.linklayer = TC_LINKLAYER_ETHERNET,
                                          .overhead = ETHERNET_WIRE_EXTRA_BYTES,
                                          .mpu = WIRE_BYTES_MIN,
                                          .rate = rate_word(bytes_per_s)},
                                 .limit = limit_bytes(path->queue_bytes),
                                 .mtu = WIRE_BYTES_MAX};

    discipline_start(&message, "tbf", SHAPER_HANDLE);
    size_t options = netlink_nest(&message, TCA_OPTIONS);
    netlink_put(&message, TCA_TBF_PARMS, &bucket, sizeof bucket);
    netlink_put_u32(&message, TCA_TBF_BURST, burst);
    if (bytes_per_s > UINT32_MAX)
        netlink_put(&message, TCA_TBF_RATE64, &bytes_per_s, sizeof bytes_per_s);
    netlink_unnest(&message, options);
    return netlink_ask(&message);
}

static uint32_t limit_frames(const struct shaper_config *path)
{
    return (uint32_t)(shaper_held_bytes_max(path) / WIRE_BYTES_MAX + 1);
}

static int emulator_set(const struct shaper_config *path)
{
    struct netlink_message message;
    uint64_t bytes_per_s = path->rate_bits_per_s / BITS_PER_BYTE;
    int64_t delay_ns = (int64_t)path->delay_ns;
    struct tc_netem_qopt emulator = {.limit = limit_frames(path),
                                     .loss = (uint32_t)(path->loss * UINT32_MAX)};
    struct tc_netem_rate rate = {.rate = rate_word(bytes_per_s),
                                 .packet_overhead = ETHERNET_WIRE_EXTRA_BYTES};

    discipline_start(&message, "netem", SHAPER_HANDLE);
    size_t options = netlink_nest(&message, TCA_OPTIONS);
    netlink_append(&message, &emulator, sizeof emulator);
    netlink_put(&message, TCA_NETEM_LATENCY64, &delay_ns, sizeof delay_ns);
    if (bytes_per_s > 0)
        netlink_put(&message, TCA_NETEM_RATE, &rate, sizeof rate);
    if (bytes_per_s > UINT32_MAX)
        netlink_put(&message, TCA_NETEM_RATE64, &bytes_per_s, sizeof bytes_per_s);
    netlink_unnest(&message, options);
    return netlink_ask(&message);
}

static int blackhole_set(void)
{
    struct netlink_message message;

    discipline_start(&message, "blackhole", BLACKHOLE_HANDLE);
    return netlink_ask(&message);
}

static int nothing_set(void)
{
    struct netlink_message message;
    struct tcmsg root = {.tcm_family = AF_UNSPEC,
                         .tcm_ifindex = (int)if_nametoindex(LAN_INTERFACE),
                         .tcm_parent = TC_H_ROOT};

    netlink_start(&message, RTM_DELQDISC, 0, &root, sizeof root);
    return netlink_ask(&message);
}

static bool wants_emulator(const struct shaper_config *path)
{
    return path->delay_ns > 0 || path->loss > 0;
}

static int path_shape(const struct shaper_config *path)
{
    if (wants_emulator(path))
        return emulator_set(path);
    return path->rate_bits_per_s > 0 ? bucket_set(path) : 0;
}

/* ---- the link ------------------------------------------------------------------------------- */

static int side_open(struct kernel_link *kernel, enum lan_side side)
{
    const struct shaper_config *path = &kernel->path[side == LAN_NEAR ? LINK_UP : LINK_DOWN];

    namespaces_enter(kernel->namespaces, side);
    int result = interface_plain(LAN_INTERFACE);
    if (result == 0)
        result = path_shape(path);
    namespaces_enter(kernel->namespaces, LAN_NEAR);
    return result;
}

static int sides_open(struct kernel_link *kernel)
{
    int result = interface_pair(LAN_INTERFACE, LAN_INTERFACE, kernel->namespaces->network[LAN_FAR]);

    if (result == 0)
        result = side_open(kernel, LAN_NEAR);
    if (result == 0)
        result = side_open(kernel, LAN_FAR);
    if (result < 0)
        interface_drop(LAN_INTERFACE);
    return result;
}

static void explain(const struct kernel_link *kernel, int error, char *why, size_t why_bytes)
{
    bool emulator =
        wants_emulator(&kernel->path[LINK_UP]) || wants_emulator(&kernel->path[LINK_DOWN]);

    if (error == -ENOENT && emulator)
        snprintf(why, why_bytes,
                 "it has no netem, which delay and loss need (as root: modprobe sch_netem)");
    else if (error == -ENOENT)
        snprintf(why, why_bytes, "it has no tbf, which a rate needs (as root: modprobe sch_tbf)");
    else if (error == -EOPNOTSUPP)
        snprintf(why, why_bytes, "it has no veth interfaces (as root: modprobe veth)");
    else
        snprintf(why, why_bytes, "veth: %s", strerror(-error));
}

static bool has_jitter(const struct link_request *request)
{
    return request->path[LINK_UP].jitter_ns > 0 || request->path[LINK_DOWN].jitter_ns > 0;
}

static int kernel_open(void **state, const struct link_request *request,
                       const struct namespaces *namespaces, char *why, size_t why_bytes)
{
    if (has_jitter(request)) {
        snprintf(why, why_bytes, "with jitter it would not keep the order of frames");
        return -EOPNOTSUPP;
    }
    struct kernel_link *kernel = calloc(1, sizeof *kernel);
    if (kernel == NULL) {
        snprintf(why, why_bytes, "no memory");
        return -ENOMEM;
    }
    memcpy(kernel->path, request->path, sizeof kernel->path);
    kernel->namespaces = namespaces;
    int result = sides_open(kernel);
    if (result < 0) {
        explain(kernel, result, why, why_bytes);
        free(kernel);
        return result;
    }
    *state = kernel;
    return 0;
}

static int kernel_start(void *state)
{
    (void)state;
    return 0;
}

static int path_set_down(const struct shaper_config *path, bool down)
{
    int result = down ? blackhole_set() : nothing_set();

    return result == 0 && !down ? path_shape(path) : result;
}

/* An interface that is taken down loses its routes; one whose frames vanish does not. */
static int kernel_set_down(void *state, bool down)
{
    struct kernel_link *kernel = state;
    int result = 0;

    for (int side = 0; side < LAN_SIDES && result == 0; side++) {
        namespaces_enter(kernel->namespaces, side);
        result = path_set_down(&kernel->path[side == LAN_NEAR ? LINK_UP : LINK_DOWN], down);
    }
    namespaces_enter(kernel->namespaces, LAN_NEAR);
    return result;
}

static void kernel_read(void *state, struct link_figures *figures)
{
    (void)state;
    *figures = (struct link_figures){.counted = false};
}

const struct link_kind link_kernel = {
    .name = "kernel",
    .about = "a veth pair with the kernel's own tbf, or netem for delay and loss; no jitter",
    .open = kernel_open,
    .start = kernel_start,
    .set_down = kernel_set_down,
    .read = kernel_read,
    .close = free,
};
