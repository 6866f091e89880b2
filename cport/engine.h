/* The contract between the front door (port.c, socket.c, lane.c) and the engines.
 *
 * An engine talks to one kernel interface. The front door keeps the law: it checks arguments,
 * queues operations, carries at most one per lane (direction of a socket) to the engine at a
 * time, delivers every completion exactly once, and runs the gate. A new engine is one file and
 * one line in engines.c.
 *
 * There are two kinds:
 *   readiness   (ENGINE_READINESS) the kernel says that a lane is ready (lane_ready); `advance`
 *               performs the operation then, on the worker that took the ready packet, so that
 *               copying spreads over the workers;
 *   completion  the kernel performs the operation after `advance` has started it, and says so
 *               (lane_complete). */
#ifndef FANIN_ENGINE_H
#define FANIN_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cport/cport.h"

/* advance: the operation waits for the kernel. */
#define ENGINE_PENDING INT64_MAX

enum engine_flags {
    ENGINE_READINESS = 1,
    ENGINE_HIDDEN = 2, /* never chosen by "auto", not listed to users: a test double */
};

struct gate_effects;
struct gate_worker;
struct turn;

struct engine {
    const char *name;    /* as in --engine */
    const char *summary; /* one line for --help */
    unsigned flags;
    unsigned pollers_max; /* workers that may be in poll at once, at least 1 */

    /* open: makes port->engine_state. 0; CP_EUNSUPPORTED with `why` when it cannot run on this
     * machine; CP_EMFILE, CP_ENOMEM. */
    int (*open)(struct cport *port, char *why, size_t why_bytes);

    /* close: accepts what open left, also half-made. No thread is in the port. */
    void (*close)(struct cport *port);

    /* attach: the socket is, or may become, live: makes its handle if it has none (family in
     * socket->family), and tells the kernel's notifier. Lock held. 0 or a negative code. */
    int (*attach)(struct cport *port, struct cp_socket *socket);

    /* detach: the last word about a socket: nothing more may come for it, its handle is closed.
     * Lock held; no operation of it is with the engine. */
    void (*detach)(struct cport *port, struct cp_socket *socket);

    /* advance: carries the operation at the head of its lane as far as it goes without blocking.
     * No lock held; the lane is busy, so that no other thread does the same. Returns the result,
     * or ENGINE_PENDING. Sets *more when the lane may well be ready still (readiness only).
     * op->started says whether it is the first turn. Connect and listen find their address in
     * op->engine: its length, then its bytes. */
    int64_t (*advance)(struct cport *port, struct cp_socket *socket, struct cp_op *op, bool *more);

    /* advance_all: the same for the operations of several turns, where the engine can carry them
     * to the kernel together; NULL: it cannot, they are advanced one after the other. */
    void (*advance_all)(struct cport *port, struct turn *turns, unsigned count);

    /* cancel: asks to take a started operation back. Lock held. True: it is not with the kernel
     * any more, the front door completes it with op->reason; false: lane_complete will come,
     * with whatever happened. */
    bool (*cancel)(struct cport *port, struct cp_socket *socket, struct cp_op *op);

    /* poll: blocks up to `timeout_ns` (CP_FOREVER) for events or a kick, then calls
     * port_poll_done, which takes the lock, and turns the events into packets through lane_ready
     * or lane_complete. Called without the lock, returns with it. A negative code only when the
     * engine is broken beyond use. `worker` NULL, for engines of the readiness kind only: a
     * running worker looks in, with timeout 0, beside any number of pollers. */
    int (*poll)(struct cport *port, struct gate_worker *worker, uint64_t timeout_ns,
                struct gate_effects *effects);

    /* drain: the port is closed: takes operations back that come from the kernel now, through
     * lane_complete, so that their sockets can go; blocks for milliseconds at most. What is left
     * comes back in `close`. No lock held. NULL: nothing is ever with the kernel. */
    void (*drain)(struct cport *port);

    /* kick: makes one worker return from poll now (when_ns 0), or at `when_ns` by os_now_ns (a
     * later call replaces an earlier one). Remembered if none is in poll. */
    void (*kick)(struct cport *port, uint64_t when_ns);
};

/* engines[]: every engine of this build, in order of preference; NULL-terminated. */
extern const struct engine *const engines[];

#endif
