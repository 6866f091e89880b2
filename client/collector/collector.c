/* fanin-client: sets up, executes and tears down a run. */
#include "client/collector/collector.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/collector/run.h"

/* ---- events of the scheme -------------------------------------------------------------------- */

static struct connection *owner_of(const struct run *run, const struct stream *stream)
{
    return &run->connections->all[scheme_index(run->scheme_run, stream)];
}

static void stream_resume(void *context, struct stream *stream)
{
    connection_continue(owner_of(context, stream), CONNECTION_WAITING);
}

static void stream_finished(void *context, struct stream *stream)
{
    connection_end(owner_of(context, stream), NULL, os_now_ns());
}

static void stream_failed(void *context, struct stream *stream)
{
    connection_end(owner_of(context, stream), frame_error_name(stream->error), os_now_ns());
}

/* ---- open ------------------------------------------------------------------------------------ */

/* Whether the scheme can do what the options want of it; else `why` says what is wrong. */
static bool check_scheme(const struct scheme *scheme, const struct collector_options *options,
                         char *why, size_t why_bytes)
{
    if (options->processing.look.every_ns > 0 && !scheme->common_buffer)
        why_write(why, why_bytes,
                  "--look %s: scheme %s has no common buffer to look at: take --scheme chain or "
                  "--look wake",
                  options->look, scheme->name);
    else if (options->processing.work.record_ns > 0 && scheme->finish == NULL)
        why_write(why, why_bytes,
                  "--work %s: scheme %s does not look for records: give a cost per byte only",
                  options->work, scheme->name);
    return why[0] == '\0';
}

/* False: the row is skipped, or `why` says what is wrong with the options. */
static bool open_port_and_scheme(struct run *run, char *why, size_t why_bytes)
{
    struct row *row = &run->program->row;
    const struct collector_options *options = run->options;
    const struct cp_config port_config = {.engine = options->engine,
                                          .concurrency = (unsigned)options->concurrency};
    char reason[ROW_LINE_BYTES - 128] = "";
    run->scheme = scheme_find(options->scheme);
    if (!check_scheme(run->scheme, options, why, why_bytes))
        return false;
    int result = cp_open(&port_config, &run->port, reason, sizeof reason);
    if (result != 0) {
        run->port = NULL;
        snprintf(why, why_bytes, "engine %s: %s", options->engine,
                 reason[0] != '\0' ? reason : cp_error_text(result));
        if (result == CP_EINVAL)
            return false;
        program_skip(run->program, measure_limit_error(result), "%s", why);
        why[0] = '\0';
        return false;
    }
    run->scheme_config = (struct scheme_config){
        .block_bytes = options->block_bytes,
        .blocks_per_receive = (unsigned)options->blocks_per_receive,
        .pool_batch = (unsigned)options->pool_batch,
        .pool_cap_bytes = options->pool_cap_bytes,
        .early = options->bind == BIND_EARLY,
        .workers = (unsigned)options->workers,
        .batch = (unsigned)options->batch,
        .processors = (unsigned)options->processors,
        .streams_max = run->program->servers.count,
        .events = {.resume = stream_resume,
                   .finished = stream_finished,
                   .failed = stream_failed,
                   .context = run},
    };
    collector_options_process(options, &run->scheme_config);
    result = scheme_open(run->scheme, &run->scheme_config, &run->scheme_run, reason, sizeof reason);
    if (result != 0 && result != -EINVAL) {
        run->scheme_run = NULL;
        program_skip(run->program, result, "%s", reason);
        return false;
    }
    if (result != 0) {
        run->scheme_run = NULL;
        const uint64_t cap_bytes =
            options->pool_cap_bytes < UINT64_MAX ? options->pool_cap_bytes : 0;
        snprintf(why, why_bytes, "%s (--scheme %s, --pool-cap %llu, --block %llu, --bind %s)",
                 reason, options->scheme, (unsigned long long)cap_bytes,
                 (unsigned long long)options->block_bytes, option_bind_names[options->bind]);
        return false;
    }
    row->engine = cp_engine_name(run->port);
    row->gate = cp_gate_name(run->port);
    row->concurrency = cp_concurrency(run->port);
    return true;
}

static bool open_connections(struct run *run)
{
    uint32_t count = run->program->servers.count;
    run->blocks = calloc((size_t)count * run->options->blocks_per_receive, sizeof *run->blocks);
    run->connections = calloc(1, sizeof *run->connections + count * sizeof(struct connection));
    run->endings = calloc(count, sizeof *run->endings);
    run->controls_bytes = count * sizeof *run->controls;
    run->controls = os_pages_map(run->controls_bytes);
    run->reconnects = calloc(count, sizeof *run->reconnects);
    if (run->requests->login_bytes > 0)
        run->answers = calloc(count, LOGIN_ANSWER_BYTES);
    if (run->blocks == NULL || run->connections == NULL || run->endings == NULL ||
        run->controls == NULL || run->reconnects == NULL ||
        (run->requests->login_bytes > 0 && run->answers == NULL))
        return false;
    run->connections->run = run;
    for (uint32_t i = 0; i < count; i++) {
        struct connection *connection = &run->connections->all[i];
        connection->index = i;
        connection->idle = request_is_idle(run->requests, i);
        atomic_init(&connection->heard_tick, UINT32_MAX);
    }
    for (unsigned i = 0; i < CONNECTION_LOCKS; i++)
        pthread_mutex_init(&run->locks[i].mutex, NULL);
    run->count = count;
    atomic_store(&run->unsettled, count);
    atomic_store(&run->connecting, count);
    atomic_store(&run->living, request_asked(run->requests, count));
    atomic_store(&run->pending, count);
    return true;
}

/* ---- workers --------------------------------------------------------------------------------- */

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct run *run = worker->run;
    struct cp_packet packets[CP_BATCH_MAX];
    for (;;) {
        int count = cp_wait(run->port, packets, (unsigned)run->options->batch, CP_FOREVER);
        if (count == CP_ECLOSED)
            return NULL;
        assert(count >= 0);
        for (int i = 0; i < count; i++)
            if (packets[i].op == &run->marker)
                run_marker_back(run, packets[i].result);
            else
                connection_complete((struct connection *)packets[i].key, worker, packets[i].op,
                                    packets[i].result);
    }
}

/* False: the row says why. */
static bool start_workers(struct run *run)
{
    const unsigned count = (unsigned)run->options->workers;
    int result = -ENOMEM;
    run->workers = os_pages_map(count * sizeof *run->workers);
    for (; run->workers != NULL && run->worker_count < count; run->worker_count++) {
        struct worker *worker = &run->workers[run->worker_count];
        worker->run = run;
        result = os_thread_start(&worker->thread, OS_ROLE_WORKER, 0, work, worker);
        if (result != 0)
            break;
    }
    if (run->worker_count == count)
        return true;
    program_skip(run->program, result,
                 "cannot start worker %u of %u: %s; ask for fewer --workers, or raise the limit",
                 run->worker_count + 1, count, strerror(-result));
    return false;
}

/* ---- close ----------------------------------------------------------------------------------- */

static void close_threads(struct run *run)
{
    cp_close(run->port);
    for (unsigned i = 0; i < run->worker_count; i++)
        pthread_join(run->workers[i].thread, NULL);
    cp_free(run->port);
    run->port = NULL;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct connection *connection = &run->connections->all[i];
        if (connection->phase != CONNECTION_CLOSED && connection->stream != NULL)
            scheme_detach(run->scheme_run, connection->stream);
    }
}

/* Also of a run that was only half set up. */
static void tear_down(struct run *run)
{
    if (run->scheme_run != NULL)
        scheme_close(run->scheme_run, &run->program->figures);
    cp_free(run->port);
    for (uint32_t i = 0; i < run->count; i++) {
        struct connection *connection = &run->connections->all[i];
        assert(connection->phase == CONNECTION_CLOSED || connection->socket_id == 0);
        if (run->options->reconnect)
            free(run->reconnects[i].text);
        free(run->controls[i].refusal);
    }
    os_pages_unmap(run->workers, (size_t)run->options->workers * sizeof *run->workers);
    for (unsigned i = 0; i < CONNECTION_LOCKS && run->count > 0; i++)
        pthread_mutex_destroy(&run->locks[i].mutex);
    free(run->connections);
    free(run->endings);
    free(run->reconnects);
    os_pages_unmap(run->controls, run->controls_bytes);
    free(run->answers);
    free(run->blocks);
}

/* ---- the row --------------------------------------------------------------------------------- */

/* What connections and streams have noted, before the scheme is closed. */
static void sum_connections(struct run *run)
{
    struct program *program = run->program;
    struct row *row = &program->row;
    program_count_begin(program);
    if (run->options->login.given)
        row->logged_in = 0;
    for (unsigned i = 0; i < run->worker_count; i++) {
        row->receive_calls += run->workers[i].receive_calls;
        row->receive_empty += run->workers[i].receive_empty;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        const struct connection *connection = &run->connections->all[i];
        const struct ending *ending = &run->endings[i];
        program_count(program, i, connection->stream, ending->reason,
                      connection->heard ? ending->ended_ns : 0);
        row->bytes += run->reconnects[i].discarded_bytes;
        if (connection->logged_in)
            row->logged_in++;
        else if (ending->login_reason != NULL)
            row_tally_add(row->login_errors, login_short_name(ending->login_reason));
    }
}

/* When port and scheme are closed. */
static void measure(struct run *run)
{
    struct program *program = run->program;
    struct row *row = &program->row;
    const uint64_t frame_bytes =
        run->options->request.given ? run->options->frame_bytes_max : run->options->size_max;
    uint64_t longest_ns = 0;
    if (run->options->reconnect)
        measure_connected(row, program->attempts, run->count);
    row->buffer_predicted_bytes =
        scheme_memory(run->scheme, &run->scheme_config, row->connected, frame_bytes);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct reconnect *reconnect = &run->reconnects[i];
        row->reconnects += reconnect->returns;
        row->reconnect_attempts += reconnect->tries;
        row->discarded_bytes += reconnect->discarded_bytes;
        program->audit.reasked |= reconnect->reasked;
        if (reconnect->longest_ns > longest_ns)
            longest_ns = reconnect->longest_ns;
    }
    if (longest_ns > 0)
        row->outage_ms_max = (double)longest_ns / OS_NS_PER_MS;
    program_measure(program);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Afterwards the port has no operations and the threads have ended. */
static void execute(struct run *run)
{
    struct program *program = run->program;
    bool ran = start_workers(run) && run_execute(run);
    close_threads(run);
    sum_connections(run);
    scheme_close(run->scheme_run, &program->figures);
    run->scheme_run = NULL;
    /* Threads of the scheme may have just processed the last frame. */
    const bool processed_late = run->options->frames_per_server == 0 ||
                                run->options->close_ends_frame || program->row.ended_by_time > 0;
    if (processed_late && program->row.buffer_threads != 0) {
        program->last_ns = os_now_ns();
        resources_end(&program->after);
        if (run->options->processing.look.every_ns > 0)
            program_interrupted(program); /* the last frames did not wait for looks then */
    }
    if (ran)
        measure(run);
}

static const struct program_text text = {
    .name = "fanin-client",
    .about =
        "Collects frames from many servers at the same time: connects to all of them through a "
        "completion port, asks each for its frames, receives them through a buffer scheme, "
        "checks and counts every frame, and reports throughput, latency and cost.",
    .examples =
        "  fanin-client --servers 200 --port 20000 --scheme chain --frames 100\n"
        "  fanin-client --servers 200 --rate 500 --frames 25 --json row.json\n"
        "  fanin-client --servers 200 --connect sync --workers 6 --frames 1 --size 256\n"
        "  fanin-client --servers device1:7000,device2:7000 --request 'READ ALL\\r\\n' \\\n"
        "               --end-marker '\\x03' --frames 10\n"
        "  fanin-client --servers device1:7000 --request 'SUBSCRIBE\\r\\n' --for 30s\n"
        "  Hours with devices that restart: each is tried again until it is back, no frame is\n"
        "  counted twice, and missing ones are counted:\n"
        "  fanin-client --servers @devices.txt --login user:secret --rate 500 \\\n"
        "               --frames 100000 --reconnect --reconnect-delay 500..30s \\\n"
        "               --stall-timeout 60s --json row.json",
};

int collector_main(int argc, char **argv)
{
    struct program program = {0};
    struct run run = {
        .program = &program, .options = &program.options, .requests = &program.requests};
    char why[ROW_LINE_BYTES] = "";
    int code = program_open(&program, &text, argc, argv);
    if (code != PROGRAM_OPEN)
        return code;
    if (program_reserve(&program) && open_port_and_scheme(&run, why, sizeof why) &&
        !program.options.dry_run) {
        if (open_connections(&run))
            execute(&run);
        else
            program_skip(&program, -ENOMEM, "no memory for the connections");
    }
    tear_down(&run);
    return why[0] == '\0' ? program_close(&program) : program_refuse(&program, why);
}
