/* The parts of each kind of link; link.c puts them together. All are called in the near namespace,
 * and return there, with 0 or -errno. */
#ifndef FANIN_LAN_LINK_KINDS_H
#define FANIN_LAN_LINK_KINDS_H

#include "mock_servers/lan/link.h"

/* kernel_link_open: makes a veth pair that shapes as asked. kernel_link_set_down: takes both
 * directions down, or shapes them as asked again. */
int kernel_link_open(const struct link_request *request, const struct namespaces *namespaces,
                     struct failure *failure);
int kernel_link_set_down(const struct link_request *request, const struct namespaces *namespaces,
                         bool down);

/* The ends of a link in user space: descriptors that read and write one packet a call, each behind
 * a struct virtio_net_hdr, and do not block; -1: not open, also where another could not be opened.
 */
int tap_ends_open(int ends[LAN_SIDES], const struct namespaces *namespaces,
                  struct failure *failure);
int packet_ends_open(int ends[LAN_SIDES], const struct namespaces *namespaces,
                     struct failure *failure);

/* A link in user space: one thread takes frames from either end, asks the shaper when they arrive,
 * and gives them to the other end at that time. */
struct user_link;

/* user_link_open: takes over both ends; NULL: no memory, and they are still the caller's. */
struct user_link *user_link_open(const struct link_request *request, const int ends[LAN_SIDES],
                                 const struct namespaces *namespaces);

int user_link_start(struct user_link *link); /* 0 or -errno */

/* user_link_set_down: also works in a process that was forked after user_link_open. */
void user_link_set_down(struct user_link *link, bool down);
void user_link_read(struct user_link *link, struct link_figures *figures);
void user_link_close(struct user_link *link);

#endif
