/* What fanin-client and its peers share: the start, the fleet that is asked, the row. */
#include "client/collector/program.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/draft.h"
#include "base/os.h"
#include "base/progress.h"

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

/* ---- the fleet ------------------------------------------------------------------------------- */

/* With tens of thousands of connections the fleet accepts or closes them for seconds before it
 * comes to a question. So a few devices are asked, and looked at in turns; a question that is not
 * answered yet stands. The connection with the answer stays open: the fleet then keeps the run. */
enum {
    TURN_MS = 500,
    PAUSE_MS = 20,
    LAG_MS = 500,
    LIMIT_MS = 3 * STATS_TIMEOUT_MS,
    LIMIT_US_PER_SERVER = 1000,
};

static const char no_answer[] = "no answer";

static void asker_close(struct asker *asker)
{
    if (asker->connected)
        net_close(asker->handle);
    asker->connected = asker->asked = false;
}

/* NULL, or why not. */
static const char *asker_connect(struct program *program, struct asker *asker)
{
    const uint64_t timeout_ns = (uint64_t)STATS_TIMEOUT_MS * OS_NS_PER_MS;
    char answer[PROTOCOL_LINE_BYTES_MAX];
    const struct net_address address = servers_address(&program->servers, asker->server);
    int result = net_connect(&address, timeout_ns, &asker->handle);
    if (result != 0)
        return result == -ETIMEDOUT ? no_answer : attempt_error_name(cp_error_from_errno(result));
    asker->connected = true;
    const char *why = request_log_in(&program->requests, asker->handle, timeout_ns, answer);
    if (why == NULL)
        return NULL;
    if (strcmp(why, LOGIN_REFUSED) == 0)
        program_note_refusal(program, asker->server, answer);
    asker_close(asker);
    return strcmp(why, LOGIN_TIMEOUT) == 0 ? no_answer : why;
}

/* What the device has said. NULL: its counters. */
static const char *asker_read(struct program *program, const struct asker *asker, const char *line,
                              struct protocol_stats *stats)
{
    const struct protocol_stats *before = &program->fleet.before;
    if (protocol_read_stats(line, stats) == NULL && stats->run == program->requests.run)
        return program->fleet.known && stats->process != before->process ? "started anew" : NULL;
    program_note_refusal(program, asker->server, line);
    return REQUEST_REFUSED;
}

/* One turn of a device: connects and asks if that is still to be done, and waits for the answer.
 * NULL: it has come; or why not. */
static const char *asker_turn(struct program *program, struct asker *asker,
                              struct protocol_stats *stats)
{
    const uint64_t turn_ns = (uint64_t)TURN_MS * OS_NS_PER_MS;
    char line[PROTOCOL_LINE_BYTES_MAX];
    const char *why = asker->connected ? NULL : asker_connect(program, asker);
    if (why != NULL)
        return why;
    int result = 0;
    if (!asker->asked) {
        int bytes = protocol_write_stats_request(program->requests.run, line, sizeof line);
        assert(bytes > 0);
        result = net_send_all(asker->handle, line, (size_t)bytes, turn_ns);
        asker->asked = result == 0;
    }
    if (result == 0)
        result = net_read_line(asker->handle, line, sizeof line, turn_ns);
    if (result == -ETIMEDOUT && asker->asked)
        return no_answer;
    asker->asked = false;
    why = result == 0 ? asker_read(program, asker, line, stats)
                      : attempt_error_name(cp_error_from_errno(result));
    if (why != NULL)
        asker_close(asker);
    return why;
}

/* After Ctrl-C only as long as a fleet that is not busy may need. */
static uint64_t ask_limit_ns(const struct program *program)
{
    const uint64_t patience_us =
        LIMIT_MS * UINT64_C(1000) + program->servers.count * (uint64_t)LIMIT_US_PER_SERVER;
    return os_interrupted() ? STATS_TIMEOUT_MS * (uint64_t)OS_NS_PER_MS : patience_us * 1000;
}

static void show_asking(const struct program *program, struct progress *progress, uint64_t now_ns)
{
    const uint64_t gone_ns = now_ns - progress->started_ns, limit_ns = ask_limit_ns(program);
    if (gone_ns >= PROGRESS_AFTER_MS * (uint64_t)OS_NS_PER_MS && gone_ns < limit_ns)
        progress_show(progress, now_ns, "asking the servers what they sent",
                      (double)gone_ns / (double)limit_ns, limit_ns - gone_ns);
}

/* Asks until a device has answered that at least `bytes` were sent. NULL: one has answered, and
 * `stats` has its last answer; it is fleet.askers[0] now. Or why none has.
 *
 * Waiting helps while devices are silent, since the fleet may be busy, and while the count grows:
 * the devices count what they hand to their kernel a moment after the client may have it. */
static const char *ask_in_turns(struct program *program, uint64_t bytes,
                                struct protocol_stats *stats)
{
    struct asker *askers = program->fleet.askers, winner;
    uint64_t now_ns = os_active_ns(), helped_ns = now_ns, counted = 0;
    unsigned turn = 0;
    const char *why;
    struct progress progress;
    progress_start(&progress, stderr, program->options.quiet, now_ns);
    for (;;) {
        why = asker_turn(program, &askers[turn], stats);
        now_ns = os_active_ns();
        if (why == no_answer || (why == NULL && stats->bytes > counted))
            helped_ns = now_ns;
        if ((why == NULL && stats->bytes >= bytes) ||
            now_ns - helped_ns >= LAG_MS * (uint64_t)OS_NS_PER_MS ||
            now_ns - progress.started_ns >= ask_limit_ns(program))
            break;
        if (why == NULL)
            counted = stats->bytes;
        else
            turn = (turn + 1) % program->fleet.count;
        if (why != no_answer)
            os_sleep_ns((uint64_t)PAUSE_MS * OS_NS_PER_MS);
        show_asking(program, &progress, now_ns);
    }
    progress_end(&progress);
    winner = askers[turn];
    askers[turn] = askers[0];
    askers[0] = winner;
    for (unsigned i = why == NULL ? 1 : 0; i < program->fleet.count; i++)
        asker_close(&askers[i]);
    return why;
}

static bool has_latencies(const struct program *program)
{
    return program->options.source == SOURCE_LIVE && !program->requests.foreign;
}

/* Of the device that has answered. A late answer must not be taken for that of a later question. */
static void ask_time(struct program *program, struct clock_offset *offset)
{
    struct asker *asker = &program->fleet.askers[0];
    clocks_watch(&program->clocks);
    if (has_latencies(program) &&
        !clocks_ask(offset, asker->handle, (uint64_t)STATS_TIMEOUT_MS * OS_NS_PER_MS))
        asker_close(asker);
}

bool program_choose_asked(struct program *program, uint32_t index)
{
    if (!program->requests.foreign && program->fleet.count < ASKERS_MAX)
        program->fleet.askers[program->fleet.count++] = (struct asker){.server = index};
    return program->requests.foreign || program->fleet.count == ASKERS_MAX;
}

void program_ask_fleet(struct program *program)
{
    if (program->fleet.count == 0)
        return;
    program->audit.unanswered = ask_in_turns(program, 0, &program->fleet.before);
    program->fleet.known = program->audit.unanswered == NULL;
    if (program->fleet.known)
        ask_time(program, &program->clocks.before);
}

static void measure_fleet(struct program *program)
{
    struct protocol_stats after;
    struct row *row = &program->row;
    /* Servers that have never said anything, and that were started anew perhaps. */
    if (program->fleet.count == 0 ||
        (!program->fleet.known && (row->bytes == 0 || program->options.reconnect)))
        return;
    program->audit.unanswered = ask_in_turns(program, row->bytes, &after);
    if (program->audit.unanswered != NULL)
        return;
    ask_time(program, &program->clocks.after);
    row->server_bytes = after.bytes;
    row->server_frames = after.frames;
    if (row->server_bytes >= row->bytes)
        row->undelivered_bytes = row->server_bytes - row->bytes;
    row->server_cpu_s = (double)after.cpu_ns / OS_NS_PER_S;
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
        hints_count(&program->hints, &program->openings[index], reason);
    }
}

void program_measure(struct program *program)
{
    const struct resources *before = &program->before, *after = &program->after;
    struct row *row = &program->row;
    struct audit *audit = &program->audit;
    measure_addresses(program);
    measure_figures(row, &program->figures);
    measure_missed(row);
    measure_span(row, atomic_load(&program->first_ns), program->last_ns, &before->usage,
                 &after->usage);
    measure_committed(row, &after->usage);
    measure_cpu_share(row, before->now_ns, after->now_ns);
    measure_throttled(row, &before->quota, &after->quota);
    clocks_watch(&program->clocks);
    measure_fleet(program);
    if (has_latencies(program))
        measure_latencies(row, &program->figures.latency, &program->clocks);
    audit->processed_bytes = program->figures.bytes;
    audit->expected_bytes =
        measure_expected_bytes(&program->requests, program->attempts, program->servers.count);
    measure_audit(row, audit);
    measure_bottleneck(row, (unsigned)os_cpu_count(), &after->quota);
    measure_status(row);
    if (row->status == ROW_FAILED)
        hints_add(&program->hints, row);
}

/* ---- close ----------------------------------------------------------------------------------- */

static void program_free(struct program *program)
{
    for (unsigned i = 0; i < program->fleet.count; i++)
        asker_close(&program->fleet.askers[i]);
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
    /* A reader that has seen enough, such as head, is no failure. */
    if (summary && fflush(stdout) != 0 && errno != EPIPE) {
        fprintf(stderr, "%s: cannot write the summary: %s\n", program->text->name, strerror(errno));
        result = -1;
    }
    program_free(program);
    return result != 0 ? EXIT_MACHINE_CANNOT : codes[row->status];
}
