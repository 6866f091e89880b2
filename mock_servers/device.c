/* A full queue (fault at the queue) on Linux: listen() with backlog 0 lets one connection wait
 * for accept(). While it does, further SYNs are dropped without an answer, and so is the last
 * ACK of a handshake that was under way. The peer's kernel sends its SYN again after 1, 3, 7,
 * ... seconds, so connect() hangs until its own time limit (about two minutes) or until the
 * queue moves. The one connection that waits is our own. */
#include "mock_servers/device.h"

#include <errno.h>

#include "base/os.h"
#include "mock_servers/connection.h"

enum { RETRY_NS = 100 * OS_NS_PER_MS };

static bool has_fault(const struct device *device, enum fault_place place)
{
    return device->fault != NULL && device->fault->kind->place == place;
}

static uint64_t argument_ns(const struct device *device)
{
    return device->fault->argument * OS_NS_PER_MS;
}

static void set_timer(struct device *device, uint64_t after_ns)
{
    timers_set(&device->fleet->timers, &device->actor.timer, os_now_ns() + after_ns);
}

/* Edge-triggered: until there is nothing left. Out of descriptors or memory it tries again
 * later, because no event will say when there are some. */
static void accept_all(struct device *device)
{
    intptr_t handle;
    int result;
    while ((result = net_accept(device->listener, &device->fleet->config->tuning, &handle)) == 0)
        if (connection_open(device, handle) < 0)
            net_close(handle);
    if (result == -EAGAIN)
        net_watch_again(&device->actor.watched, NET_READABLE);
    else
        set_timer(device, RETRY_NS);
}

static void act(struct actor *actor, unsigned signs)
{
    struct device *device = (struct device *)actor;
    if (has_fault(device, FAULT_AT_ACCEPT) && signs != 0) {
        if (actor->timer.place == 0)
            set_timer(device, argument_ns(device));
        return;
    }
    accept_all(device);
}

/* The end of a full queue: from here on the device is like any other. */
static void act_on_queue(struct actor *actor, unsigned signs)
{
    struct device *device = (struct device *)actor;
    (void)signs;
    net_close(device->filler);
    device->filler = -1;
    actor->act = act;
    if (net_watch_add(device->fleet->watch, &actor->watched, device->listener) == 0)
        accept_all(device);
}

static int queue_fill(struct device *device)
{
    struct net_address own;
    net_local(device->listener, &own);
    device->actor.act = act_on_queue;
    if (device->fault->argument > 0)
        set_timer(device, argument_ns(device));
    return net_connect(&own, OS_NS_PER_S, &device->filler);
}

static int device_listen(struct device *device)
{
    const struct fleet_config *config = device->fleet->config;
    bool full = has_fault(device, FAULT_AT_QUEUE);
    if (has_fault(device, FAULT_AT_PORT))
        return 0;
    int result = net_listen(device->listener, full ? 0 : config->backlog, &config->tuning);
    if (result < 0)
        return result;
    return full ? queue_fill(device)
                : net_watch_add(device->fleet->watch, &device->actor.watched, device->listener);
}

int device_open(struct device *device, struct fleet *fleet, uint32_t number,
                const struct net_address *address, const struct fault *fault)
{
    *device = (struct device){.actor.act = act,
                              .fleet = fleet,
                              .fault = fault,
                              .address = *address,
                              .listener = -1,
                              .filler = -1,
                              .number = number};
    if (fleet->config->shared_listeners)
        return 0;
    int result = net_bind(address, &device->listener);
    if (result < 0)
        return result;
    result = device_listen(device);
    if (result < 0)
        device_close(device);
    return result;
}

static void listener_close(struct device *device)
{
    net_watch_remove(&device->actor.watched);
    if (device->listener >= 0)
        net_close(device->listener);
    device->listener = -1;
}

void device_close(struct device *device)
{
    timers_clear(&device->fleet->timers, &device->actor.timer);
    if (device->filler >= 0)
        net_close(device->filler);
    listener_close(device);
}

/* ---- restarting ---- */

/* The second life begins. An event of the first one's listener may still be at hand. */
static void act_on_restart(struct actor *actor, unsigned signs)
{
    struct device *device = (struct device *)actor;
    if (signs != 0)
        return;
    if (device->listener < 0 && net_bind(&device->address, &device->listener) < 0)
        device->listener = -1;
    if (device->listener < 0 || device_listen(device) < 0) {
        listener_close(device);
        set_timer(device, RETRY_NS);
        return;
    }
    actor->act = act;
    accept_all(device);
}

/* The port is taken again at once, without listening, so that nobody else gets it meanwhile; and
 * before any client learns that its connection is gone, so that none is accepted again. */
void device_restart(struct device *device)
{
    net_local(device->listener, &device->address);
    listener_close(device);
    if (net_bind(&device->address, &device->listener) < 0)
        device->listener = -1;
    connections_reset(device);
    device->actor.act = act_on_restart;
    set_timer(device, argument_ns(device));
}
