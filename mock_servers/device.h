/* One device: a port that is listened on. What it has accepted is in connection.h. */
#ifndef FANIN_DEVICE_H
#define FANIN_DEVICE_H

#include "mock_servers/fleet.h"

struct device {
    struct actor actor;
    struct fleet *fleet;
    const struct fault *fault; /* NULL: it does everything right */
    struct net_address address;
    intptr_t listener; /* -1: none, between two lives (fault at the device); or it is shared */
    intptr_t filler;   /* fault at the queue: our own connection that keeps it full; else -1 */
    uint32_t number;
};

/* device_open: binds and listens at `address`. 0, or a negative errno value with nothing left
 * open. */
int device_open(struct device *device, struct fleet *fleet, uint32_t number,
                const struct net_address *address, const struct fault *fault);
void device_close(struct device *device);

/* device_restart: resets all its connections, also the calling one, and listens again when its
 * fault's time is over; until then connects are refused. */
void device_restart(struct device *device);

#endif
