/* The viewer whose windows are looked at: our own programs, one process for all screens, which
 * leave a row; and other people's, which leave none. */
#ifndef FANIN_EYE_VIEWER_H
#define FANIN_EYE_VIEWER_H

#include "base/arena.h"
#include "base/os.h"
#include "client/monitor/row.h"

struct viewer_kind;

struct viewers {
    const struct viewer_kind *kind;
    struct os_process *processes;
    unsigned count;
    int row_from; /* a pipe; -1: there is none */
    struct arena arena;
};

/* viewer_leaves_row: of the options' viewer. */
bool viewer_leaves_row(const struct monitor_options *options);

/* viewers_start: with these options, on that display. They die with us. 0, or -1 with `why`: this
 * viewer is not installed, or has no such option. Call viewers_close in either case. */
int viewers_start(struct viewers *viewers, const struct monitor_options *options,
                  const char *display, char *why, size_t why_bytes);

/* viewers_ended: one of them has ended; `how` says which, and how. */
bool viewers_ended(struct viewers *viewers, char *how, size_t how_bytes, int *exit_code);

/* viewers_stop: asks them to end, kills them after `grace_ms`, and waits for that. */
void viewers_stop(struct viewers *viewers, uint64_t grace_ms);

/* viewers_row: what it has written until it ended. False: no whole row. */
bool viewers_row(struct viewers *viewers, struct monitor_row *row);

/* Of all processes that run, and of what they have started. */
struct viewer_usage {
    uint64_t cpu_ns, peak_bytes, threads;
};
struct viewer_usage viewers_usage(const struct viewers *viewers);

void viewers_close(struct viewers *viewers); /* what the row's texts point to goes, too */

#endif
