/* Fleets on hosts: starts their servers by a launcher, spreads what a cell asks for over them, and
 * says which host was lost. */
#include "scenarios/sweep/fleet.h"

#include <errno.h>
#include <string.h>

#include "base/json_read.h"
#include "base/options.h"
#include "scenarios/sweep/command.h"
#include "scenarios/sweep/output_dir.h"
#include "scenarios/sweep/record.h"

#define START_NS_MAX     ((uint64_t)60 * OS_NS_PER_S)
#define AFTER_FAILURE_NS ((uint64_t)OS_NS_PER_S) /* for others that fail, to name all at once */
#define NAMES_BYTES_MAX  300                     /* of an error */

/* ---- which hosts ---- */

static bool was_lost(const struct fleet *fleet, const char *name)
{
    for (unsigned i = 0; i < fleet->all->lost_count; i++)
        if (strcmp(fleet->all->lost[i], name) == 0)
            return true;
    return false;
}

/* The cell's hosts but for those that were lost. *names is NULL where the launcher takes a
 * number. */
static unsigned hosts_left(struct arena *arena, const struct fleet *fleet, const char ***names)
{
    const struct cell *cell = fleet->cell;
    const unsigned lost = fleet->all->lost_count;
    unsigned count = 0;
    *names = NULL;
    if (cell->host_names == NULL)
        return cell->host_count > lost ? cell->host_count - lost : 0;
    for (unsigned i = 0; i < cell->host_count; i++) {
        if (lost != 0 && was_lost(fleet, cell->host_names[i]))
            continue;
        *names = arena_grow(arena, *names, count, sizeof(char *));
        (*names)[count++] = cell->host_names[i];
    }
    return count;
}

uint64_t fleet_servers_each(const struct fleet *fleet)
{
    struct arena arena = {0};
    const char **names;
    const unsigned hosts =
        fleet->hosts != NULL ? hosts_count(fleet->hosts) : hosts_left(&arena, fleet, &names);
    arena_free(&arena);
    return hosts == 0 ? fleet->count : (fleet->count + hosts - 1) / hosts;
}

/* ---- starting ---- */

/* "lab2: Permission denied (publickey). (exit code 255); lab3: ..."; what a launcher of all of them
 * says stands once. Hosts that were ready before their launcher ended stand there only alone. */
static const char *failures(struct arena *arena, const struct fleet *fleet, unsigned *count,
                            int *exit_code)
{
    const char *text = "", *before = "";
    bool all_ready = true;
    for (unsigned i = 0; i < hosts_count(fleet->hosts); i++)
        all_ready = all_ready && hosts_get(fleet->hosts, i).ready;
    *count = 0;
    for (unsigned i = 0; i < hosts_count(fleet->hosts); i++) {
        const struct host host = hosts_get(fleet->hosts, i);
        if (host.ready && (host.failure == NULL || !all_ready))
            continue;
        ++*count;
        const char *words = host.failure == NULL ? "not ready yet" : host.failure;
        const char *label = *host.name == '\0' ? "" : arena_text(arena, "%s: ", host.name);
        if (host.exit_code != EXIT_UNKNOWN)
            *exit_code = host.exit_code;
        if (strcmp(words, before) == 0)
            words = "the same";
        else
            before = words;
        if (strlen(text) < NAMES_BYTES_MAX && (*label != '\0' || words == before))
            text = arena_join(arena, text, "; ", arena_text(arena, "%s%s", label, words));
    }
    return text;
}

static int explain_unready(struct arena *arena, const struct fleet *fleet, struct error *error)
{
    enum { NOT_EXECUTABLE = 126, NOT_FOUND = 127 };
    const struct place place = cell_place(fleet->cell, "hosts");
    int exit_code = EXIT_UNKNOWN;
    unsigned count;
    const char *text = failures(arena, fleet, &count, &exit_code);
    const bool missing = exit_code == NOT_EXECUTABLE || exit_code == NOT_FOUND;
    error_set(error, &place, "%u of %u hosts %s not ready: %s%s", count, hosts_count(fleet->hosts),
              count == 1 ? "is" : "are", text,
              missing ? "; the key servers-program says where fanin-servers is on the hosts" : "");
    return exit_code == EXIT_WRONG_USE ? EXIT_WRONG_USE : EXIT_MACHINE_CANNOT;
}

/* What a host that is ready must have. 0, or -1 with an error. */
static int check_ready(const struct fleet *fleet, const struct host *host, uint64_t each,
                       struct error *error)
{
    const struct place place = cell_place(fleet->cell, "hosts");
    if (strcmp(host->commit, record_commit()) != 0)
        return error_set(error, &place,
                         "host %s runs fanin-servers of commit %s, and this is commit %s; install "
                         "the same on all hosts",
                         host->name, host->commit, record_commit());
    if (host->count != each)
        return error_set(error, &place, "host %s opened %llu servers of %llu", host->name,
                         (unsigned long long)host->count, (unsigned long long)each);
    return 0;
}

static int check_all(const struct fleet *fleet, uint64_t each, struct error *error)
{
    for (unsigned i = 0; i < hosts_count(fleet->hosts); i++) {
        const struct host host = hosts_get(fleet->hosts, i);
        if (check_ready(fleet, &host, each, error) != 0)
            return EXIT_MACHINE_CANNOT;
    }
    return EXIT_DONE;
}

int fleet_start_hosts(struct arena *arena, struct fleet *fleet, const char *directory,
                      struct error *error)
{
    const struct cell *cell = fleet->cell;
    const char **names;
    const unsigned count = hosts_left(arena, fleet, &names);
    const struct command servers = fleet_command(arena, fleet);
    const uint64_t each = fleet_servers_each(fleet);
    const struct hosts_request request = {
        .launcher = cell->launcher,
        .names = names,
        .count = count,
        .servers = &servers,
        .log = arena_text(arena, "%s/log/fleet-%u", directory, fleet->number)};
    const struct place place = cell_place(cell, "hosts");
    if (count == 0) {
        error_set(error, &place, "no host is left: all were lost");
        return EXIT_MACHINE_CANNOT;
    }
    fleet->list_path = arena_text(arena, "%s/fleet-%u.servers", directory, fleet->number);
    fleet->hosts = hosts_start(&request, error);
    if (fleet->hosts == NULL)
        return EXIT_MACHINE_CANNOT;
    fleet->running = true;
    if (!hosts_await(fleet->hosts, START_NS_MAX, AFTER_FAILURE_NS)) {
        int result =
            os_interrupted() ? EXIT_MEASURED_FAILURE : explain_unready(arena, fleet, error);
        fleet_stop(fleet);
        return result;
    }
    int result = check_all(fleet, each, error);
    if (result != EXIT_DONE)
        fleet_stop(fleet);
    return result;
}

/* ---- a row ---- */

/* The remainder goes to the first hosts. */
static void write_list(FILE *file, const struct fleet *fleet, uint64_t servers)
{
    const unsigned count = hosts_count(fleet->hosts);
    for (unsigned i = 0; i < count; i++) {
        const struct host host = hosts_get(fleet->hosts, i);
        const uint64_t part = servers / count + (i < servers % count);
        const bool v6 = strchr(host.address, ':') != NULL && *host.address != '[';
        if (part > 0)
            fprintf(file, "%s%s%s:%llu+%llu\n", v6 ? "[" : "", host.address, v6 ? "]" : "",
                    (unsigned long long)host.port, (unsigned long long)part);
    }
}

const char *fleet_list_servers(struct arena *arena, const struct cell *cell)
{
    const struct fleet *fleet = cell->fleet;
    if (fleet == NULL || fleet->hosts == NULL)
        return NULL;
    FILE *file = fopen(fleet->list_path, "wb");
    int error = file == NULL ? errno : 0;
    if (file != NULL) {
        write_list(file, fleet, cell->servers);
        if (fflush(file) != 0 || ferror(file))
            error = errno;
        if (fclose(file) != 0 && error == 0)
            error = errno;
    }
    return error == 0 ? NULL
                      : arena_text(arena, "cannot write %s: %s; make room", fleet->list_path,
                                   strerror(error));
}

const char *fleet_lost_host(struct arena *arena, const struct fleet *fleet, bool look,
                            const char **name)
{
    struct host host;
    if (fleet == NULL || fleet->hosts == NULL ||
        !(look ? hosts_look(fleet->hosts, &host) : hosts_lost(fleet->hosts, &host)))
        return NULL;
    *name = arena_text(arena, "%s", host.name);
    return arena_text(arena, "host %s lost: %s", host.name, host.failure);
}

void fleet_leave_lost(struct arena *arena, struct fleet *fleet)
{
    struct fleets *all = fleet->all;
    for (unsigned i = 0; fleet->hosts != NULL && i < hosts_count(fleet->hosts); i++) {
        const struct host host = hosts_get(fleet->hosts, i);
        if (!host.ready || host.failure == NULL || was_lost(fleet, host.name))
            continue;
        all->lost = arena_grow(arena, all->lost, all->lost_count, sizeof(char *));
        all->lost[all->lost_count++] = arena_text(arena, "%s", host.name);
    }
    fleet_stop(fleet);
}

/* ---- the record ---- */

static struct host copy_host(struct arena *arena, const struct host *host)
{
    struct host copy = *host;
    const char **const texts[] = {&copy.name,    &copy.said,   &copy.address,
                                  &copy.process, &copy.commit, &copy.facts};
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_text(arena, "%s", *texts[i]);
    copy.failure = NULL;
    return copy;
}

/* A host of a fleet that is started again takes its former place. */
static struct host_record *record_of(struct arena *arena, struct host_records *records,
                                     unsigned fleet, const char *said)
{
    for (unsigned i = 0; i < records->count; i++)
        if (records->items[i].fleet == fleet && strcmp(records->items[i].said, said) == 0)
            return &records->items[i];
    records->items = arena_grow(arena, records->items, records->count, sizeof *records->items);
    return &records->items[records->count++];
}

void fleet_note_hosts(struct arena *arena, const struct fleet *fleet, struct host_records *records)
{
    for (unsigned i = 0; fleet->hosts != NULL && i < hosts_count(fleet->hosts); i++) {
        const struct host host = hosts_get(fleet->hosts, i);
        const struct host copy = copy_host(arena, &host);
        *record_of(arena, records, fleet->number, copy.said) =
            (struct host_record){.fleet = fleet->number, .said = copy.said, .host = copy};
    }
}

void host_records_write(struct json *json, const struct host_records *records)
{
    struct arena arena = {0};
    json_array_open(json, "hosts");
    for (unsigned i = 0; i < records->count; i++) {
        const struct host_record *record = &records->items[i];
        if (record->object != NULL) {
            json_object(json, NULL, record->object);
            continue;
        }
        json_object_open(json, NULL);
        json_count(json, "fleet", record->fleet);
        host_write(&arena, json, &record->host);
        json_object_close(json);
    }
    json_array_close(json);
    arena_free(&arena);
}

void host_records_read(struct arena *arena, const char *record, struct host_records *records)
{
    const char *array = json_find(record, "hosts"), *object;
    for (unsigned i = 0; array != NULL && (object = json_item_copy(arena, array, i)) != NULL; i++) {
        const char *said = *object == '{' ? json_find_text(arena, object, "host") : NULL;
        double fleet;
        if (said == NULL || !json_find_number(object, "fleet", &fleet))
            continue;
        *record_of(arena, records, (unsigned)fleet, said) =
            (struct host_record){.fleet = (unsigned)fleet, .said = said, .object = object};
    }
}
