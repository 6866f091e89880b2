/* What fanin-client and its peers share: the start, the fleet that is asked, the row. */
#include "client/collector/program.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/progress.h"

/* Standard streams, the engine's own, a library's, askers that have not ended. */
enum { DESCRIPTORS_SPARE = 64 };

#define FAILED_UNNAMED "%s%llu more"

const char program_time_up[] = "time-up";

/* ---- open ------------------------------------------------------------------------------------ */

static void note_target(struct program *program)
{
    char server[SERVER_TEXT_BYTES];
    snprintf(program->row.target, sizeof program->row.target, "%s",
             servers_text(&program->servers, 0, server));
}

int program_open(struct program *program, const struct program_text *text, int argc, char **argv)
{
    char why[ROW_LINE_BYTES];
    program->text = text;
    int parsed = collector_options_read(text, argc, argv, &program->options);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    if (servers_read(&program->servers, &program->options, why, sizeof why) != 0 ||
        servers_resolve(&program->servers, &program->options, why, sizeof why) != 0 ||
        request_set_fill(&program->requests, &program->options, program->servers.count, why,
                         sizeof why) != 0)
        return program_refuse(program, why);
    if (!processes_open(program))
        return program_refuse(program, "--servers: no memory for the list");
    struct row *row = &program->row;
    const char *json = program->options.json;
    const struct request *first = request_of(&program->requests, 0);
    row_init(row, &program->options);
    row->servers = program->servers.count;
    row->idle_servers = row->servers - request_asked(&program->requests, program->servers.count);
    row->request = (struct row_bytes){first->text, first->bytes};
    note_target(program);
    program->busiest_cpu_s = NAN;
    pthread_mutex_init(&program->failed_lock, NULL);
    atomic_store(&program->first_ns, UINT64_MAX);
    if (program->options.dry_run || row_json_check(program->text->name, json))
        return PROGRAM_OPEN;
    processes_close(&program->fleet);
    servers_free(&program->servers);
    return EXIT_MACHINE_CANNOT;
}

bool program_reserve(struct program *program)
{
    uint64_t limit = 0;
    const uint64_t wanted =
        program->servers.count + processes_descriptors(program) + DESCRIPTORS_SPARE;
    os_interrupts_catch();
    program->attempts = calloc(program->servers.count, sizeof *program->attempts);
    program->attempt_times = calloc(program->servers.count, sizeof *program->attempt_times);
    program->openings = calloc(program->servers.count, sizeof *program->openings);
    if (program->attempts == NULL || program->attempt_times == NULL || program->openings == NULL) {
        program_skip(program, -ENOMEM, "no memory for the connections");
        return false;
    }
    if (os_descriptors_reserve(wanted, &limit) == 0)
        return true;
    row_skip(&program->row,
             "%u servers need %llu descriptors, the hard limit is %llu: raise it (ulimit -Hn %llu "
             "as root, or nofile in /etc/security/limits.conf) or ask for fewer --servers",
             program->servers.count, (unsigned long long)wanted, (unsigned long long)limit,
             (unsigned long long)wanted);
    return false;
}

/* ---- connecting ------------------------------------------------------------------------------ */

bool program_interrupted(struct program *program)
{
    program->row.interrupted_by = os_interrupted_by();
    return program->row.interrupted_by != NULL;
}

/* "[::1]:80 (localhost) refused; nohost:80 unresolved: Name or service not known" */
static void note_failed(struct program *program, uint32_t index, int result)
{
    char server[SERVER_TEXT_BYTES], text[ROW_LINE_BYTES];
    char *line = program->row.addresses_failed;
    const size_t room = sizeof program->row.addresses_failed - sizeof FAILED_UNNAMED - 20;
    const char *words = servers_words(&program->servers, index);
    pthread_mutex_lock(&program->failed_lock);
    size_t used = strlen(line);
    if (program->failed_unnamed == 0)
        used += (size_t)snprintf(text, sizeof text, "%s%s %s%s%s", used > 0 ? "; " : "",
                                 servers_text(&program->servers, index, server),
                                 attempt_error_name(result), words != NULL ? ": " : "",
                                 words != NULL ? words : "");
    if (program->failed_unnamed == 0 && used < room)
        strcat(line, text);
    else
        program->failed_unnamed++;
    pthread_mutex_unlock(&program->failed_lock);
}

bool program_address_failed(struct program *program, uint32_t index, int result)
{
    assert(result < 0);
    if (os_interrupted())
        return false;
    note_failed(program, index, result);
    return servers_next(&program->servers, index);
}

int program_connect(struct program *program, uint32_t index, cp_handle *handle)
{
    struct attempt *attempt = &program->attempts[index];
    const uint64_t timeout_ns = program->options.connect_timeout_ms * OS_NS_PER_MS;
    program->attempt_times[index].started_ns = os_now_ns();
    do {
        const struct net_address address = servers_address(&program->servers, index);
        attempt->result = os_interrupted() ? CP_ECANCELED : ATTEMPT_UNRESOLVED;
        if (attempt->result == ATTEMPT_UNRESOLVED && address.bytes > 0)
            attempt->result = cp_error_from_errno(net_connect(&address, timeout_ns, handle));
    } while (attempt->result < 0 && program_address_failed(program, index, attempt->result));
    program->attempt_times[index].done_ns = os_now_ns();
    if (attempt->result == CP_ECANCELED)
        program_interrupted(program);
    return attempt->result;
}

int program_measure_connects(struct program *program, uint64_t cpu_ns)
{
    const int result = measure_connects(&program->row, program->attempts, program->attempt_times,
                                        program->servers.count, cpu_ns);
    free(program->attempt_times);
    program->attempt_times = NULL;
    return result;
}

/* What the server said goes to terminals. */
void program_note_refusal(struct program *program, uint32_t index, const char *text)
{
    char server[SERVER_TEXT_BYTES], *line = program->row.refusal;
    if (atomic_flag_test_and_set(&program->refused))
        return;
    snprintf(line, sizeof program->row.refusal, "%s said %s",
             servers_text(&program->servers, index, server), text);
    for (; *line != '\0'; line++)
        if (*line < ' ' || *line > '~')
            *line = '?';
}

/* Once every server was connected or has failed. */
static void measure_addresses(struct program *program)
{
    struct row *row = &program->row;
    note_target(program);
    for (uint32_t i = 0; i < program->servers.count; i++) {
        const struct net_address address = servers_address(&program->servers, i);
        if (program->attempts[i].result == 0)
            row_tally_add(row->addresses, net_family_name(&address));
    }
    const size_t used = strlen(row->addresses_failed);
    if (program->failed_unnamed > 0)
        snprintf(row->addresses_failed + used, sizeof row->addresses_failed - used, FAILED_UNNAMED,
                 used > 0 ? "; and " : "", (unsigned long long)program->failed_unnamed);
}

/* ---- what came ------------------------------------------------------------------------------- */

bool program_has_latencies(const struct program *program)
{
    return program->options.source == SOURCE_LIVE && !program->requests.foreign;
}

void program_look(struct program *program, uint32_t index, const void *data, size_t bytes)
{
    opening_feed(&program->openings[index], data, bytes);
}

void program_count_begin(struct program *program)
{
    struct row *row = &program->row;
    row->bytes = row->surplus_bytes = row->discarded_bytes = 0;
    row->receive_calls = row->receive_empty = 0;
    row->connections_failed = row->ended_by_time = 0;
    row->reconnects = row->reconnect_attempts = 0;
}

/* --for has ended it: the unfinished frame is not processed, and the rest stays with the server. */
static void count_stopped(struct program *program, const struct stream *stream)
{
    program->row.ended_by_time++;
    program->row.discarded_bytes += stream->partial_bytes;
    if (stream->goal->bytes != UINT64_MAX)
        program->audit.left_bytes +=
            stream->goal->bytes - (stream->received_bytes - stream->partial_bytes);
}

void program_count(struct program *program, uint32_t index, const struct stream *stream,
                   const char *reason, uint64_t last_ns)
{
    struct row *row = &program->row;
    const bool failed =
        reason != NULL && reason != program_time_up && program->attempts[index].result == 0;
    const uint64_t surplus = stream != NULL ? request_surplus_bytes(&program->requests, stream) : 0;
    const uint64_t bytes = stream != NULL ? stream->received_bytes - surplus : 0;
    row->surplus_bytes += surplus;
    row->bytes += bytes;
    if (last_ns > program->last_ns)
        program->last_ns = last_ns;
    processes_count(program, index, bytes, last_ns, failed);
    if (reason == program_time_up) {
        count_stopped(program, stream);
    } else if (failed) {
        row->connections_failed++;
        row_tally_add(row->errors, reason);
        hints_count(&program->hints, &program->openings[index], reason);
    }
}

void program_measure(struct program *program)
{
    const struct resources *before = &program->before, *after = &program->after;
    struct row *row = &program->row;
    struct audit *audit = &program->audit;
    char missing[ROW_LINE_BYTES], broken[ROW_LINE_BYTES];
    measure_addresses(program);
    measure_figures(row, &program->figures);
    measure_missed(row);
    measure_span(row, atomic_load(&program->first_ns), program->last_ns, &before->usage,
                 &after->usage);
    measure_committed(row, &after->usage);
    measure_cpu_share(row, before->now_ns, after->now_ns);
    measure_throttled(row, &before->quota, &after->quota);
    clocks_watch(&program->clocks);
    processes_measure(program);
    if (program_has_latencies(program))
        measure_latencies(row, &program->figures.latency, &program->clocks);
    audit->processed_bytes = program->figures.bytes;
    audit->expected_bytes =
        measure_expected_bytes(&program->requests, program->attempts, program->servers.count);
    measure_audit(row, audit);
    measure_bottleneck(row, (unsigned)os_cpu_count(), &after->quota, program->busiest_cpu_s);
    measure_status(row, processes_where(program, false, missing),
                   processes_where(program, true, broken));
    if (row->status == ROW_FAILED)
        hints_add(&program->hints, row);
}

/* ---- close ----------------------------------------------------------------------------------- */

static void program_free(struct program *program)
{
    processes_close(&program->fleet);
    free(program->attempts);
    free(program->attempt_times);
    free(program->openings);
    latency_free(&program->figures.latency);
    servers_free(&program->servers);
    pthread_mutex_destroy(&program->failed_lock);
}

void program_skip(struct program *program, int error, const char *format, ...)
{
    char why[ROW_LINE_BYTES / 2], limit[ROW_LINE_BYTES / 2] = "";
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    if (error != 0)
        os_limit_met(error, limit, sizeof limit);
    row_skip(&program->row, "%s%s%s", why, limit[0] != '\0' ? ": " : "", limit);
}

int program_refuse(struct program *program, const char *why)
{
    fprintf(stderr, "%s: %s\n", program->text->name, why);
    program_free(program);
    return EXIT_WRONG_USE;
}

int program_close(struct program *program)
{
    const struct collector_options *options = &program->options;
    const struct row *row = &program->row;
    const struct row_end end = {.program = program->text->name,
                                .json = options->dry_run ? NULL : options->json,
                                .quiet = options->quiet || options->dry_run,
                                .status = row->status,
                                .reason = row->reason,
                                .row = row,
                                .write = row_write,
                                .summarize = row_summarize};
    const int code = row_end(&end);
    program_free(program);
    return code;
}
