/* One connection to a device. */
#ifndef FANIN_CONNECTION_H
#define FANIN_CONNECTION_H

#include "mock_servers/device.h"

struct connection;

/* connection_open: takes over an accepted socket. 0, or -1 without memory (the socket stays the
 * caller's). */
int connection_open(struct device *device, intptr_t socket);

/* connections_start: starts those that wait for their tapes. To be called when no tape is to be
 * made. */
void connections_start(struct fleet *fleet);

/* connections_reset: resets all of a device. */
void connections_reset(struct device *device);

/* connections_free: frees closed ones. To be called when no event is at hand. */
void connections_free(struct fleet *fleet);

/* connections_close: closes all. */
void connections_close(struct fleet *fleet);

#endif
