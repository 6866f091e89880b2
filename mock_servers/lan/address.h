/* Names and addresses of fanin-lan's two sides, from the range that RFC 2544 reserves for
 * benchmarks. They exist in the two namespaces only. */
#ifndef FANIN_LAN_ADDRESS_H
#define FANIN_LAN_ADDRESS_H

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
};

enum lan_side { LAN_NEAR, LAN_FAR, LAN_SIDES };

struct lan_address {
    const char *name, *variable; /* "near", and the environment variable with the address */
    const char *host, *network;  /* each side answers on every address of its network */
    const char *ethernet;
};

extern const struct lan_address lan_addresses[LAN_SIDES];

#endif
