/* Where screens are found: the address that they connect to, or those that are connected to. */
#ifndef FANIN_MONITOR_ADDRESSES_H
#define FANIN_MONITOR_ADDRESSES_H

#include "base/net.h"
#include "client/monitor/options.h"

/* The name of a link's own end of fanin-lan, by its environment variable; elsewhere 127.0.0.1. */
#define ADDRESS_NEAR "near"

/* What --connect names, one for each screen. Zeroed: none. */
struct targets {
    struct net_address *all;
    unsigned count;
};

/* addresses_listen: of --listen. 0, or -1 with `why`. Blocks while a name is resolved. */
int addresses_listen(const struct monitor_options *options, struct net_address *address, char *why,
                     size_t why_bytes);

/* addresses_local: whether only this machine, or fanin-lan's own link, reaches it. */
bool addresses_local(const struct monitor_options *options, const struct net_address *address);

/* addresses_connect: of --connect, or --address and --port. 0 with *targets the caller's to free,
 * or -1 with `why`. Blocks while names are resolved. */
int addresses_connect(const struct monitor_options *options, struct targets *targets, char *why,
                      size_t why_bytes);
void targets_free(struct targets *targets);

#endif
