/* What screens do wrong on purpose: a const table, one line for each kind. */
#ifndef FANIN_SCREENS_FAULTS_H
#define FANIN_SCREENS_FAULTS_H

#include "mock_servers/faults.h"

struct session;

/* When a fault acts: in place of what would be said then. */
enum fault_moment {
    MOMENT_VERSION,
    MOMENT_SECURITY,
    MOMENT_INIT,
    MOMENT_UPDATE, /* the second one of a connection */
};

struct screen_fault {
    struct fault_kind kind; /* the first field */
    enum fault_moment moment;
    /* act: writes to session->out, and sets the session's state or nudges it if it goes on. */
    void (*act)(struct session *session);
};

extern const struct fault_table screen_faults;
option_parser screen_faults_option; /* --fault KIND[:SHARE[:ARG]] */

/* fault_act: commits the session's fault if it is due at this moment; false: there is none. */
bool fault_act(struct session *session, enum fault_moment moment);

/* fault_endless: writes more of `endless`. */
void fault_endless(struct session *session);

bool fault_is(const struct fault *fault, const char *name);

#endif
