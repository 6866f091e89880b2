/* What all of fanin-lan shares: its two sides, the wire's directions and frames, and messages. */
#ifndef FANIN_LAN_LAN_H
#define FANIN_LAN_LAN_H

#include <stdbool.h>

#define LAN_INTERFACE "lan0" /* in both namespaces */

enum {
    LAN_MTU_BYTES = 1500,
    ETHERNET_HEADER_BYTES = 14,
    ETHERNET_FRAME_BYTES_MIN = 60, /* without the check sequence; shorter ones are padded */
    ETHERNET_FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + LAN_MTU_BYTES,
    /* What a frame occupies of the wire besides: check sequence 4, preamble 8, gap 12. */
    ETHERNET_WIRE_EXTRA_BYTES = 24,
    WIRE_BYTES_MAX = ETHERNET_FRAME_BYTES_MAX + ETHERNET_WIRE_EXTRA_BYTES,
    WIRE_BYTES_MIN = ETHERNET_FRAME_BYTES_MIN + ETHERNET_WIRE_EXTRA_BYTES,
    BITS_PER_BYTE = 8,
    LAN_REASON_BYTES = 2048,
};

/* Direction i leads from side i to side !i. */
enum lan_side { LAN_NEAR, LAN_FAR, LAN_SIDES };
enum link_direction { LINK_UP, LINK_DOWN, LINK_DIRECTIONS };

extern const char *const link_direction_names[LINK_DIRECTIONS]; /* "up", "down" */

/* From the range that RFC 2544 reserves for benchmarks; they exist in the two namespaces only. */
struct lan_address {
    const char *name, *variable; /* "near", and the environment variable with the address */
    const char *host, *network;  /* each side answers on every address of its network */
    const char *ethernet;
};

extern const struct lan_address lan_addresses[LAN_SIDES];

/* lan_fail: keeps the reason of a failure, cut at LAN_REASON_BYTES, and returns false. lan_reason:
 * the last one, without a newline. Not thread-safe: only the main thread may call them. */
__attribute__((format(printf, 1, 2))) bool lan_fail(const char *format, ...);
const char *lan_reason(void);

/* message_print: a line on standard error, behind the program's name. */
__attribute__((format(printf, 1, 2))) void message_print(const char *format, ...);

#endif
