/* A socket that accepts connections: of one device, or of all devices with the same port. */
#ifndef FANIN_LISTENER_H
#define FANIN_LISTENER_H

#include "mock_servers/connection.h"

struct listener_config {
    int backlog;
    struct net_tuning tuning;
};

struct listener {
    struct handler handler; /* the first field, so that a handler is its listener */
    struct loop *loop;
    const struct listener_config *config;
    intptr_t socket; /* -1: none */
    /* endpoint_of: the device that an accepted socket is for; NULL: none, it is closed. */
    struct endpoint *(*endpoint_of)(struct listener *listener, intptr_t socket);
};

/* listener_open: binds, but does not listen yet. 0, or a negative errno value; then
 * listener_end is still to be called. */
int listener_open(struct listener *listener, struct loop *loop,
                  const struct listener_config *config, const struct net_address *address);
void listener_end(struct listener *listener); /* also of a zeroed one */

int listener_bind(struct listener *listener, const struct net_address *address);
int listener_listen(struct listener *listener);
void listener_close(struct listener *listener); /* only the socket; it can be bound again */

/* listener_accept: accepts what is there. */
void listener_accept(struct listener *listener);

/* listener_retry: calls the handler again in a moment. */
void listener_retry(struct listener *listener);

#endif
