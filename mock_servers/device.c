/* Binding, listening and accepting, and the faults that lie in how a device does so.
 *
 * FAULT_AT_QUEUE on Linux: listen() with backlog 0 lets one connection wait for accept(). While it
 * does, further SYNs are dropped without an answer, and so is the last ACK of a handshake that was
 * under way. The peer's kernel sends its SYN again after 1, 3, 7, ... seconds, so connect() hangs
 * until its own time limit (about two minutes) or until the queue moves. The one connection that
 * waits is our own, or one of a client that was there first. */
#include "mock_servers/device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"

enum { RETRY_NS = 100 * OS_NS_PER_MS, LIMIT_BYTES = 256 };

/* ---- listeners ---- */

static void retry(struct listener *listener)
{
    loop_wake_at(listener->loop, &listener->handler, os_now_ns() + RETRY_NS);
}

/* Once, since every listener may meet the limit, again and again. */
static void say_why(int error)
{
    static bool said;
    char limit[LIMIT_BYTES];
    if (said)
        return;
    said = true;
    const bool met = os_limit_met(error, limit, sizeof limit);
    fprintf(stderr, "fanin-servers: connections wait to be accepted: %s%s%s\n", strerror(-error),
            met ? "; " : "", limit);
}

/* Edge-triggered: until nothing is left. Without descriptors or memory it tries again later,
 * because no event tells when there are some. */
static void accept_all(struct listener *listener)
{
    intptr_t socket;
    int result;
    while ((result = net_accept(listener->socket, &listener->config->tuning, &socket)) == 0) {
        struct endpoint *endpoint = listener->endpoint_of(listener->owner, socket);
        if (endpoint == NULL || connection_open(endpoint, socket) < 0)
            net_close(socket);
    }
    if (result == -EAGAIN) {
        net_watch_again(&listener->handler.watched, NET_READABLE);
        return;
    }
    say_why(result);
    retry(listener);
}

static void handle_listener(struct handler *handler, unsigned signs)
{
    accept_all((struct listener *)handler);
}

static int bind_only(struct listener *listener, struct loop *loop,
                     const struct listener_config *config, const struct net_address *address)
{
    listener->loop = loop;
    listener->config = config;
    listener->address = *address;
    listener->socket = -1;
    if (loop_add(loop) < 0)
        return -ENOMEM;
    return net_bind(address, &listener->socket);
}

static int listen_and_watch(struct listener *listener)
{
    int result = net_listen(listener->socket, listener->config->backlog, &listener->config->tuning);
    return result < 0 ? result : loop_watch(listener->loop, &listener->handler, listener->socket);
}

int listener_open(struct listener *listener, struct loop *loop,
                  const struct listener_config *config, const struct net_address *address)
{
    listener->handler.handle = handle_listener;
    int result = bind_only(listener, loop, config, address);
    return result < 0 ? result : listen_and_watch(listener);
}

/* The socket only: it can be bound again. */
static void socket_close(struct listener *listener)
{
    if (listener->socket < 0)
        return;
    net_watch_remove(&listener->handler.watched);
    net_close(listener->socket);
    listener->socket = -1;
}

void listener_close(struct listener *listener)
{
    if (listener->loop == NULL)
        return;
    socket_close(listener);
    loop_remove(listener->loop, &listener->handler);
}

/* ---- devices ---- */

static void wake_after_argument(struct device *device)
{
    loop_wake_at(device->listener.loop, &device->listener.handler,
                 os_now_ns() + device->endpoint.fault->argument * OS_NS_PER_MS);
}

static struct endpoint *endpoint_of(void *device, intptr_t socket)
{
    return &((struct device *)device)->endpoint;
}

static void handle_device(struct handler *handler, unsigned signs)
{
    struct device *device = (struct device *)handler;
    if (!fault_is_at(device->endpoint.fault, FAULT_AT_ACCEPT) || signs == 0)
        accept_all(&device->listener);
    else if (handler->timer == 0)
        wake_after_argument(device);
}

/* The end of a full queue: from here on the device is like any other. */
static void handle_queue_end(struct handler *handler, unsigned signs)
{
    struct device *device = (struct device *)handler;
    net_close(device->filler);
    device->filler = -1;
    handler->handle = handle_device;
    if (loop_watch(device->listener.loop, handler, device->listener.socket) == 0)
        accept_all(&device->listener);
}

static int queue_fill(struct device *device)
{
    struct listener *listener = &device->listener;
    int result = net_listen(listener->socket, 0, &listener->config->tuning);
    if (result < 0 || (result = net_local(listener->socket, &listener->address)) < 0)
        return result;
    listener->handler.handle = handle_queue_end;
    if (device->endpoint.fault->argument > 0)
        wake_after_argument(device);
    return net_connect_begin(&listener->address, &device->filler);
}

/* Listens again. An event of the former listener may still be pending. */
static void handle_restart(struct handler *handler, unsigned signs)
{
    struct listener *listener = (struct listener *)handler;
    if (signs != 0)
        return;
    if (listener->socket < 0)
        net_bind(&listener->address, &listener->socket);
    if (listener->socket < 0 || listen_and_watch(listener) < 0) {
        socket_close(listener);
        retry(listener);
        return;
    }
    handler->handle = handle_device;
    accept_all(listener);
}

/* The port is bound again at once, without listening, so that no other process gets it meanwhile;
 * and before any client learns that its connection is gone, so that none is accepted again. */
void device_restart(struct endpoint *endpoint)
{
    struct device *device = LIST_MEMBER(endpoint, struct device, endpoint);
    struct listener *listener = &device->listener;
    net_local(listener->socket, &listener->address);
    socket_close(listener);
    net_bind(&listener->address, &listener->socket); /* if it fails, handle_restart tries again */
    connections_reset(endpoint);
    listener->handler.handle = handle_restart;
    wake_after_argument(device);
}

int device_open(struct device *device, const struct listener_config *config,
                const struct net_address *address)
{
    const struct fault *fault = device->endpoint.fault;
    struct listener *listener = &device->listener;
    device->filler = -1;
    listener->handler.handle = handle_device;
    listener->endpoint_of = endpoint_of;
    listener->owner = device;
    int result = bind_only(listener, device->endpoint.connections->loop, config, address);
    if (result < 0 || fault_is_at(fault, FAULT_AT_PORT))
        return result;
    return fault_is_at(fault, FAULT_AT_QUEUE) ? queue_fill(device) : listen_and_watch(listener);
}

void device_close(struct device *device)
{
    if (device->listener.loop != NULL && device->filler >= 0)
        net_close(device->filler);
    listener_close(&device->listener);
}
