/* Measures a link from both of its ends at once: one thread that has sockets in either namespace.
 * Everything here blocks for as long as it measures, a few seconds at most, and returns 0 or
 * -errno. */
#ifndef FANIN_LAN_MEASURE_H
#define FANIN_LAN_MEASURE_H

#include <stdint.h>

#include "mock_servers/lan/link.h"

enum { MEASURE_ROUND_TRIPS_MAX = 500, MEASURE_PING_FRAME_BYTES = 60 };

struct measured_round_trips {
    uint32_t count, lost;
    uint64_t sorted_ns[MEASURE_ROUND_TRIPS_MAX];
};

/* measure_round_trips: the smallest of datagrams go to the far side and back, one at a time, for
 * at most duration_ns; those that take longer than patience_ns are lost. */
int measure_round_trips(const struct namespaces *namespaces, uint64_t duration_ns,
                        uint64_t patience_ns, struct measured_round_trips *measured);

struct datagram_plan {
    enum link_direction direction;
    uint32_t payload_bytes;
    uint64_t count;
    uint64_t head_start;  /* how many of them are sent at once, so that a queue is full */
    double per_s;         /* how many are sent a second then, evenly */
    uint64_t duration_ns; /* after which no more are sent, where the machine is slower than that */
    uint64_t settle_ns;   /* what arrives before is not counted in the rate */
    uint64_t patience_ns; /* how long to wait for the last */
};

struct measured_datagrams {
    uint64_t sent, received;
    double bits_per_s; /* of the wire, from when it has settled to the last received */
};

/* measure_datagrams: what arrives of numbered datagrams. */
int measure_datagrams(const struct namespaces *namespaces, const struct datagram_plan *plan,
                      struct measured_datagrams *measured);

struct bulk_plan {
    bool used[LINK_DIRECTIONS];
    uint64_t settle_ns, duration_ns; /* what comes before the measurement, and how long it is */
    uint64_t window_bytes[LINK_DIRECTIONS]; /* at most in flight, so that nothing is dropped; 0: as
                                             * the system likes */
};

struct measured_bulk {
    double bits_per_s[LINK_DIRECTIONS]; /* of the wire; a direction that was not used: 0 */
    double link_cpu_share;              /* of one processor */
};

/* measure_bulk: TCP connections that send all they can, in the directions asked for. */
int measure_bulk(const struct namespaces *namespaces, struct link *link,
                 const struct bulk_plan *plan, struct measured_bulk *measured);

#endif
