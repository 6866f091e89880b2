/* Sockets that accept connections: of one device, with the faults that it has in listening, or of
 * all devices with the same port. */
#ifndef FANIN_DEVICE_H
#define FANIN_DEVICE_H

#include "mock_servers/connection.h"

struct listener_config {
    int backlog;
    struct net_tuning tuning;
};

struct listener {
    struct handler handler; /* the first field, so that a handler is its listener */
    struct loop *loop;
    const struct listener_config *config;
    struct net_address address;
    intptr_t socket; /* -1: none */
    /* endpoint_of: the device that an accepted socket is for; NULL: none, it is closed. */
    struct endpoint *(*endpoint_of)(void *owner, intptr_t socket);
    void *owner; /* the device, or the fleet if the listener is shared */
};

/* listener_open: its owner and endpoint_of are set. 0, or a negative errno value; then
 * listener_close is still to be called. `config` stays the caller's and must outlive it. */
int listener_open(struct listener *listener, struct loop *loop,
                  const struct listener_config *config, const struct net_address *address);
void listener_close(struct listener *listener); /* also of a zeroed one */

struct device {
    struct listener listener; /* the first field; without a loop: a shared one accepts */
    struct endpoint endpoint;
    intptr_t filler; /* FAULT_AT_QUEUE: our own connection that keeps the queue full; else -1 */
};

/* device_open: opens the listener of a device whose endpoint is set. Results and device_close are
 * as for listener_open. */
int device_open(struct device *device, const struct listener_config *config,
                const struct net_address *address);
void device_close(struct device *device);

/* device_restart: FAULT_AT_DEVICE: resets all connections of the device, also the calling one, and
 * refuses new ones for a while. */
void device_restart(struct endpoint *endpoint);

#endif
