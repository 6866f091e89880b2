/* The streams that offer had no memory for: first come, first served, each called back exactly
 * once.
 *
 * So that no resume is lost, the side that wants memory lists the stream first and then looks for
 * memory once more; the side that gives memory gives first and then looks at the list.
 *
 * One of them is privileged: it alone may use the reserve, which is big enough for one whole frame,
 * so that not all streams can wait for each other in the middle of their frames. It is the first
 * that starved while there was no other, stays so until a frame of it is whole and the reserve is
 * full again (which a frame's remains may delay), and is followed by the one that waits longest. */
#ifndef FANIN_STARVING_H
#define FANIN_STARVING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/scheme.h"

/* In a scheme's own state of a stream; zeroed, with `stream` set, before its first use. */
struct waiting {
    struct waiting *next;
    struct stream *stream;
    bool listed;
};

struct starving {
    pthread_mutex_t lock; /* over the list and what follows it */
    struct waiting *first, **end;
    bool privilege_served; /* a frame has become whole under it */
    _Atomic uint32_t count; /* listed; written under the lock */
    struct waiting *_Atomic privileged; /* NULL: none; written under the lock */
};

void starving_init(struct starving *starving);
void starving_end(struct starving *starving); /* nobody waits */

/* starving_join: lists a stream, which is not listed. */
void starving_join(struct starving *starving, struct waiting *waiting);

/* starving_claim: makes a listed one the privileged one if there is none, or if that one was served
 * and `free` units of memory make the reserve full. */
void starving_claim(struct starving *starving, struct waiting *waiting, uint64_t free,
                    uint64_t reserve);

/* starving_leave: takes it off the list. False: it was off it already, so a resume has come or
 * will. */
bool starving_leave(struct starving *starving, struct waiting *waiting);

/* starving_forget: leaves, and gives up the privilege: the stream is no more. */
void starving_forget(struct starving *starving, struct waiting *waiting);

bool starving_is_privileged(struct starving *starving, const struct waiting *waiting);

/* starving_serve: a frame of the stream has become whole. */
void starving_serve(struct starving *starving, const struct waiting *waiting);

/* starving_empty: nobody waits. What a giver of memory asks first; cheap. */
bool starving_empty(struct starving *starving);

/* starving_resume: there are `free` units of memory, of which others than the privileged stream
 * leave `keep` alone, and `reserve` make the reserve full: resumes whom that may help. To be called
 * after memory was given back, with no lock held. */
void starving_resume(struct starving *starving, uint64_t free, uint64_t keep, uint64_t reserve,
                     const struct scheme_events *events);

#endif
