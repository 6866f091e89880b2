/* The names and addresses that fanin-lan's two machines have. All of them are of the range that RFC
 * 2544 sets aside for benchmarks, and exist in the two namespaces only. */
#ifndef FANIN_LAN_ADDRESS_H
#define FANIN_LAN_ADDRESS_H

#include <stdint.h>

#define LAN_INTERFACE "lan0" /* in both namespaces */

enum {
    LAN_PREFIX_BITS = 16, /* each side answers on every address of its /16 */
    LAN_MTU_BYTES = 1500,
    ETHERNET_ADDRESS_BYTES = 6,
    ETHERNET_HEADER_BYTES = 14,
    ETHERNET_FRAME_BYTES_MIN = 60, /* without the check sequence; shorter ones are padded */
    ETHERNET_FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + LAN_MTU_BYTES,
    /* What a frame takes of the wire besides: check sequence 4, preamble 8, gap 12. */
    ETHERNET_WIRE_EXTRA_BYTES = 24,
};

enum lan_side { LAN_NEAR, LAN_FAR, LAN_SIDES };

struct lan_address {
    const char *name, *variable; /* "near", and the environment variable that tells the address */
    const char *text;
    uint32_t host, network; /* host byte order */
    uint8_t ethernet[ETHERNET_ADDRESS_BYTES];
};

extern const struct lan_address lan_addresses[LAN_SIDES];

#endif
