/* One device: an address, and how the device misbehaves there. */
#ifndef FANIN_DEVICE_H
#define FANIN_DEVICE_H

#include "mock_servers/listener.h"

struct device {
    struct listener listener; /* the first field; without a loop: a shared one accepts */
    struct endpoint endpoint;
    struct net_address address;
    intptr_t filler; /* FAULT_AT_QUEUE: our own connection that keeps the queue full; else -1 */
};

/* device_init: `fault` NULL: the device does everything right. */
void device_init(struct device *device, struct connections *connections, uint32_t number,
                 const struct net_address *address, const struct fault *fault);

/* device_open: binds and listens at its address. 0, or a negative errno value. */
int device_open(struct device *device, const struct listener_config *config);
void device_close(struct device *device); /* also of one that is not or not wholly open */

#endif
