/* Asks the kernel for interfaces, addresses, routes and queueing disciplines, by rtnetlink itself:
 * a handful of messages, so that no library and no program of the machine is needed.
 *
 * Every call works in the network namespace of the calling thread, blocks until the kernel has
 * answered (at once), and returns 0 or -errno. */
#ifndef FANIN_LAN_NETLINK_H
#define FANIN_LAN_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_MESSAGE_BYTES_MAX = 1024 };

struct netlink_message {
    union {
        struct nlmsghdr header;
        uint8_t data[NETLINK_MESSAGE_BYTES_MAX];
    };
};

/* netlink_start: begins a request with the fixed part of its type (struct ifinfomsg, tcmsg...). */
void netlink_start(struct netlink_message *message, uint16_t type, uint16_t flags,
                   const void *fixed, size_t fixed_bytes);

/* netlink_put: adds an attribute; netlink_nest: adds one that the following are part of, until
 * netlink_unnest is given what it returned; netlink_append: adds bytes as they are. */
void netlink_put(struct netlink_message *message, uint16_t type, const void *data, size_t bytes);
void netlink_put_text(struct netlink_message *message, uint16_t type, const char *text);
void netlink_put_u32(struct netlink_message *message, uint16_t type, uint32_t value);
size_t netlink_nest(struct netlink_message *message, uint16_t type);
void netlink_unnest(struct netlink_message *message, size_t nest);
void netlink_append(struct netlink_message *message, const void *data, size_t bytes);

/* netlink_ask: sends it and waits for the kernel's word. */
int netlink_ask(struct netlink_message *message);

#endif
