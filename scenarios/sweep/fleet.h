/* The fleets of mock servers: one for each distinct set of fleet options and link, started before
 * its first row and stopped after its last. Fleets on loopback have separate port ranges. A fleet
 * on a link lives in the far namespace of a fanin-lan, and its clients join the near namespace. */
#ifndef FANIN_SCENARIOS_FLEET_H
#define FANIN_SCENARIOS_FLEET_H

#include "base/os.h"
#include "scenarios/sweep/link.h"

struct fleet {
    const struct cell *cell;           /* the first that needs it: its options are the fleet's */
    unsigned number;                   /* from 1, in its files' names */
    uint64_t base;                     /* first port */
    uint64_t count;                    /* servers: the most that any cell asks for; screens:
                                          as many as each of its cells asks for */
    const struct link *link;           /* NULL: loopback */
    const char *ready_path, *log_path; /* set by fleet_start */
    const char *link_log_path;         /* of its fanin-lan; NULL on loopback */
    struct os_process process;         /* fanin-lan's, where there is a link */
    bool running;
};

struct fleets {
    struct fleet **items;
    unsigned count;
};

/* fleets_plan: gives every cell that needs one its fleet. 0, or -1 with an error (no ports
 * left). */
int fleets_plan(struct arena *arena, const struct cells *cells, struct fleets *fleets,
                struct error *error);

/* fleet_ports: how many ports it needs from its base on. */
uint64_t fleet_ports(const struct fleet *fleet);

/* fleet_command: the servers with their options, but for the ready file. */
struct command fleet_command(struct arena *arena, const struct fleet *fleet);

/* fleet_start: starts the fleet if it does not run, and blocks until it is ready; its log goes to
 * `directory`/log. Returns EXIT_DONE, or EXIT_WRONG_USE or EXIT_MACHINE_CANNOT with an error;
 * interrupted, EXIT_MEASURED_FAILURE. */
int fleet_start(struct arena *arena, struct fleet *fleet, const char *directory,
                struct error *error);

/* fleet_client: the command line of the cell's client: it is taken to the fleet's link and into the
 * group of its share of a processor, and told address and rate. Its fleet, if it has one, runs. */
struct command fleet_client(struct arena *arena, const struct cell *cell, const char *row_path);

/* fleet_last_words: the last line that the servers wrote, or fanin-lan where they wrote none. */
const char *fleet_last_words(struct arena *arena, const struct fleet *fleet);

/* fleet_has_ended: it ended without being stopped, now or within `wait_ns`, for which it blocks.
 * May be started again. fleet_ending: how its servers ended, from the exit code. */
bool fleet_has_ended(struct fleet *fleet, uint64_t wait_ns, int *exit_code);
const char *fleet_ending(struct arena *arena, const struct fleet *fleet, int exit_code);

/* fleet_stop: ends it, and all that still runs on its link, if it runs; blocks for at most a few
 * seconds. It may be started again. */
void fleet_stop(struct fleet *fleet);

/* fleets_stop: ends all that run; blocks for at most a few seconds. */
void fleets_stop(struct fleets *fleets);

#endif
