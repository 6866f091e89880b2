/* The list of servers that --servers, --address and --port describe. */
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

/* servers_read: fills in the list. Resolves names, which may block. 0, or -1 with `why`, which
 * names the option or FILE:LINE. Call servers_free in both cases. */
int servers_read(struct servers *servers, const struct collector_options *options, char *why,
                 size_t why_bytes);
void servers_free(struct servers *servers);

#endif
