/* Network interfaces, set up by iproute2's programs `ip` and `tc`. */
#ifndef FANIN_LAN_INTERFACE_H
#define FANIN_LAN_INTERFACE_H

#include <stdint.h>

#include "mock_servers/lan/namespace.h"

/* interface_command: runs `program` (ip or tc) in the namespace of `side` with a batch of commands,
 * one a line. Blocks until it has ended. 0; -ENOENT: the program is not installed; -EIO: a command
 * failed; both with `failure`. */
__attribute__((format(printf, 5, 6))) int interface_command(const struct namespaces *namespaces,
                                                            enum lan_side side, const char *program,
                                                            struct failure *failure,
                                                            const char *format, ...);

/* interface_configure: gives LAN_INTERFACE its side's addresses and routes, and brings it up. As
 * interface_command. */
int interface_configure(const struct namespaces *namespaces, enum lan_side side,
                        struct failure *failure);

struct interface_drops {
    uint64_t received, sent;
};

/* interface_drops_read: frames that LAN_INTERFACE has dropped on receiving, and on sending. */
struct interface_drops interface_drops_read(const struct namespaces *namespaces,
                                            enum lan_side side);

#endif
