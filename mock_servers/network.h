/* --listen net:CIDR: this computer's own address in a network, the same option on all hosts. */
#ifndef FANIN_NETWORK_H
#define FANIN_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IPv4. Where an address itself is named, all of its 32 bits are. */
struct network {
    uint32_t base;
    unsigned bits;   /* 0..32 of `base` are the network's */
    bool is_network; /* net:... was written */
};

/* network_parse: reads an address, or net:CIDR. 0, or -1 with `why`: "takes ...". */
int network_parse(const char *text, struct network *network, char *why, size_t why_bytes);

/* network_find: the address that was named, or this computer's only one in the network. 0, or -1
 * with `why`, which names the network and this computer's addresses. */
int network_find(const struct network *network, uint32_t *host, char *why, size_t why_bytes);

#endif
