/* A device, and the faults that lie in how it listens.
 *
 * FAULT_AT_QUEUE on Linux: listen() with backlog 0 lets one connection wait for accept(). While it
 * does, further SYNs are dropped without an answer, and so is the last ACK of a handshake that was
 * under way. The peer's kernel sends its SYN again after 1, 3, 7, ... seconds, so connect() hangs
 * until its own time limit (about two minutes) or until the queue moves. The one connection that
 * waits is our own. */
#include "mock_servers/device.h"

#include <errno.h>

#include "base/os.h"

static bool has_fault(const struct device *device, enum fault_place place)
{
    return device->endpoint.fault != NULL && device->endpoint.fault->kind->place == place;
}

static void wake_after_argument(struct device *device)
{
    loop_wake_at(device->listener.loop, &device->listener.handler,
                 os_now_ns() + device->endpoint.fault->argument * OS_NS_PER_MS);
}

static struct endpoint *endpoint_of(struct listener *listener, intptr_t socket)
{
    return &((struct device *)listener)->endpoint;
}

static void handle(struct handler *handler, unsigned signs)
{
    struct device *device = (struct device *)handler;
    if (!has_fault(device, FAULT_AT_ACCEPT) || signs == 0)
        listener_accept(&device->listener);
    else if (handler->timer == 0)
        wake_after_argument(device);
}

/* The end of a full queue: from here on the device is like any other. */
static void handle_queue_end(struct handler *handler, unsigned signs)
{
    struct device *device = (struct device *)handler;
    net_close(device->filler);
    device->filler = -1;
    handler->handle = handle;
    if (loop_watch(device->listener.loop, handler, device->listener.socket) == 0)
        listener_accept(&device->listener);
}

static int queue_fill(struct device *device)
{
    struct net_address own;
    int result = net_listen(device->listener.socket, 0, &device->listener.config->tuning);
    if (result < 0 || (result = net_local(device->listener.socket, &own)) < 0)
        return result;
    device->listener.handler.handle = handle_queue_end;
    if (device->endpoint.fault->argument > 0)
        wake_after_argument(device);
    return net_connect(&own, OS_NS_PER_S, &device->filler);
}

/* ---- restarting ---- */

/* Listens again. An event of the former listener may still be pending. */
static void handle_restart(struct handler *handler, unsigned signs)
{
    struct device *device = (struct device *)handler;
    struct listener *listener = &device->listener;
    if (signs != 0)
        return;
    if (listener->socket < 0 && listener_bind(listener, &device->address) < 0)
        listener->socket = -1;
    if (listener->socket < 0 || listener_listen(listener) < 0) {
        listener_close(listener);
        listener_retry(listener);
        return;
    }
    handler->handle = handle;
    listener_accept(listener);
}

/* The port is bound again at once, without listening, so that no other process gets it meanwhile;
 * and before any client learns that its connection is gone, so that none is accepted again. */
static void restart(struct endpoint *endpoint)
{
    struct device *device = LIST_MEMBER(endpoint, struct device, endpoint);
    struct listener *listener = &device->listener;
    net_local(listener->socket, &device->address);
    listener_close(listener);
    if (listener_bind(listener, &device->address) < 0)
        listener->socket = -1;
    connections_reset(endpoint);
    listener->handler.handle = handle_restart;
    wake_after_argument(device);
}

/* ---- opening ---- */

void device_init(struct device *device, struct connections *connections, uint32_t number,
                 const struct net_address *address, const struct fault *fault)
{
    *device = (struct device){
        .endpoint = {connections, fault, number, restart},
        .address = *address,
        .filler = -1,
    };
}

int device_open(struct device *device, const struct listener_config *config)
{
    struct listener *listener = &device->listener;
    int result =
        listener_open(listener, device->endpoint.connections->loop, config, &device->address);
    listener->handler.handle = handle;
    listener->endpoint_of = endpoint_of;
    if (result < 0 || has_fault(device, FAULT_AT_PORT))
        return result;
    return has_fault(device, FAULT_AT_QUEUE) ? queue_fill(device) : listener_listen(listener);
}

void device_close(struct device *device)
{
    if (device->filler >= 0)
        net_close(device->filler);
    listener_end(&device->listener);
}
