#include "mock_servers/fleet.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/connection.h"
#include "mock_servers/device.h"
#include "mock_servers/listener.h"

enum {
    EVERY_ADDRESS = 0,
    EVENTS_MAX = 256,
    WAIT_NS_MAX =
        100 * OS_NS_PER_MS, /* then os_interrupted is asked again, whatever became of the signal */
};

static uint64_t ports_each(const struct fleet_config *config)
{
    return config->ports_per_address > 0 ? config->ports_per_address : config->count;
}

struct net_address fleet_address(const struct fleet_config *config, uint64_t server)
{
    uint64_t each = ports_each(config);
    return net_address_at(&config->first, (uint32_t)(server / each),
                          (uint16_t)(net_address_port(&config->first) + server % each));
}

struct device *fleet_device_at(const struct fleet *fleet, const struct net_address *address)
{
    const struct fleet_config *config = fleet->config;
    uint64_t each = ports_each(config);
    uint32_t host = net_address_host(address), first_host = net_address_host(&config->first);
    uint32_t port = net_address_port(address), first_port = net_address_port(&config->first);
    uint64_t server = (uint64_t)(host - first_host) * each + port - first_port;
    return host >= first_host && port >= first_port && port - first_port < each &&
                   server < fleet->opened
               ? &fleet->devices[server]
               : NULL;
}

uint64_t fleet_listeners(const struct fleet_config *config)
{
    uint64_t each = ports_each(config);
    return config->shared_listeners && each < config->count ? each : config->count;
}

/* ---- opening ---- */

static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "it is in use; another --port, or ending what listens there, would be right";
    case EADDRNOTAVAIL:
        return "it is no address of this machine; see --listen";
    case EACCES:
        return "ports below 1024 want privileges; a higher --port would be right";
    case EMFILE:
        return "the process is out of descriptors; fewer servers, or a higher ulimit -n";
    case ENFILE:
        return "the system is out of descriptors; see sysctl fs.file-max";
    case ENOENT:
        return "the kernel has no such congestion control; see --congestion and sysctl "
               "net.ipv4.tcp_available_congestion_control";
    case ENOSPC:
        return "too many descriptors are waited for; see sysctl fs.epoll.max_user_watches";
    default:
        return strerror(error);
    }
}

static int cannot_listen(const struct net_address *address, int error, char *why, size_t why_bytes)
{
    char text[NET_TEXT_BYTES];
    snprintf(why, why_bytes, "cannot listen on %s: %s", net_address_text(address, text),
             advice(error));
    return -1;
}

static int listeners_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    if (!config->shared_listeners)
        return 0;
    for (uint64_t i = 0; i < fleet_listeners(config); i++) {
        struct net_address address =
            net_ipv4(EVERY_ADDRESS, (uint16_t)(net_address_port(&config->first) + i));
        int result = listener_open(&fleet->listeners[i], fleet, &address);
        if (result < 0)
            return cannot_listen(&address, -result, why, why_bytes);
        fleet->listening++;
    }
    return 0;
}

static int devices_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    for (uint64_t i = 0; i < config->count; i++) {
        struct net_address address = fleet_address(config, i);
        int result =
            device_open(&fleet->devices[i], fleet, (uint32_t)i, &address, fleet->faults[i]);
        if (result < 0)
            return cannot_listen(&address, -result, why, why_bytes);
        fleet->opened++;
    }
    return 0;
}

static int parts_open(struct fleet *fleet, char *why, size_t why_bytes)
{
    const struct fleet_config *config = fleet->config;
    fleet->watch = net_watch_open(NET_EDGE);
    fleet->tapes = tapes_open(config->tape_cap_bytes);
    fleet->faults = calloc(config->count, sizeof *fleet->faults);
    fleet->devices = calloc(config->count, sizeof *fleet->devices);
    if (config->shared_listeners)
        fleet->listeners = calloc(fleet_listeners(config), sizeof *fleet->listeners);
    if (fleet->watch == NULL || fleet->tapes == NULL || fleet->faults == NULL ||
        fleet->devices == NULL || (config->shared_listeners && fleet->listeners == NULL) ||
        timers_reserve(&fleet->timers, config->count) < 0) {
        snprintf(why, why_bytes, "no memory or no descriptor for %llu servers",
                 (unsigned long long)config->count);
        return -1;
    }
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
    fleet->identity = os_identity();
    list_init(&fleet->turns);
    list_init(&fleet->waiting);
    list_init(&fleet->connections);
    list_init(&fleet->closed);
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
    connections_close(fleet);
    while (fleet->opened > 0)
        device_close(&fleet->devices[--fleet->opened]);
    while (fleet->listening > 0)
        listener_close(&fleet->listeners[--fleet->listening]);
    free(fleet->listeners);
    free(fleet->devices);
    free(fleet->faults);
    free(fleet->scratch.data);
    tapes_close(fleet->tapes);
    timers_end(&fleet->timers);
    net_watch_close(fleet->watch);
    free(fleet);
}

int fleet_port(const struct fleet *fleet)
{
    const struct fleet_config *config = fleet->config;
    struct net_address address = config->first;

    if (!config->shared_listeners)
        net_local(fleet->devices[0].listener, &address);
    return net_address_port(&address);
}

/* ---- running ---- */

static uint64_t wait_ns(const struct fleet *fleet, bool tapes_left)
{
    uint64_t now_ns = os_now_ns(), next_ns = timers_next_ns(&fleet->timers);
    if (tapes_left || list_first(&fleet->turns) != NULL || next_ns <= now_ns)
        return 0;
    return next_ns - now_ns < WAIT_NS_MAX ? next_ns - now_ns : WAIT_NS_MAX;
}

static void events_serve(struct fleet *fleet, uint64_t timeout_ns)
{
    struct net_event events[EVENTS_MAX];
    int count = net_watch_wait(fleet->watch, events, EVENTS_MAX, timeout_ns);
    for (int i = 0; i < count; i++) {
        struct actor *actor = LIST_MEMBER(events[i].watched, struct actor, watched);
        actor->act(actor, events[i].signs);
    }
}

static void timers_serve(struct fleet *fleet)
{
    uint64_t now_ns = os_now_ns();
    struct timer *timer;
    while ((timer = timers_take(&fleet->timers, now_ns)) != NULL) {
        struct actor *actor = (struct actor *)timer;
        actor->act(actor, 0);
    }
}

/* One turn for each that waited for one when it began; who asks for another gets it in the next
 * round. */
static void turns_serve(struct fleet *fleet)
{
    struct link *last = fleet->turns.before, *link;
    bool is_last = false;
    while (!is_last && (link = list_first(&fleet->turns)) != NULL) {
        struct actor *actor = LIST_MEMBER(link, struct actor, turn);
        is_last = link == last;
        list_remove(link);
        actor->act(actor, 0);
    }
}

void fleet_run(struct fleet *fleet)
{
    bool tapes_left = false;
    while (!os_interrupted()) {
        events_serve(fleet, wait_ns(fleet, tapes_left));
        timers_serve(fleet);
        turns_serve(fleet);
        tapes_left = tapes_make(fleet->tapes);
        if (!tapes_left)
            connections_start(fleet);
        connections_free(fleet);
    }
}
