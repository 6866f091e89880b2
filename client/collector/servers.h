/* The servers that a run connects to: what --servers, --address and --port say, and the addresses
 * of names among them, which are tried in turn. */
#ifndef FANIN_COLLECTOR_SERVERS_H
#define FANIN_COLLECTOR_SERVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "client/collector/options.h"

enum { SERVERS_MAX = 1000000, SERVER_TEXT_BYTES = 384 };

/* A name, once for all servers that have it. */
struct server_name {
    const char *host;
    struct net_address *addresses; /* in the order they are tried; without a port */
    unsigned count;                /* 0: it did not resolve, because of: */
    char *words;                   /* the resolver's; NULL: no memory for them */
    uint32_t first;                /* index of the first name that has the same host */
};

/* How a server that has a name is reached: at an address of its name. */
struct server_route {
    uint32_t name;     /* its index + 1; 0: the server was given by its address */
    uint32_t steps;    /* added to that address: --ports-per-address */
    uint16_t port, at; /* the address's index, */
    uint16_t failed;   /* and how many have failed since the present connect began */
};

/* "host:port+count" in a list: what one process of devices has opened. */
struct server_range {
    uint32_t first, count; /* servers */
};

struct servers {
    uint32_t count, room;
    struct net_address *addresses; /* by server; NULL: a block that has no name */
    struct server_route *routes;   /* by server; NULL: none has a name. Written by the owner of the
                                      server's connection */
    struct server_name *names;
    struct server_range *ranges; /* in the list's order */
    uint32_t route_room, name_count, name_room, range_count, range_room;
    bool is_block;            /* ports and addresses in a row: the only name is that of --address */
    struct net_address first; /* of a block */
    uint32_t servers_per_address; /* the same */
};

/* servers_read: the list that --servers, --address and --port describe; may read a file, does not
 * resolve names. 0, or -1 with `why`, which names the option or FILE:LINE. Call servers_free in
 * both cases. */
int servers_read(struct servers *servers, const struct collector_options *options, char *why,
                 size_t why_bytes);
void servers_free(struct servers *servers);

/* servers_resolve: finds the addresses of all names, several at the same time. Blocks as long as
 * the resolver does, and shows progress on stderr after two seconds. 0, or -1 with `why`: no
 * memory, or the name of --address has no address. Another name without one is the failure of its
 * servers. */
int servers_resolve(struct servers *servers, const struct collector_options *options, char *why,
                    size_t why_bytes);

/* servers_address: by which server `index` is connected, or which is tried next; `bytes` is 0 where
 * its name did not resolve. */
struct net_address servers_address(const struct servers *servers, uint32_t index);

/* servers_retry: begins a connect anew, with the address that was used last. servers_next: turns to
 * the next address after one that failed. False: all have failed, and the next connect begins with
 * the first one again. */
void servers_retry(struct servers *servers, uint32_t index);
bool servers_next(struct servers *servers, uint32_t index);

/* servers_text: how server `index` is reached, for people: "127.0.0.1:80", "[::1]:80 (localhost)",
 * or "name:80" where that has no address. servers_words: then the resolver's words; else NULL. */
const char *servers_text(const struct servers *servers, uint32_t index,
                         char text[SERVER_TEXT_BYTES]);
const char *servers_words(const struct servers *servers, uint32_t index);

#endif
