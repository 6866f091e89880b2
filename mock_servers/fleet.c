/* Opening the devices, and the loop that serves them. */
#include "mock_servers/fleet.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/device.h"

enum { EVERY_ADDRESS = 0 };

/* How long the loop waits at most: os_interrupted is checked again, even if the signal was lost. */
static const uint64_t wait_ns_max = 100 * OS_NS_PER_MS;

/* A listener of all devices with one port (--listeners shared). Which device a connection is for
 * follows from the address that the client connected to. */
struct shared_listener {
    struct listener listener; /* the first field */
    const struct fleet *fleet;
};

struct fleet {
    const struct fleet_config *config;
    struct loop loop;
    struct connections connections;
    const struct fault **faults; /* by server; NULL: none */
    struct device *devices;
    uint64_t opened;                   /* devices that are initialised */
    struct shared_listener *listeners; /* NULL: each device has its own */
    uint64_t listening;                /* of them */
};

static uint64_t ports_each(const struct fleet_config *config)
{
    return config->ports_per_address > 0 ? config->ports_per_address : config->count;
}

uint64_t fleet_listeners(const struct fleet_config *config)
{
    uint64_t each = ports_each(config);
    return config->shared_listeners && each < config->count ? each : config->count;
}

static struct net_address address_of(const struct fleet_config *config, uint64_t server)
{
    uint64_t each = ports_each(config);
    return net_address_at(&config->first, (uint32_t)(server / each),
                          (uint16_t)(net_address_port(&config->first) + server % each));
}

/* The device that the accepted socket is for. Other addresses of this computer have none. */
static struct endpoint *endpoint_of(struct listener *listener, intptr_t socket)
{
    const struct fleet *fleet = ((struct shared_listener *)listener)->fleet;
    const struct net_address *first = &fleet->config->first;
    struct net_address address;
    if (net_local(socket, &address) < 0)
        return NULL;
    uint64_t each = ports_each(fleet->config);
    uint64_t host = (uint64_t)net_address_host(&address) - net_address_host(first);
    uint64_t port = (uint64_t)net_address_port(&address) - net_address_port(first);
    if (port >= each || host >= fleet->opened || host * each + port >= fleet->opened)
        return NULL; /* also what lies before the first: it has wrapped around */
    return &fleet->devices[host * each + port].endpoint;
}

/* ---- opening ---- */

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "the port is in use; choose another --port, or end the program that listens there";
    case EADDRNOTAVAIL:
        return "this computer does not have that address; see --listen";
    case EACCES:
        return "ports below 1024 need privileges; choose a higher --port";
    case EMFILE:
        return "the process is out of descriptors; use fewer servers or a higher ulimit -n";
    case ENFILE:
        return "the system is out of descriptors; see sysctl fs.file-max";
    case ENOENT:
        return "the kernel has no such congestion control; see --congestion and sysctl "
               "net.ipv4.tcp_available_congestion_control";
    case ENOSPC:
        return "epoll watches too many descriptors; see sysctl fs.epoll.max_user_watches";
    default:
        return strerror(error);
    }
}

static int cannot_listen(const struct net_address *address, int error, char *why, size_t why_bytes)
{
    char text[NET_TEXT_BYTES];
    return why_write(why, why_bytes, "cannot listen on %s: %s", net_address_text(address, text),
                     advice(error));
}

static int listeners_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    for (uint64_t i = 0; config->shared_listeners && i < fleet_listeners(config); i++) {
        struct shared_listener *shared = &fleet->listeners[i];
        const struct net_address address =
            net_ipv4(EVERY_ADDRESS, (uint16_t)(net_address_port(&config->first) + i));
        shared->fleet = fleet;
        shared->listener.endpoint_of = endpoint_of;
        fleet->listening++;
        int result = listener_open(&shared->listener, &fleet->loop, &config->listen, &address);
        if (result == 0)
            result = listener_listen(&shared->listener);
        if (result < 0)
            return cannot_listen(&address, -result, why, why_bytes);
    }
    return 0;
}

static int devices_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    for (uint64_t i = 0; i < config->count; i++) {
        struct device *device = &fleet->devices[i];
        const struct net_address address = address_of(config, i);
        device_init(device, &fleet->connections, (uint32_t)i, &address, fleet->faults[i]);
        fleet->opened++;
        int result = config->shared_listeners ? 0 : device_open(device, &config->listen);
        if (result < 0)
            return cannot_listen(&address, -result, why, why_bytes);
    }
    return 0;
}

static int parts_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    struct connections *connections = &fleet->connections;
    connections_init(connections, &fleet->loop);
    connections->user = config->user;
    connections->password = config->password;
    connections->tapes = tapes_open(config->tape_cap_bytes);
    fleet->faults = calloc(config->count, sizeof *fleet->faults);
    fleet->devices = calloc(config->count, sizeof *fleet->devices);
    fleet->listeners = calloc(fleet_listeners(config), sizeof *fleet->listeners);
    if (loop_open(&fleet->loop) < 0 || connections->tapes == NULL || fleet->faults == NULL ||
        fleet->devices == NULL || fleet->listeners == NULL)
        return why_write(why, why_bytes, "no memory or no descriptor for %llu servers",
                         (unsigned long long)config->count);
    return faults_spread(&config->faults, config->count, fleet->faults, why, why_bytes);
}

struct fleet *fleet_open(const struct fleet_config *config, char *why, size_t why_bytes)
{
    assert(config->count >= 1);
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        snprintf(why, why_bytes, "no memory");
        return NULL;
    }
    fleet->config = config;
    if (parts_open(fleet, why, why_bytes) < 0 || devices_open(fleet, why, why_bytes) < 0 ||
        listeners_open(fleet, why, why_bytes) < 0) {
        fleet_close(fleet);
        return NULL;
    }
    return fleet;
}

void fleet_close(struct fleet *fleet)
{
    if (fleet == NULL)
        return;
    connections_end(&fleet->connections);
    while (fleet->opened > 0)
        device_close(&fleet->devices[--fleet->opened]);
    while (fleet->listening > 0)
        listener_end(&fleet->listeners[--fleet->listening].listener);
    free(fleet->listeners);
    free(fleet->devices);
    free(fleet->faults);
    tapes_close(fleet->connections.tapes);
    loop_close(&fleet->loop);
    free(fleet);
}

int fleet_port(const struct fleet *fleet)
{
    struct net_address address = fleet->config->first;
    if (!fleet->config->shared_listeners)
        net_local(fleet->devices[0].listener.socket, &address);
    return net_address_port(&address);
}

const struct protocol_stats *fleet_total(const struct fleet *fleet)
{
    return &fleet->connections.runs.total;
}

/* ---- running ---- */

void fleet_run(struct fleet *fleet)
{
    struct connections *connections = &fleet->connections;
    bool tapes_left = false;
    while (!os_interrupted()) {
        loop_round(&fleet->loop, tapes_left ? 0 : wait_ns_max);
        tapes_left = tapes_make(connections->tapes);
        if (!tapes_left)
            connections_start(connections);
        connections_free(connections);
    }
}
