/* Addresses of the near and the far side. */
#include "mock_servers/lan/address.h"

/* Ethernet addresses are locally administered, as the 02 says. */
const struct lan_address lan_addresses[LAN_SIDES] = {
    {"near", "FANIN_NEAR", "198.18.0.1", "198.18.0.0/16", "02:00:c6:12:00:01"},
    {"far", "FANIN_FAR", "198.19.0.1", "198.19.0.0/16", "02:00:c6:13:00:01"},
};
