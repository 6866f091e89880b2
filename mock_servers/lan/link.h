/* The link between the near and the far namespace; it lasts as long as the process.
 *
 * Three kinds: `kernel` is a veth pair with the kernel's own shapers; `tun` and `packet` are a link
 * in user space whose ends are TAP devices or, where /dev/net/tun may not be opened, packet
 * sockets. Each gives both namespaces one interface. */
#ifndef FANIN_LAN_LINK_H
#define FANIN_LAN_LINK_H

#include "mock_servers/lan/lan.h"
#include "mock_servers/lan/shaper.h"

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

/* link_open: makes the link of the kind `name` (an index of link_names) that shapes as asked, with
 * addresses on both sides. NULL with lan_reason(), which may be long. */
struct link *link_open(int name, const struct shaper_config paths[LINK_DIRECTIONS]);

/* link_start: starts the link's thread. False with lan_reason(). */
bool link_start(struct link *link);

const char *link_name(const struct link *link); /* of the kind, never "auto" */

/* link_set_down: takes both directions down, or up again. Frames on their way are lost. Also works
 * in a process that was forked after link_open. False with lan_reason(). */
bool link_set_down(struct link *link, bool down);

void link_read(struct link *link, struct link_figures *figures); /* so far */

#endif
