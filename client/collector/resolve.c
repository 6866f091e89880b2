/* The addresses of the servers' names: found side by side, tried in turn. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/progress.h"
#include "client/collector/servers.h"

enum { THREADS_MAX = 16, WORDS_BYTES_MAX = 256, LOOK_AGAIN_MS = 100 };

#define ROLE "fanin-resolver"

/* ---- names ----------------------------------------------------------------------------------- */

/* What the threads share: names that differ, which each takes from in turn. */
struct resolution {
    struct server_name **names;
    uint32_t count;
    _Atomic uint32_t next, done;
    struct os_parker main;
};

static void *resolve(void *argument)
{
    struct resolution *all = argument;
    char words[WORDS_BYTES_MAX];
    for (uint32_t i; (i = atomic_fetch_add(&all->next, 1)) < all->count;) {
        struct server_name *name = all->names[i];
        name->count = net_resolve(name->host, &name->addresses, words, sizeof words);
        if (name->count == 0)
            name->words = strdup(words);
        atomic_fetch_add(&all->done, 1);
        os_unpark(&all->main);
    }
    return NULL;
}

static void await_all(struct resolution *all, bool quiet)
{
    const uint64_t began_ns = os_now_ns();
    struct progress progress;
    uint32_t done;
    progress_start(&progress, stderr, quiet, began_ns);
    while ((done = atomic_load(&all->done)) < all->count) {
        char what[64];
        os_park(&all->main, (uint64_t)LOOK_AGAIN_MS * OS_NS_PER_MS);
        uint64_t now_ns = os_now_ns();
        if (now_ns - began_ns < PROGRESS_AFTER_MS * (uint64_t)OS_NS_PER_MS)
            continue;
        snprintf(what, sizeof what, "resolving  %u/%u names", done, all->count);
        progress_show(&progress, now_ns, what, (double)done / all->count, UINT64_MAX);
    }
    progress_end(&progress);
}

/* Without a thread it resolves them here. */
static void resolve_all(struct resolution *all, bool quiet)
{
    pthread_t threads[THREADS_MAX];
    unsigned started = 0;
    while (started < THREADS_MAX && started < all->count &&
           os_thread_start(&threads[started], ROLE, 0, resolve, all) == 0)
        started++;
    if (started == 0)
        resolve(all);
    await_all(all, quiet);
    while (started > 0)
        pthread_join(threads[--started], NULL);
}

static int compare_hosts(const void *left, const void *right)
{
    const struct server_name *a = *(struct server_name *const *)left;
    const struct server_name *b = *(struct server_name *const *)right;
    int order = strcmp(a->host, b->host);
    return order != 0 ? order : (a > b) - (a < b);
}

/* Keeps the first name of each host. Returns how many there are. */
static uint32_t keep_different(struct servers *servers, struct server_name **names)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < servers->name_count; i++)
        names[i] = &servers->names[i];
    qsort(names, servers->name_count, sizeof *names, compare_hosts);
    for (uint32_t i = 0; i < servers->name_count; i++) {
        if (kept == 0 || strcmp(names[kept - 1]->host, names[i]->host) != 0)
            names[kept++] = names[i];
        else
            names[i]->first = names[kept - 1]->first;
    }
    return kept;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static struct server_route *route_of(const struct servers *servers, uint32_t index)
{
    assert(index < servers->count);
    struct server_route *route = servers->routes != NULL ? &servers->routes[index] : NULL;
    return route != NULL && route->name > 0 ? route : NULL;
}

static const struct server_name *name_of(const struct servers *servers,
                                         const struct server_route *route)
{
    return &servers->names[servers->names[route->name - 1].first];
}

struct net_address servers_address(const struct servers *servers, uint32_t index)
{
    const struct server_route *route = route_of(servers, index);
    const struct server_name *name = route != NULL ? name_of(servers, route) : NULL;
    if (name != NULL && name->count > 0)
        return net_address_at(&name->addresses[route->at], route->steps, route->port);
    if (servers->addresses != NULL)
        return servers->addresses[index];
    const uint32_t steps = index / servers->servers_per_address;
    const uint32_t port = net_address_port(&servers->first) + index % servers->servers_per_address;
    return net_address_at(&servers->first, steps, (uint16_t)port);
}

int servers_resolve(struct servers *servers, const struct collector_options *options, char *why,
                    size_t why_bytes)
{
    if (servers->name_count == 0)
        return 0;
    struct resolution all = {.names = calloc(servers->name_count, sizeof *all.names)};
    if (all.names == NULL)
        return why_write(why, why_bytes, "--servers: no memory for the names");
    all.count = keep_different(servers, all.names);
    resolve_all(&all, options->quiet);
    free(all.names);
    if (servers->is_block && servers->names[0].count == 0)
        return why_write(why, why_bytes, "--address: cannot resolve '%s': %s", options->address,
                         servers_words(servers, 0));
    return 0;
}

void servers_retry(struct servers *servers, uint32_t index)
{
    struct server_route *route = route_of(servers, index);
    if (route != NULL)
        route->failed = 0;
}

bool servers_next(struct servers *servers, uint32_t index)
{
    struct server_route *route = route_of(servers, index);
    const struct server_name *name = route != NULL ? name_of(servers, route) : NULL;
    if (name == NULL || name->count < 2)
        return false;
    route->failed++;
    route->at = (uint16_t)((route->at + 1U) % name->count);
    return route->failed < name->count;
}

const char *servers_words(const struct servers *servers, uint32_t index)
{
    const struct server_route *route = route_of(servers, index);
    const struct server_name *name = route != NULL ? name_of(servers, route) : NULL;
    if (name == NULL || name->count > 0)
        return NULL;
    return name->words != NULL ? name->words : "no memory for the resolver's words";
}

const char *servers_text(const struct servers *servers, uint32_t index,
                         char text[SERVER_TEXT_BYTES])
{
    const struct server_route *route = route_of(servers, index);
    const struct server_name *name = route != NULL ? name_of(servers, route) : NULL;
    const struct net_address found = servers_address(servers, index);
    char address[NET_TEXT_BYTES] = "";
    if (name == NULL || name->count > 0)
        net_address_text(&found, address);
    if (name == NULL)
        snprintf(text, SERVER_TEXT_BYTES, "%s", address);
    else if (name->count > 0)
        snprintf(text, SERVER_TEXT_BYTES, "%s (%s)", address, name->host);
    else
        snprintf(text, SERVER_TEXT_BYTES, "%s:%u", name->host, route->port);
    return text;
}
