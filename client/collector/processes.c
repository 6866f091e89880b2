/* Which processes there are, and what the row says of them. How they are asked is in
 * processes_ask.c. */
#include "client/collector/processes.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/collector/processes_ask.h"
#include "client/collector/program.h"

/* ---- which there are ------------------------------------------------------------------------- */

enum { BUCKETS = 4096 };

static const char others_text[] = "others";

uint32_t processes_add(struct processes *fleet, const struct server_process *process)
{
    if (fleet->count == fleet->room) {
        const uint32_t room = fleet->room > 0 ? 2 * fleet->room : 1;
        void *grown = realloc(fleet->processes, room * sizeof *fleet->processes);
        if (grown == NULL)
            return PROCESSES_NONE;
        fleet->processes = grown;
        fleet->room = room;
    }
    fleet->processes[fleet->count] = *process;
    fleet->processes[fleet->count].same_as = fleet->count;
    return fleet->count++;
}

static struct server_process process_at(const struct servers *servers, uint32_t index,
                                        bool is_range)
{
    const struct net_address address = servers_address(servers, index);
    struct server_process process = {.first = index, .is_range = is_range};
    if (address.bytes > 0)
        process.address = net_address_at(&address, 0, 0);
    return process;
}

static unsigned bucket_of(const struct net_address *address)
{
    uint64_t hash = 0;
    for (unsigned i = 0; i < address->bytes; i++)
        hash = (hash ^ address->data[i]) * UINT64_C(0x100000001b3);
    return (unsigned)(hash >> 20) % BUCKETS;
}

static bool is_at(const struct server_process *process, const struct net_address *address)
{
    return process->address.bytes == address->bytes &&
           memcmp(process->address.data, address->data, address->bytes) == 0;
}

/* Of a server that is in no range: the process of its address. */
static uint32_t find_or_add(struct processes *fleet, const struct servers *servers, uint32_t index,
                            uint32_t *buckets)
{
    struct server_process process = process_at(servers, index, false);
    uint32_t *bucket = &buckets[bucket_of(&process.address)];
    for (uint32_t i = *bucket; i > 0; i = fleet->processes[i - 1].others)
        if (is_at(&fleet->processes[i - 1], &process.address))
            return i - 1;
    process.others = *bucket;
    const uint32_t added = processes_add(fleet, &process);
    *bucket = added != PROCESSES_NONE ? added + 1 : *bucket;
    return added;
}

static bool list_processes(struct processes *fleet, const struct servers *servers)
{
    uint32_t *buckets = calloc(BUCKETS, sizeof *buckets);
    uint32_t index = 0, range = 0, process = 0;
    fleet->process_of = malloc(servers->count * sizeof *fleet->process_of);
    while (buckets != NULL && fleet->process_of != NULL && index < servers->count &&
           process != PROCESSES_NONE) {
        const bool is_range = range < servers->range_count && servers->ranges[range].first == index;
        uint32_t count = is_range ? servers->ranges[range++].count : 1;
        const struct server_process added = process_at(servers, index, true);
        process =
            is_range ? processes_add(fleet, &added) : find_or_add(fleet, servers, index, buckets);
        for (; count > 0; count--)
            fleet->process_of[index++] = process;
    }
    free(buckets);
    return index == servers->count && process != PROCESSES_NONE;
}

/* Servers that are not ours are not asked, and are one. */
static bool find_processes(struct program *program)
{
    const struct servers *servers = &program->servers;
    struct processes *fleet = &program->fleet;
    const bool is_one = servers->is_block || program->requests.foreign;
    const struct server_process all = process_at(servers, 0, true);
    if (is_one ? processes_add(fleet, &all) == PROCESSES_NONE : !list_processes(fleet, servers))
        return false;
    fleet->listed = fleet->count;
    if (fleet->count == 1) {
        free(fleet->process_of);
        fleet->process_of = NULL;
    }
    return true;
}

bool processes_open(struct program *program)
{
    struct processes *fleet = &program->fleet;
    if (!find_processes(program))
        return false;
    fleet->goals = calloc(fleet->listed, REQUEST_KINDS * sizeof *fleet->goals);
    for (uint32_t i = 0; fleet->goals != NULL && i < fleet->listed; i++)
        for (unsigned kind = 0; kind < REQUEST_KINDS; kind++)
            fleet->goals[(size_t)i * REQUEST_KINDS + kind] =
                request_of_kind(&program->requests, kind)->goal;
    return fleet->goals != NULL;
}

void processes_close(struct processes *fleet)
{
    for (uint32_t i = 0; i < fleet->count; i++)
        for (unsigned k = 0; k < fleet->processes[i].count; k++)
            asker_close(&fleet->processes[i].askers[k]);
    free(fleet->processes);
    free(fleet->process_of);
    free(fleet->goals);
    free(fleet->hosts);
    *fleet = (struct processes){.processes = NULL};
}

uint64_t processes_descriptors(const struct program *program)
{
    const uint32_t count = program->fleet.listed;
    const bool all = program->options.start == START_TOGETHER || count < PROCESSES_OPEN_MAX;
    return program->requests.foreign ? 0 : all ? count : PROCESSES_OPEN_MAX;
}

static uint32_t process_of(const struct processes *fleet, uint32_t server)
{
    return fleet->process_of != NULL ? fleet->process_of[server] : 0;
}

const struct stream_goal *processes_goal(const struct program *program, uint32_t index)
{
    const size_t goals = (size_t)process_of(&program->fleet, index) * REQUEST_KINDS;
    return &program->fleet.goals[goals + request_kind(&program->requests, index)];
}

void processes_correct(struct program *program)
{
    struct processes *fleet = &program->fleet;
    for (uint32_t i = 0; i < fleet->listed; i++)
        for (unsigned kind = 0; kind < REQUEST_KINDS; kind++)
            fleet->goals[(size_t)i * REQUEST_KINDS + kind].clock_ahead_ns =
                clock_correction_ns(&fleet->processes[i].clock);
}

bool processes_choose(struct program *program, uint32_t index)
{
    struct processes *fleet = &program->fleet;
    struct server_process *process = &fleet->processes[process_of(fleet, index)];
    if (program->requests.foreign)
        return true;
    if (process->count < ASKERS_MAX) {
        process->askers[process->count++] = (struct asker){.server = index};
        fleet->full += process->count == ASKERS_MAX;
    }
    return fleet->full == fleet->listed;
}

void processes_count(struct program *program, uint32_t index, uint64_t bytes, uint64_t last_ns,
                     bool failed)
{
    struct processes *fleet = &program->fleet;
    struct server_process *process = &fleet->processes[process_of(fleet, index)];
    process->received_bytes += bytes;
    process->failed += failed;
    process->not_connected += program->attempts[index].result != 0;
    if (last_ns > process->last_ns)
        process->last_ns = last_ns;
}

/* ---- hosts ----------------------------------------------------------------------------------- */

static int compare_addresses(const void *left, const void *right)
{
    const struct net_address *a = &(*(struct server_process *const *)left)->address;
    const struct net_address *b = &(*(struct server_process *const *)right)->address;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return memcmp(a->data, b->data, a->bytes);
}

static int compare_hosts(const void *left, const void *right)
{
    const struct server_host *a = left, *b = right;
    return (b->last_ns > a->last_ns) - (b->last_ns < a->last_ns);
}

/* An address without its port, or a name that has none. */
static void host_text(const struct program *program, const struct server_process *process,
                      char text[NET_TEXT_BYTES])
{
    char server[SERVER_TEXT_BYTES];
    if (process->address.bytes == 0 && !process->is_range) { /* there may be several of them */
        snprintf(text, NET_TEXT_BYTES, "names without an address");
        return;
    }
    if (process->address.bytes > 0)
        net_address_text(&process->address, text);
    else
        snprintf(text, NET_TEXT_BYTES, "%.*s", NET_TEXT_BYTES - 1,
                 servers_text(&program->servers, process->first, server));
    char *colon = strrchr(text, ':');
    if (colon != NULL)
        *colon = '\0';
}

static void host_add(struct server_host *host, const struct server_process *process)
{
    host->failed += process->failed;
    host->not_connected += process->not_connected;
    if (process->last_ns > host->last_ns)
        host->last_ns = process->last_ns;
}

/* Processes at one address are one host. Without memory there are none. */
static void hosts_find(struct program *program)
{
    struct processes *fleet = &program->fleet;
    struct server_process **sorted = malloc(fleet->listed * sizeof(struct server_process *));
    fleet->hosts = calloc(fleet->listed, sizeof *fleet->hosts);
    for (uint32_t i = 0; sorted != NULL && i < fleet->listed; i++)
        sorted[i] = &fleet->processes[i];
    if (sorted != NULL && fleet->hosts != NULL)
        qsort(sorted, fleet->listed, sizeof *sorted, compare_addresses);
    for (uint32_t i = 0; sorted != NULL && fleet->hosts != NULL && i < fleet->listed; i++) {
        if (i == 0 || compare_addresses(&sorted[i - 1], &sorted[i]) != 0)
            host_text(program, sorted[i], fleet->hosts[fleet->host_count++].text);
        host_add(&fleet->hosts[fleet->host_count - 1], sorted[i]);
    }
    free(sorted);
    if (fleet->host_count > 0)
        qsort(fleet->hosts, fleet->host_count, sizeof *fleet->hosts, compare_hosts);
}

/* There is room for so many names: the slowest ones have theirs. */
static void measure_hosts(struct program *program)
{
    const struct processes *fleet = &program->fleet;
    const uint64_t first_ns = atomic_load(&program->first_ns);
    struct row_tally *tally = program->row.host_us;
    for (uint32_t i = 0; fleet->listed > 1 && i < fleet->host_count; i++) {
        const bool last = i + 1 == ROW_TALLY_NAMES && fleet->host_count > ROW_TALLY_NAMES;
        if (fleet->hosts[i].last_ns < first_ns)
            break;
        tally->items[tally->used].name = last ? others_text : fleet->hosts[i].text;
        tally->items[tally->used++].count = (fleet->hosts[i].last_ns - first_ns) / 1000;
        if (last)
            break;
    }
}

static uint64_t lost_at(const struct server_host *host, bool connected)
{
    return connected ? host->failed : host->not_connected;
}

const char *processes_where(const struct program *program, bool connected,
                            char text[ROW_LINE_BYTES])
{
    enum { NAMED_MAX = 4 };
    const struct processes *fleet = &program->fleet;
    uint64_t hosts = 0;
    size_t used = 0;
    const struct server_host *only = NULL;
    text[0] = '\0';
    for (uint32_t i = 0; fleet->listed > 1 && i < fleet->host_count; i++) {
        const struct server_host *host = &fleet->hosts[i];
        if (lost_at(host, connected) == 0)
            continue;
        only = hosts == 0 ? host : NULL;
        if (hosts++ < NAMED_MAX)
            used += (size_t)snprintf(text + used, ROW_LINE_BYTES - used, ", %llu at %s",
                                     (unsigned long long)lost_at(host, connected), host->text);
    }
    if (only != NULL)
        snprintf(text, ROW_LINE_BYTES, ", all at %s", only->text);
    else if (hosts > NAMED_MAX)
        snprintf(text + used, ROW_LINE_BYTES - used, ", the others at %llu more addresses",
                 (unsigned long long)hosts - NAMED_MAX);
    return text;
}

/* ---- the row --------------------------------------------------------------------------------- */

/* What all processes say together. `sent` is false: one of them has not said it. */
static void measure_sent(struct program *program)
{
    const struct processes *fleet = &program->fleet;
    struct row *row = &program->row;
    const struct processes_sum sum = processes_sum(fleet);
    row->processes = sum.processes;
    if (program->audit.unanswered != NULL || sum.processes == 0)
        return;
    row->server_bytes = sum.bytes;
    row->server_frames = sum.frames;
    if (row->server_bytes >= row->bytes)
        row->undelivered_bytes = row->server_bytes - row->bytes;
    row->server_cpu_s = (double)sum.cpu_ns / OS_NS_PER_S;
    program->busiest_cpu_s = (double)sum.cpu_ns_max / OS_NS_PER_S;
}

/* Of one process its own clock is enough. */
static void measure_spread(struct program *program)
{
    const struct processes *fleet = &program->fleet;
    int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct server_process *process = &fleet->processes[i];
        const struct clock_pair *clock = &process->clock;
        if (!process->answered && process->count > 0)
            return;
        if (process->same_as != i || process->after.connections == 0)
            continue;
        if (process->after.first_ns == 0 ||
            (fleet->count > 1 && !clock->before.known && !clock->is_here))
            return;
        const int64_t ahead_ns = clock_correction_ns(clock);
        const int64_t begun_ns = (int64_t)process->after.first_ns - ahead_ns;
        const int64_t ended_ns = (int64_t)process->after.last_ns - ahead_ns;
        first_ns = begun_ns < first_ns ? begun_ns : first_ns;
        last_ns = ended_ns > last_ns ? ended_ns : last_ns;
    }
    if (last_ns >= first_ns)
        program->row.start_spread_us = (double)(last_ns - first_ns) / 1e3;
}

void processes_measure(struct program *program)
{
    struct processes *fleet = &program->fleet;
    hosts_find(program);
    measure_hosts(program);
    if (program->requests.foreign)
        return;
    processes_ask_again(program);
    measure_sent(program);
    measure_spread(program);
    for (uint32_t i = 0; i < fleet->count; i++)
        clocks_take(&program->clocks, &fleet->processes[i].clock);
}
