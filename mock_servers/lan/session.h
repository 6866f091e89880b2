/* A session: the far command, then the near one, and what happens between them. */
#ifndef FANIN_LAN_SESSION_H
#define FANIN_LAN_SESSION_H

#include "mock_servers/lan/link.h"
#include "mock_servers/lan/units.h"

struct session_config {
    const char *far_command;   /* for sh -c; NULL: there is none */
    char *const *near_command; /* NULL: there is none */
    const char *ready_file;    /* the near command waits for it; NULL: does not wait */
    uint64_t ready_timeout_ns, grace_ns;
    struct cut_list cuts;
    bool quiet;
};

struct session_outcome {
    int exit_code;                /* of the whole program */
    double wall_ms;               /* of the near command */
    double near_cpu_s, far_cpu_s; /* the latter with all that was left running */
};

/* session_prepare: to be called before any thread is started: from here on signals wait until the
 * session takes them. */
void session_prepare(void);

/* session_run: runs both commands until the near one ends, or, where there is none, until we are
 * told to end, and stops the far one. The exit code is the near command's, or one of our own
 * after a line on stderr. */
void session_run(struct session_outcome *outcome, const struct session_config *config,
                 struct link *link, struct namespaces *namespaces);

/* session_join: runs the near command, with nothing else, in the namespaces of the fanin-lan that
 * has the process id `pid`. Returns the exit code of the whole program. */
int session_join(const struct session_config *config, int pid);

#endif
