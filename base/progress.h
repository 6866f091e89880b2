/* Progress on stderr: redrawn in place on a terminal, a plain line every few seconds elsewhere,
 * nothing if `quiet`. Never writes to stdout. Time is a parameter. */
#ifndef FANIN_PROGRESS_H
#define FANIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_AFTER_MS = 2000 }; /* what may end sooner shows nothing until then */

struct progress {
    FILE *out;
    bool terminal, quiet;
    uint64_t started_ns, drawn_ns;
    int drawn_columns; /* what has to be wiped before the next line */
};

void progress_start(struct progress *progress, FILE *out, bool quiet, uint64_t now_ns);

/* progress_show: draws "what  done/total unit  NN%  time left" if the last drawing is old enough.
 * `left_ns` UINT64_MAX: estimated from the share done. */
void progress_show(struct progress *progress, uint64_t now_ns, const char *what, double share_done,
                   uint64_t left_ns);

/* progress_say: a whole line that stays, above the redrawn one. printf's format. */
void progress_say(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* progress_end: wipes the redrawn line. */
void progress_end(struct progress *progress);

/* progress_duration: "3.2 s", "4 min 10 s" into text. */
const char *progress_duration(uint64_t duration_ns, char text[32]);

#endif
