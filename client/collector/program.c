/* What fanin-client and its peers share: the start, the fleet that is asked, the row. */
#include "client/collector/program.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/draft.h"
#include "base/os.h"

/* Standard streams, the engine's own, the fleet's STATS, a library's. */
enum { DESCRIPTORS_SPARE = 64 };

#define FAILED_UNNAMED "%s%llu more"

const char program_time_up[] = "time-up";

/* ---- open ------------------------------------------------------------------------------------ */

static void report_json(const struct program *program, int error)
{
    fprintf(stderr, "%s: --json: cannot write '%s': %s\n", program->text->name,
            program->options.json, strerror(error));
}

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
    struct row *row = &program->row;
    const char *json = program->options.json;
    const struct request *first = request_of(&program->requests, 0);
    row_init(row, &program->options);
    row->servers = program->servers.count;
    row->idle_servers = row->servers - request_asked(&program->requests, program->servers.count);
    row->request = (struct row_bytes){first->text, first->bytes};
    note_target(program);
    pthread_mutex_init(&program->failed_lock, NULL);
    atomic_store(&program->first_ns, UINT64_MAX);
    /* Before anything runs, so that a run is not lost to a wrong path. */
    int unwritable = json == NULL || program->options.dry_run ? 0 : draft_check(json);
    if (unwritable == 0)
        return PROGRAM_OPEN;
    report_json(program, -unwritable);
    servers_free(&program->servers);
    return EXIT_MACHINE_CANNOT;
}

bool program_reserve(struct program *program)
{
    uint64_t limit = 0, wanted = program->servers.count + (uint64_t)DESCRIPTORS_SPARE;
    os_interrupts_catch();
    program->attempts = calloc(program->servers.count, sizeof *program->attempts);
    if (program->attempts == NULL) {
        row_skip(&program->row, "no memory for the connections");
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
    const struct net_address *address = &program->servers.addresses[index];
    const uint64_t timeout_ns = program->options.connect_timeout_ms * OS_NS_PER_MS;
    attempt->started_ns = os_now_ns();
    do {
        attempt->result = ATTEMPT_UNRESOLVED;
        if (os_interrupted())
            attempt->result = CP_ECANCELED;
        else if (address->bytes > 0)
            attempt->result = cp_error_from_errno(net_connect(address, timeout_ns, handle));
    } while (attempt->result < 0 && program_address_failed(program, index, attempt->result));
    attempt->done_ns = os_now_ns();
    return attempt->result;
}

/* What the server said goes to terminals. */
void program_note_refusal(struct program *program, uint32_t index, const char *text)
{
    char server[NET_TEXT_BYTES], *line = program->row.refusal;
    if (atomic_flag_test_and_set(&program->refused))
        return;
    snprintf(line, sizeof program->row.refusal, "%s said %s",
             net_address_text(&program->servers.addresses[index], server), text);
    for (; *line != '\0'; line++)
        if (*line < ' ' || *line > '~')
            *line = '?';
}

/* Once every server was connected or has failed. */
static void measure_addresses(struct program *program)
{
    struct row *row = &program->row;
    note_target(program);
    for (uint32_t i = 0; i < program->servers.count; i++)
        if (program->attempts[i].result == 0)
            row_tally_add(row->addresses, net_family_name(&program->servers.addresses[i]));
    const size_t used = strlen(row->addresses_failed);
    if (program->failed_unnamed > 0)
        snprintf(row->addresses_failed + used, sizeof row->addresses_failed - used, FAILED_UNNAMED,
                 used > 0 ? "; and " : "", (unsigned long long)program->failed_unnamed);
}

/* ---- the fleet ------------------------------------------------------------------------------- */

/* One question to one device. False: no answer. */
static bool ask_device(const struct program *program, const struct net_address *device,
                       struct protocol_stats *stats)
{
    const uint64_t timeout_ns = (uint64_t)STATS_TIMEOUT_MS * OS_NS_PER_MS;
    const struct request_set *requests = &program->requests;
    char line[PROTOCOL_LINE_BYTES_MAX], answer[PROTOCOL_LINE_BYTES_MAX];
    cp_handle handle;
    int bytes = protocol_write_stats_request(requests->run, line, sizeof line);
    assert(bytes > 0);
    if (net_connect(device, timeout_ns, &handle) != 0)
        return false;
    bool answered = request_log_in(requests, handle, timeout_ns, answer) == NULL &&
                    net_send_all(handle, line, (size_t)bytes, timeout_ns) == 0 &&
                    net_read_line(handle, line, sizeof line, timeout_ns) == 0 &&
                    protocol_read_stats(line, stats) == NULL && stats->run == requests->run;
    net_close(handle);
    return answered;
}

bool program_ask_fleet(struct program *program, uint32_t index)
{
    enum { TRIES_MAX = 3 };
    if (program->requests.foreign)
        return true;
    program->fleet.device = &program->servers.addresses[index];
    program->fleet.known = ask_device(program, program->fleet.device, &program->fleet.before);
    return program->fleet.known || ++program->fleet.tries == TRIES_MAX;
}

/* The devices count what they hand to their kernel a moment after the client may have it, or may
 * be on their way up again: asks again while the count is below the bytes received. */
static bool ask_fleet_again(const struct program *program, struct protocol_stats *after)
{
    enum { PAUSE_MS = 20, LAG_MS = 500 };
    const uint64_t deadline_ns = os_now_ns() + (uint64_t)LAG_MS * OS_NS_PER_MS;
    for (;;) {
        bool known = ask_device(program, program->fleet.device, after);
        if ((known && after->bytes >= program->row.bytes) || os_now_ns() >= deadline_ns)
            return known && after->process == program->fleet.before.process;
        os_sleep_ns((uint64_t)PAUSE_MS * OS_NS_PER_MS);
    }
}

static void measure_fleet(struct program *program)
{
    struct protocol_stats after;
    struct row *row = &program->row;
    if (!program->fleet.known || !ask_fleet_again(program, &after))
        return;
    row->server_bytes = after.bytes;
    row->server_frames = after.frames;
    if (row->server_bytes >= row->bytes)
        row->undelivered_bytes = row->server_bytes - row->bytes;
    row->server_cpu_s = (double)(after.cpu_ns - program->fleet.before.cpu_ns) / OS_NS_PER_S;
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
    if (stream->bytes_expected != UINT64_MAX)
        program->audit.left_bytes +=
            stream->bytes_expected - (stream->received_bytes - stream->partial_bytes);
}

void program_count(struct program *program, uint32_t index, const struct stream *stream,
                   const char *reason)
{
    struct row *row = &program->row;
    if (stream != NULL) {
        const uint64_t surplus = request_surplus_bytes(&program->requests, stream);
        row->surplus_bytes += surplus;
        row->bytes += stream->received_bytes - surplus;
    }
    if (reason == program_time_up) {
        count_stopped(program, stream);
    } else if (reason != NULL && program->attempts[index].result == 0) {
        row->connections_failed++;
        row_tally_add(row->errors, reason);
    }
}

void program_measure(struct program *program)
{
    struct row *row = &program->row;
    struct audit *audit = &program->audit;
    measure_addresses(program);
    measure_figures(row, &program->figures);
    measure_missed(row);
    measure_span(row, atomic_load(&program->first_ns), program->last_ns, &program->before,
                 &program->after);
    measure_fleet(program);
    audit->processed_bytes = program->figures.bytes;
    audit->expected_bytes =
        measure_expected_bytes(&program->requests, program->attempts, program->servers.count);
    measure_audit(row, audit);
    measure_bottleneck(row, (unsigned)os_cpu_count());
    measure_status(row);
}

/* ---- close ----------------------------------------------------------------------------------- */

static void program_free(struct program *program)
{
    free(program->attempts);
    servers_free(&program->servers);
    pthread_mutex_destroy(&program->failed_lock);
}

int program_refuse(struct program *program, const char *why)
{
    fprintf(stderr, "%s: %s\n", program->text->name, why);
    program_free(program);
    return EXIT_WRONG_USE;
}

static int leave_row(const struct row *row, const char *path)
{
    struct draft draft;
    int result = draft_open(&draft, path);
    return result != 0 ? result : draft_close(&draft, row_write(row, draft.out));
}

int program_close(struct program *program)
{
    static const int codes[] = {EXIT_DONE, EXIT_MEASURED_FAILURE, EXIT_MACHINE_CANNOT};
    const struct collector_options *options = &program->options;
    const struct row *row = &program->row;
    bool on_stdout = options->json != NULL && strcmp(options->json, "-") == 0;
    int result = options->json == NULL || options->dry_run ? 0 : leave_row(row, options->json);
    if (result != 0)
        report_json(program, -result);
    bool summary = !options->quiet && !on_stdout && !options->dry_run && row->status != ROW_SKIPPED;
    if (summary)
        row_summarize(row, stdout);
    else if (row->status != ROW_OK)
        fprintf(stderr, "%s: %s: %s\n", program->text->name,
                row->status == ROW_FAILED ? "failed" : "cannot run here", row->reason);
    if (summary && fflush(stdout) != 0) {
        fprintf(stderr, "%s: cannot write the summary: %s\n", program->text->name, strerror(errno));
        result = -1;
    }
    program_free(program);
    return result != 0 ? EXIT_MACHINE_CANNOT : codes[row->status];
}
