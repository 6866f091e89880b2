/* The streams that offer had no memory for: first come, first served, each resumed exactly once.
 *
 * No resume is lost: a stream that wants memory is listed first and then looks for memory once more
 * (wait_list_wait); a thread that gives memory gives it first and then looks at the list.
 *
 * One stream is the reserve holder: it alone may use the reserve, which is enough for one whole
 * frame, so that the streams cannot all wait for each other in the middle of their frames. A stream
 * becomes the holder when it has to wait while there is none. It stays the holder until a frame of
 * it is whole and the reserve is full again; the stream that has waited longest follows. */
#ifndef FANIN_WAIT_LIST_H
#define FANIN_WAIT_LIST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/scheme.h"

/* What the streams wait for, in units of the scheme's choice. */
struct resource {
    uint64_t (*free)(void *context); /* units free now; called with the list's lock held */
    /* Takes up to `want` units for the stream, which keeps them for its offer. False: none. */
    bool (*take)(void *context, struct stream *stream, unsigned want);
    void *context;
    uint64_t keep;    /* streams other than the holder leave so many units alone */
    uint64_t reserve; /* the reserve passes on only when so many are free; at most `keep` */
};

struct wait_list {
    struct resource resource;
    const struct scheme_events *events;
    pthread_mutex_t lock; /* over the list and what follows it */
    struct waiter *first, **end;
    bool holder_served;                    /* a frame of the holder has become whole */
    _Atomic uint32_t count;                /* listed; written under the lock */
    struct waiter *_Atomic reserve_holder; /* NULL: none; written under the lock */
    _Atomic uint64_t waits;                /* how often a stream had to wait */
};

/* wait_list_init: an empty list. Its resource may be changed before streams come. wait_list_end: no
 * stream waits. */
void wait_list_init(struct wait_list *list, struct resource resource,
                    const struct scheme_events *events);
void wait_list_end(struct wait_list *list);

/* wait_list_wait: a stream that is not listed found no unit: lists it, makes it the reserve holder
 * if there is none, and takes once more. True: it waits, and a resume will come; it keeps what it
 * took meanwhile. False: it has something and need not wait. */
bool wait_list_wait(struct wait_list *list, struct waiter *waiter, struct stream *stream,
                    unsigned want);

/* wait_list_forget: takes the stream off the list and gives up its reserve. */
void wait_list_forget(struct wait_list *list, struct waiter *waiter);

/* wait_list_lock_reserve: if the stream is the holder, it stays so until wait_list_unlock_reserve,
 * while it takes from the reserve. False: it is not the holder, and nothing is locked. */
bool wait_list_lock_reserve(struct wait_list *list, const struct waiter *waiter);
void wait_list_unlock_reserve(struct wait_list *list);

/* wait_list_frame_done: a frame of the stream has become whole. */
void wait_list_frame_done(struct wait_list *list, const struct waiter *waiter);

/* wait_list_resume: memory was given back: resumes the streams that can use it. Cheap if none
 * waits. Call it with no lock held, and never from inside offer. */
void wait_list_resume(struct wait_list *list);

#endif
