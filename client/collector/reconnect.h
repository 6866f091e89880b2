/* When a server is away: how long to wait before it is tried again, and what that cost. */
#ifndef FANIN_COLLECTOR_RECONNECT_H
#define FANIN_COLLECTOR_RECONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/collector/options.h"

/* One server's outages. The receive owner's; between two connections the main thread's. */
struct reconnect {
    uint64_t since_ns; /* the present one's begin; 0: there is none */
    uint64_t due_ns;   /* when the next try is */
    uint64_t longest_ns;
    uint64_t frames;          /* of the server that had come when it was last lost */
    uint32_t failures;        /* in a row without a new frame */
    uint32_t tries, returns;  /* all of them; those that ended an outage */
    uint64_t discarded_bytes; /* of frames that were cut, and came again from their start */
    uint64_t began_ns;        /* when the server was first asked; 0: not yet */
    bool reasked;             /* and it was asked again */
    char *text;               /* the repeated request, from malloc; NULL: never lost */
};

/* reconnect_begin: the connection was lost at `now_ns`, after `frames` frames of server `index`.
 * Finds when to try again. False: it has been tried often enough, or there is no memory. */
bool reconnect_begin(struct reconnect *reconnect, const struct collector_options *options,
                     uint32_t index, uint64_t frames, uint64_t now_ns);

/* reconnect_end: the server is there again, or the run is over. */
void reconnect_end(struct reconnect *reconnect, uint64_t now_ns);

/* reconnect_delay_ns: before the try that follows `failures` failures of server `index` in a row,
 * the `tries`-th of all: evenly spread between 0 and the least delay doubled with each failure, at
 * most the longest ("full jitter": servers that went away together do not come back together). The
 * same for the same seed. */
uint64_t reconnect_delay_ns(const struct collector_options *options, uint32_t index, uint32_t tries,
                            uint32_t failures);

#endif
