/* Option values that have units of a link's own: rates in bits, short durations, shares. */
#ifndef FANIN_LAN_UNITS_H
#define FANIN_LAN_UNITS_H

#include "base/options.h"

/* Parsers for base/options.h. The field's type is in brackets; ranges are their own, and their help
 * says them, for those of the table would be printed without a unit. */
option_parser unit_bit_rate; /* [uint64_t] bits per second, 8 kbit/s to 100 Gbit/s: "100mbit",
                              * "1.5gbit"; "unlimited" is 0 */
option_parser unit_duration; /* [uint64_t] nanoseconds, up to 10 s: "0.5ms", "250us", "0" */
option_parser unit_share;    /* [double] 0 to 1: "1%", "0.5%" */
option_parser unit_queue;    /* [struct queue_size] a time at the link's rate, or bytes */
option_parser unit_cuts;     /* [struct cut_list] "2s:500ms,10s:1s": at, for */

/* Of the two one is 0. */
struct queue_size {
    uint64_t duration_ns, bytes;
};

enum { CUTS_MAX = 16 };

/* When the link is down, in order, from the near command's start on. */
struct cut_list {
    int count;
    struct cut {
        uint64_t from_ns, until_ns;
    } cuts[CUTS_MAX];
};

#endif
