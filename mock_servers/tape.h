/* Tapes: all frames of a GO made in advance and kept in the kernel, to be sent without being
 * copied.
 *
 * GOs of the same seed, size range, frame count and marker share one tape. It is made by slices,
 * in between the loop's other work, and stays after use for the next run, until the cap makes
 * room for another. */
#ifndef FANIN_TAPE_H
#define FANIN_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/protocol.h"

struct tapes;

/* Where frames are made: one for the process, so that an idle stream holds none. */
struct scratch {
    uint8_t *data;
    size_t bytes;
};

/* scratch_reserve: room for `bytes` and at least for `least`. If that is more than before, what
 * was in it is lost. 0, or -1 without memory. */
int scratch_reserve(struct scratch *scratch, size_t bytes, size_t least);

/* Its users read `bytes`, `store` (for net_store_send), and, when tapes_make has nothing more to
 * make, `failed`; the rest is tape.c's. */
struct tape {
    struct list_node bucket; /* in tapes.buckets */
    /* in tapes.to_make; in tapes.idle when unused; or in neither */
    struct list_node queue;
    struct protocol_go go; /* only what makes the tape what it is */
    uint64_t bytes, made_bytes, made_frames;
    intptr_t store;
    unsigned users;
    bool failed;
};

/* tapes_open: NULL without memory. `cap_bytes` limits all tapes together. `scratch` stays the
 * caller's. */
struct tapes *tapes_open(uint64_t cap_bytes, struct scratch *scratch);
void tapes_close(struct tapes *tapes);

/* tapes_take: the tape for `go`, perhaps still to be made; the caller's until tapes_give. NULL
 * with `why` when it does not fit beside those in use, or the system has no room. */
struct tape *tapes_take(struct tapes *tapes, const struct protocol_go *go, char *why,
                        size_t why_bytes);
void tapes_give(struct tapes *tapes, struct tape *tape); /* NULL is allowed */

/* tapes_make: makes the next slice (about a megabyte) of what is still to be made. True: there
 * is more to make. */
bool tapes_make(struct tapes *tapes);

#endif
