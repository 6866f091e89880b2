/* What every program that collects does around its run: read the command line, list the servers,
 * write the requests, open the report; and at the end write the row and find the exit code. */
#ifndef FANIN_COLLECTOR_SESSION_H
#define FANIN_COLLECTOR_SESSION_H

#include "client/collector/options.h"
#include "client/collector/report.h"
#include "client/collector/request.h"
#include "client/collector/row.h"
#include "client/collector/servers.h"

enum { SESSION_OPEN = -1 };

struct session {
    const struct collector_program *program;
    struct collector_options options;
    struct servers servers;
    struct request_book book;
    struct report report;
    struct row row;
};

/* session_open: SESSION_OPEN, or the exit code to end with (--help, wrong use); then there is
 * nothing to close. Names among the servers are resolved, which may block. */
int session_open(struct session *session, const struct collector_program *program, int argc,
                 char **argv);

/* session_reserve: makes sure of a descriptor for each server. False: the row is skipped and says
 * why. */
bool session_reserve(struct session *session);

/* session_wrong: says `why` on standard error, closes without a row. Returns EXIT_WRONG_USE. */
int session_wrong(struct session *session, const char *why);

/* session_close: reports, frees. Returns the exit code. */
int session_close(struct session *session);

/* session_drop: frees without a report. */
void session_drop(struct session *session);

#endif
