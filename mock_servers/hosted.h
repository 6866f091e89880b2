/* --hosted: the servers of one of several hosts. A launcher (ssh, srun, ...) has started them and
 * carries lines: READY or FAILED and then PULSE on standard output, anything on standard input. */
#ifndef FANIN_HOSTED_H
#define FANIN_HOSTED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock_servers/fleet.h"

enum { HOSTED_LINE_BYTES_MAX = 500 }; /* launchers cut or tear long lines */

/* hosted_begin: the first call of a program that is hosted: it ends with its launcher, and what it
 * says on standard error is kept until hosted_run or hosted_end. 0, or a negative errno value;
 * -ENOSYS: this system has no such thing.
 * hosted_end: the last call, also after a failed hosted_begin: says what was kept. Where `code` is
 * not 0 and the servers never ran, a FAILED line has the same words; waits for room for it, for a
 * second at most. */
int hosted_begin(void);
void hosted_end(int code);

/* hosted_ready: the READY line of a fleet that listens. Returns `line`. */
const char *hosted_ready(const struct fleet *fleet, const struct fleet_config *config,
                         char line[HOSTED_LINE_BYTES_MAX + 1]);

/* The two pipes of a launcher, and what goes through them. */
struct hosted_link {
    int in, out;       /* descriptors */
    const char *first; /* the first line that is written, with its \n */
    uint64_t pulse_ns; /* from one PULSE to the next */
    uint64_t silence_ns;
    _Atomic bool over; /* set by another thread: hosted_watch returns soon */
};

/* hosted_watch: blocks until the servers should end, and returns why, a constant text; NULL: `over`
 * is set. A line that `out` has no room for is dropped, but for the first, which waits for it.
 * `silence_ns` without a byte from `in` (of os_active_ns) is an end. */
const char *hosted_watch(struct hosted_link *link);

/* hosted_run: fleet_run with a hosted_watch beside it, over standard input and output; its end ends
 * the servers. Writes why to `end` (NULL: they were interrupted). 0, or a negative errno value:
 * there is no thread. */
int hosted_run(struct fleet *fleet, const struct fleet_config *config, const char **end);

#endif
