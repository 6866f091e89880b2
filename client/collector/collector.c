/* Builds a run up, lets it happen, takes it down. */
#include "client/collector/collector.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/collector/collection.h"

/* ---- events of the scheme -------------------------------------------------------------------- */

static void stream_resume(void *context, struct stream *stream)
{
    (void)context;
    connection_resume(stream->owner);
}

static void stream_finished(void *context, struct stream *stream)
{
    (void)context;
    connection_end(stream->owner, NULL, os_now_ns());
}

static void stream_failed(void *context, struct stream *stream)
{
    (void)context;
    connection_end(stream->owner, frame_error_name(stream->error), os_now_ns());
}

/* ---- open ------------------------------------------------------------------------------------ */

static void configure_scheme(struct collection *collection)
{
    const struct collector_options *options = &collection->session->options;
    struct scheme_config *config = &collection->scheme_config;
    const struct protocol_marker marker = collector_options_marker(options);
    *config = (struct scheme_config){
        .block_bytes = options->block_bytes,
        .blocks_per_receive = (unsigned)options->blocks_per_receive,
        .pool_batch = (unsigned)options->pool_batch,
        .pool_cap_bytes = options->pool_cap_bytes,
        .early = options->bind == BIND_EARLY,
        .workers = (unsigned)options->workers,
        .batch = (unsigned)options->batch,
        .processors = (unsigned)options->processors,
        .streams_max = collection->session->servers.count,
        .process = {.verify = (enum verify)options->verify,
                    .live = options->source == SOURCE_LIVE && !options->request.given,
                    .frame_bytes_max = options->frame_bytes_max,
                    .marker = marker},
        .events = {.resume = stream_resume, .finished = stream_finished, .failed = stream_failed},
    };
    marker_init(&config->marker, marker.bytes, marker.count);
}

/* EXIT_DONE, EXIT_WRONG_USE or EXIT_MACHINE_CANNOT with `why`. */
static int open_port_and_scheme(struct collection *collection, char *why, size_t why_bytes)
{
    struct run *run = &collection->run;
    const struct collector_options *options = run->options;
    const struct cp_config config = {.engine = options->engine,
                                     .concurrency = (unsigned)options->concurrency};
    char reason[ROW_LINE_BYTES - 128] = "";
    int result = cp_open(&config, &run->port, reason, sizeof reason);
    if (result != 0) {
        run->port = NULL;
        snprintf(why, why_bytes, "engine %s: %s", options->engine,
                 reason[0] != '\0' ? reason : cp_error_text(result));
        return result == CP_EINVAL ? EXIT_WRONG_USE : EXIT_MACHINE_CANNOT;
    }
    run->scheme = scheme_find(options->scheme);
    configure_scheme(collection);
    if (scheme_open(run->scheme, &collection->scheme_config, &run->scheme_run, reason,
                    sizeof reason) != 0) {
        run->scheme_run = NULL;
        snprintf(
            why, why_bytes, "%s (--scheme %s, --pool-cap %llu, --block %llu, --bind %s)", reason,
            options->scheme,
            (unsigned long long)(options->pool_cap_bytes + 1 > 1 ? options->pool_cap_bytes : 0),
            (unsigned long long)options->block_bytes, option_bind_name(options->bind));
        return EXIT_WRONG_USE;
    }
    return EXIT_DONE;
}

static bool open_connections(struct run *run, const struct session *session)
{
    uint32_t count = session->servers.count;
    run->attempts = calloc(count, sizeof *run->attempts);
    run->blocks = calloc((size_t)count * run->options->blocks_per_receive, sizeof *run->blocks);
    run->connections = calloc(count, sizeof *run->connections);
    run->controls_bytes = count * sizeof *run->controls;
    run->controls = os_pages_map(run->controls_bytes);
    run->outages = calloc(count, sizeof *run->outages);
    if (run->book->login_bytes > 0)
        run->answers = calloc(count, LOGIN_ANSWER_BYTES);
    if (run->attempts == NULL || run->blocks == NULL || run->connections == NULL ||
        run->controls == NULL || run->outages == NULL ||
        (run->book->login_bytes > 0 && run->answers == NULL))
        return false;
    for (uint32_t i = 0; i < count; i++)
        connection_init(&run->connections[i], run, i);
    run->count = count;
    atomic_store(&run->connecting, count);
    atomic_store(&run->living, request_asked(run->book, count));
    atomic_store(&run->pending, count);
    atomic_store(&run->first_byte_ns, UINT64_MAX);
    return true;
}

/* ---- close ----------------------------------------------------------------------------------- */

static void close_threads(struct collection *collection)
{
    struct run *run = &collection->run;
    cp_close(run->port);
    workers_join(&collection->workers);
    cp_free(run->port);
    run->port = NULL;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct connection *connection = &run->connections[i];
        if (connection->phase != CONNECTION_LEFT && connection->stream != NULL)
            scheme_detach(run->scheme_run, connection->stream);
    }
}

/* Where the number of frames is not known, the last frame is processed when the scheme has
 * ended. */
static void close_scheme(struct collection *collection)
{
    struct run *run = &collection->run;
    scheme_close(run->scheme_run, &collection->figures);
    run->scheme_run = NULL;
    if (run->options->frames_per_server == 0) {
        collection->last_ns = os_now_ns();
        os_usage_read(&run->usage_end);
    }
}

static void free_connections(struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        connection_free(&run->connections[i]);
    free(run->connections);
    free(run->outages);
    os_pages_unmap(run->controls, run->controls_bytes);
    free(run->answers);
    free(run->blocks);
    free(run->attempts);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Whatever happens, the port is left without operations and the threads are gone. */
static void run_whole(struct collection *collection)
{
    struct run *run = &collection->run;
    char why[ROW_LINE_BYTES];
    bool ran = false;
    int result = workers_start(&collection->workers, run->port, (unsigned)run->options->workers,
                               (unsigned)run->options->batch);
    if (result == 0) {
        ran = collection_run(collection);
    } else {
        snprintf(why, sizeof why,
                 "cannot start worker %u of %llu: %s: raise ulimit -u or ask for fewer --workers",
                 collection->workers.count + 1, (unsigned long long)run->options->workers,
                 strerror(-result));
        row_skip(&collection->session->row, why);
    }
    close_threads(collection);
    collection_sum(collection);
    close_scheme(collection);
    if (ran)
        collection_measure(collection);
}

/* Of a run that did not begin. */
static void close_halves(struct collection *collection)
{
    struct run *run = &collection->run;
    if (run->scheme_run != NULL)
        scheme_close(run->scheme_run, &collection->figures);
    cp_free(run->port);
}

/* EXIT_DONE: the row tells the rest. EXIT_WRONG_USE with `why`: there is no row. */
static int collect(struct collection *collection, char *why, size_t why_bytes)
{
    struct session *session = collection->session;
    struct run *run = &collection->run;
    if (!session_reserve(session))
        return EXIT_DONE;
    int code = open_port_and_scheme(collection, why, why_bytes);
    if (code == EXIT_DONE) {
        session->row.engine = cp_engine_name(run->port);
        session->row.gate = cp_gate_name(run->port);
        session->row.concurrency = cp_concurrency(run->port);
    }
    if (code == EXIT_DONE && !session->options.dry_run) {
        if (open_connections(run, session))
            run_whole(collection);
        else
            row_skip(&session->row, "no memory for the connections");
    } else if (code == EXIT_MACHINE_CANNOT) {
        row_skip(&session->row, why);
        code = EXIT_DONE;
    }
    close_halves(collection);
    free_connections(run);
    return code;
}

static const struct collector_program program = {
    .name = "fanin-client",
    .about =
        "Collects frames from many servers at the same time: connects to all of them through a "
        "completion port, asks each for its frames, receives them through a buffer scheme, "
        "checks and counts every frame, and reports what it cost.",
    .epilogue =
        "Examples:\n"
        "  fanin-servers --count 200 --port 20000 &\n"
        "  fanin-client --servers 200 --port 20000 --scheme chain --frames 100\n"
        "  fanin-client --servers 200 --rate 500 --frames 25 --json row.json\n"
        "  fanin-client --servers 200 --connect sync --workers 6 --frames 1 --size 256\n"
        "  fanin-client --servers device1:7000,device2:7000 --request 'READ ALL\\r\\n' \\\n"
        "               --end-marker '\\x03' --frames 10\n"
        "  Devices that restart now and then, watched for hours: each is tried again until it\n"
        "  is back, and no frame is counted twice or lost without being counted:\n"
        "  fanin-client --servers @devices.txt --login user:secret --rate 500 \\\n"
        "               --frames 100000 --reconnect --reconnect-delay 500..30s \\\n"
        "               --stall-timeout 60s --json row.json",
};

int collector_main(int argc, char **argv)
{
    struct session session = {0};
    struct collection collection = {.session = &session};
    char why[ROW_LINE_BYTES];
    int code = session_open(&session, &program, argc, argv);
    if (code != SESSION_OPEN)
        return code;
    collection.run.options = &session.options;
    collection.run.book = &session.book;
    os_interrupts_catch();
    if (collect(&collection, why, sizeof why) != EXIT_DONE)
        return session_wrong(&session, why);
    return session_close(&session);
}
