/* The frames of one GO on their way out of one device: from a tape or made when due, on
 * schedule, with the device's fault if it has one. Knows the socket only as something that takes
 * bytes or says "not now". */
#ifndef FANIN_STREAM_H
#define FANIN_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/os.h"
#include "base/protocol.h"
#include "mock_servers/faults.h"
#include "mock_servers/tape.h"

/* When the frames are due. A GO that resumes a stream gets the same schedule (as far as the client
 * knows the stream's age). It never moves, so a frame that is sent late is late by its stamp: no
 * coordinated omission. */
struct schedule {
    double interval_ns;      /* 0: every frame is due at once */
    int64_t first_ns;        /* monotonic time of frame 0; of a GO that goes on, in the past, which
                              may be before this computer's start */
    struct os_distance wall; /* of the wall clock from the monotonic one */
};

/* schedule_start: `device` moves the first frame by a share of the interval, so that devices of
 * one seed and rate do not all send at the same instant. */
void schedule_start(struct schedule *schedule, const struct protocol_go *go, uint32_t device,
                    uint64_t now_ns, struct os_distance wall);

/* schedule_follow: takes a new distance if it is another one: on some systems the clocks drift
 * apart, and a wall clock may be set. */
void schedule_follow(struct schedule *schedule, struct os_distance wall);

int64_t schedule_due_ns(const struct schedule *schedule, uint64_t seq);

/* schedule_stamp_ns: the wall-clock time at which frame `seq` was due, never one in the future of a
 * frame that is due; `now_ns` where every frame is at once. */
uint64_t schedule_stamp_ns(const struct schedule *schedule, uint64_t seq, uint64_t now_ns);

enum stream_state {
    STREAM_MORE,    /* its share of this round is sent; more can be sent at once */
    STREAM_BLOCKED, /* the socket takes no more for now */
    STREAM_LATER,   /* nothing is due before wake_ns */
    STREAM_DONE,    /* all frames are with the kernel */
    STREAM_FAULT,   /* a fault is committed: its `action` follows, and nothing more is sent */
    STREAM_LOST,    /* the connection is gone, or there is no memory for a frame */
};

/* The owner sets socket, scratch, go, tape and fault, then calls stream_start. */
struct stream {
    intptr_t socket;
    struct scratch *scratch; /* the owner's */
    struct protocol_go go;
    struct tape *tape;         /* the owner's; NULL: live */
    const struct fault *fault; /* NULL: none, or committed */
    struct schedule schedule;
    uint64_t tape_sent;      /* bytes of the tape behind us */
    uint64_t released;       /* frames let go of: live, made; tape, allowed to be sent */
    uint64_t released_bytes; /* of the tape: where the released frames end */
    uint64_t counted;        /* frames wholly with the kernel */
    uint64_t counted_left;   /* bytes until the next one is */
    uint64_t countable; /* good frames that there will be: less than asked for with some faults */
    uint64_t fault_seq; /* FAULT_AT_FRAME: at this frame */
    uint64_t pace_ns;   /* FAULT_AT_BYTES: between two bytes; else 0 */
    uint64_t paced_ns;  /* no byte before */
    uint8_t *piece;     /* bytes of our own to be sent before anything else */
    size_t piece_bytes, piece_sent;
    enum fault_action action; /* of the fault that is being committed */
    uint64_t flood_left;      /* bytes without an end marker still to come */
    uint64_t wake_ns;
    struct protocol_stats done; /* since the owner last took it: frames, bytes, faults */
};

/* stream_start: the tape, if there is one, is complete; `device` is the device's number; the
 * schedule begins at `start_ns` of os_now_ns. */
void stream_start(struct stream *stream, uint32_t device, uint64_t start_ns);

/* stream_send: sends what is due, up to a limit, to the non-blocking socket. */
enum stream_state stream_send(struct stream *stream);

/* stream_end: gives back what the stream holds (the tape is the owner's). Also of a zeroed
 * stream. */
void stream_end(struct stream *stream);

#endif
