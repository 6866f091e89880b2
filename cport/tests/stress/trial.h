/* A trial: two ports of one engine, connections between them, threads on both sides.
 *
 *      side 0: port, listener, workers         side 1: port, listener, workers
 *              ends  <--- connections, opened from either side --->  ends
 *                    outsiders: threads that are workers of neither
 *
 * An end has two ways, in and out, each with a lock, dice and the deeds (operations) under way on
 * it. Locks are taken in this order: an end's life, a way, the attic; the port's own come last.
 * A trial's ends are freed when its ports and threads are gone. */
#ifndef FANIN_TRIAL_TRIAL_H
#define FANIN_TRIAL_TRIAL_H

#include <pthread.h>

#include "cport/tests/conformance/stage.h"
#include "cport/tests/stress/content.h"
#include "cport/tests/stress/law.h"
#include "cport/tests/stress/system.h"

enum {
    SIDES = 2,
    WORKERS_MAX = 8,
    OUTSIDERS_MAX = 3,
    ENDS_MAX = 2048, /* of one trial, closed ones included */
    SEALED = 0x5ea1ed,
};

enum deed_kind {
    DEED_CONNECT,
    DEED_ACCEPT,
    DEED_RECEIVE,
    DEED_PEEK, /* a receive into nothing */
    DEED_LATE,
    DEED_SEND,
    DEED_POST,
    DEED_MEET,   /* a post whose handler waits for the others of its meeting */
    DEED_RELIEF, /* a post of a worker that gives its place away, for whoever takes it */
    DEED_KINDS,
};

static const char *const deed_names[DEED_KINDS] = {
    "connect", "accept", "receive", "peek", "late receive", "send", "post", "meeting", "relief"};

/* An operation and what is known of it. The op comes first: a packet's op is its deed. */
struct deed {
    struct cp_op op;
    struct cp_block blocks[CP_BLOCKS_MAX];
    unsigned seal; /* SEALED while it may be in flight */
    enum deed_kind kind;
    struct side *side;
    struct end *end; /* NULL: of a post */
    struct deed *older, *newer;
    atomic_bool in_flight;
    atomic_bool cancelled; /* cp_cancel has named it */
    bool done;             /* delivered, and `result` is known; its way's lock covers both */
    bool was_closed;       /* its port, before the submission */
    bool has_limit;
    bool is_relief; /* of a connect: it is what a DEED_RELIEF is, from the engine */
    int64_t result;
    uintptr_t key;
    uint8_t *data;
    size_t bytes;    /* of data */
    uint64_t start;  /* of a send: where in its stream it begins */
    uint64_t due_ns; /* of a connect with a limit: not earlier may it time out */
    struct dice dice;
    unsigned lent, refused; /* late: blocks that the source has out; how often it had none */
    unsigned poster;        /* of a post: who */
    uint64_t number;        /* ... and the how many-th of his to this side */
};

/* One direction of an end, or the posts of a side. */
struct way {
    pthread_mutex_t lock;
    struct dice dice;
    struct deed *oldest, *newest; /* in the order of submission; done ones wait for their elders */
    struct deed *spare;           /* its op is used again as it was left */
    unsigned in_flight;
};

enum goal { GOAL_LINE, GOAL_NOBODY, GOAL_FULL, GOAL_LISTEN };

struct end {
    struct trial *trial;
    struct side *side;
    enum goal goal;
    bool connector; /* it connected; the other end was accepted */
    bool narrow;    /* its sends wait for the receiver */
    bool lazy;      /* it receives now and then only */
    bool one_way;   /* of a connector: the other end never sends, this one closes in good order */
    pthread_rwlock_t life;
    struct cp_socket *socket; /* NULL: closed. Covered by life */
    atomic_bool established, closing, cancelled, lost;
    struct way in, out;

    /* What it receives; covered by in.lock. */
    uint64_t position; /* verified up to here */
    uint8_t greeting[KEY_BYTES];
    bool finished; /* the peer's end has been seen */
    bool broken;   /* a receive has ended with a reset */

    /* What it sends. */
    uint64_t key;
    uint64_t submitted, sent_max; /* covered by out.lock */
    bool stopped;                 /* a send has failed: nothing may follow. Covered by out.lock */
    _Atomic uint64_t sent;        /* completed */
    _Atomic uint64_t announced;   /* submitted, for the receiver to compare with */
    _Atomic uint64_t doubtful;    /* from here on a cancel may have left a hole */
    _Atomic uint64_t arrived;     /* verified by the receiver */
    atomic_bool whole;            /* it closed in good order after the last byte */
    atomic_bool whole_seen;       /* and the receiver has seen all of it, and the end */

    _Atomic(struct end *) partner; /* the other end, once the connector's greeting has come */
};

/* As many workers as can run at once are to meet: each waits for the others. Or one gives its
 * place away and waits until somebody has taken it. One of the two at a time on a side, since each
 * may need all the other workers. */
struct meeting {
    atomic_bool called;
    atomic_uint expected, here, gone;
    atomic_bool relieved;
};

struct side {
    struct trial *trial;
    struct cport *port;
    unsigned index, limit, workers, batch;
    bool gate_is_ours;           /* not the OS's, which also counts threads that sleep on a lock */
    struct end *listener, *full; /* full: nobody accepts from it */
    struct net_address address, full_address;
    pthread_rwlock_t handles;    /* held where an OS handle of the side is used by itself */
    atomic_bool closing, closed; /* closing: about to be; closed: cp_close has returned */
    atomic_uint in_flight[DEED_KINDS];
    struct way posts;
    struct meeting meeting;
};

struct worker {
    struct trial *trial;
    unsigned home;
    struct dice dice;
    pthread_t thread, before;
    bool is_heir;      /* `before` is to be joined */
    bool is_relieved;  /* the heir waits until somebody has taken the place */
    atomic_bool ended; /* and there is no heir */
    /* When and on which side it began to run: a moment << 1 | side; 0: it does not run. */
    _Atomic uint64_t running;
    uint64_t last[SIDES][OUTSIDERS_MAX]; /* the number of the last post it saw of each */
};

struct outsider {
    struct trial *trial;
    unsigned index, moves;
    struct dice dice;
    pthread_t thread;
    uint64_t posted[SIDES];
};

/* How a trial's random operations are mixed, in percent. */
struct temper {
    unsigned lines_max, moves;
    bool hush; /* while a worker waits to be relieved, outsiders keep still */
    unsigned pause_us;
    unsigned send_bits; /* sends have up to 2^bits bytes */
    unsigned blocking, hopping, quitting, polling;
    unsigned cancelling, closing, posting, misfits;
};

struct trial {
    struct dice dice;
    struct temper temper;
    struct side sides[SIDES];
    struct net_address nobody;
    _Atomic(struct end *) ends[ENDS_MAX];
    atomic_uint end_count, live;
    _Atomic int64_t budget_bytes; /* what may still be sent */
    _Atomic uint64_t moment;
    atomic_uint reliefs;  /* awaited now */
    atomic_bool draining; /* nothing new, but what is under way is to arrive */
    atomic_bool ending;   /* nothing new at all */
    struct worker workers[SIDES][WORKERS_MAX];
    struct outsider outsiders[OUTSIDERS_MAX];
    unsigned outsider_count;
};

/* What was exercised, of an engine. */
static struct {
    atomic_ullong deeds[DEED_KINDS], bytes, meetings, reliefs, hops, heirs, blocks;
    atomic_ullong results[CP_ERROR_COUNT], finished, refused, misfits, trials, whole, port_closes;
} tally;

static inline void count(atomic_ullong *what)
{
    atomic_fetch_add_explicit(what, 1, memory_order_relaxed);
}

static inline struct side *other_side(struct side *side)
{
    return &side->trial->sides[1 - side->index];
}

#endif
