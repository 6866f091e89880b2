/* The link between the near and the far namespace.
 *
 * Three kinds, one file each: `kernel` (kernel_link.c) is a veth pair with the kernel's own
 * shapers; `tun` (tap_link.c) and `packet` (packet_link.c) are a link in user space (user_link.c)
 * whose ends are TAP devices or, where /dev/net/tun may not be opened, packet sockets. Each gives
 * both namespaces one interface. */
#ifndef FANIN_LAN_LINK_H
#define FANIN_LAN_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock_servers/lan/namespace.h"
#include "mock_servers/lan/shaper.h"

enum link_direction { LINK_UP, LINK_DOWN, LINK_DIRECTIONS }; /* near to far; far to near */

extern const char *const link_direction_names[LINK_DIRECTIONS]; /* "up", "down" */

struct link_request {
    struct shaper_config path[LINK_DIRECTIONS];
};

/* Frames of one direction so far. */
struct link_counts {
    uint64_t frames, bytes;       /* delivered; Ethernet headers included */
    uint64_t fates[SHAPER_FATES]; /* by enum shaper_fate */
    uint64_t missed;              /* lost because the link was too slow or cannot carry them */
};

struct link_figures {
    struct link_counts counts[LINK_DIRECTIONS];
    bool counted;    /* false: the counts are not known */
    uint64_t cpu_ns; /* of the link's own thread; 0 where the kernel does the work */
    bool realtime;   /* the thread has realtime priority */
};

struct link;

/* NULL-terminated; index 0, "auto", takes the first kind that works. */
extern const char *const link_names[];

/* link_open: makes the link that `name` (an index of link_names) says, with addresses on both
 * sides. NULL with `failure`, which may be long. */
struct link *link_open(int name, const struct link_request *request,
                       const struct namespaces *namespaces, struct failure *failure);

/* link_start: starts the link's thread. 0 or -errno. */
int link_start(struct link *link);

const char *link_name(const struct link *link); /* of the kind, never "auto" */

/* link_set_down: takes both directions down, or up again. Frames on their way are lost. Also works
 * in a process that was forked after link_open. 0 or -errno. */
int link_set_down(struct link *link, bool down);

/* link_read: figures so far. */
void link_read(struct link *link, struct link_figures *figures);

/* link_close: ends the link's thread. The interfaces go with their namespaces. Accepts NULL. */
void link_close(struct link *link);

#endif
