/* A port that is listened on for many devices at once: --listeners shared. It stands on every
 * address of the machine, and which device a connection is for follows from the address that it
 * came to; so a descriptor is spent on a port and none on a device. */
#ifndef FANIN_LISTENER_H
#define FANIN_LISTENER_H

#include "mock_servers/fleet.h"

struct listener {
    struct actor actor;
    struct fleet *fleet;
    intptr_t handle;
};

/* listener_open: binds and listens at `address`. 0, or a negative errno value with nothing left
 * open. */
int listener_open(struct listener *listener, struct fleet *fleet,
                  const struct net_address *address);
void listener_close(struct listener *listener);

#endif
