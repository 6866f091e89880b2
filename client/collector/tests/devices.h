/* Good and faulty devices in the test's own process. Each listens on a port that the kernel chooses
 * and serves every connection on a thread of its own, blocking. */
#ifndef FANIN_TESTS_DEVICES_H
#define FANIN_TESTS_DEVICES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DEVICES_MAX = 64,
    DEVICE_THREADS_MAX = 512,
    DEVICE_FRAME_BYTES_MAX = 256 << 10,
    DEVICE_FILLERS = 4, /* connects that fill a queue of none */
};

/* The faults of a device; they appear in its second frame. */
enum device_fault {
    DEVICE_GOOD,
    DEVICE_REFUSES,       /* its port is taken, but nobody listens */
    DEVICE_FULL,          /* never accepts, and its queue is full: connects hang */
    DEVICE_RESETS,        /* in the middle of a frame */
    DEVICE_TRUNCATES,     /* closes in the middle of a frame */
    DEVICE_CLOSES_EARLY,  /* closes after a whole frame */
    DEVICE_STALLS,        /* says nothing more, in the middle of a frame */
    DEVICE_CORRUPTS,      /* a byte of the payload */
    DEVICE_SKIPS,         /* a sequence number */
    DEVICE_NEVER_ENDS,    /* a frame without an end marker */
    DEVICE_ADDS,          /* a frame more than asked for */
    DEVICE_MUTE,          /* never answers */
    DEVICE_ANSWERS_LATE,  /* what it has sent: more than 2 s after it was asked */
    DEVICE_TELLS_NOTHING, /* closes when it is asked what it has sent */
    DEVICE_SAYS_NO,       /* refuses requests for frames, in pieces */
    DEVICE_FOREIGN,       /* "READ\n": records that end in 0x03, then closes */
    DEVICE_SENDS_FIRST,   /* as DEVICE_FOREIGN, without being asked */
    DEVICE_SCRIPTED,      /* what devices.script says */
};

/* What a server that is not ours says to a line, which it does not look at. Device 0 sends it all
 * at once, device i in pieces of i bytes, with a pause after each. */
struct device_script {
    const char *banner; /* sent when the connection is made; NULL: nothing is */
    const char *answer;
    size_t answer_bytes; /* 0: up to its NUL */
    bool repeats;        /* its answer, until the client is gone */
    bool stays;          /* it does not close, but waits for the client to do so */
    bool resets;         /* instead of closing */
};

enum { FOREIGN_RECORDS = 7, FOREIGN_RECORD_BYTES = 300 };

struct devices {
    unsigned count;
    int listeners[DEVICES_MAX];
    int fillers[DEVICES_MAX * DEVICE_FILLERS];
    unsigned filler_count;
    uint16_t ports[DEVICES_MAX];
    enum device_fault faults[DEVICES_MAX];
    const char *user, *password; /* NULL: no login is wanted */
    struct device_script script;
    int64_t clock_ahead_ns; /* their clock less the test's */
    int64_t clock_step_ns;  /* by which it jumps once frames were sent */
    bool timeless;          /* they do not know TIME */
    pthread_t listener_thread;
    pthread_t threads[DEVICE_THREADS_MAX];
    int sockets[DEVICE_THREADS_MAX];
    unsigned thread_count;
    _Atomic bool stopping;
    _Atomic uint64_t frames, bytes;
    _Atomic unsigned unanswered; /* requests that mute ones have read */
};

/* devices_add: before devices_start, which makes all of them serve. */
void devices_add(struct devices *devices, enum device_fault fault);
void devices_start(struct devices *devices);
void devices_stop(struct devices *devices);

/* devices_option: "--servers=127.0.0.1:1,127.0.0.1:2"; good until the next call. */
char *devices_option(const struct devices *devices);

#endif
