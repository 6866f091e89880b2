/* The streams of a run, by id: a scheme's states of them live from attach to close. */
#ifndef FANIN_ROSTER_H
#define FANIN_ROSTER_H

#include <pthread.h>

#include "client/buffers/scheme.h"

struct roster {
    pthread_mutex_t lock;
    struct stream **streams; /* by id */
    uint32_t count, max;
};

/* roster_open: 0, or -1 without memory. */
int roster_open(struct roster *roster, uint32_t streams_max);

/* roster_add: zeroed state of state_bytes that starts with a struct stream, which is filled in.
 * NULL: no memory, or the roster is full. */
struct stream *roster_add(struct roster *roster, size_t state_bytes, void *owner,
                          uint64_t frames_expected, uint64_t bytes_expected);

/* roster_close: frees the states and the roster. */
void roster_close(struct roster *roster);

#endif
