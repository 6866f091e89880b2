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

#include "base/protocol.h"

struct tape;
struct tapes;

/* tapes_open: NULL without memory. `cap_bytes` limits all tapes together. */
struct tapes *tapes_open(uint64_t cap_bytes);
void tapes_close(struct tapes *tapes);

/* tapes_take: the tape for `go`, perhaps still to be made; the caller's until tapes_give. NULL
 * with `why` when it does not fit beside those in use, or the system has no room. */
struct tape *tapes_take(struct tapes *tapes, const struct protocol_go *go, char *why,
                        size_t why_bytes);
void tapes_give(struct tapes *tapes, struct tape *tape); /* NULL is allowed */

/* tapes_make: makes the next slice (about a megabyte) of what is still to be made. True: there
 * is more to make. */
bool tapes_make(struct tapes *tapes);

/* tape_is_good: false: making it failed. Call it when tapes_make has nothing more to make. */
bool tape_is_good(const struct tape *tape);
uint64_t tape_bytes(const struct tape *tape);
intptr_t tape_store(const struct tape *tape); /* for net_store_send */

#endif
