/* Sockets on both sides of a link, held by one process. 0 or -errno. */
#ifndef FANIN_LAN_ENDPOINTS_H
#define FANIN_LAN_ENDPOINTS_H

#include "mock_servers/lan/namespace.h"

/* endpoints_datagram: UDP sockets that do not block, connected to each other. */
int endpoints_datagram(const struct namespaces *namespaces, int ends[LAN_SIDES]);

/* endpoints_stream: a TCP connection whose ends do not block, made from `from`'s side. Blocks until
 * it is there, a minute at most. */
int endpoints_stream(const struct namespaces *namespaces, enum lan_side from, int ends[LAN_SIDES]);

/* endpoints_close: those that are open (>= 0). */
void endpoints_close(int ends[LAN_SIDES]);

#endif
