/* A program of others that a screen consists of, such as an X server, and what it says. It dies
 * with us, however we end. */
#ifndef FANIN_CHILD_H
#define FANIN_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/os.h"

enum { CHILD_LINE_BYTES = 256, CHILD_NAME_BYTES = 32 };

struct child_output {
    int from; /* the end of a pipe that we read */
    size_t used;
    char text[CHILD_LINE_BYTES]; /* of a line that is not whole yet */
};

struct child {
    char program[CHILD_NAME_BYTES]; /* "": not started */
    struct os_process process;
    struct child_output output, log;  /* standard output, standard error */
    char last_line[CHILD_LINE_BYTES]; /* of the log */
    bool has_ended;
    int exit_code;
};

/* child_start: 0, or -1 with `why`. */
int child_start(struct child *child, char *const argv[], char *why, size_t why_bytes);

/* child_log, child_output: the next whole line that it has written, cut to `line`'s bytes. False:
 * there is none yet. A child whose lines nobody reads may stand still. */
bool child_log(struct child *child, char line[CHILD_LINE_BYTES]);
bool child_output(struct child *child, char line[CHILD_LINE_BYTES]);

/* child_ended: whether it has, at once; then child_why says how. Reads its log to the end. */
bool child_ended(struct child *child);
void child_why(const struct child *child, char *why, size_t why_bytes);

void child_stop(struct child *child); /* also one that was never started */

#endif
