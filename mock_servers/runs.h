/* What the devices did, by run, and all together.
 *
 * A run lasts as long as connections hold it: those that asked for its frames or for its counters.
 * Its counters are kept until then, however many others begin and end meanwhile; afterwards they
 * are kept until RUNS_ENDED_MAX later ones have ended. One whose frames nobody asked for is not
 * kept. */
#ifndef FANIN_RUNS_H
#define FANIN_RUNS_H

#include <stdint.h>

#include "base/list.h"
#include "base/protocol.h"

enum { RUNS_ENDED_MAX = 64 };

#define RUN_NOT_STARTED UINT64_MAX

/* One run. The rest is runs.c's. */
struct run {
    struct protocol_stats done; /* cpu_ns: without the time since `busy_since_ns` */
    struct list_node place;     /* in runs.lasting or runs.ended */
    unsigned holders;
    unsigned sending;       /* streams under way */
    uint64_t busy_since_ns; /* CPU time of the process when the first of these began */
    uint64_t start_ns;      /* when held streams begin, by os_now_ns; or RUN_NOT_STARTED */
};

struct runs {
    struct list_node lasting; /* the last one asked for first */
    struct list_node ended;   /* the longest ended first */
    unsigned ended_count;
    struct protocol_stats total;
};

void runs_init(struct runs *runs);
void runs_free(struct runs *runs); /* ended ones; no run is held any more */

/* runs_hold: run `id`, with zeros if it is new; the caller's until runs_release. NULL: there is no
 * memory. runs_release: NULL is allowed. */
struct run *runs_hold(struct runs *runs, uint64_t id);
void runs_release(struct runs *runs, struct run *run);

/* runs_add: adds what a device did for a run to it and to the total. */
void runs_add(struct runs *runs, struct run *run, const struct protocol_stats *done);

/* run_stream_begun: one of its streams has begun, from its first frame on, at that wall time. */
void run_stream_begun(struct run *run, uint64_t wall_ns);

/* run_send_begin, run_send_end: around each stream of the run, with the CPU time that the process
 * has taken so far. run_stats: its counters; cpu_ns is what the process took while streams of the
 * run were under way. */
void run_send_begin(struct run *run, uint64_t cpu_ns);
void run_send_end(struct run *run, uint64_t cpu_ns);
struct protocol_stats run_stats(const struct run *run, uint64_t cpu_ns);

#endif
