/* A link of our own: one thread that takes frames from either end, lets the shaper say when they
 * arrive, and gives them to the other end then.
 *
 * An end is a descriptor that gives and takes one packet a call, each with a struct virtio_net_hdr
 * before it: a TAP device's, or a packet socket's. */
#ifndef FANIN_LAN_CABLE_H
#define FANIN_LAN_CABLE_H

#include "mock_servers/lan/link.h"

struct cable;

/* cable_open: takes both ends over, which must not block. 0, or -errno, and then they are still the
 * caller's. */
int cable_open(struct cable **cable, const struct link_request *request, const int ends[LAN_SIDES],
               const struct namespaces *namespaces);

/* What kinds of links that end in a cable have in common; `state` is the struct cable. */
int cable_start(void *state);
int cable_set_down(void *state, bool down);
void cable_read(void *state, struct link_figures *figures);
void cable_close(void *state);

#endif
