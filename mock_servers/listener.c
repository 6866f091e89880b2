#include "mock_servers/listener.h"

#include <errno.h>

#include "base/os.h"
#include "mock_servers/connection.h"

enum { RETRY_NS = 100 * OS_NS_PER_MS };

/* Whoever connects to another address of this machine gets nothing: no device is there. */
static void take(const struct listener *listener, intptr_t handle)
{
    struct net_address address;
    struct device *device = NULL;
    if (net_local(handle, &address) == 0)
        device = fleet_device_at(listener->fleet, &address);
    if (device == NULL || connection_open(device, handle) < 0)
        net_close(handle);
}

/* Edge-triggered: until there is nothing left. Out of descriptors or memory it tries again later,
 * because no event will say when there are some. */
static void act(struct actor *actor, unsigned signs)
{
    struct listener *listener = (struct listener *)actor;
    intptr_t handle;
    int result;
    (void)signs;
    while ((result = net_accept(listener->handle, &listener->fleet->config->tuning, &handle)) == 0)
        take(listener, handle);
    if (result == -EAGAIN)
        net_watch_again(&actor->watched, NET_READABLE);
    else
        timers_set(&listener->fleet->timers, &actor->timer, os_now_ns() + RETRY_NS);
}

int listener_open(struct listener *listener, struct fleet *fleet, const struct net_address *address)
{
    const struct fleet_config *config = fleet->config;
    *listener = (struct listener){.actor.act = act, .fleet = fleet};
    int result = net_bind(address, &listener->handle);
    if (result < 0)
        return result;
    result = net_listen(listener->handle, config->backlog, &config->tuning);
    if (result == 0)
        result = net_watch_add(fleet->watch, &listener->actor.watched, listener->handle);
    if (result < 0)
        net_close(listener->handle);
    return result;
}

void listener_close(struct listener *listener)
{
    timers_clear(&listener->fleet->timers, &listener->actor.timer);
    net_watch_remove(&listener->actor.watched);
    net_close(listener->handle);
}
