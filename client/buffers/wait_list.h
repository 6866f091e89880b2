/* The streams that offer had no memory for: first come, first served, each called back exactly
 * once.
 *
 * So that no resume is lost, the side that wants memory lists the stream first and then looks for
 * memory once more (wait_list_wait); the side that gives memory gives first and then looks at the
 * list.
 *
 * One of them is privileged: it alone may use the reserve, which is big enough for one whole frame,
 * so that not all streams can wait for each other in the middle of their frames. It is the first
 * that starved while there was no other, stays so until a frame of it is whole and the reserve is
 * full again (which a frame's remains may delay), and is followed by the one that waits longest. */
#ifndef FANIN_WAIT_LIST_H
#define FANIN_WAIT_LIST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/scheme.h"

/* In a scheme's own state of a stream; zeroed, with `stream` set, before its first use. */
struct waiter {
    struct waiter *next;
    struct stream *stream;
    bool listed;
};

/* What there is to wait for, in units of the scheme's choice. */
struct resource {
    uint64_t (*free)(void *context); /* units to be had now; called with the list's lock held */
    /* Takes up to `want` of them for the stream, which keeps them for its offer. False: none. */
    bool (*take)(void *context, struct stream *stream, unsigned want);
    void *context;
    uint64_t keep;    /* others than the privileged stream leave so many alone */
    uint64_t reserve; /* the privilege passes on only when so many are free; at most `keep` */
    const struct scheme_events *events;
};

struct wait_list {
    struct resource resource;
    pthread_mutex_t lock; /* over the list and what follows it */
    struct waiter *first, **end;
    bool privilege_served;             /* a frame has become whole under it */
    _Atomic uint32_t count;            /* listed; written under the lock */
    struct waiter *_Atomic privileged; /* NULL: none; written under the lock */
    _Atomic uint64_t waits;            /* how often a stream had to wait */
};

void wait_list_init(struct wait_list *waiters, const struct resource *resource);
void wait_list_end(struct wait_list *waiters); /* nobody waits */

/* wait_list_wait: a stream that is not listed found nothing: lists it, makes it the privileged one
 * if it can be, and then takes once more. True: it waits, and a resume comes; what was taken
 * meanwhile stays with it for that. False: it has something, and need not wait. */
bool wait_list_wait(struct wait_list *waiters, struct waiter *waiting, unsigned want);

/* wait_list_forget: leaves, and gives up the privilege: the stream is no more. */
void wait_list_forget(struct wait_list *waiters, struct waiter *waiting);

/* wait_list_lock_reserve: if the stream is the privileged one, sees to it that it stays so until
 * wait_list_unlock_reserve, while it takes from the reserve. False: it is not, and nothing is held.
 * */
bool wait_list_lock_reserve(struct wait_list *waiters, const struct waiter *waiting);
void wait_list_unlock_reserve(struct wait_list *waiters);

/* wait_list_frame_done: a frame of the stream has become whole. */
void wait_list_frame_done(struct wait_list *waiters, const struct waiter *waiting);

/* wait_list_resume: memory was given back: resumes whom that may help. Cheap if nobody waits. To be
 * called with no lock held, and never from inside offer. */
void wait_list_resume(struct wait_list *waiters);

#endif
