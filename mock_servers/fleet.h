/* The fleet: all devices of the process, served by one thread. */
#ifndef FANIN_FLEET_H
#define FANIN_FLEET_H

#include "mock_servers/connection.h"
#include "mock_servers/network.h"

/* What the options of fanin-servers say. */
struct fleet_config {
    uint64_t count;
    uint64_t port;              /* of server 0; 0 (one server only): a free one */
    uint64_t ports_per_address; /* server i: host + i / this, port + i % this */
    struct network listen;      /* what was asked for: an address or a network */
    uint32_t host;              /* of server 0, found by it */
    int shared_listeners;       /* 1: one listener for each port; 0: for each device */
    uint64_t backlog, send_buffer_bytes, tape_cap_bytes;
    const char *congestion; /* "system": the system's default */
    struct fault_list faults;
    struct login login; /* required before a GO; with an empty user: none is required */
    const char *ready_file;
    bool hosted; /* a launcher has started it */
};

struct fleet;

/* fleet_open: opens every device. NULL with one line in `why`, which names the address and port
 * that failed. `config` stays the caller's and must outlive the fleet. The faults must fit the
 * count: faults_spread says so in `why`, too. */
struct fleet *fleet_open(const struct fleet_config *config, char *why, size_t why_bytes);

void fleet_run(struct fleet *fleet);   /* serves until os_interrupted */
void fleet_close(struct fleet *fleet); /* closes everything; half-opened is allowed */

int fleet_port(const struct fleet *fleet);          /* of server 0 */
uint64_t fleet_identity(const struct fleet *fleet); /* `process` of STATS */
const struct protocol_stats *fleet_total(const struct fleet *fleet);

/* How many ports a fleet has at each address, and how many sockets it listens on. */
uint64_t fleet_port_count(const struct fleet_config *config);
uint64_t fleet_listeners(const struct fleet_config *config);

#endif
