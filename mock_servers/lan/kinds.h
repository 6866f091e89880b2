/* The kinds of links; link.c has them in one table. */
#ifndef FANIN_LAN_KINDS_H
#define FANIN_LAN_KINDS_H

#include "mock_servers/lan/link.h"

extern const struct link_kind link_kernel, link_tun, link_packet;

#endif
