/* The processes of the devices that a run collects from, as far as the client can tell them apart:
 * each is asked on a connection of its own, all at the same time.
 *
 * A range of a list is one process, and so is a block (--servers N). Other servers of a list that
 * have one address are taken for one, until what that says does not account for what came: then the
 * rest of them are asked, too. A process that answers for several counts once: it has a number. */
#ifndef FANIN_COLLECTOR_PROCESSES_H
#define FANIN_COLLECTOR_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"
#include "base/row.h"
#include "client/collector/asker.h"
#include "client/collector/request.h"
#include "client/collector/servers.h"

/* Devices of a process: some never answer. Connections that stay open once they are answered: the
 * process then keeps the run. */
enum { ASKERS_MAX = 3, PROCESSES_OPEN_MAX = 1024 };

struct server_process {
    struct asker askers[ASKERS_MAX]; /* the first one has answered, if one has */
    unsigned count;                  /* of them */
    struct net_address address;      /* without a port; bytes 0: its name has none */
    uint32_t first;                  /* of its servers */
    uint32_t others;                 /* the next that hashes alike, + 1 */
    bool is_range;                   /* or block: certainly one process */
    bool known, answered;            /* `before`; `after` */
    uint32_t same_as;                /* the first that is the same process: often itself */
    const char *why;                 /* it has not answered the last time; NULL: it has */
    struct protocol_stats before, after;
    struct clock_pair clock;
    /* Of its servers: */
    uint64_t asked, not_connected, failed;
    uint64_t received_bytes, last_ns;
};

/* A computer, as a client sees it: an address. */
struct server_host {
    char text[NET_TEXT_BYTES];
    uint64_t last_ns, failed, not_connected;
};

struct processes {
    struct server_process *processes;
    uint32_t count, room;
    uint32_t listed;           /* of them: others were found only by asking */
    uint32_t full;             /* that have ASKERS_MAX askers */
    uint64_t start_ns;         /* when held streams are to start, by os_now_ns */
    uint32_t *process_of;      /* by server; NULL: all are of the first process */
    struct stream_goal *goals; /* REQUEST_KINDS for each that is listed */
    struct server_host *hosts; /* of those listed, once they are measured; */
    uint32_t host_count;       /* those that took longest first */
};

struct program;

/* processes_open: finds the processes; the servers are resolved and the requests filled in. False:
 * no memory. processes_close: in both cases. */
bool processes_open(struct program *program);
void processes_close(struct processes *fleet);

/* processes_descriptors: that the questions need at most. */
uint64_t processes_descriptors(const struct program *program);

/* processes_goal: what server `index` owes; the clock's correction in it is set by processes_ask.
 */
const struct stream_goal *processes_goal(const struct program *program, uint32_t index);

/* processes_choose: server `index` is connected and logged in: it is one of those that its process
 * is asked by. True: there are enough of all. processes_ask: asks what was sent so far, and the
 * time there if frames carry it or clocks are to be compared; blocks up to six times
 * STATS_TIMEOUT_MS, and a millisecond for each server. */
bool processes_choose(struct program *program, uint32_t index);
void processes_ask(struct program *program);

/* processes_start: all servers were asked to hold their streams: awaits that they do, and starts
 * them together. Blocks as processes_ask. */
void processes_start(struct program *program);

/* processes_count: server `index` is over: of what it has sent, `bytes` were received, the last of
 * them at `last_ns` (0: none); `failed`: because of an error. */
void processes_count(struct program *program, uint32_t index, uint64_t bytes, uint64_t last_ns,
                     bool failed);

/* processes_measure: asks again, and fills in what the row says of the processes and their clocks.
 * row->bytes is known. Blocks as processes_ask. */
void processes_measure(struct program *program);

/* processes_where: of the servers that were not connected, or of connections that failed, at whose
 * address they are: ", all at 10.1.0.3"; "" where there is one process. */
const char *processes_where(const struct program *program, bool connected,
                            char text[ROW_LINE_BYTES]);

#endif
