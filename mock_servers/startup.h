/* What the programs of this room do alike before they serve. */
#ifndef FANIN_STARTUP_H
#define FANIN_STARTUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/net.h"

/* startup_cannot_listen: writes what stands in the way of listening there, where that failed with
 * `error`, a negative errno value, and what would help. Returns -1. */
int startup_cannot_listen(const struct net_address *address, int error, char *why,
                          size_t why_bytes);

/* startup_ready: writes "<pid> <port of the first> <count>\n" to the ready file, which appears
 * whole or not at all. 0, or a negative errno value with nothing left behind. */
int startup_ready(const char *path, int port, uint64_t count);

#endif
