/* The journal: who connected, from where and when, who was controlled, and why it ended. A line of
 * JSON each, appended as it happens, so that it survives whatever comes. */
#ifndef FANIN_MONITOR_JOURNAL_H
#define FANIN_MONITOR_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

struct journal;

/* journal_open: appends to the file, which is made if need be; NULL path: no journal, and all that
 * follows does nothing. 0 with *journal the caller's, or a negative errno value. */
int journal_open(struct journal **journal, const char *path);

/* What a line has besides its time; a NULL text, a size of 0 and a screen below 0 are left out. */
struct journal_line {
    const char *event; /* connected, control, control-over, ended */
    int screen;
    const char *name, *from, *reason, *said;
    unsigned width, height;
    bool has_input, has_traffic; /* has the next two; the two behind them */
    uint64_t keys, pointers, updates, bytes;
};

/* journal_write: any thread; blocks on a slow disk. */
void journal_write(struct journal *journal, const struct journal_line *line);

/* journal_close: 0, or the negative errno value of the first line that could not be written. */
int journal_close(struct journal *journal);

#endif
