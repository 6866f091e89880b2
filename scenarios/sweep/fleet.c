/* Plans, starts and stops the fleets of mock servers. */
#include "scenarios/sweep/fleet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/options.h"
#include "scenarios/sweep/command.h"
#include "scenarios/sweep/cpu_share.h"
#include "scenarios/sweep/output_dir.h"

enum { PORT_MAX = 65535 };

#define START_NS_MAX  ((uint64_t)60 * OS_NS_PER_S)
#define STOP_GRACE_NS ((uint64_t)2 * OS_NS_PER_S)
#define LOOK_AGAIN_NS ((uint64_t)2 * OS_NS_PER_MS)

/* ---- which fleets ---- */

static bool has_hosts_of(const struct cell *one, const struct cell *other)
{
    return one->launcher == NULL || other->launcher == NULL
               ? one->launcher == other->launcher
               : strcmp(one->launcher_asked, other->launcher_asked) == 0 &&
                     strcmp(one->hosts_asked, other->hosts_asked) == 0 &&
                     strcmp(one->network, other->network) == 0;
}

/* Screens connect to their viewer, all of them, so a fleet of them has as many as the cell asks. */
static bool serves(const struct fleet *fleet, const struct cell *cell)
{
    return strcmp(fleet->cell->fleet_options, cell->fleet_options) == 0 &&
           strcmp(fleet->cell->servers_program, cell->servers_program) == 0 &&
           fleet->cell->port == cell->port && fleet->link == cell->link &&
           fleet->cell->screens == cell->screens && has_hosts_of(fleet->cell, cell) &&
           (!cell->screens || fleet->count == cell->servers);
}

static struct fleet *find_or_add(struct arena *arena, struct fleets *fleets, struct cell *cell)
{
    for (unsigned i = 0; i < fleets->count; i++) {
        if (serves(fleets->items[i], cell))
            return fleets->items[i];
    }
    struct fleet *fleet = arena_take(arena, sizeof *fleet);
    *fleet = (struct fleet){
        .cell = cell, .link = cell->link, .number = fleets->count + 1, .all = fleets};
    fleets->items = arena_grow(arena, fleets->items, fleets->count, sizeof(struct fleet *));
    fleets->items[fleets->count++] = fleet;
    return fleet;
}

uint64_t fleet_ports(const struct fleet *fleet)
{
    uint64_t each = fleet->cell->ports_per_address;
    if (fleet->cell->launcher != NULL)
        return fleet_servers_each(fleet);
    return each != 0 && each < fleet->count ? each : fleet->count;
}

static bool collide(const struct fleet *a, const struct fleet *b)
{
    return a->link == NULL && b->link == NULL &&
           (a->cell->launcher == NULL) == (b->cell->launcher == NULL) &&
           a->base < b->base + fleet_ports(b) && b->base < a->base + fleet_ports(a);
}

/* The first range from the base on that no earlier fleet of the same namespace has. */
static void place_fleet(const struct fleets *fleets, struct fleet *fleet)
{
    fleet->base = fleet->cell->port;
    for (unsigned i = 0; fleets->items[i] != fleet;) {
        const struct fleet *other = fleets->items[i++];
        if (collide(fleet, other)) {
            fleet->base = other->base + fleet_ports(other);
            i = 0;
        }
    }
}

int fleets_plan(struct arena *arena, const struct cells *cells, struct fleets *fleets,
                struct error *error)
{
    for (unsigned i = 0; i < cells->count; i++) {
        struct cell *cell = cells->items[i];
        if (cell->servers == 0)
            continue;
        cell->fleet = find_or_add(arena, fleets, cell);
        if (cell->fleet->count < cell->servers)
            cell->fleet->count = cell->servers;
    }
    for (unsigned i = 0; i < fleets->count; i++) {
        const struct fleet *fleet = fleets->items[i];
        place_fleet(fleets, fleets->items[i]);
        if (fleet->base + fleet_ports(fleet) - 1 > PORT_MAX)
            return error_set(
                error, &fleet->cell->place,
                "%llu servers from port %llu exceed port %d; use fewer servers, a lower "
                "port, or fleet.ports-per-address",
                (unsigned long long)fleet->count, (unsigned long long)fleet->base, PORT_MAX);
    }
    return 0;
}

/* ---- running them ---- */

const char *fleet_last_words(struct arena *arena, const struct fleet *fleet)
{
    const char *line = command_last_line(arena, fleet->log_path);
    return *line == '\0' && fleet->link != NULL ? command_last_line(arena, fleet->link_log_path)
                                                : line;
}

/* On a link the exit code is fanin-lan's, whose log says how the servers ended. */
static int servers_exit_code(struct arena *arena, const struct fleet *fleet, int exit_code)
{
    static const struct {
        const char *said;
        int base;
    } endings[] = {{"the far command ended with exit code ", 0},
                   {"the far command was killed by signal ", EXIT_SIGNAL_BASE}};
    const char *line = fleet->link == NULL ? "" : command_last_line(arena, fleet->link_log_path);
    for (unsigned i = 0; i < 2; i++) {
        const char *at = strstr(line, endings[i].said);
        int number;
        if (at != NULL && sscanf(at + strlen(endings[i].said), "%d", &number) == 1)
            return endings[i].base + number;
    }
    return exit_code;
}

const char *fleet_ending(struct arena *arena, const struct fleet *fleet, int exit_code)
{
    exit_code = servers_exit_code(arena, fleet, exit_code);
    return exit_code == EXIT_DONE ? "exit code 0: a signal told them to end, and not the sweep"
                                  : command_ending(arena, exit_code);
}

static int explain_end(struct arena *arena, const struct fleet *fleet, int exit_code,
                       struct error *error)
{
    const char *line = fleet_last_words(arena, fleet);
    exit_code = servers_exit_code(arena, fleet, exit_code);
    if (exit_code == EXIT_WRONG_USE) {
        struct place place = command_place(arena, fleet->cell, true, line);
        error_set(error, &place, "%s", line);
        return EXIT_WRONG_USE;
    }
    struct place place = cell_place(fleet->cell, "port");
    error_set(
        error, &place,
        "the servers on ports %llu to %llu did not start (%s): %s; the key port (--port=BASE) "
        "moves them",
        (unsigned long long)fleet->base, (unsigned long long)(fleet->base + fleet_ports(fleet) - 1),
        fleet_ending(arena, fleet, exit_code), line);
    return EXIT_MACHINE_CANNOT;
}

static int await_ready(struct arena *arena, struct fleet *fleet, struct error *error)
{
    uint64_t deadline_ns = os_active_ns() + START_NS_MAX;
    int exit_code = 0;
    while (!file_is_readable(fleet->ready_path)) {
        if (os_process_wait(&fleet->process, LOOK_AGAIN_NS, &exit_code) == 1) {
            fleet->running = false;
            return explain_end(arena, fleet, exit_code, error);
        }
        if (os_interrupted())
            return EXIT_MEASURED_FAILURE;
        if (os_active_ns() > deadline_ns) {
            error_set(error, &fleet->cell->place,
                      "the servers were not ready within %llu s; see %s",
                      (unsigned long long)(START_NS_MAX / OS_NS_PER_S), fleet->log_path);
            return EXIT_MACHINE_CANNOT;
        }
    }
    return EXIT_DONE;
}

struct command fleet_command(struct arena *arena, const struct fleet *fleet)
{
    struct command command = command_begin(arena, fleet->cell->servers_program);
    for (unsigned i = 0; i < fleet->cell->pair_count; i++) {
        const struct pair *pair = &fleet->cell->pairs[i];
        const char *option = key_fleet_option(pair->key);
        if (option != NULL)
            command_add(arena, &command, "--%s=%s", option, pair->value);
    }
    const bool hosted = fleet->cell->launcher != NULL;
    command_add(arena, &command, "--count=%llu",
                (unsigned long long)(hosted ? fleet_servers_each(fleet) : fleet->count));
    command_add(arena, &command, "--port=%llu", (unsigned long long)fleet->base);
    if (hosted) {
        command_add(arena, &command, "--listen=net:%s", fleet->cell->network);
        command_add(arena, &command, "--hosted");
    }
    return command;
}

/* The servers log to a file of their own, not fanin-lan's. */
static struct command far_command(struct arena *arena, const struct fleet *fleet,
                                  const struct command *servers, const char *stats_path)
{
    struct command command = link_command(arena, fleet->link), log = {0};
    command_add(arena, &log, "%s", fleet->log_path);
    command_add(arena, &command, "--quiet");
    command_add(arena, &command, "--stats=%s", stats_path);
    command_add(arena, &command, "--far=exec %s --listen=\"$FANIN_FAR\" >>%s 2>&1",
                command_shell(arena, servers), command_shell(arena, &log));
    return command;
}

int fleet_start(struct arena *arena, struct fleet *fleet, const char *directory,
                struct error *error)
{
    if (fleet->running)
        return EXIT_DONE;
    if (fleet->cell->launcher != NULL)
        return fleet_start_hosts(arena, fleet, directory, error);
    const char *log = arena_text(arena, "%s/log/fleet-%u", directory, fleet->number);
    fleet->ready_path = arena_text(arena, "%s/fleet-%u.ready", directory, fleet->number);
    fleet->log_path = arena_text(arena, "%s.txt", log);
    struct command command = fleet_command(arena, fleet);
    command_add(arena, &command, "--ready-file=%s", fleet->ready_path);
    if (fleet->link != NULL) {
        fleet->link_log_path = arena_text(arena, "%s-link.txt", log);
        command = far_command(arena, fleet, &command, arena_text(arena, "%s-link.json", log));
    }
    const char *output = fleet->link == NULL ? fleet->log_path : fleet->link_log_path;
    remove(fleet->ready_path);
    int result = os_process_start(&fleet->process, command.argv, output, output);
    if (result != 0) {
        error_set(error, &fleet->cell->place, "%s", command_unstarted(arena, &command, result));
        return EXIT_MACHINE_CANNOT;
    }
    fleet->running = true;
    result = await_ready(arena, fleet, error);
    remove(fleet->ready_path);
    return result;
}

bool fleet_has_ended(struct fleet *fleet, uint64_t wait_ns, int *exit_code)
{
    if (!fleet->running || fleet->hosts != NULL ||
        os_process_wait(&fleet->process, wait_ns, exit_code) == 0)
        return false;
    fleet->running = false;
    return true;
}

void fleet_stop(struct fleet *fleet)
{
    if (fleet->running && fleet->hosts == NULL)
        os_process_stop(&fleet->process, STOP_GRACE_NS);
    hosts_end(fleet->hosts);
    fleet->hosts = NULL;
    fleet->running = false;
}

void fleets_stop(struct fleets *fleets)
{
    for (unsigned i = 0; i < fleets->count; i++)
        fleet_stop(fleets->items[i]);
}

/* ---- their clients ---- */

struct command fleet_client(struct arena *arena, const struct cell *cell, const char *row_path)
{
    const struct command plain = command_client(arena, cell, row_path);
    const struct command client = cpu_share_command(arena, cell->cpu_share, true, &plain);
    const struct link *link = cell->link;
    if (link == NULL)
        return cpu_share_command(arena, cell->cpu_share, false, &client);
    struct command command =
        command_begin(arena, arena_text(arena, "fanin-lan --quiet --join=%lld -- sh -c",
                                        (long long)cell->fleet->process.handle));
    command_add(arena, &command, "exec \"$@\" --address=\"$FANIN_FAR\"");
    command_add(arena, &command, "sh");
    for (unsigned i = 0; i < client.count; i++)
        command_add(arena, &command, "%s", client.argv[i]);
    if (isfinite(link->rate_bits_per_s))
        command_add(arena, &command, "--link-rate=%.0f", link->rate_bits_per_s);
    return cpu_share_command(arena, cell->cpu_share, false, &command);
}
