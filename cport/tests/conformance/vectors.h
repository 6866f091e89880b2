/* The test vectors of the concurrency algorithm: S1 to S9 of Windows' kernel queue, and behaviour
 * 61. test_gate.c steps through them on the pure state machine; the conformance suite with real
 * threads on every engine (vector_run). */
#ifndef FANIN_CONFORMANCE_VECTORS_H
#define FANIN_CONFORMANCE_VECTORS_H

#include <cport.h>

enum action {
    STEP_END,
    STEP_BATCH,     /* worker asks for `value` packets at once from now on */
    STEP_GET,       /* worker waits for a packet */
    STEP_POLL,      /* ... without blocking */
    STEP_BLOCK,     /* worker begins a blocking section */
    STEP_RESUME,    /* ... ends it */
    STEP_LEAVE,     /* worker's thread ends */
    STEP_HOP,       /* worker waits on another port */
    STEP_POST,      /* packet number `value` is posted */
    STEP_HAS,       /* check: worker got packet `value` first; or WAITING or TIMED_OUT */
    STEP_HAS_COUNT, /* check: worker got `value` packets at once */
    STEP_RUNNING,   /* check: `value` workers run */
    STEP_QUEUED,    /* check: `value` packets are queued */
    /* of test_gate.c alone: */
    STEP_POLLERS,   /* `value` workers may poll at once */
    STEP_TIME_OUT,  /* worker gives up waiting */
    STEP_UNNOTICED, /* packet number `value` is posted, and the wake-up is still on its way */
    STEP_BACK,      /* the engine's poll returns to worker with packet `value`; 0: with nothing */
    STEP_STATE,     /* check: worker is in this state */
};

/* clang-format off */
#define BATCH(worker, count)     {STEP_BATCH, worker, count}
#define GET(worker)              {STEP_GET, worker, 0}
#define POLL(worker)             {STEP_POLL, worker, 0}
#define BLOCK(worker)            {STEP_BLOCK, worker, 0}
#define RESUME(worker)           {STEP_RESUME, worker, 0}
#define LEAVE(worker)            {STEP_LEAVE, worker, 0}
#define HOP(worker)              {STEP_HOP, worker, 0}
#define POST(number)             {STEP_POST, 0, number}
#define HAS(worker, number)      {STEP_HAS, worker, number}
#define HAS_COUNT(worker, count) {STEP_HAS_COUNT, worker, count}
#define RUNNING(count)           {STEP_RUNNING, 0, count}
#define QUEUED(count)            {STEP_QUEUED, 0, count}
/* clang-format on */

enum { A, B, C, D, VECTOR_WORKERS_MAX };
enum { WAITING = -1, TIMED_OUT = -2, CLOSED = -3 }; /* instead of a packet's number */
enum { VECTOR_STEPS_MAX = 32, VECTOR_BATCH_MAX = 8, VECTOR_PACKETS_MAX = 16 };

struct vector {
    const char *number, *name; /* as in the table of README.md; number NULL: of test_gate.c */
    unsigned limit, workers;
    struct step {
        enum action action;
        int worker, value;
    } steps[VECTOR_STEPS_MAX];
};

enum { VECTORS = 12 };
extern const struct vector vectors[VECTORS];

/* vector_run: with threads, on `port`, which it closes; `other` is the port to hop to. NULL: it
 * holds; else the step that failed. */
const char *vector_run(const struct vector *vector, struct cport *port, struct cport *other);

#endif
