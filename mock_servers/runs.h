/* What the devices did, by run: the last RUNS_MAX runs, and all together. */
#ifndef FANIN_RUNS_H
#define FANIN_RUNS_H

#include <stdint.h>

#include "base/protocol.h"

enum { RUNS_MAX = 64 };

struct runs {
    struct protocol_stats slots[RUNS_MAX];
    uint64_t begun; /* in slots[begun % RUNS_MAX] the next run begins */
    struct protocol_stats total;
};

/* runs_begin: the counters of run `id`, from zero if it is new, in the place of the oldest run
 * if need be. */
struct protocol_stats *runs_begin(struct runs *runs, uint64_t id);

/* runs_find: the counters of run `id`; NULL: never begun, or forgotten. */
struct protocol_stats *runs_find(struct runs *runs, uint64_t id);

/* runs_add: adds what a device did for run `id` to it, if it is still known, and to the total. */
void runs_add(struct runs *runs, uint64_t id, const struct protocol_stats *done);

#endif
