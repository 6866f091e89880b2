/* The contract between the port and its engines.
 *
 * An engine talks to one kernel interface. The port keeps the law: it checks arguments, queues
 * operations, hands at most one per direction of a socket to the engine at a time, delivers every
 * completion exactly once, and runs the gate. A new engine is one file, engine_NAME_linux.c or
 * engine_NAME_windows.c, and its name in the Makefile (ENGINES).
 *
 * There are two kinds:
 *   readiness   the kernel reports that a direction is ready (direction_ready); `attempt` then
 *               performs the operation, on the worker that took the ready packet, so that copying
 *               spreads over the workers;
 *   completion  `attempt` starts the operation; the kernel performs it and reports its end
 *               (direction_complete). */
#ifndef FANIN_ENGINE_H
#define FANIN_ENGINE_H

#include <cport.h>

/* The result of an attempt: the operation waits for the kernel. */
#define ENGINE_PENDING INT64_MAX

struct direction;
struct effects;
struct cp_slot;

/* An attempt at the operation at the head of a direction. */
struct attempt {
    struct direction *direction;
    struct cp_op *op;
    int64_t result; /* set by the engine; ENGINE_PENDING: none yet */
    bool more;      /* set by readiness engines: the direction may still be ready */
    bool unsure;    /* likewise: CP_ESHUTDOWN, or a reset that was reported to another attempt */
};

struct engine {
    const char *name;    /* as in --engine */
    const char *summary; /* one line for --help */
    bool readiness;
    unsigned pollers_max; /* workers that may be in poll at once, at least 1 */

    /* open: makes port->engine_state. 0; CP_EUNSUPPORTED with `why` when it cannot run on this
     * machine; CP_EMFILE, CP_ENOMEM. */
    int (*open)(struct cport *port, char *why, size_t why_bytes);

    /* close: frees what open made, even if open failed half-way. No thread is in the port. */
    void (*close)(struct cport *port);

    /* attach: makes the socket's handle if it has none (family in slot->family), else finds out
     * its role; registers it with the kernel's notifier. No lock held; the socket has no operation,
     * but events may be reported for it. 0 or a negative code: it has closed what it made. */
    int (*attach)(struct cp_slot *slot);

    /* release: takes an idle socket's handle out of the kernel's notifier and leaves it open. NULL:
     * impossible. No lock held. */
    void (*release)(struct cport *port, cp_handle handle);

    /* detach: closes the handle of a socket that is closed already. No lock held; no operation of
     * it is with the engine. Events that are still reported for it name an id that is gone. */
    void (*detach)(struct cport *port, cp_handle handle);

    /* attempt: takes each attempt's operation as far as it goes without blocking. No lock held; the
     * directions are busy, so that no other thread does the same. op->started: it is not the first
     * attempt. Connect, send_to and listen find their address in op->engine: its length, then its
     * bytes; listen, which is never pending, its backlog in op->result. */
    void (*attempt)(struct cport *port, struct attempt *attempts, unsigned count);

    /* cancel: takes a started operation back. Its slot's lock held. True: the kernel has given it
     * up, the port completes it with op->reason; false: direction_complete will follow, with
     * whatever happened. NULL: a readiness engine, whose kernel never has any operation. */
    bool (*cancel)(struct cp_op *op);

    /* poll: blocks up to `timeout_ns` (CP_FOREVER) for events or wake_poller; reports the events
     * through direction_ready or direction_complete, each with its slot's lock, and collects what
     * follows in `effects`. No lock held. A readiness engine's may also be called with timeout 0 by
     * a running worker, beside any number of pollers. */
    void (*poll)(struct cport *port, uint64_t timeout_ns, struct effects *effects);

    /* drain: the port is closed: reports the operations that the kernel returns now, so that their
     * sockets can be released; blocks for milliseconds at most. `close` waits for the rest. No lock
     * held. NULL: the kernel never has any. */
    void (*drain)(struct cport *port);

    /* wake_poller: makes one worker return from poll now (when_ns 0), or at `when_ns` by os_now_ns
     * (a later call replaces an earlier one). Remembered if none is in poll. */
    void (*wake_poller)(struct cport *port, uint64_t when_ns);
};

/* engines[]: every engine of this build, in order of preference; NULL-terminated. */
extern const struct engine *const engines[];

#endif
