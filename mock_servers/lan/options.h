/* The command line of fanin-lan, made into what is asked of a link and of a session. */
#ifndef FANIN_LAN_OPTIONS_H
#define FANIN_LAN_OPTIONS_H

#include "base/options.h"
#include "mock_servers/lan/session.h"

/* Of the two one is 0. */
struct queue_size {
    uint64_t duration_ns, bytes; /* the time at the link's rate */
};

struct lan_options {
    int link; /* index of link_names */
    struct shaper_config paths[LINK_DIRECTIONS];
    struct shaper_config both; /* what is not set for one direction */
    struct queue_size both_queue, queue[LINK_DIRECTIONS];
    uint64_t round_trip_ns, seed;
    struct session_config session; /* near_command NULL: none was given */
    bool check;
    const char *json, *stats; /* file names, "-" is standard output; NULL: not asked for */
    uint64_t join_pid;        /* 0: does not join */
};

/* lan_options_read: OPTIONS_OK, _DONE or _WRONG as options_parse has them, wrong combinations
 * included. What it fills in points into argv. */
int lan_options_read(struct lan_options *options, int argc, char **argv);

#endif
