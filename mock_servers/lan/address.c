#include "mock_servers/lan/address.h"

/* Ethernet addresses are locally administered, as the 02 says. */
const struct lan_address lan_addresses[LAN_SIDES] = {
    [LAN_NEAR] =
        {"near", "FANIN_NEAR", "198.18.0.1", 0xc6120001, 0xc6120000, {2, 0, 198, 18, 0, 1}},
    [LAN_FAR] = {"far", "FANIN_FAR", "198.19.0.1", 0xc6130001, 0xc6130000, {2, 0, 198, 19, 0, 1}},
};
