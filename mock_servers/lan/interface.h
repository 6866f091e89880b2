/* Network interfaces of the calling thread's namespace. Nothing blocks; 0 or -errno. */
#ifndef FANIN_LAN_INTERFACE_H
#define FANIN_LAN_INTERFACE_H

#include <stdint.h>

#include "mock_servers/lan/address.h"

/* interface_pair: makes a veth pair, `name` here and `peer` in the namespace `peer_network`. */
int interface_pair(const char *name, const char *peer, int peer_network);

/* interface_drop: removes it, and its peer; nothing if it is not there. */
void interface_drop(const char *name);

int interface_up(const char *name);

/* interface_address: makes LAN_INTERFACE one side's, and brings it up: addresses, MTU, the route to
 * the other side, and that side's Ethernet address, so that nobody ever has to ask for it (an
 * ARP request could be lost). */
int interface_address(enum lan_side side);

/* interface_plain: frames leave as they will be on the wire, none larger than the MTU. */
int interface_plain(const char *name);

struct interface_missed {
    uint64_t received, sent;
};

/* interface_missed_read: how many frames LAN_INTERFACE has dropped that it had received, or was to
 * send. */
struct interface_missed interface_missed_read(void);

#endif
