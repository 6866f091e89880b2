/* The phases of a run:
 *
 *   connect   every server; the workers log in                  until none is connecting
 *   prepare   attach streams (their threads start), count threads, ask the fleet
 *   collect   first receive on each, then the request on each;   until none is living
 *             lost ones are tried again (--reconnect)
 *   leave     until nothing is in flight
 *
 * Meanwhile the main thread ticks: it looks for silent servers, for lost ones whose next try is due
 * and for Ctrl-C, and shows progress. */
#include "client/collector/collection.h"

#include <assert.h>
#include <stdio.h>

enum { LEAVE_TIMEOUT_MS = 10000, TICKS_PER_S = 1000 / RUN_TICK_MS };

static const uint64_t tick_ns = (uint64_t)RUN_TICK_MS * OS_NS_PER_MS;

/* ---- waiting --------------------------------------------------------------------------------- */

enum goal { GOAL_CONNECTED, GOAL_FLOODED, GOAL_ENDED, GOAL_LEFT };

static bool is_over(struct connection *connection)
{
    pthread_mutex_lock(&connection->lock);
    const bool over = connection->over;
    pthread_mutex_unlock(&connection->lock);
    return over;
}

static bool is_reached(struct run *run, enum goal goal)
{
    if (goal == GOAL_CONNECTED)
        return atomic_load(&run->connecting) == 0;
    if (goal == GOAL_FLOODED)
        return atomic_load(&run->first_byte_ns) != UINT64_MAX || is_over(&run->connections[0]);
    if (goal == GOAL_ENDED)
        return atomic_load(&run->ended);
    return atomic_load(&run->pending) == 0;
}

static void end_all(struct run *run, const char *reason)
{
    for (uint32_t i = 0; i < run->count; i++)
        connection_end(&run->connections[i], reason, os_now_ns());
}

static void show_progress(struct collection *collection, enum goal goal, uint64_t now_ns)
{
    struct run *run = &collection->run;
    char what[96];
    uint64_t received = 0;
    if (now_ns - collection->started_ns < 2 * (uint64_t)OS_NS_PER_S)
        return;
    if (goal == GOAL_CONNECTED) {
        uint32_t done = run->count - atomic_load(&run->connecting);
        snprintf(what, sizeof what, "connecting  %u/%u servers", done, run->count);
        progress_show(&collection->progress, now_ns, what, (double)done / run->count, UINT64_MAX);
        return;
    }
    for (uint32_t i = 0; i < run->count; i++)
        received += atomic_load_explicit(&run->connections[i].received_bytes, memory_order_relaxed);
    uint32_t living = atomic_load(&run->living), away = atomic_load(&run->away);
    int used = snprintf(what, sizeof what, "receiving  %.1f MB, %u servers left",
                        (double)received / 1e6, living);
    if (away > 0)
        snprintf(what + used, sizeof what - (size_t)used, ", %u of them away", away);
    double share = collection->expected_bytes != UINT64_MAX && collection->expected_bytes > 0
                       ? (double)received / (double)collection->expected_bytes
                       : (double)(run->count - living) / run->count;
    progress_show(&collection->progress, now_ns, what, share, UINT64_MAX);
}

static void tick(struct collection *collection, enum goal goal)
{
    struct run *run = &collection->run;
    uint64_t now_ns = os_now_ns();
    uint32_t now_tick = (uint32_t)((now_ns - collection->started_ns) / tick_ns);
    if (os_interrupted())
        end_all(run, "interrupted");
    if (now_tick == atomic_load_explicit(&run->tick, memory_order_relaxed))
        return;
    atomic_store_explicit(&run->tick, now_tick, memory_order_relaxed);
    for (uint32_t i = 0; i < run->count; i++)
        connection_check(&run->connections[i], collection->stall_ticks, now_ns);
    for (uint32_t i = 0; goal == GOAL_ENDED && run->options->reconnect && i < run->count; i++)
        connection_reopen(&run->connections[i], &collection->session->servers.addresses[i], now_ns);
    show_progress(collection, goal, now_ns);
}

static void await(struct collection *collection, enum goal goal)
{
    while (!is_reached(&collection->run, goal)) {
        os_park(&collection->run.main, tick_ns);
        tick(collection, goal);
    }
}

/* ---- connect, prepare, collect --------------------------------------------------------------- */

static void connect_all(struct collection *collection)
{
    struct run *run = &collection->run;
    const struct net_address *addresses = collection->session->servers.addresses;
    uint64_t timeout_ns = run->options->connect_timeout_ms * OS_NS_PER_MS;
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->options->connect == CONNECT_ASYNC) {
            connection_connect(&run->connections[i], &addresses[i]);
            continue;
        }
        cp_handle handle = CP_HANDLE_NONE;
        run->attempts[i].started_ns = os_now_ns();
        int result = os_interrupted()
                         ? CP_ECANCELED
                         : cp_error_from_errno(net_connect(&addresses[i], timeout_ns, &handle));
        connection_adopt(&run->connections[i], handle, result);
        tick(collection, GOAL_CONNECTED);
    }
    await(collection, GOAL_CONNECTED);
}

static bool is_ready(const struct connection *connection)
{
    return connection->phase == CONNECTION_READY;
}

/* Of the connected servers. */
uint64_t collection_expected_bytes(const struct collection *collection)
{
    const struct run *run = &collection->run;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        uint64_t bytes = request_of(run->book, i)->bytes_expected;
        if (run->attempts[i].result != 0)
            continue;
        if (bytes == UINT64_MAX)
            return UINT64_MAX;
        sum += bytes;
    }
    return sum;
}

static void skip_without_stream(struct collection *collection, uint32_t index)
{
    const struct run *run = &collection->run;
    char limit[ROW_LINE_BYTES / 2], why[ROW_LINE_BYTES];
    if (!os_limit_reached(limit, sizeof limit))
        snprintf(limit, sizeof limit, "raise the limits (ulimit -u, memory, --pool-cap)");
    snprintf(why, sizeof why,
             "scheme %s has no memory or no thread for connection %u of %u: %s, or ask for fewer "
             "--servers",
             run->options->scheme, index + 1, run->count, limit);
    row_skip(&collection->session->row, why);
}

/* Nothing is connecting any more, so that phases stay as they are until the main thread goes on. */
static bool attach_streams(struct collection *collection)
{
    struct run *run = &collection->run;
    collection->expected_bytes = collection_expected_bytes(collection);
    for (uint32_t i = 0; i < run->count; i++) {
        struct connection *connection = &run->connections[i];
        const struct request *request = request_of(run->book, i);
        if (!is_ready(connection) && connection->phase != CONNECTION_PAUSED)
            continue;
        connection->stream = scheme_attach(run->scheme_run, connection, request->frames_expected,
                                           request->bytes_expected);
        if (connection->stream == NULL) {
            skip_without_stream(collection, i);
            return false;
        }
    }
    return true;
}

/* A device may be one that never answers: others are asked, too, but not all of them. */
static void ask_fleet(struct collection *collection)
{
    const struct run *run = &collection->run;
    unsigned tries = 0;
    if (run->options->request.given)
        return;
    for (uint32_t i = 0; i < run->count && tries < STATS_TRIES; i++) {
        if (!is_ready(&run->connections[i]))
            continue;
        if (stats_begin(&collection->fleet, &collection->session->servers.addresses[i], run->book))
            return;
        tries++;
    }
}

/* What floods does so first: its tape may take a while to be made, and the others' times are to be
 * those beside it. */
static void ask_all(struct collection *collection)
{
    struct run *run = &collection->run;
    connection_ask(&run->connections[0]);
    if (run->options->flood_frames > 0)
        await(collection, GOAL_FLOODED);
    for (uint32_t i = 1; i < run->count; i++)
        connection_ask(&run->connections[i]);
}

static void collect(struct collection *collection)
{
    struct run *run = &collection->run;
    struct os_usage usage;
    /* What connected and logged in is done with its control; few may be asked of very many. */
    os_pages_clear(run->controls, run->controls_bytes);
    atomic_store(&run->data_tick, atomic_load(&run->tick));
    os_usage_read(&collection->usage_begin);
    for (uint32_t i = 0; i < run->count; i++)
        connection_start(&run->connections[i]);
    os_usage_read(&usage);
    collection->session->row.ready_rss_kb = measure_kb(usage.rss_bytes);
    ask_all(collection);
    await(collection, GOAL_ENDED);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Every accepted operation completes: if one does not, that is an error of the port, which the row
 * tells. */
static void await_left(struct collection *collection)
{
    struct run *run = &collection->run;
    uint64_t deadline_ns = os_now_ns() + (uint64_t)LEAVE_TIMEOUT_MS * OS_NS_PER_MS;
    while (!is_reached(run, GOAL_LEFT) && os_now_ns() < deadline_ns)
        os_park(&run->main, tick_ns);
    collection->operations_lost = atomic_load(&run->pending);
}

static uint32_t stall_ticks(const struct collector_options *options, uint32_t servers)
{
    double limit_s = (double)options->stall_timeout_ms / 1000;
    if (options->rate > 0 && 3 * servers / options->rate > limit_s)
        limit_s = 3 * servers / options->rate;
    double ticks = limit_s * TICKS_PER_S;
    return ticks < (double)UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

/* Nothing is owed on them: that the others are over is their end. */
static void end_idle(struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (run->connections[i].idle)
            connection_end(&run->connections[i], NULL, os_now_ns());
}

static bool run_phases(struct collection *collection)
{
    struct run *run = &collection->run;
    struct row *row = &collection->session->row;
    struct os_usage usage;
    os_usage_read(&usage);
    row->base_rss_kb = measure_kb(usage.rss_bytes);
    connect_all(collection);
    if (measure_connects(row, run->attempts, run->count) != 0) {
        row_skip(row, "no memory for the connects' times");
        return false;
    }
    if (!attach_streams(collection))
        return false;
    measure_threads(row);
    if (atomic_load(&run->ended)) {
        collection->usage_begin = run->usage_end;
        return true;
    }
    ask_fleet(collection);
    collect(collection);
    return true;
}

bool collection_run(struct collection *collection)
{
    struct run *run = &collection->run;
    assert(run->count > 0);
    collection->started_ns = os_now_ns();
    collection->stall_ticks = stall_ticks(run->options, request_asked(run->book, run->count));
    progress_start(&collection->progress, stderr, run->options->quiet, collection->started_ns);
    bool ran = run_phases(collection);
    if (atomic_load(&run->ended))
        end_idle(run);
    end_all(run, "given-up");
    await_left(collection);
    progress_end(&collection->progress);
    return ran;
}
