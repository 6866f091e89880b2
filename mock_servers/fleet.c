/* Opening the devices, and the loop that serves them. */
#include "mock_servers/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/device.h"
#include "mock_servers/startup.h"

enum { EVERY_ADDRESS = 0 };

/* How long the loop waits at most: os_interrupted is checked again, even if the signal was lost. */
static const uint64_t wait_ns_max = 100 * OS_NS_PER_MS;

struct fleet {
    const struct fleet_config *config;
    struct listener_config listen;
    struct loop loop;
    struct connections connections;
    const struct fault **faults; /* by server; NULL: none */
    struct device *devices;
    struct listener *listeners; /* --listeners shared: one for each port */
};

uint64_t fleet_port_count(const struct fleet_config *config)
{
    return config->ports_per_address < config->count ? config->ports_per_address : config->count;
}

uint64_t fleet_listeners(const struct fleet_config *config)
{
    return config->shared_listeners ? fleet_port_count(config) : config->count;
}

/* Of a shared listener: which device a connection is for follows from the address that the client
 * connected to. Other addresses of this computer have none. */
static struct endpoint *endpoint_of(void *owner, intptr_t socket)
{
    const struct fleet *fleet = owner;
    const struct fleet_config *config = fleet->config;
    struct net_address address;
    if (net_local(socket, &address) < 0)
        return NULL;
    uint64_t host = (uint64_t)net_address_host(&address) - config->host;
    uint64_t port = net_address_port(&address) - config->port;
    uint64_t each = config->ports_per_address;
    if (port >= each || host >= config->count || host * each + port >= config->count)
        return NULL; /* also what lies before the first: it has wrapped around */
    return &fleet->devices[host * each + port].endpoint;
}

/* ---- opening ---- */

static int listeners_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    for (uint64_t i = 0; i < fleet_listeners(config); i++) {
        struct listener *shared = config->shared_listeners ? &fleet->listeners[i] : NULL;
        uint32_t host = config->host + (uint32_t)(i / config->ports_per_address);
        uint16_t port = (uint16_t)(config->port + i % config->ports_per_address);
        const struct net_address address = net_ipv4(shared ? EVERY_ADDRESS : host, port);
        if (shared)
            *shared = (struct listener){.endpoint_of = endpoint_of, .owner = fleet};
        int result = shared ? listener_open(shared, &fleet->loop, &fleet->listen, &address)
                            : device_open(&fleet->devices[i], &fleet->listen, &address);
        if (result < 0)
            return startup_cannot_listen(&address, result, why, why_bytes);
    }
    return 0;
}

static int parts_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    const bool uses_default = strcmp(config->congestion, "system") == 0;
    fleet->listen = (struct listener_config){
        .backlog = (int)config->backlog,
        .tuning = {.send_buffer_bytes = (int)config->send_buffer_bytes,
                   .congestion = uses_default ? NULL : config->congestion},
    };
    int opened =
        connections_init(&fleet->connections, &fleet->loop, &config->login, config->tape_cap_bytes);
    fleet->faults = calloc(config->count, sizeof *fleet->faults);
    fleet->devices = calloc(config->count, sizeof *fleet->devices);
    fleet->listeners = calloc(fleet_listeners(config), sizeof *fleet->listeners);
    if (loop_open(&fleet->loop) < 0 || opened < 0 || fleet->faults == NULL ||
        fleet->devices == NULL || fleet->listeners == NULL)
        return why_write(why, why_bytes, "no memory or no descriptor for %llu servers",
                         (unsigned long long)config->count);
    int result = faults_spread(&config->faults, config->count, fleet->faults, why, why_bytes);
    for (uint64_t i = 0; i < config->count; i++)
        fleet->devices[i].endpoint = (struct endpoint){
            .connections = &fleet->connections, .fault = fleet->faults[i], .number = (uint32_t)i};
    return result;
}

struct fleet *fleet_open(const struct fleet_config *config, char *why, size_t why_bytes)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        snprintf(why, why_bytes, "no memory");
        return NULL;
    }
    fleet->config = config;
    if (parts_open(fleet, why, why_bytes) < 0 || listeners_open(fleet, why, why_bytes) < 0) {
        fleet_close(fleet);
        return NULL;
    }
    return fleet;
}

void fleet_close(struct fleet *fleet)
{
    connections_end(&fleet->connections);
    for (uint64_t i = 0; fleet->devices != NULL && i < fleet->config->count; i++)
        device_close(&fleet->devices[i]);
    for (uint64_t i = 0; fleet->listeners != NULL && i < fleet_listeners(fleet->config); i++)
        listener_close(&fleet->listeners[i]);
    free(fleet->listeners);
    free(fleet->devices);
    free(fleet->faults);
    loop_close(&fleet->loop);
    free(fleet);
}

int fleet_port(const struct fleet *fleet)
{
    struct net_address address;
    if (fleet->config->port > 0)
        return (int)fleet->config->port;
    net_local(fleet->devices[0].listener.socket, &address);
    return net_address_port(&address);
}

uint64_t fleet_identity(const struct fleet *fleet)
{
    return fleet->connections.identity;
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
