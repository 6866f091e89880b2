/* What `fanin-sweep --check` says of the hosts of a fleet: a line each, `ok` or what is wrong there
 * and what to do about it. */
#ifndef FANIN_HOSTS_CHECK_H
#define FANIN_HOSTS_CHECK_H

#include "base/net.h"
#include "scenarios/sweep/fleet.h"

/* hosts_check: starts the servers of each fleet that has hosts, measures the way to each host,
 * writes a line for each to `out` and ends the servers. Blocks until all have said what they can,
 * for about a minute a fleet at most. EXIT_DONE if all are well, else EXIT_MACHINE_CANNOT, with an
 * error where a launcher cannot be started; interrupted, EXIT_MEASURED_FAILURE. */
int hosts_check(struct arena *arena, const struct fleets *fleets, FILE *out, struct error *error);

/* hosts_check_needed: some fleet has hosts. */
bool hosts_check_needed(const struct fleets *fleets);

/* ---- its parts ---- */

/* The way to a server, and the clock at its end. */
struct route {
    int error;              /* of the connect or of an exchange, a negative errno value; else 0 */
    bool connected;         /* what failed, if anything did, came after the connect */
    uint64_t round_trip_ns; /* the shortest of all exchanges */
    int64_t
        clock_offset_ns; /* that clock less this one's, wrong by half of round_trip_ns at most */
};

/* route_measure: connects and asks for the time, again and again. Blocks for a few milliseconds, or
 * up to 3 s without an answer. */
struct route route_measure(const struct net_address *address);

/* What is known of one host. */
struct host_view {
    const char *name;
    const char *failed;   /* why it is not ready, in its words or its launcher's; NULL: it is */
    const char *launcher; /* the command that starts something there, such as `ssh -T lab1` */

    const char *own_commit; /* of this computer's programs */

    /* What it said of itself. */
    const char *address, *commit, *clock, *interface, *speed_mbit;
    uint64_t port, servers;
    uint64_t descriptors; /* its hard limit; 0: unknown */

    struct route route; /* the worse one of those to its first and its last server */
};

/* host_view_line: one line without its end: the name, then what is wrong or `ok` and what was
 * measured. Returns whether the host can carry its part. */
bool host_view_line(struct arena *arena, const struct host_view *view, const char **line);

#endif
