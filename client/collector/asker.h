/* A device that is asked on a connection of its own, so that the measured ones carry frames only:
 * what its process has sent, what time it is there, and to start the streams that it holds. */
#ifndef FANIN_COLLECTOR_ASKER_H
#define FANIN_COLLECTOR_ASKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/protocol.h"
#include "client/collector/clocks.h"
#include <cport.h>

enum { STATS_TIMEOUT_MS = 2000 };

struct program;

struct asker {
    uint32_t server;
    bool connected; /* by `handle` */
    bool asked;     /* what was sent, and the answer has not come */
    bool is_here;   /* on this computer: it has this clock */
    cp_handle handle;
};

/* Compared by its address: it may still answer. */
extern const char asker_no_answer[];

/* asker_stats: connects and asks if that is still to be done, and waits half a second for the
 * answer. NULL: it has come; or why not: asker_no_answer, or another reason, and the connection is
 * closed. */
const char *asker_stats(struct program *program, struct asker *asker, struct protocol_stats *stats);

/* asker_time: asks a connected device for its clock. Blocks up to STATS_TIMEOUT_MS. */
void asker_time(struct asker *asker, struct clock_offset *offset);

/* asker_start: the device's process starts the held streams of the run at `start_ns` of os_now_ns;
 * the line takes half of `round_trip_ns` to it. Blocks up to STATS_TIMEOUT_MS, and as long for a
 * connect. NULL, or why not. */
const char *asker_start(struct program *program, struct asker *asker, uint64_t start_ns,
                        uint64_t round_trip_ns);

void asker_close(struct asker *asker);

#endif
