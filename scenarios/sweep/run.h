/* One row: one client process from its start to the line that it leaves in rows.jsonl. */
#ifndef FANIN_RUN_H
#define FANIN_RUN_H

#include <stdio.h>

#include "scenarios/sweep/fleet.h"
#include "scenarios/sweep/plan.h"

/* The audit of a row that the sweep had to write itself. */
#define RUN_AUDIT_NONE "none: the client left no sound row"

enum run_end {
    RUN_GOOD,        /* exit code 0, or 1 where the scenario expects failures */
    RUN_BAD,         /* audit, crash, time-out, no row */
    RUN_SKIPPED,     /* the machine cannot: exit code 3 */
    RUN_INTERRUPTED, /* no row was written */
    RUN_UNWRITTEN,   /* no row was written, for a cause of the machine: to be run again */
};

struct run_result {
    enum run_end end;
    const char *reason; /* for RUN_BAD, RUN_SKIPPED, RUN_UNWRITTEN; of the caller's arena */
    const char *object; /* what the client wrote, where it is a sound row; of the caller's arena */
    const char *host_lost; /* "host lab2 lost: ..."; NULL: none was. Of the caller's arena */
};

/* Where rows go. */
struct output_dir {
    const char *path; /* the output directory; it has a log/ */
    FILE *rows;       /* open for appending */
    const char *rows_path;
    struct os_lock lock;
    const char *lock_path; /* NULL: not locked */
};

/* run_end_of_line: how the row ended that stands in rows.jsonl already. */
enum run_end run_end_of_line(struct arena *arena, const char *line, const struct cell *cell);

/* run_row: starts the row's client, whose fleet (if any) runs, waits for its end, and appends its
 * row. Calls `tick(context)` some times a second meanwhile. Blocks until the client ends, at most
 * its cell's timeout. `began_ns` is when the sweep took the row up: what is not the client's since
 * then is sweep_overhead_ms. */
struct run_result run_row(struct arena *arena, const struct output_dir *output,
                          const struct plan_row *row, uint64_t began_ns,
                          void (*tick)(void *context), void *context);

#endif
