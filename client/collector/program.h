/* A program that collects and leaves a row: its command line made into options, servers and
 * requests, and where the row goes. The same for fanin-client and its peers. */
#ifndef FANIN_COLLECTOR_PROGRAM_H
#define FANIN_COLLECTOR_PROGRAM_H

#include <stdio.h>

#include "client/collector/options.h"
#include "client/collector/request.h"
#include "client/collector/row.h"
#include "client/collector/servers.h"

enum { PROGRAM_OPEN = -1 };

struct program {
    const struct program_text *text;
    struct collector_options options;
    struct servers servers;
    struct request_set requests;
    struct row row;
    FILE *json; /* where the row goes; NULL: nowhere */
};

/* program_open: PROGRAM_OPEN, or the exit code to end with (--help, wrong use); then there is
 * nothing to close. Names among the servers are resolved, which may block. */
int program_open(struct program *program, const struct program_text *text, int argc, char **argv);

/* program_reserve_descriptors: one for each server. False: the row is skipped and says why. */
bool program_reserve_descriptors(struct program *program);

/* program_refuse: says `why` on standard error, closes without a row. Returns EXIT_WRONG_USE. */
int program_refuse(struct program *program, const char *why);

/* program_close: writes the row and the summary, frees. Returns the exit code that the row asks
 * for, or EXIT_MEASURED_FAILURE if the row could not be written. */
int program_close(struct program *program);

#endif
