/* The fleets of mock servers that a sweep needs: one per distinct set of fleet options, each with
 * a port range of its own, started when a row first needs it and kept until the sweep ends. */
#ifndef FANIN_SCENARIOS_FLEET_H
#define FANIN_SCENARIOS_FLEET_H

#include "client/os/os.h"
#include "scenarios/cell.h"

struct fleet {
    const struct cell *cell;           /* the first that needs it: its options are the fleet's */
    uint64_t base;                     /* first port */
    uint64_t count;                    /* servers: the most that any cell asks for */
    const char *ready_path, *log_path; /* set by fleet_start */
    struct os_process process;
    bool running;
};

struct fleets {
    struct fleet **items;
    unsigned count;
};

/* fleets_plan: gives every cell that needs one its fleet. 0, or -1 with a complaint (no ports
 * left). */
int fleets_plan(struct arena *arena, const struct cells *cells, struct fleets *fleets,
                struct complaint *complaint);

/* fleet_start: starts the fleet if it does not run, and blocks until it is ready; its log goes to
 * `directory`/log. Returns EXIT_DONE, or EXIT_WRONG_USE or EXIT_MACHINE_CANNOT with a complaint;
 * interrupted, EXIT_MEASURED_FAILURE. */
int fleet_start(struct arena *arena, struct fleet *fleet, unsigned number, const char *directory,
                struct complaint *complaint);

/* fleet_has_ended: it ran, and does no longer, though nobody asked it to stop. May be started
 * again. */
bool fleet_has_ended(struct fleet *fleet, int *exit_code);

/* fleets_stop: ends all that run; blocks for at most a few seconds. */
void fleets_stop(struct fleets *fleets);

#endif
