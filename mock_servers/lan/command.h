/* The near and the far command: processes in a side's network namespace. */
#ifndef FANIN_LAN_COMMAND_H
#define FANIN_LAN_COMMAND_H

#include <stdbool.h>

#include "mock_servers/lan/namespace.h"

enum {
    /* As shells have them. */
    EXIT_COMMAND_CANNOT_RUN = 126,
    EXIT_COMMAND_NOT_FOUND = 127,
    EXIT_COMMAND_SIGNAL = 128, /* and the signal's number */
};

struct command {
    pid_t pid;      /* 0: not running */
    bool own_group; /* signals go to all that it started */
    int exit_code;  /* once it has ended */
};

/* command_start: starts argv[0] (searched in PATH) with argv on one side. The far command has no
 * input and writes its output to standard error, because standard output is the near command's. 0,
 * or -errno: it cannot be executed. */
int command_start(struct command *command, const struct namespaces *namespaces, enum lan_side side,
                  char *const argv[], bool own_group);

void command_signal(const struct command *command, int number);

/* command_exit_code: of a status of waitpid(). */
int command_exit_code(int status);

#endif
