/* A link in user space: one thread takes frames from either end, asks the shaper when they arrive,
 * and gives them to the other end at that time.
 *
 * An end is a descriptor that reads and writes one packet a call, each behind a struct
 * virtio_net_hdr: a TAP device's, or a packet socket's. */
#ifndef FANIN_LAN_USER_LINK_H
#define FANIN_LAN_USER_LINK_H

#include "mock_servers/lan/link.h"

/* user_link_open: takes over both ends, which must not block; closes them too if it fails. 0 with
 * *state set to a struct user_link, or -errno. */
int user_link_open(void **state, const struct link_request *request, const int ends[LAN_SIDES],
                   const struct namespaces *namespaces);

/* What kinds of links in user space have in common; see struct link_kind. */
int user_link_start(void *state);
int user_link_set_down(void *state, bool down);
void user_link_read(void *state, struct link_figures *figures);
void user_link_close(void *state);

#endif
