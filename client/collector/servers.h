/* The servers to collect from: --servers, --address, --port made into a list of addresses. */
#ifndef FANIN_COLLECTOR_SERVERS_H
#define FANIN_COLLECTOR_SERVERS_H

#include <stddef.h>
#include <stdint.h>

#include "client/collector/options.h"
#include "base/net.h"

struct servers {
    struct net_address *addresses;
    uint32_t count, room;
};

/* servers_read: fills in the list; names are resolved, which may block. 0, or -1 with `why` naming
 * the option or FILE:LINE. servers_free afterwards in either case. */
int servers_read(struct servers *servers, const struct collector_options *options, char *why,
                 size_t why_bytes);
void servers_free(struct servers *servers);

#endif
