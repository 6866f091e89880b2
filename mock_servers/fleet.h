/* The fleet: all devices of the process, served by one thread. */
#ifndef FANIN_FLEET_H
#define FANIN_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock_servers/faults.h"
#include "mock_servers/listener.h"

struct fleet_config {
    struct net_address first; /* of server 0; port 0 (one server only): a free one */
    uint64_t count;
    uint64_t ports_per_address; /* server i: address + i / this, port + i % this; 0: one address */
    bool shared_listeners;      /* one listener for each port, not for each device */
    struct listener_config listen;
    uint64_t tape_cap_bytes;
    struct fault_list faults;
    const char *user, *password; /* required before a GO; NULL: no login is required */
};

struct fleet;

/* fleet_open: opens every device. NULL with one line in `why`, which names the address and port
 * that failed. `config` stays the caller's and must outlive the fleet. The faults must fit the
 * count: faults_spread says so in `why`, too. */
struct fleet *fleet_open(const struct fleet_config *config, char *why, size_t why_bytes);

void fleet_run(struct fleet *fleet);   /* serves until os_interrupted */
void fleet_close(struct fleet *fleet); /* closes everything; NULL and half-opened are allowed */

int fleet_port(const struct fleet *fleet); /* of server 0 */
const struct protocol_stats *fleet_total(const struct fleet *fleet);

/* fleet_listeners: how many sockets a fleet listens on. */
uint64_t fleet_listeners(const struct fleet_config *config);

#endif
