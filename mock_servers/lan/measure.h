/* Measures a link from both ends at once: one thread with sockets in either namespace. Everything
 * here blocks for a few seconds, and returns 0 or -errno. */
#ifndef FANIN_LAN_MEASURE_H
#define FANIN_LAN_MEASURE_H

#include "mock_servers/lan/link.h"

enum { MEASURE_ROUND_TRIPS_MAX = 500, MEASURE_PING_BYTES = sizeof(uint64_t) };

struct measured_round_trips {
    uint32_t count;
    uint64_t sorted_ns[MEASURE_ROUND_TRIPS_MAX];
};

/* measure_round_trips: datagrams of MEASURE_PING_BYTES go to the far side and back, one at a time,
 * for at most duration_ns; those that take longer than patience_ns are lost. */
int measure_round_trips(const struct namespaces *namespaces, uint64_t duration_ns,
                        uint64_t patience_ns, struct measured_round_trips *measured);

struct datagram_plan {
    enum link_direction direction;
    uint32_t payload_bytes;
    uint64_t count;
    uint64_t head_start;  /* how many are sent at once, to fill a queue */
    double per_s;         /* how many are sent a second then, evenly */
    uint64_t duration_ns; /* after which no more are sent, if the machine is too slow */
    uint64_t settle_ns;   /* what arrives before does not count for the rate */
    uint64_t patience_ns; /* how long to wait for the last */
};

struct measured_datagrams {
    uint64_t sent, received;
    double bits_per_s; /* of the wire, from settle_ns to the last received */
};

int measure_datagrams(const struct namespaces *namespaces, const struct datagram_plan *plan,
                      struct measured_datagrams *measured);

struct bulk_plan {
    bool used[LINK_DIRECTIONS];
    uint64_t settle_ns, duration_ns; /* before the measurement, and of it */
};

struct measured_bulk {
    double bits_per_s[LINK_DIRECTIONS]; /* of the wire; of an unused direction: 0 */
    double link_cpu_share;              /* of one processor */
};

/* measure_bulk: TCP connections that send all they can, in the directions asked for. */
int measure_bulk(const struct namespaces *namespaces, struct link *link,
                 const struct bulk_plan *plan, struct measured_bulk *measured);

#endif
