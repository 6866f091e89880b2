/* The link between the near and the far namespace: what is asked of it, and who can make it.
 *
 * Three kinds, one file each: `kernel` (veth.c) is a pair of interfaces with the kernel's own
 * shapers, `tun` and `packet` are a link of our own (cable.c) whose ends are TAP devices or, where
 * /dev/net/tun may not be opened, packet sockets. Each gives both namespaces one interface. */
#ifndef FANIN_LAN_LINK_H
#define FANIN_LAN_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock_servers/lan/namespace.h"
#include "mock_servers/lan/shaper.h"

enum link_direction { LINK_UP, LINK_DOWN, LINK_DIRECTIONS }; /* near to far; far to near */

struct link_request {
    struct shaper_config path[LINK_DIRECTIONS];
};

/* What became of the frames of one direction so far. */
struct link_counts {
    uint64_t frames, bytes;       /* carried to the other end; Ethernet headers included */
    uint64_t fates[SHAPER_FATES]; /* by enum shaper_fate; 0 where the kernel does not tell */
    uint64_t missed; /* lost because the link itself came too late, or met what it cannot carry */
};

struct link_figures {
    struct link_counts counts[LINK_DIRECTIONS];
    bool counted;    /* false: the counts are not known */
    uint64_t cpu_ns; /* that the link's own thread took; 0 where the kernel does the work */
    bool realtime;   /* the thread goes before others */
};

struct link;

struct link_kind {
    const char *name, *about;
    /* open: 0 with *state set, or -errno with `why`; then nothing of it is left. Called in the near
     * namespace, and returns there. */
    int (*open)(void **state, const struct link_request *request,
                const struct namespaces *namespaces, char *why, size_t why_bytes);
    int (*start)(void *state);
    int (*set_down)(void *state, bool down);
    void (*read)(void *state, struct link_figures *figures);
    void (*close)(void *state);
};

/* NULL-terminated; "auto" is index 0 of the names, and takes the first kind that can. */
extern const char *const link_names[];

/* link_open: makes the link that `name` (an index of link_names) says, with addresses on both
 * sides. NULL with `why`, which may be long, where it cannot be had. */
struct link *link_open(int name, const struct link_request *request,
                       const struct namespaces *namespaces, char *why, size_t why_bytes);

const char *link_name(const struct link *link); /* of the kind, never "auto" */

/* link_set_down: takes both directions down, or up again. What is on its way is lost. 0 or
 * -errno. */
int link_set_down(struct link *link, bool down);

/* link_read: figures so far. */
void link_read(struct link *link, struct link_figures *figures);

/* link_close: ends the link's thread. The interfaces go with their namespaces. NULL is taken. */
void link_close(struct link *link);

#endif
