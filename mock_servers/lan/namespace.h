/* Two network namespaces without a name: they last as long as a process or a descriptor holds them,
 * and no longer. The commands run in a process namespace as well, whose first process, the keeper,
 * ends when this process ends, however that happens; and with it the kernel ends all the others. */
#ifndef FANIN_LAN_NAMESPACE_H
#define FANIN_LAN_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mock_servers/lan/address.h"

struct namespaces {
    int network[LAN_SIDES];
    int process;     /* what commands are to be in; -1 until namespaces_keep */
    int keeper_pipe; /* its end tells the keeper of ours */
    pid_t keeper;    /* of the process that reaps the keeper */
};

/* namespaces_open: makes them, as root or else through a user namespace in which the user keeps
 * their id. The calling process, which must have one thread, is in the near namespace afterwards.
 * 0, or -errno with `why` saying what to do. */
int namespaces_open(struct namespaces *namespaces, char *why, size_t why_bytes);

/* namespaces_join: takes the calling process to the near namespace of the fanin-lan whose process
 * id is `pid`; what it starts will end with that one. There is no far namespace to enter then. 0,
 * or -errno with `why`. */
int namespaces_join(struct namespaces *namespaces, int pid, char *why, size_t why_bytes);

/* namespaces_end: every process in them is killed and reaped. Returns the CPU time, in seconds, of
 * those that had lost their parents. */
double namespaces_end(struct namespaces *namespaces);

/* namespaces_close: what namespaces_end does, and gives back all the rest. */
void namespaces_close(struct namespaces *namespaces);

/* namespaces_enter: takes the calling thread to one side. It cannot fail but for a programming
 * error. */
void namespaces_enter(const struct namespaces *namespaces, enum lan_side side);

/* namespaces_fork: as fork(), but the child is in the process namespace; only async-signal-safe
 * calls are allowed in it. Between the two stands a process that reaps the child: *child is the
 * child's id, for signals, and waiting for *reaper gives its exit code, 128 + signal if it was
 * killed. 0 in the child, 1 in the parent, -errno where neither is there. */
int namespaces_fork(const struct namespaces *namespaces, pid_t *child, pid_t *reaper);

enum { NAMESPACES_EXIT_SIGNAL = 128 };

#endif
