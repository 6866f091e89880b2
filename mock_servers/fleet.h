/* The fleet: all devices of the process, and the one loop that drives them. One thread. */
#ifndef FANIN_FLEET_H
#define FANIN_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock_servers/faults.h"
#include "base/list.h"
#include "base/net.h"
#include "base/protocol.h"
#include "mock_servers/runs.h"
#include "mock_servers/stream.h"
#include "mock_servers/tape.h"
#include "mock_servers/timers.h"

struct fleet_config {
    struct net_address first; /* of server 0; port 0 (one server only): a free one */
    uint64_t count;
    uint64_t ports_per_address; /* server i: address + i / this, port + i % this; 0: one address */
    bool shared_listeners;      /* a listener a port, not a device */
    int backlog;
    struct net_tuning tuning;
    uint64_t tape_cap_bytes;
    struct fault_list faults;
    const char *user, *password; /* wanted before a GO; NULL: no login is wanted */
};

/* Something that the loop wakes: a device for a connection to accept, a connection for what it
 * waits for. */
struct actor {
    struct timer timer; /* the first field, so that a due timer is its actor */
    struct net_watched watched;
    struct link turn; /* in fleet.turns */
    void (*act)(struct actor *actor,
                unsigned signs); /* signs of enum net_sign; 0: its timer or its turn */
};

struct device;
struct listener;

struct fleet {
    const struct fleet_config *config;
    uint64_t identity; /* of this process, for STATS */
    struct net_watch *watch;
    struct timers timers;
    struct link turns;       /* actors that have more to do at once */
    struct link waiting;     /* connections whose tape is still to be made */
    struct link connections; /* all that are open */
    struct link closed;      /* closed, but perhaps still named by an event at hand */
    size_t connection_count;
    struct tapes *tapes;
    struct scratch scratch;
    struct runs runs;
    const struct fault **faults; /* by server; NULL: none */
    struct device *devices;
    uint64_t opened;            /* devices that are open */
    struct listener *listeners; /* shared ones; NULL: each device has its own */
    uint64_t listening;         /* of them that are open */
};

/* fleet_open: opens every device. NULL with one line in `why`, which names the address and port
 * in the way. `config` stays the caller's and must outlive the fleet. Faults must fit the count:
 * faults_spread says so in `why` too. */
struct fleet *fleet_open(const struct fleet_config *config, char *why, size_t why_bytes);

/* fleet_run: serves until os_interrupted. */
void fleet_run(struct fleet *fleet);

/* fleet_close: closes everything; NULL and half-opened ones are allowed. */
void fleet_close(struct fleet *fleet);

int fleet_port(const struct fleet *fleet); /* of server 0 */

/* ---- for devices and connections ---- */

struct net_address fleet_address(const struct fleet_config *config, uint64_t server);

/* fleet_device_at: NULL: there is none at this address. */
struct device *fleet_device_at(const struct fleet *fleet, const struct net_address *address);

/* fleet_listeners: how many sockets a fleet listens on. */
uint64_t fleet_listeners(const struct fleet_config *config);

#endif
