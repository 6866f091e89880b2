/* Two network namespaces without a name: they last as long as a process or a descriptor holds them.
 * The commands run in a process namespace too: when its first process ends, the kernel kills all
 * the others. */
#ifndef FANIN_LAN_NAMESPACE_H
#define FANIN_LAN_NAMESPACE_H

#include <stddef.h>
#include <sys/types.h>

#include "mock_servers/lan/address.h"
#include "mock_servers/lan/failure.h"

struct namespaces {
    int network[LAN_SIDES]; /* -1: not open */
};

/* namespaces_open: makes the network namespaces, as root or else in a user namespace in which the
 * user keeps their id. The calling process, which must have one thread, is in the near namespace
 * afterwards. 0, or -errno with `failure` saying what to do. */
int namespaces_open(struct namespaces *namespaces, struct failure *failure);

/* namespaces_join: moves the calling process to the near namespace of the fanin-lan with process id
 * `pid`, and its future children to the process namespace too. The far namespace stays closed. 0,
 * or -errno with `failure`. */
int namespaces_join(struct namespaces *namespaces, int pid, struct failure *failure);

void namespaces_close(struct namespaces *namespaces);

/* namespaces_enter: moves the calling thread to one side. Fails only by a programming error. */
void namespaces_enter(const struct namespaces *namespaces, enum lan_side side);

/* namespaces_fork: as fork(), but the child is the first process of a new process namespace; other
 * threads must not hold locks then. -errno with `failure` on failure. */
pid_t namespaces_fork(struct failure *failure);

/* namespaces_show_processes: /proc shows the process namespace from here on, where the system
 * allows that; in a container it may not, and /proc shows the processes outside. Async-signal-safe.
 */
void namespaces_show_processes(void);

#endif
