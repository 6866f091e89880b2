/* The near and the far command: processes in a network namespace of ours. */
#ifndef FANIN_LAN_COMMAND_H
#define FANIN_LAN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "mock_servers/lan/namespace.h"

enum {
    /* As shells have them. */
    EXIT_COMMAND_CANNOT_RUN = 126,
    EXIT_COMMAND_NOT_FOUND = 127,
    EXIT_COMMAND_SIGNAL = NAMESPACES_EXIT_SIGNAL,
};

struct command {
    pid_t pid;      /* 0: not running */
    pid_t reaper;   /* our child, its parent */
    bool own_group; /* signals go to all that it started */
    int exit_code;  /* once it has ended; 128 + signal if killed by one */
    double cpu_s;   /* that it took, and those of its children that it waited for */
};

/* command_start: starts argv[0] (searched in PATH) with argv on one side. The far command has no
 * input and writes its output to our standard error, for standard output is the near command's.
 * `own_group`: Ctrl-C does not reach it. 0, or -errno: it cannot be executed. */
int command_start(struct command *command, const struct namespaces *namespaces, enum lan_side side,
                  char *const argv[], bool own_group);

/* command_reap: true once it has ended; does not block. */
bool command_reap(struct command *command);

/* command_signal: to it, or to its group; nothing once it has ended. */
void command_signal(const struct command *command, int number);

/* command_stop: SIGTERM, after grace_ns SIGKILL, and reaps it. Blocks that long. */
void command_stop(struct command *command, unsigned long long grace_ns);

#endif
