/* A run: its connections, the port and the scheme that they share, and what the main thread does
 * with them. The main thread never waits on the port: it would take a worker's place.
 *
 * A connection connects, logs in, asks, and receives until every frame is processed or something is
 * wrong. Connect, login and request are in handshake.c; the rest is in connection.c, where the
 * states are drawn. */
#ifndef FANIN_COLLECTOR_RUN_H
#define FANIN_COLLECTOR_RUN_H

#include <pthread.h>

#include "base/progress.h"
#include "client/collector/program.h"

struct run;

enum { RUN_TICK_MS = OS_SLICE_MS, LOGIN_ANSWER_BYTES = 128 };

enum connection_phase {
    CONNECTION_BUSY,    /* an operation is out, or a thread is at work on its completion */
    CONNECTION_READY,   /* connected and logged in: the main thread will start it */
    CONNECTION_WAITING, /* the scheme had no block: resume continues */
    CONNECTION_SETTLED, /* every frame is found: the processing side will end it */
    CONNECTION_PAUSED,  /* lost: the main thread will try again */
    CONNECTION_CLOSED,  /* its receiving side is closed for good */
};

/* Connect, login, request. Apart from the connection, which it serves for a moment only. */
struct control {
    struct cp_op op;
    struct cp_block block;
    struct refusal *refusal; /* of its request, from malloc; NULL: it is not refused */
};

/* What a connection waits for, and how long that may take (see patience_of). */
enum awaited {
    AWAIT_NOTHING,
    AWAIT_CONNECT, /* --connect-timeout */
    AWAIT_LOGIN,   /* --login-timeout */
    AWAIT_DATA,    /* --stall-timeout; it begins anew with each receive */
    AWAITED,
};

enum connection_step { STEP_CONNECT, STEP_LOGIN_ASK, STEP_LOGIN_ANSWER, STEP_RUN };

/* There may be very many of them: what one needs for a moment only is not in it, and fields lie so
 * that no room is left between them. */
struct connection {
    struct stream *stream; /* the receive owner's */
    uint32_t index;
    _Atomic uint32_t heard_tick; /* since when it waits */

    /* Under the connection's lock: */
    uint64_t socket_id; /* 0: closed; calls on it are made under the lock only */
    uint8_t phase;      /* enum connection_phase */
    bool over, resumed;
    bool cut;    /* its socket is lost, and may be followed by another */
    bool asking; /* a request is out */

    /* The owner's of the receiving side (see connection.c). */
    uint8_t step;         /* enum connection_step */
    uint8_t offered;      /* early: blocks that the receive has */
    uint8_t answer_bytes; /* of the login's */
    bool heard;
    bool answered;  /* frames have begun on this socket */
    bool idle;      /* its server is not asked, and owes nothing */
    bool opened;    /* its first connection has become ready, or was lost */
    bool logged_in; /* once at least */
    _Atomic uint8_t awaited;
    struct cp_op receive_op;
};

_Static_assert(sizeof(struct connection) <= 40 + sizeof(struct cp_op), "connections are small");

/* All of them, behind what they have in common. */
struct connections {
    struct run *run;
    struct connection all[];
};

/* How a connection was lost or has ended: not touched before. Under the connection's lock, but for
 * what is the receive owner's. */
struct ending {
    const char *reason;     /* why it failed; NULL: it did not */
    uint64_t ended_ns;      /* when it was over; of a stalled one, when it was last heard of */
    const char *cut_reason; /* why its last socket was lost; NULL: there is a good one */
    uint64_t cut_ns;
    const char *login_reason; /* why its last login failed; NULL: it did not. The owner's */
};

/* Connections share locks. A thread holds one at a time, and only for moments. */
enum { CONNECTION_LOCKS = 256, CACHE_LINE_BYTES = 64 };
struct connection_lock {
    _Alignas(CACHE_LINE_BYTES) pthread_mutex_t mutex;
};

/* A thread that waits on the port. */
struct worker {
    _Alignas(CACHE_LINE_BYTES) struct run *run;
    pthread_t thread;
    uint64_t receive_calls, receive_empty;
    _Atomic uint64_t received_bytes; /* for progress only */
};

/* One server's outages. The receive owner's; between two connections the main thread's. */
struct reconnect {
    uint64_t since_ns; /* the present one's begin; 0: there is none */
    uint64_t wait_ns;  /* before the next try */
    uint32_t due_tick; /* of the next try */
    uint64_t longest_ns;
    uint64_t frames;          /* of the server that had come when it was last lost */
    uint32_t failures;        /* in a row without a new frame */
    uint32_t tries, returns;  /* all of them; those that ended an outage */
    uint64_t discarded_bytes; /* of frames that were cut, and came again from their start */
    uint64_t began_ns;        /* when the server was first asked; 0: not yet */
    bool reasked;             /* and it was asked again */
    char *text;               /* the repeated request, from malloc; NULL: never lost */
};

struct run {
    struct program *program;
    const struct collector_options *options; /* the program's */
    const struct request_set *requests;      /* the program's */
    struct cport *port;
    const struct scheme *scheme;
    struct scheme_config scheme_config;
    struct scheme_run *scheme_run;
    struct worker *workers;
    unsigned worker_count; /* that were started */

    uint32_t count; /* of connections, and of what has one for each of them: */
    struct connections *connections;
    struct ending *endings;
    struct cp_block *blocks;  /* blocks_per_receive each */
    struct control *controls; /* in pages of their own */
    size_t controls_bytes;
    struct reconnect *reconnects; /* touched with --reconnect only */
    char *answers;                /* LOGIN_ANSWER_BYTES each; NULL: no login */

    /* Shared by main thread and workers. */
    struct connection_lock locks[CONNECTION_LOCKS];
    struct os_parker main;       /* where the main thread waits for the counts below */
    _Atomic uint32_t unsettled;  /* whose first connect is neither done nor given up */
    _Atomic uint32_t connecting; /* whose first connection is not ready, nor lost */
    _Atomic uint32_t away;       /* in an outage: to be tried again, or being tried */
    _Atomic uint32_t living;     /* of those that are asked, not over yet */
    _Atomic uint32_t pending;    /* receiving sides not closed yet, and sends that are out */
    _Atomic bool ended;          /* living has become 0, and program->after is filled in */
    _Atomic uint32_t tick;      /* counted up by the main thread every RUN_TICK_MS of active time */
    _Atomic uint32_t data_tick; /* of the last receive with data */
    _Atomic uint64_t rewound_bytes; /* received, and to come again; for progress only */

    /* A packet that goes through the port when somebody has waited for long, and comes back when
     * what was queued before it is handled. A worker may take it before it asks the kernel for
     * more, but not twice. */
    struct cp_op marker;
    _Atomic bool marking;         /* it is on its way */
    uint32_t marked_tick;         /* the last one's; of the worker that takes the next */
    _Atomic uint32_t served_tick; /* what had come by then is handled */

    /* CPU time of this process before the first connect, and, by the thread that settles the last
     * one, after it. */
    uint64_t cpu_before_ns, cpu_settled_ns;

    /* The main thread's. */
    struct progress progress;
    uint64_t started_ns;
    uint64_t started_active_ns; /* by os_active_ns */
    uint64_t expected_bytes;    /* of the connected servers; UINT64_MAX: not known */
    uint64_t stop_ns; /* by os_active_ns: when --for ends the collection; UINT64_MAX: it does not */
    uint32_t limit_ticks[AWAITED];
    bool mark;        /* somebody has waited for long */
    bool interrupted; /* and all connections were ended for it */
};

/* ---- time limits ----------------------------------------------------------------------------- */

/* No limit runs out while we are late and not the server. Ticks stand still while this process is
 * paused or its main thread is busy elsewhere (os_active_ns); and before a verdict the workers have
 * to say that they have caught up. */
enum patience { PATIENCE_LEFT, PATIENCE_MARK, PATIENCE_OVER };

/* patience_of: of somebody who waits since a tick (UINT32_MAX: nobody), for up to `limit_ticks`.
 * PATIENCE_MARK: all but over or, by what the workers have handled so far, not over yet: a marker
 * is wanted. */
static inline enum patience patience_of(uint32_t since_tick, uint32_t limit_ticks, uint32_t tick,
                                        uint32_t served_tick)
{
    enum { MARKERS_TICKS = 3 }; /* until two of them are back */
    const uint64_t end_tick = (uint64_t)since_tick + limit_ticks;
    if (since_tick == UINT32_MAX || tick + (uint64_t)MARKERS_TICKS <= end_tick)
        return PATIENCE_LEFT;
    return served_tick > end_tick ? PATIENCE_OVER : PATIENCE_MARK;
}

/* run_ticks: a duration in ticks, none too few. */
static inline uint32_t run_ticks(uint64_t duration_ns)
{
    const uint64_t tick_ns = (uint64_t)RUN_TICK_MS * OS_NS_PER_MS;
    const uint64_t ticks = duration_ns / tick_ns + (duration_ns % tick_ns > 0);
    return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

/* run_marker_back: a worker has got the marker of `tick`. */
void run_marker_back(struct run *run, int64_t tick);

static inline struct run *run_of(const struct connection *connection)
{
    const struct connection *first = connection - connection->index;
    const char *connections = (const char *)first - offsetof(struct connections, all);
    return ((const struct connections *)(const void *)connections)->run;
}

static inline struct control *control_of(const struct connection *connection)
{
    return &run_of(connection)->controls[connection->index];
}

static inline struct ending *ending_of(const struct connection *connection)
{
    return &run_of(connection)->endings[connection->index];
}

static inline struct cp_block *blocks_of(const struct connection *connection)
{
    const struct run *run = run_of(connection);
    return run->blocks + (size_t)connection->index * run->options->blocks_per_receive;
}

static inline struct cp_socket socket_of(const struct connection *connection)
{
    return (struct cp_socket){run_of(connection)->port, connection->socket_id};
}

static inline void connection_lock(const struct connection *connection)
{
    pthread_mutex_lock(&run_of(connection)->locks[connection->index % CONNECTION_LOCKS].mutex);
}

static inline void connection_unlock(const struct connection *connection)
{
    pthread_mutex_unlock(&run_of(connection)->locks[connection->index % CONNECTION_LOCKS].mutex);
}

static inline struct reconnect *reconnect_of(const struct connection *connection)
{
    return &run_of(connection)->reconnects[connection->index];
}

/* run_execute: connects, asks, collects; blocks until every connection is over and nothing is in
 * flight. The port is open, its workers run. False: it could not take place, and the row says
 * why. */
bool run_execute(struct run *run);

/* ---- a connection ---------------------------------------------------------------------------- */

/* connection_connect: opens a socket and posts the connect; does not block.
 * connection_connect_blocking: connects, and gives the socket to the port. Main thread. */
void connection_connect(struct connection *connection);
void connection_connect_blocking(struct connection *connection);

/* connection_continue: posts the next receive of a connection that is in `phase`: READY, its stream
 * attached (main thread), or WAITING, when the scheme has blocks again (any thread): a resume. One
 * that finds it BUSY is remembered; in any other phase nothing happens. Does not block. */
void connection_continue(struct connection *connection, enum connection_phase phase);

/* connection_ask: sends the request. Main thread; does not block. */
void connection_ask(struct connection *connection);

/* connection_expect: the server held its frames, and starts now. Main thread. */
void connection_expect(struct connection *connection);

/* connection_reopen: tries a lost connection again if its time has come. Main thread, once the
 * first connections have all been ready or lost; does not block. */
void connection_reopen(struct connection *connection);

/* connection_complete: a packet of one of its operations. On the worker that got it. */
void connection_complete(struct connection *connection, struct worker *worker, struct cp_op *op,
                         int64_t result);

/* connection_end: the connection is over, because of `reason` or (NULL) because all is done.
 * connection_cut: its socket is lost, because of `reason`: with --reconnect it is retried while
 * tries are left, else it ends. Any thread; the first call counts, a cut once per socket. */
void connection_end(struct connection *connection, const char *reason, uint64_t now_ns);
void connection_cut(struct connection *connection, const char *reason, uint64_t now_ns);

/* connection_stop: --for is over: ends the connection in good order if its server owes something,
 * and as failed, for what it was lost by, while it is away. Main thread. */
void connection_stop(struct connection *connection, uint64_t now_ns);

/* connection_check: gives a connect up, cuts a connection as stalled or for its login, if that took
 * too long; ends it for lack of blocks if no connection has received anything for that long. Main
 * thread. */
void connection_check(struct connection *connection, uint64_t now_ns);

/* ---- reconnecting ---------------------------------------------------------------------------- */

/* reconnect_begin: the connection was lost at `now_ns`, after `frames` frames of server `index`.
 * Finds how long to wait before the next try. False: it has been tried often enough, or there is
 * no memory. reconnect_end: the server is there again, or the run is over. */
bool reconnect_begin(struct reconnect *reconnect, const struct collector_options *options,
                     uint32_t index, uint64_t frames, uint64_t now_ns);
void reconnect_end(struct reconnect *reconnect, uint64_t now_ns);

/* reconnect_delay_ns: before the try that follows `failures` failures of server `index` in a row,
 * the `tries`-th of all: evenly spread between 0 and the least delay doubled with each failure, at
 * most the longest ("full jitter": servers that went away together do not come back together). The
 * same for the same seed. */
uint64_t reconnect_delay_ns(const struct collector_options *options, uint32_t index, uint32_t tries,
                            uint32_t failures);

/* ---- for the receive owner: connection.c and handshake.c ------------------------------------- */

/* receive_owner_hand_over: leaves the connection in `phase` to its next owner, or releases it if it
 * is over. False: a resume came first; the caller is still the owner and continues. */
bool receive_owner_hand_over(struct connection *connection, enum connection_phase phase);

/* receive_owner_post: posts a receive, early with the connection's first `count` blocks, late with
 * 0. After 0 the completion may be on another worker already, and the caller owns nothing; or a
 * portable negative code. receive_owner_received: its result. */
int receive_owner_post(struct connection *connection, unsigned count);
void receive_owner_received(struct connection *connection, struct worker *worker, int64_t result);

/* receive_owner_post_next: posts the next receive, hands the connection over, or releases it. */
void receive_owner_post_next(struct connection *connection);

/* receive_owner_release: of a connection that is over, closes the receiving side for good; of one
 * that is cut, hands it over to the main thread, which tries again. receive_owner_fail: cuts it
 * before, because of `reason`. */
void receive_owner_release(struct connection *connection);
void receive_owner_fail(struct connection *connection, const char *reason);

/* connection_await: from now on it waits for something else. connection_note_activity: the server
 * has sent something. run_count_down: takes one off a count that the main thread waits for. */
void connection_await(struct connection *connection, enum awaited awaited);
void connection_note_activity(struct connection *connection);
void run_count_down(struct run *run, _Atomic uint32_t *count);

#endif
