/* This process's two network namespaces. They have no name: they last as long as a process or a
 * descriptor holds them. The commands run in a process namespace too: when its first process ends,
 * the kernel kills all the others. */
#ifndef FANIN_LAN_NAMESPACE_H
#define FANIN_LAN_NAMESPACE_H

#include <sys/types.h>

#include "mock_servers/lan/lan.h"

/* namespaces_open: makes the network namespaces, as root or else in a user namespace in which the
 * user keeps their id. The process, which must have one thread, is in the near namespace
 * afterwards. False with lan_reason() saying what to do. */
bool namespaces_open(void);

/* namespaces_join: moves the process to the near namespace of the fanin-lan with process id `pid`,
 * and its future children to the process namespace too. The far namespace stays closed. False with
 * lan_reason(). */
bool namespaces_join(int pid);

/* namespaces_enter: moves the calling thread to one side. Fails only by a programming error. */
void namespaces_enter(enum lan_side side);

/* namespaces_fork: as fork(), but the child is the first process of a new process namespace; other
 * threads must not hold locks then. Negative with lan_reason(). */
pid_t namespaces_fork(void);

/* namespaces_show_processes: /proc shows the process namespace from here on, where the system
 * allows that; in a container it may not, and /proc shows the processes outside. Async-signal-safe.
 */
void namespaces_show_processes(void);

#endif
