/* Measures a link from both ends at once: one thread with sockets in either namespace. Both
 * functions block for some seconds, and return 0 or -errno. */
#ifndef FANIN_LAN_MEASURE_H
#define FANIN_LAN_MEASURE_H

#include <stdint.h>

#include "mock_servers/lan/lan.h"

enum { MEASURE_ECHO_BYTES = sizeof(uint64_t) }; /* payload of a datagram of measure_echo */

struct measured_echo {
    uint64_t sent[LINK_DIRECTIONS], received[LINK_DIRECTIONS];
    double p50_ns, p99_ns; /* of the round trips; NAN: none was completed */
};

/* measure_echo: sends `count` datagrams to the far side, or as many as some seconds allow, evenly,
 * `per_s` a second; the far side sends back what it gets. Ends when nothing has arrived for
 * patience_ns. */
int measure_echo(double count, double per_s, uint64_t patience_ns, struct measured_echo *measured);

struct load {
    bool used[LINK_DIRECTIONS];        /* the directions that carry load: one of datagrams */
    double datagrams, datagrams_per_s; /* how many are sent at once, and a second from then on; 0:
                                        * TCP sends all it can */
    uint64_t settle_ns, duration_ns;   /* before the measurement, and of it */
};

/* measure_rate: full frames. The rates are bits of the wire; of an unused direction 0. */
int measure_rate(const struct load *load, double bits_per_s[LINK_DIRECTIONS]);

#endif
