/* A session: runs the far command, then the near one, in a process namespace. */
#ifndef FANIN_LAN_SESSION_H
#define FANIN_LAN_SESSION_H

#include "mock_servers/lan/link.h"

enum { CUTS_MAX = 16 };

/* When the link is down, in order, from the near command's start on. */
struct cut_list {
    int count;
    struct cut {
        uint64_t from_ns, until_ns;
    } cuts[CUTS_MAX];
};

struct session_config {
    const char *far_command;   /* for sh -c; NULL: there is none */
    char *const *near_command; /* NULL: there is none */
    const char *ready_file;    /* the near command waits for it; NULL: does not wait */
    uint64_t ready_timeout_ms;
    struct cut_list cuts;
    bool quiet;
};

struct session_results {
    double wall_ms;               /* of the near command */
    double near_cpu_s, far_cpu_s; /* the latter with all processes that were left running */
};

/* session_prepare: to be called before any thread is started; from here on signals stay blocked
 * until the session takes them. */
void session_prepare(void);

/* session_run: starts the link and runs both commands until the near one ends or, if there is none,
 * until a signal; then ends everything that they started. With `link` NULL only the near command,
 * in the namespaces that the process has joined, and `results` stays 0. Returns the near command's
 * exit code, or one of fanin-lan's own after a line on stderr. */
int session_run(const struct session_config *config, struct link *link,
                struct session_results *results);

#endif
