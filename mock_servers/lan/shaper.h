/* One direction of a wire: whether a frame put on it arrives, and when.
 *
 * Pure: no system calls, no memory, no clock; time is a parameter. The queue in front of the wire
 * needs no list: only the time at which it will be empty matters, free_at_ns.
 *
 *     now          start = free_at of the frame before         due
 *      |--- waits ---|--- is sent, at the rate ---|--- propagates ---|
 *                    a frame takes its length, at least 60 bytes, and 24 more (check sequence,
 *                    preamble, gap), as on Ethernet */
#ifndef FANIN_LAN_SHAPER_H
#define FANIN_LAN_SHAPER_H

#include <stdbool.h>
#include <stdint.h>

enum { SHAPER_QUEUE_BYTES_MAX = 1 << 30 };

struct shaper_config {
    uint64_t rate_bits_per_s; /* of the wire; 0: unlimited, nothing ever waits */
    uint64_t delay_ns;        /* propagation */
    uint64_t jitter_ns;       /* at most delay_ns: propagation is delay +- jitter, evenly spread */
    uint64_t queue_bytes;     /* of wire that may be waiting or being sent: more is dropped */
    double loss;              /* 0 to 1: share of frames that do not arrive, at random */
    uint64_t seed;            /* of loss and jitter */
};

enum shaper_fate {
    SHAPER_CARRIED,    /* arrives when due */
    SHAPER_LOST,       /* took its time on the wire, but does not arrive */
    SHAPER_OVERFLOWED, /* found the queue full */
    SHAPER_CUT,        /* put on a wire that is down */
    SHAPER_FATES
};

struct shaper {
    struct shaper_config config;
    uint64_t queue_ns;   /* the time that queue_bytes take */
    uint64_t free_at_ns; /* when the wire will have sent all it took... */
    uint64_t free_rest;  /* ...and this many 1/rate parts of a nanosecond later */
    uint64_t last_due_ns;
    uint64_t random;
    bool down;
};

void shaper_start(struct shaper *shaper, const struct shaper_config *config);

/* shaper_take: a frame of `frame_bytes` (Ethernet header included, check sequence not) is put on
 * the wire at now_ns, which never decreases. Where it is carried *due_ns says when it arrives; that
 * never decreases either, for a wire keeps the order. */
enum shaper_fate shaper_take(struct shaper *shaper, uint64_t now_ns, uint32_t frame_bytes,
                             uint64_t *due_ns);

/* shaper_wire_bytes: what a frame takes of the wire. */
uint64_t shaper_wire_bytes(uint32_t frame_bytes);

/* shaper_held_bytes_max: the most bytes of wire that frames occupy between being put on it and
 * arriving. At an unlimited rate this is queue_bytes, a limit that the caller must keep. */
uint64_t shaper_held_bytes_max(const struct shaper_config *config);

#endif
