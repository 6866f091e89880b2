/* Binding, listening, accepting. */
#include "mock_servers/listener.h"

#include <errno.h>

#include "base/os.h"

enum { RETRY_NS = 100 * OS_NS_PER_MS };

void listener_retry(struct listener *listener)
{
    loop_wake_at(listener->loop, &listener->handler, os_now_ns() + RETRY_NS);
}

/* Edge-triggered: until nothing is left. Without descriptors or memory it tries again later,
 * because no event tells when there are some. */
void listener_accept(struct listener *listener)
{
    intptr_t socket;
    int result;
    while ((result = net_accept(listener->socket, &listener->config->tuning, &socket)) == 0) {
        struct endpoint *endpoint = listener->endpoint_of(listener, socket);
        if (endpoint == NULL || connection_open(endpoint, socket) < 0)
            net_close(socket);
    }
    if (result == -EAGAIN)
        net_watch_again(&listener->handler.watched, NET_READABLE);
    else
        listener_retry(listener);
}

static void handle(struct handler *handler, unsigned signs)
{
    listener_accept((struct listener *)handler);
}

int listener_open(struct listener *listener, struct loop *loop,
                  const struct listener_config *config, const struct net_address *address)
{
    listener->handler = (struct handler){.handle = handle};
    listener->config = config;
    listener->socket = -1;
    listener->loop = loop;
    if (loop_add(loop) < 0)
        return -ENOMEM;
    return listener_bind(listener, address);
}

void listener_end(struct listener *listener)
{
    if (listener->loop == NULL)
        return;
    listener_close(listener);
    loop_remove(listener->loop, &listener->handler);
}

int listener_bind(struct listener *listener, const struct net_address *address)
{
    return net_bind(address, &listener->socket);
}

int listener_listen(struct listener *listener)
{
    int result = net_listen(listener->socket, listener->config->backlog, &listener->config->tuning);
    return result < 0 ? result : loop_watch(listener->loop, &listener->handler, listener->socket);
}

void listener_close(struct listener *listener)
{
    if (listener->socket < 0)
        return;
    net_watch_remove(&listener->handler.watched);
    net_close(listener->socket);
    listener->socket = -1;
}
