/* What differs between the kinds of link. All are called in the near namespace and return there;
 * false with lan_reason(). */
#ifndef FANIN_LAN_LINK_KINDS_H
#define FANIN_LAN_LINK_KINDS_H

#include "mock_servers/lan/lan.h"
#include "mock_servers/lan/shaper.h"

/* kernel_link_open: makes a veth pair that shapes as asked. kernel_link_set_down: takes both
 * directions down, or shapes them as asked again. */
bool kernel_link_open(const struct shaper_config paths[LINK_DIRECTIONS]);
bool kernel_link_set_down(const struct shaper_config paths[LINK_DIRECTIONS], bool down);

/* The ends of a link in user space: descriptors that read and write one packet a call, each behind
 * a struct virtio_net_hdr, and do not block. An end that is -1 was not opened. */
bool tap_ends_open(int ends[LAN_SIDES]);
bool packet_ends_open(int ends[LAN_SIDES]);

#endif
