/* The near and the far command: processes in a network namespace. */
#ifndef FANIN_LAN_COMMAND_H
#define FANIN_LAN_COMMAND_H

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

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
    double cpu_s;   /* of it, and of its children that it waited for */
};

/* command_start: starts argv[0] (searched in PATH) with argv on one side. The far command has no
 * input and writes its output to standard error, because standard output is the near command's.
 * `own_group`: Ctrl-C does not reach it. 0, or -errno: it cannot be executed. */
int command_start(struct command *command, const struct namespaces *namespaces, enum lan_side side,
                  char *const argv[], bool own_group);

/* command_note_end: a child of this process has ended. True if it is this command. */
bool command_note_end(struct command *command, pid_t pid, int status, const struct rusage *usage);

/* command_signal: to it, or to its group; nothing once it has ended. */
void command_signal(const struct command *command, int number);

int exit_code_of(int status); /* of a process that was waited for; 128 + signal */
double cpu_seconds(const struct rusage *usage);

#endif
