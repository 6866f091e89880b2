/* Checks the hosts of a fleet: whether each can be reached, runs this version, has the limits, the
 * address and the way to this computer that its servers need. */
#include "scenarios/sweep/hosts_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock_offset.h"
#include "base/options.h"
#include "scenarios/sweep/check.h"
#include "scenarios/sweep/record.h"

enum {
    CONNECT_MS_MAX = 3000,
    OTHER_DESCRIPTORS = 64, /* as fanin-servers has it, beside a listener and a connection each */
};

/* ---- the way there ---- */

struct route route_measure(const struct net_address *address)
{
    struct route route = {.error = 0};
    intptr_t handle;
    route.error = net_connect(address, (uint64_t)CONNECT_MS_MAX * OS_NS_PER_MS, &handle);
    if (route.error != 0)
        return route;
    route.connected = true;
    struct clock_offset clock;
    route.error = clock_offset_ask(&clock, handle, (uint64_t)CONNECT_MS_MAX * OS_NS_PER_MS);
    route.round_trip_ns = (uint64_t)(clock.fleet.max_ns - clock.fleet.min_ns);
    route.clock_offset_ns = clock.fleet.min_ns + (int64_t)(route.round_trip_ns / 2);
    net_close(handle);
    return route;
}

/* ---- what is wrong, and what to do ---- */

/* What a host or its launcher says, by a piece of it; the first one that is found counts. */
static const struct {
    const char *sign, *what, *advice;
} signs[] = {
    {"Permission denied", "login", "let it log you in without a password: ssh-copy-id %s"},
    {"Host key verification", "login", "accept its key once: ssh %s"},
    {"Could not resolve", "login", "no such name: correct --hosts"},
    {"not resolve", "login", "no such name: correct --hosts"},
    {"job allocation", "job", "run it in a job of Slurm: salloc or sbatch, with a node more (-N5)"},
    {"not found", "version", "build the same commit on %s, at the same path"},
    {"No such file", "version", "build the same commit on %s, at the same path"},
    {"unknown option", "version", "build the same commit on %s, at the same path"},
    {"--listen", "address", "name the network of %s with --network"},
    {"descriptors", "limits",
     "raise the hard limit on %s (/etc/security/limits.conf, LimitNOFILE), or take fewer servers"},
    {"in use", "ports", "end what listens there, or take other ports: --port"},
    {"No route to host", "login", "is %s on, and in this network?"},
    {"timed out", "login", "is %s on, and does its firewall let you in?"},
    {"refused", "login", "does the launcher's daemon run on %s?"},
};

static const char *advice_on(struct arena *arena, const struct host_view *view, const char **what)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const char *name = strstr(signs[i].advice, "%s");
        if (strstr(view->failed, signs[i].sign) == NULL)
            continue;
        *what = signs[i].what;
        if (name == NULL)
            return signs[i].advice;
        return arena_text(arena, "%.*s%s%s", (int)(name - signs[i].advice), signs[i].advice,
                          view->name, name + 2);
    }
    *what = "login";
    return arena_text(arena, "try it by hand: %s", view->launcher);
}

static const char *why_no_route(struct arena *arena, const struct host_view *view)
{
    const struct route *route = &view->route;
    const char *advice = "does the way lead through a firewall, or is --network another one?";
    const char *why = strerror(-route->error);
    if (route->error == -EPROTO) {
        why = "what listens there is no server of ours";
        advice = "take other ports: --port";
    } else if (route->error == -ETIMEDOUT || route->error == -ECONNREFUSED) {
        advice = arena_text(
            arena, "open TCP ports %" PRIu64 " to %" PRIu64 " of %s for this computer's address",
            view->port, view->port + view->servers - 1, view->name);
    }
    return arena_text(arena, "route: %s:%" PRIu64 " %s: %s; %s", view->address, view->port,
                      route->connected ? "does not tell its time" : "cannot be connected", why,
                      advice);
}

/* NULL: nothing is. */
static const char *what_is_wrong(struct arena *arena, const struct host_view *view)
{
    uint64_t descriptors = 2 * view->servers + OTHER_DESCRIPTORS;
    if (view->failed != NULL) {
        const char *what, *advice = advice_on(arena, view, &what);
        return arena_text(arena, "%s: %s; %s", what, view->failed, advice);
    }
    if (strcmp(view->commit, view->own_commit) != 0)
        return arena_text(arena, "version: it has commit %s, and this is %s; build the same there",
                          view->commit, view->own_commit);
    if (view->descriptors != 0 && view->descriptors < descriptors)
        return arena_text(arena,
                          "limits: %" PRIu64 " descriptors of the %" PRIu64 " that %" PRIu64
                          " servers need; raise the hard limit there "
                          "(/etc/security/limits.conf, LimitNOFILE), or take fewer servers",
                          view->descriptors, descriptors, view->servers);
    return view->route.error != 0 ? why_no_route(arena, view) : NULL;
}

/* ---- the line ---- */

static const char *milliseconds(struct arena *arena, uint64_t ns)
{
    return arena_text(arena, "%.3f ms", (double)ns / OS_NS_PER_MS);
}

static const char *what_is_right(struct arena *arena, const struct host_view *view)
{
    const struct route *route = &view->route;
    int64_t offset_ns = route->clock_offset_ns;
    bool behind = offset_ns < 0;
    const char *speed = strcmp(view->speed_mbit, "unknown") == 0
                            ? ""
                            : arena_text(arena, " of %s Mbit/s", view->speed_mbit);
    return arena_text(
        arena, "ok: %s on %s%s, round trip %s, clock %s %s (+-%s)%s, %" PRIu64 " descriptors",
        view->address, view->interface, speed, milliseconds(arena, route->round_trip_ns),
        milliseconds(arena, (uint64_t)(behind ? -offset_ns : offset_ns)),
        behind ? "behind" : "ahead", milliseconds(arena, route->round_trip_ns / 2),
        strcmp(view->clock, "free") == 0 ? ", which nothing synchronises" : "", view->descriptors);
}

bool host_view_line(struct arena *arena, const struct host_view *view, const char **line)
{
    const char *wrong = what_is_wrong(arena, view);
    *line =
        arena_text(arena, "%s  %s", view->name, wrong != NULL ? wrong : what_is_right(arena, view));
    return wrong == NULL;
}

/* ---- a fleet ---- */

#define READY_NS_MAX ((uint64_t)60 * OS_NS_PER_S)

/* One host, looked at by a thread of its own: one that does not answer delays no other. */
struct look {
    struct arena arena;
    struct host_view view;
    pthread_t thread;
    bool started;
};

/* A firewall may let some ports through, so the last server is asked, too. */
static void *measure(void *context)
{
    struct look *look = context;
    struct host_view *view = &look->view;
    const uint64_t ports[] = {view->port + view->servers - 1, view->port};
    for (unsigned i = 0; i < 2 && view->route.error == 0; i++) {
        struct net_address address;
        if (net_numeric(view->address, (uint16_t)ports[i], &address))
            view->route = route_measure(&address);
        else
            view->route.error = -EAFNOSUPPORT;
    }
    return NULL;
}

static const char *fact_or_unknown(struct arena *arena, const struct host *host, const char *key)
{
    const char *value = host_fact(arena, host, key);
    return value == NULL ? "unknown" : value;
}

/* What starts something on the host, for a person to try. */
static const char *launcher_by_hand(struct arena *arena, const struct cell *cell, const char *name)
{
    struct command command = command_begin(arena, "true");
    command =
        launcher_command(arena, cell->launcher, name, cell->host_names, cell->host_count, &command);
    return command_shell(arena, &command);
}

static struct host_view view_of(struct arena *arena, const struct cell *cell,
                                const struct host *host, unsigned index)
{
    struct host_view view = {
        .name = *host->name != '\0' ? arena_text(arena, "%s", host->name)
                                    : arena_text(arena, "host %u", index + 1),
        .failed = host->failure == NULL ? NULL : arena_text(arena, "%s", host->failure),
        .own_commit = record_commit()};
    view.launcher = launcher_by_hand(arena, cell, view.name);
    if (!host->ready)
        return view;
    view.address = arena_text(arena, "%s", host->address);
    view.commit = arena_text(arena, "%s", host->commit);
    view.clock = fact_or_unknown(arena, host, "clock");
    view.interface = fact_or_unknown(arena, host, "interface");
    view.speed_mbit = fact_or_unknown(arena, host, "speed_mbit");
    view.port = host->port;
    view.servers = host->count;
    view.descriptors = strtoull(fact_or_unknown(arena, host, "descriptors"), NULL, 10);
    return view;
}

static void look_at(struct look *look, const struct cell *cell, const struct host *host,
                    unsigned index)
{
    look->view = view_of(&look->arena, cell, host, index);
    if (look->view.failed != NULL)
        return;
    look->started = os_thread_start(&look->thread, "fanin-check", 0, measure, look) == 0;
    if (!look->started)
        measure(look);
}

static bool print_look(struct look *look, FILE *out)
{
    const char *line;
    if (look->started)
        pthread_join(look->thread, NULL);
    bool good = host_view_line(&look->arena, &look->view, &line);
    fprintf(out, "%s\n", line);
    arena_free(&look->arena);
    return good;
}

/* Whether all are well. */
static bool look_at_all(struct arena *arena, const struct cell *cell, struct hosts *hosts,
                        FILE *out)
{
    unsigned count = hosts_count(hosts), good = 0;
    struct look *looks = arena_take(arena, count * sizeof *looks);
    for (unsigned i = 0; i < count; i++) {
        struct host host = hosts_get(hosts, i);
        look_at(&looks[i], cell, &host, i);
    }
    for (unsigned i = 0; i < count; i++)
        good += print_look(&looks[i], out);
    return good == count;
}

static void remove_logs(struct arena *arena, const struct cell *cell, const char *log)
{
    for (unsigned i = 0; cell->launcher->each && i < cell->host_count; i++)
        remove(arena_text(arena, "%s-%s.txt", log, cell->host_names[i]));
    remove(arena_text(arena, "%s.txt", log));
    remove(log);
}

static int check_fleet(struct arena *arena, const struct fleet *fleet, const char *log, FILE *out,
                       struct error *error)
{
    const struct cell *cell = fleet->cell;
    const struct command servers = fleet_command(arena, fleet);
    const struct hosts_request request = {.launcher = cell->launcher,
                                          .names = cell->host_names,
                                          .count = cell->host_count,
                                          .servers = &servers,
                                          .log = log};
    struct hosts *hosts = hosts_start(&request, error);
    if (hosts == NULL)
        return EXIT_MACHINE_CANNOT;
    fprintf(out, "%u host%s by %s, %" PRIu64 " servers each:\n", cell->host_count,
            cell->host_count == 1 ? "" : "s", cell->launcher->name, fleet_servers_each(fleet));
    hosts_await(hosts, READY_NS_MAX, READY_NS_MAX);
    int result = EXIT_MEASURED_FAILURE;
    if (!os_interrupted())
        result = look_at_all(arena, cell, hosts, out) ? EXIT_DONE : EXIT_MACHINE_CANNOT;
    hosts_end(hosts);
    return result;
}

bool hosts_check_needed(const struct fleets *fleets)
{
    for (unsigned i = 0; i < fleets->count; i++) {
        if (fleets->items[i]->cell->launcher != NULL)
            return true;
    }
    return false;
}

int hosts_check(struct arena *arena, const struct fleets *fleets, FILE *out, struct error *error)
{
    int worst = EXIT_DONE;
    for (unsigned i = 0; i < fleets->count && worst != EXIT_MEASURED_FAILURE; i++) {
        const struct fleet *fleet = fleets->items[i];
        if (fleet->cell->launcher == NULL)
            continue;
        const char *log = check_make_log(arena, error);
        int result = log == NULL ? EXIT_MACHINE_CANNOT : check_fleet(arena, fleet, log, out, error);
        if (log != NULL)
            remove_logs(arena, fleet->cell, log);
        if (result != EXIT_DONE)
            worst = result;
        if (error->text[0] != '\0')
            break;
    }
    return worst;
}
