/* A session: runs the far command, then the near one, in a process namespace. */
#ifndef FANIN_LAN_SESSION_H
#define FANIN_LAN_SESSION_H

#include "mock_servers/lan/link.h"
#include "mock_servers/lan/units.h"

struct session_config {
    const char *far_command;   /* for sh -c; NULL: there is none */
    char *const *near_command; /* NULL: there is none */
    const char *ready_file;    /* the near command waits for it; NULL: does not wait */
    uint64_t ready_timeout_ms, grace_ns;
    struct cut_list cuts;
    bool quiet;
};

struct session_results {
    int exit_code;                /* of the whole program */
    double wall_ms;               /* of the near command */
    double near_cpu_s, far_cpu_s; /* the latter with all processes that were left running */
};

/* session_prepare: to be called before any thread is started; from here on signals stay blocked
 * until the session takes them. */
void session_prepare(void);

/* session_run: starts the link and runs both commands until the near one ends or, if there is none,
 * until a signal; then ends everything that they started. The exit code is the near command's, or
 * one of fanin-lan's own after a line on stderr. */
void session_run(struct session_results *results, const struct session_config *config,
                 struct link *link, const struct namespaces *namespaces);

/* session_join: runs only the near command, in the namespaces of the fanin-lan with process id
 * `pid`. Returns the exit code of the whole program. */
int session_join(const struct session_config *config, int pid);

#endif
