#include "scenarios/fleet.h"

#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "scenarios/command.h"

enum { PORT_MAX = 65535 };

#define START_NS_MAX  ((uint64_t)60 * OS_NS_PER_S)
#define STOP_GRACE_NS ((uint64_t)2 * OS_NS_PER_S)
#define LOOK_AGAIN_NS ((uint64_t)2 * OS_NS_PER_MS)

/* ---- which fleets ---- */

static bool serves(const struct fleet *fleet, const struct cell *cell)
{
    return strcmp(fleet->cell->fleet_options, cell->fleet_options) == 0 &&
           strcmp(fleet->cell->servers_program, cell->servers_program) == 0 &&
           fleet->cell->port == cell->port;
}

static struct fleet *find_or_add(struct arena *arena, struct fleets *fleets, struct cell *cell)
{
    struct fleet *fleet;

    for (unsigned i = 0; i < fleets->count; i++) {
        if (serves(fleets->items[i], cell))
            return fleets->items[i];
    }
    fleet = arena_take(arena, sizeof *fleet);
    fleet->cell = cell;
    fleets->items = arena_grow(arena, fleets->items, fleets->count, sizeof(struct fleet *));
    fleets->items[fleets->count++] = fleet;
    return fleet;
}

static uint64_t ports_of(const struct fleet *fleet)
{
    uint64_t each = fleet->cell->ports_per_address;

    return each != 0 && each < fleet->count ? each : fleet->count;
}

/* The first range at or after the base asked for that no earlier fleet has. */
static void place_fleet(const struct fleets *fleets, unsigned index)
{
    struct fleet *fleet = fleets->items[index];
    bool moved = true;

    fleet->base = fleet->cell->port;
    while (moved) {
        moved = false;
        for (unsigned i = 0; i < index; i++) {
            const struct fleet *other = fleets->items[i];

            if (fleet->base < other->base + ports_of(other) &&
                other->base < fleet->base + ports_of(fleet)) {
                fleet->base = other->base + ports_of(other);
                moved = true;
            }
        }
    }
}

int fleets_plan(struct arena *arena, const struct cells *cells, struct fleets *fleets,
                struct complaint *complaint)
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

        place_fleet(fleets, i);
        if (fleet->base + ports_of(fleet) - 1 > PORT_MAX)
            return complain(complaint, &fleet->cell->place,
                            "%llu servers from port %llu on pass port %d; fewer servers, a lower "
                            "port, or fleet.ports-per-address would be right",
                            (unsigned long long)fleet->count, (unsigned long long)fleet->base,
                            PORT_MAX);
    }
    return 0;
}

/* ---- running them ---- */

static int explain_end(struct arena *arena, const struct fleet *fleet, int exit_code,
                       struct complaint *complaint)
{
    const char *line = command_last_line(arena, fleet->log_path);
    const struct pair *port = cell_find(fleet->cell, "port");
    struct place place = port == NULL ? fleet->cell->place : port->place;

    if (exit_code == EXIT_WRONG_USE) {
        place = command_place(arena, fleet->cell, true, line);
        complain(complaint, &place, "%s", line);
        return EXIT_WRONG_USE;
    }
    complain(complaint, &place,
             "the servers on ports %llu to %llu did not start (%s): %s; the key port (--port=BASE) "
             "moves them",
             (unsigned long long)fleet->base,
             (unsigned long long)(fleet->base + ports_of(fleet) - 1),
             command_ending(arena, exit_code), line);
    return EXIT_MACHINE_CANNOT;
}

static bool is_ready(const struct fleet *fleet)
{
    FILE *file = fopen(fleet->ready_path, "rb");

    if (file != NULL)
        fclose(file);
    return file != NULL;
}

static int await_ready(struct arena *arena, struct fleet *fleet, struct complaint *complaint)
{
    uint64_t deadline_ns = os_now_ns() + START_NS_MAX;
    int exit_code = 0;

    while (!is_ready(fleet)) {
        if (os_process_wait(&fleet->process, LOOK_AGAIN_NS, &exit_code) == 1) {
            fleet->running = false;
            return explain_end(arena, fleet, exit_code, complaint);
        }
        if (os_interrupted())
            return EXIT_MEASURED_FAILURE;
        if (os_now_ns() > deadline_ns) {
            complain(complaint, &fleet->cell->place,
                     "the servers were not ready within %llu s; see %s",
                     (unsigned long long)(START_NS_MAX / OS_NS_PER_S), fleet->log_path);
            return EXIT_MACHINE_CANNOT;
        }
    }
    return EXIT_DONE;
}

int fleet_start(struct arena *arena, struct fleet *fleet, unsigned number, const char *directory,
                struct complaint *complaint)
{
    struct command command;
    int result;

    if (fleet->running)
        return EXIT_DONE;
    fleet->ready_path = arena_text(arena, "%s/fleet-%u.ready", directory, number);
    fleet->log_path = arena_text(arena, "%s/log/fleet-%u.txt", directory, number);
    command = command_fleet(arena, fleet->cell);
    command_add(arena, &command,
                arena_text(arena, "--count=%llu", (unsigned long long)fleet->count));
    command_add(arena, &command, arena_text(arena, "--port=%llu", (unsigned long long)fleet->base));
    command_add(arena, &command, arena_text(arena, "--ready-file=%s", fleet->ready_path));
    remove(fleet->ready_path);
    result = os_process_start(&fleet->process, command.argv, fleet->log_path, fleet->log_path);
    if (result != 0) {
        complain(complaint, &fleet->cell->place, "cannot start %s: %s", command.argv[0],
                 strerror(-result));
        return EXIT_MACHINE_CANNOT;
    }
    fleet->running = true;
    result = await_ready(arena, fleet, complaint);
    remove(fleet->ready_path);
    return result;
}

bool fleet_has_ended(struct fleet *fleet, int *exit_code)
{
    if (!fleet->running || os_process_wait(&fleet->process, 0, exit_code) == 0)
        return false;
    fleet->running = false;
    return true;
}

void fleets_stop(struct fleets *fleets)
{
    for (unsigned i = 0; i < fleets->count; i++) {
        if (fleets->items[i]->running)
            os_process_stop(&fleets->items[i]->process, STOP_GRACE_NS);
        fleets->items[i]->running = false;
    }
}
