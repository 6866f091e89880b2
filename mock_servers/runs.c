/* Counters by run. */
#include "mock_servers/runs.h"

#include <stddef.h>

struct protocol_stats *runs_find(struct runs *runs, uint64_t id)
{
    for (unsigned i = 0; i < runs->begun && i < RUNS_MAX; i++)
        if (runs->slots[i].run == id)
            return &runs->slots[i];
    return NULL;
}

struct protocol_stats *runs_begin(struct runs *runs, uint64_t id)
{
    struct protocol_stats *slot = runs_find(runs, id);
    if (slot != NULL)
        return slot;
    slot = &runs->slots[runs->begun++ % RUNS_MAX];
    *slot = (struct protocol_stats){.run = id};
    return slot;
}

static void add(struct protocol_stats *to, const struct protocol_stats *done)
{
    to->connections += done->connections;
    to->frames += done->frames;
    to->bytes += done->bytes;
    to->faults += done->faults;
}

void runs_add(struct runs *runs, uint64_t id, const struct protocol_stats *done)
{
    struct protocol_stats *slot = runs_find(runs, id);
    if (slot != NULL)
        add(slot, done);
    add(&runs->total, done);
}
