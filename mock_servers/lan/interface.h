/* Network interfaces, set up by iproute2's programs `ip` and `tc`. */
#ifndef FANIN_LAN_INTERFACE_H
#define FANIN_LAN_INTERFACE_H

#include <stdint.h>

#include "mock_servers/lan/namespace.h"

/* interface_command: runs `program` (ip or tc) in the namespace of `side` with a batch of commands,
 * one a line. Blocks until it has ended. False with lan_reason(). */
__attribute__((format(printf, 3, 4))) bool
interface_command(enum lan_side side, const char *program, const char *format, ...);

/* interface_configure: gives LAN_INTERFACE its side's addresses and routes, and brings it up. As
 * interface_command. */
bool interface_configure(enum lan_side side);

struct interface_drops {
    uint64_t received, sent;
};

/* interface_drops_read: frames that LAN_INTERFACE has dropped on receiving, and on sending. */
struct interface_drops interface_drops_read(enum lan_side side);

#endif
