/* The fleets of mock servers: one for each distinct set of fleet options and link, started before
 * its first row and stopped after its last. Fleets on loopback have separate port ranges. A fleet
 * on a link lives in the far namespace of a fanin-lan, and its clients join the near namespace. A
 * fleet with a launcher is on other computers (hosts.h). */
#ifndef FANIN_SCENARIOS_FLEET_H
#define FANIN_SCENARIOS_FLEET_H

#include "base/os.h"
#include "scenarios/sweep/hosts.h"
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

    /* With a launcher: */
    struct fleets *all;    /* that it is one of */
    struct hosts *hosts;   /* NULL: it does not run */
    const char *list_path; /* the row's servers, for its client; set by fleet_start */
};

struct fleets {
    struct fleet **items;
    unsigned count;
    const char **lost; /* hosts that no fleet has any more */
    unsigned lost_count;
};

/* What hosts said of themselves, for run.json. */
struct host_record {
    unsigned fleet;   /* its number */
    const char *said; /* how the host calls itself */
    struct host host;
    const char *object; /* of a sweep that is resumed: as it was written; else NULL */
};

struct host_records {
    struct host_record *items;
    unsigned count;
};

/* fleets_plan: gives every cell that needs one its fleet. 0, or -1 with an error (no ports
 * left). */
int fleets_plan(struct arena *arena, const struct cells *cells, struct fleets *fleets,
                struct error *error);

/* fleet_ports: how many ports it needs from its base on; with a launcher on each host. */
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

/* ---- on hosts: those of a fleet without a launcher are none ---- */

/* fleet_start_hosts: fleet_start of one with a launcher; the errors name hosts.
 * fleet_servers_each: how many servers each host opens: the total spread evenly, rounded up. */
int fleet_start_hosts(struct arena *arena, struct fleet *fleet, const char *directory,
                      struct error *error);
uint64_t fleet_servers_each(const struct fleet *fleet);

/* fleet_list_servers: writes the list of the cell's servers, spread over the hosts, a line a host.
 * NULL, or why it cannot be written. */
const char *fleet_list_servers(struct arena *arena, const struct cell *cell);

/* fleet_lost_host: "host lab2 lost: ..." and its name; NULL: none is. `look`: blocks until each
 * host has shown a new sign of life, for at most some seconds.
 * fleet_leave_lost: no fleet has its lost hosts any more, and it stops, to be started without. */
const char *fleet_lost_host(struct arena *arena, const struct fleet *fleet, bool look,
                            const char **name);
void fleet_leave_lost(struct arena *arena, struct fleet *fleet);

/* fleet_note_hosts: what its hosts said, in place of what they said before. host_records_write and
 * host_records_read: "hosts" of the record. */
void fleet_note_hosts(struct arena *arena, const struct fleet *fleet, struct host_records *records);
void host_records_write(struct json *json, const struct host_records *records);
void host_records_read(struct arena *arena, const char *record, struct host_records *records);

/* ---- how it ends ---- */

/* fleet_last_words: the last line that the servers wrote, or fanin-lan where they wrote none. */
const char *fleet_last_words(struct arena *arena, const struct fleet *fleet);

/* fleet_has_ended: one without a launcher ended without being stopped, now or within `wait_ns`, for
 * which it blocks. May be started again. fleet_ending: how its servers ended, from the exit
 * code. */
bool fleet_has_ended(struct fleet *fleet, uint64_t wait_ns, int *exit_code);
const char *fleet_ending(struct arena *arena, const struct fleet *fleet, int exit_code);

/* fleet_stop: ends it, and all that still runs on its link, if it runs; blocks for at most a few
 * seconds. It may be started again. */
void fleet_stop(struct fleet *fleet);

/* fleets_stop: ends all that run; blocks for at most a few seconds. */
void fleets_stop(struct fleets *fleets);

#endif
