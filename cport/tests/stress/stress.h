/* The stress test of the port's law. A run has two ports of one engine, connections between them,
 * threads on both sides.
 *
 *      side 0: port, listener, workers         side 1: port, listener, workers
 *              ends  <--- connections, opened from either side --->  ends
 *                    submitters: threads that are workers of neither
 *
 * An end has two ways, in and out, each with a lock, random numbers and its operations. Locks are
 * taken in this order: an end's life, a way, the quarantine; the port's own come last. A run's ends
 * are freed when its ports and threads are gone. */
#ifndef FANIN_STRESS_H
#define FANIN_STRESS_H

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/net.h"
#include "base/random.h"
#include <cport.h>
#include "cport/tests/conformance/stage.h"

/* ---- random decisions that a seed repeats -------------------------------------------------- */

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    return random_next(&rng->state);
}

static inline struct rng rng_child(struct rng *rng)
{
    return (struct rng){rng_next(rng)};
}

static inline unsigned rng_below(struct rng *rng, unsigned limit)
{
    return (unsigned)(rng_next(rng) % limit);
}

static inline unsigned rng_between(struct rng *rng, unsigned least, unsigned most)
{
    return least + rng_below(rng, most - least + 1);
}

static inline bool rng_chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}

/* rng_size: 1..2^bits, each order of magnitude as often as the others. */
static inline size_t rng_size(struct rng *rng, unsigned bits)
{
    size_t most = (size_t)1 << rng_below(rng, bits + 1);
    return 1 + (size_t)(rng_next(rng) % most);
}

/* ---- stress_main.c -------------------------------------------------------------------------- */

/* What runs now. Written before the threads begin. */
extern struct running {
    const char *engine;
    unsigned test;
    uint64_t seed;
} running;

/* law_broken: reports it and ends the process; only the first thread to call it does. */
__attribute__((format(printf, 3, 4))) void law_broken(const char *file, int line,
                                                      const char *format, ...);

/* LAW(truth, format of the report if it does not hold, ...) */
#define LAW(truth, ...)                                                                            \
    do {                                                                                           \
        if (!(truth))                                                                              \
            law_broken(__FILE__, __LINE__, __VA_ARGS__);                                           \
    } while (0)

enum { PATIENCE_S = 20 };

/* AWAIT: waits until it is so, PATIENCE_S at most. LAW_SOON: a law of what has to come true. */
#define AWAIT(truth)                                                                               \
    for (uint64_t until_ns = os_now_ns() + ms(1000 * PATIENCE_S);                                  \
         !(truth) && os_now_ns() < until_ns;)                                                      \
    os_sleep_ns(200000)
#define LAW_SOON(truth, ...)                                                                       \
    do {                                                                                           \
        bool so = false;                                                                           \
        AWAIT(so = (truth));                                                                       \
        LAW(so, __VA_ARGS__);                                                                      \
    } while (0)

/* ---- types --------------------------------------------------------------------------------- */

enum {
    KEY_BYTES = 8, /* a stream begins with its key */
    RUN_BITS = 20, /* one piece of content has at most 1 MB */
    SIDES = 2,
    WORKERS_MAX = 8,
    SUBMITTERS_MAX = 3,
    ENDS_MAX = 2048, /* of one run, closed ones included */
    SEALED = 0x5ea1ed,
};

enum op_kind {
    OP_CONNECT,
    OP_ACCEPT,
    OP_RECEIVE,
    OP_PEEK, /* a receive into nothing */
    OP_LATE,
    OP_SEND,
    OP_RECEIVE_FROM,
    OP_SEND_TO,
    OP_POST,
    OP_MEET,   /* a post whose handler waits for the others of its meeting */
    OP_RELIEF, /* a post for the worker that takes a freed place */
    OP_TIMER,
    OP_KEY, /* a post without an operation */
    OP_KINDS,
};

extern const char *const op_names[OP_KINDS];

/* An operation and what is known of it. The op comes first: a packet's op is its tracked. */
struct tracked_op {
    struct cp_op op;
    struct cp_block blocks[CP_BLOCKS_MAX];
    unsigned seal; /* SEALED while it may be in flight */
    enum op_kind kind;
    struct side *side;
    struct end *end; /* NULL: of a post */
    struct list_node in_way;
    atomic_bool in_flight;
    atomic_bool cancelled; /* cp_cancel has named it */
    bool done;             /* delivered, and `result` is known; its way's lock covers both */
    bool was_closed;       /* its port, before the submission */
    bool is_relief;        /* of a connect: its time-out is what an OP_RELIEF is */
    int64_t result;
    uintptr_t key;
    uint8_t *data;
    size_t bytes;    /* of data */
    uint64_t start;  /* of a send: where in its stream it begins */
    uint64_t due_ns; /* of a connect: it may not time out earlier; 0: never. Of a timer: its end */
    struct rng rng;
    unsigned lent, refused; /* late: blocks that the source has out; how often it had none */
    _Alignas(8) unsigned char from[NET_ADDRESS_BYTES_MAX]; /* of a datagram */
    unsigned from_bytes;
    unsigned poster; /* of a post: which submitter */
    uint64_t number; /* ... and its number among the poster's to this side */
};

/* One direction of an end, or the posts of a side. */
struct way {
    pthread_mutex_t lock;
    struct rng rng;
    struct list_node ops;     /* in the order of submission; done ones wait for older ones */
    struct tracked_op *spare; /* its op is used again as it was left */
    unsigned in_flight;
};

enum goal { GOAL_LINE, GOAL_NOBODY, GOAL_FULL, GOAL_LISTEN };

struct end {
    struct side *side;
    enum goal goal;
    bool connector; /* it connected; the other end was accepted */
    bool narrow;    /* its sends wait for the receiver */
    bool lazy;      /* it receives now and then only */
    bool one_way;   /* of a connector: the other end never sends, this one closes in good order */
    pthread_rwlock_t life;
    struct cp_socket socket; /* NULL: closed. Covered by life */
    atomic_bool established, closing, cancelled, lost;
    struct way in, out;

    /* What it receives; written under in.lock. */
    _Atomic uint64_t position; /* verified up to here */
    uint8_t greeting[KEY_BYTES];
    atomic_bool finished; /* the end of the stream has been seen */
    bool broken;          /* a receive has ended with a reset */

    /* What it sends; written under out.lock. */
    uint64_t key, sent_max;
    bool stopped;               /* a send has failed: nothing may follow */
    _Atomic uint64_t submitted; /* bytes */
    _Atomic uint64_t sent;      /* of completed sends */
    _Atomic uint64_t doubtful;  /* from here on a cancel may have left a hole */
    atomic_bool whole;          /* it closed in good order after the last byte */

    _Atomic(struct end *) partner; /* the other end, once the connector's greeting has come */
};

/* A meeting: as many workers as can run at once wait for each other. Or a relief: a worker frees
 * its place and waits until another has taken it. Each may need all workers: one at a time. */
struct meeting {
    atomic_bool called;
    atomic_uint expected, here, gone;
    atomic_bool relieved;
};

/* A side's UDP socket. It sends to the other side's alone. */
struct mailbox {
    struct cp_socket socket;
    struct net_address address;
    struct way way;
    pthread_rwlock_t life;
    atomic_bool closed;
    bool skips; /* what succeeds at once has no packet */
};

struct side {
    struct stress *stress;
    struct cport *port;
    unsigned index, limit, workers, batch;
    bool gate_is_ours;           /* counts what sleeps as running, too: not the OS's, not watched */
    struct end *listener, *full; /* full: nobody accepts from it */
    struct net_address address, full_address;
    pthread_rwlock_t handles;    /* held where an OS handle of the side is used by itself */
    atomic_bool closing, closed; /* closing: about to be; closed: cp_close has returned */
    atomic_uint in_flight[OP_KINDS];
    struct way posts; /* timers, too */
    struct mailbox mailbox;
    struct meeting meeting;
};

struct worker {
    struct side *home;
    struct rng rng;
    pthread_t thread, before;
    bool is_successor; /* `before` is to be joined */
    bool is_relieved;  /* the successor waits until somebody has taken the place */
    atomic_bool ended; /* and there is no successor */
    /* When and on which side it began to run: a moment << 1 | side; 0: it does not run. */
    _Atomic uint64_t running;
    uint64_t last[SIDES][SUBMITTERS_MAX]; /* the number of the last post it saw of each */
};

struct submitter {
    struct stress *stress;
    unsigned index, moves;
    struct rng rng;
    pthread_t thread;
    uint64_t posted[SIDES];
};

/* How random operations are mixed, in percent. */
struct mix {
    unsigned lines_max, moves;
    bool quiet; /* while a worker waits to be relieved, submitters keep still */
    unsigned pause_us;
    unsigned send_bits; /* sends have up to 2^bits bytes */
    unsigned blocking, hopping, quitting, polling;
    unsigned cancelling, closing, posting, misuses;
};

struct stress {
    struct rng rng;
    struct mix mix;
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
    struct submitter submitters[SUBMITTERS_MAX];
    unsigned submitter_count;
};

/* What was exercised. */
extern struct tally {
    atomic_ullong ops[OP_KINDS], bytes, meetings, reliefs, hops, successors, blocks;
    atomic_ullong results[CP_ERROR_COUNT], finished, refused, misuses, runs, whole, port_closes;
} tally;

static inline void count(atomic_ullong *what)
{
    atomic_fetch_add_explicit(what, 1, memory_order_relaxed);
}

static inline struct side *other_side(struct side *side)
{
    return &side->stress->sides[1 - side->index];
}

/* ---- tracked_op.c: the way's lock is held -------------------------------------------------- */

/* is_painted: whether the port has written nothing there. */
bool is_painted(const void *memory, size_t bytes);
void *get_memory(size_t bytes);
void thread_start(pthread_t *thread, const char *role, void *(*run)(void *), void *argument);
bool is_code(int64_t result);

void way_init(struct way *way, struct rng *rng);
/* way_oldest: of those that are not over; NULL: there is none. */
struct tracked_op *way_oldest(const struct way *way);

/* way_free: after the port is gone: operations it never delivered are the caller's again. */
void way_free(struct way *way);

struct tracked_op *tracked_op_new(struct way *way, struct side *side, struct end *end,
                                  enum op_kind kind);

/* tracked_op_fill_blocks: memory, painted, and cut into `count` blocks at random. */
void tracked_op_fill_blocks(struct tracked_op *tracked, unsigned count, size_t bytes);

/* tracked_op_begin: just before it is submitted, since its packet may come before that returns.
 * tracked_op_accepted: the submission has returned `code`. True: it is accepted.
 * tracked_op_withdraw: the submission was refused: no packet may have come. */
void tracked_op_begin(struct way *way, struct tracked_op *tracked);
bool tracked_op_accepted(struct way *way, struct tracked_op *tracked, int code);
void tracked_op_withdraw(struct way *way, struct tracked_op *tracked, int code);

/* tracked_op_delivered: the operation of a packet, which is not in flight any more. No lock. */
struct tracked_op *tracked_op_delivered(const struct cp_packet *packet, struct side *side);
void tracked_op_retire(struct way *way, struct tracked_op *tracked);
void quarantine_clear(void);

void content_init(void);
void content_write(uint64_t key, uint64_t position, uint8_t *data, size_t bytes);

/* content_right: how many bytes are right before the first wrong one. Behind the key only. */
size_t content_right(uint64_t key, uint64_t position, const uint8_t *data, size_t bytes);

/* ---- end.c: the end's life is held, except for closing ------------------------------------- */

/* CLOSE_WHOLE: after the last byte is with the kernel, on an end that nothing was sent to. */
enum close_kind { CLOSE_AT_ONCE, CLOSE_RESET, CLOSE_WHOLE };

enum { RECEIVES_MAX = 4, BATCH_MAX = 32 };

extern _Thread_local bool is_waiting; /* this thread is in cp_wait */

struct end *end_new(struct side *side, enum goal goal, bool connector, struct rng *rng);
void end_free(struct end *end);

/* end_at: one of the end_count ends; the newest may be about to get its place. */
struct end *end_at(struct stress *stress, unsigned index);

/* end_close: operations under way still complete. */
void end_close(struct end *end, enum close_kind how);
void end_accept(struct end *end);
void end_receive(struct end *end, enum op_kind kind, unsigned most);
void end_send(struct end *end);
void end_cancel_one(struct end *end, struct way *way);
void end_cancel_all(struct end *end);

/* end_misuse: calls that must be refused. */
void end_misuse(struct end *end, struct rng *rng);
enum op_kind random_receive(struct rng *rng);

/* side_connect: opens a connection, or tries to. False: there will be no completion. */
bool side_connect(struct side *side, enum goal goal, struct rng *rng, bool is_relief);

/* side_post: an operation that is lost to the caller as soon as it is posted. False: the port is
 * closed. */
bool side_post(struct side *side, enum op_kind kind, unsigned poster, uint64_t number);

/* far_may_be_gone: whether the other end may have closed: it is unknown, or has.
 * is_explained: whether there is a reason for an operation to end or be refused with this code.
 * doubt_from: from here on the stream may have a hole. */
bool far_may_be_gone(struct end *end);
bool is_explained(struct end *end, const struct tracked_op *tracked, int64_t code);
void doubt_from(struct end *end, uint64_t position);

/* ---- mail.c: what belongs to a side and to no connection ------------------------------------ */

void side_post_key(struct side *side, unsigned poster, uint64_t number);
void key_over(struct worker *worker, struct side *side, const struct cp_packet *packet);
void side_timer(struct side *side, struct rng *rng);
void side_timer_cancel(struct side *side);
void timer_over(const struct tracked_op *tracked, int64_t result);
void mailbox_open(struct side *side, struct rng *rng);
void mailbox_use(struct side *side, enum op_kind kind);
void mailbox_cancel(struct side *side);
void mailbox_close(struct side *side);
void mailbox_free(struct side *side);
void datagram_over(struct tracked_op *tracked, int64_t result);

/* end_result: checks an end's packet, and does what comes next. */
void end_result(struct tracked_op *tracked, const struct cp_packet *packet);

void *worker_run(void *worker);
void *submitter_run(void *submitter);

void stress_run(uint64_t seed);

/* stress_main: the program around the runs; `seconds` for each engine and `gate_events` for the
 * gate alone, unless the options say. */
int stress_main(int argc, char **argv, unsigned seconds, uint64_t gate_events);

#endif
