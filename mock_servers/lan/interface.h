/* The interface of each side, and what differs between the kinds of link. Called in the near
 * namespace, and return there; false with lan_reason(). */
#ifndef FANIN_LAN_INTERFACE_H
#define FANIN_LAN_INTERFACE_H

#include "mock_servers/lan/lan.h"
#include "mock_servers/lan/shaper.h"

/* kernel_link_open: makes a veth pair that shapes as asked. kernel_link_set_down: takes both
 * directions down, or shapes them as asked again. */
bool kernel_link_open(const struct shaper_config paths[LINK_DIRECTIONS]);
bool kernel_link_set_down(const struct shaper_config paths[LINK_DIRECTIONS], bool down);

/* The ends of a link in user space: descriptors that read and write one packet a call, each behind
 * a struct virtio_net_hdr, and do not block. Negative ones were not opened. */
bool tap_ends_open(int ends[LAN_SIDES]);
bool packet_ends_open(int ends[LAN_SIDES]);

/* interface_configure: gives LAN_INTERFACE its side's addresses and routes, and brings it up. */
bool interface_configure(enum lan_side side);
void interface_delete(enum lan_side side);

struct interface_drops {
    uint64_t received, sent;
};

/* interface_drops_read: frames that LAN_INTERFACE has dropped on receiving, and on sending. */
struct interface_drops interface_drops_read(enum lan_side side);

#endif
