/* The phases of a run:
 *
 *   connect   every server; the workers log in                  until none is connecting
 *   prepare   attach streams (their threads start), count threads, ask the fleet
 *   collect   first receive on each, then the request on each;   until none is living
 *             lost ones are tried again (--reconnect)
 *   drain     until nothing is in flight
 *
 * Meanwhile the main thread ticks, also between two servers in a loop over all of them: it checks
 * for servers whose time is over, for lost ones whose next try is due and for Ctrl-C, and shows
 * progress. */
#include "client/collector/run.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

enum { DRAIN_TIMEOUT_MS = 10000 };

static const uint64_t tick_ns = (uint64_t)RUN_TICK_MS * OS_NS_PER_MS;

/* ---- waiting --------------------------------------------------------------------------------- */

/* Lost servers are tried again once all are asked: GOAL_ENDED. */
enum goal { GOAL_CONNECTED, GOAL_FLOODED, GOAL_ASKED, GOAL_ENDED };

static bool is_lost(struct connection *connection)
{
    connection_lock(connection);
    const bool lost = connection->over || connection->cut;
    connection_unlock(connection);
    return lost;
}

static bool is_reached(struct run *run, enum goal goal)
{
    if (goal == GOAL_CONNECTED)
        return atomic_load(&run->connecting) == 0;
    if (goal == GOAL_FLOODED)
        return atomic_load(&run->program->first_ns) != UINT64_MAX ||
               is_lost(&run->connections->all[0]);
    return atomic_load(&run->ended);
}

static void end_all(struct run *run, bool idle_only, const char *reason)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (run->connections->all[i].idle || !idle_only)
            connection_end(&run->connections->all[i], reason, os_now_ns());
}

static void stop_all(struct run *run, uint64_t now_ns)
{
    scheme_hurry(run->scheme_run);
    for (uint32_t i = 0; i < run->count; i++)
        connection_stop(&run->connections->all[i], now_ns);
}

/* Of the bytes, of the servers or of the time, whichever will end the collection. */
static double progress_share(const struct run *run, uint64_t received)
{
    const uint32_t living = atomic_load(&run->living);
    const double for_ns = (double)run->options->for_ms * OS_NS_PER_MS;
    double share = run->expected_bytes != UINT64_MAX && run->expected_bytes > 0
                       ? (double)received / (double)run->expected_bytes
                       : (double)(run->count - living) / run->count;
    const double left_ns = (double)run->stop_ns - (double)os_active_ns();
    double gone = run->stop_ns != UINT64_MAX ? 1 - left_ns / for_ns : 0;
    return gone > share ? gone : share;
}

static void show_progress(struct run *run, enum goal goal, uint64_t now_ns)
{
    char what[96];
    uint64_t received = 0;
    if (now_ns - run->started_ns < 2 * (uint64_t)OS_NS_PER_S)
        return;
    if (goal == GOAL_CONNECTED) {
        uint32_t done = run->count - atomic_load(&run->connecting);
        snprintf(what, sizeof what, "connecting  %u/%u servers", done, run->count);
        progress_show(&run->progress, now_ns, what, (double)done / run->count, UINT64_MAX);
        return;
    }
    for (unsigned i = 0; i < run->worker_count; i++)
        received += atomic_load_explicit(&run->workers[i].received_bytes, memory_order_relaxed);
    received -= atomic_load_explicit(&run->rewound_bytes, memory_order_relaxed);
    uint32_t living = atomic_load(&run->living), away = atomic_load(&run->away);
    int used = snprintf(what, sizeof what, "receiving  %.1f MB, %u servers left",
                        (double)received / 1e6, living);
    if (away > 0)
        snprintf(what + used, sizeof what - (size_t)used, ", %u of them away", away);
    double share = progress_share(run, received);
    progress_show(&run->progress, now_ns, what, share, UINT64_MAX);
}

/* Once all is done a run is not called interrupted. */
static void heed_interrupt(struct run *run)
{
    if (run->interrupted || atomic_load(&run->ended) || !program_interrupted(run->program))
        return;
    run->interrupted = true;
    scheme_hurry(run->scheme_run);
    end_all(run, false, MEASURE_INTERRUPTED);
}

/* Of two in a row, so that what the kernel had when the first was sent is handled, too. */
void run_marker_back(struct run *run, int64_t tick)
{
    atomic_store_explicit(&run->served_tick, run->marked_tick, memory_order_relaxed);
    run->marked_tick = (uint32_t)tick;
    atomic_store_explicit(&run->marking, false, memory_order_release);
}

static void send_marker(struct run *run, uint32_t now_tick)
{
    if (!run->mark || atomic_load_explicit(&run->marking, memory_order_acquire))
        return;
    run->mark = false;
    atomic_store(&run->marking, true);
    int result = cp_post(run->port, &run->marker, 0, now_tick);
    assert(result == 0);
    (void)result;
}

static void tick(struct run *run, enum goal goal)
{
    uint64_t now_ns = os_now_ns();
    const uint64_t active_ns = os_active_ns();
    uint32_t now_tick = (uint32_t)((active_ns - run->started_active_ns) / tick_ns);
    heed_interrupt(run);
    if (active_ns >= run->stop_ns)
        stop_all(run, now_ns);
    if (now_tick == atomic_load_explicit(&run->tick, memory_order_relaxed))
        return;
    atomic_store_explicit(&run->tick, now_tick, memory_order_relaxed);
    if (goal != GOAL_CONNECTED)
        clocks_watch(&run->program->clocks);
    for (uint32_t i = 0; i < run->count; i++) {
        connection_check(&run->connections->all[i], now_ns);
        if (goal == GOAL_ENDED && run->options->reconnect)
            connection_reopen(&run->connections->all[i]);
    }
    send_marker(run, now_tick);
    show_progress(run, goal, now_ns);
}

static void await(struct run *run, enum goal goal)
{
    while (!is_reached(run, goal)) {
        const uint64_t now_ns = os_active_ns();
        const uint64_t left_ns = run->stop_ns > now_ns ? run->stop_ns - now_ns : UINT64_MAX;
        os_park(&run->main, os_slice_ns(left_ns));
        tick(run, goal);
    }
}

/* ---- connect, prepare, collect --------------------------------------------------------------- */

static void connect_all(struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        if (run->options->connect == CONNECT_ASYNC)
            connection_connect(&run->connections->all[i]);
        else
            connection_connect_blocking(&run->connections->all[i]);
        tick(run, GOAL_CONNECTED);
    }
    await(run, GOAL_CONNECTED);
}

static void skip_without_stream(struct run *run, uint32_t index)
{
    program_skip(run->program, -EAGAIN,
                 "scheme %s has no memory or no thread for connection %u of %u; ask for fewer "
                 "--servers, or raise the limit",
                 run->options->scheme, index + 1, run->count);
}

/* Nothing is connecting any more, so no phase changes before the main thread continues. */
static bool attach_streams(struct run *run)
{
    run->expected_bytes = measure_expected_bytes(run->requests, run->program->attempts, run->count);
    for (uint32_t i = 0; i < run->count; i++) {
        struct connection *connection = &run->connections->all[i];
        tick(run, GOAL_CONNECTED);
        if (connection->phase != CONNECTION_READY && connection->phase != CONNECTION_PAUSED)
            continue;
        connection->stream = scheme_attach(run->scheme_run, i, processes_goal(run->program, i));
        if (connection->stream == NULL) {
            skip_without_stream(run, i);
            return false;
        }
    }
    return true;
}

static void ask_fleet(struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (run->connections->all[i].phase == CONNECTION_READY && processes_choose(run->program, i))
            break;
    progress_end(&run->progress);
    processes_ask(run->program);
    tick(run, GOAL_CONNECTED); /* the time that it took is nobody's silence */
}

/* Until now no server owed anything. */
static void start_all(struct run *run)
{
    progress_end(&run->progress);
    processes_start(run->program);
    tick(run, GOAL_ASKED); /* the time that it took is nobody's silence */
    for (uint32_t i = 0; i < run->count; i++)
        connection_expect(&run->connections->all[i]);
}

static void collect(struct run *run)
{
    /* Logged-in connections no longer need their control; few of very many may be asked. */
    os_pages_clear(run->controls, run->controls_bytes);
    atomic_store(&run->data_tick, atomic_load(&run->tick));
    resources_begin(&run->program->before);
    for (uint32_t i = 0; i < run->count; i++)
        connection_continue(&run->connections->all[i], CONNECTION_READY);
    run->program->row.ready_rss_kb = measure_rss_kb();
    /* The server that floods is asked first: its tape takes a while to be made, and the others are
     * to be measured beside its data. */
    for (uint32_t i = 0; i < run->count; i++) {
        connection_ask(&run->connections->all[i]);
        if (i == 0 && run->options->flood_frames > 0)
            await(run, GOAL_FLOODED);
        tick(run, GOAL_ASKED);
    }
    if (run->options->start == START_TOGETHER)
        start_all(run);
    run->stop_ns = measure_stop_ns(run->options, os_active_ns());
    await(run, GOAL_ENDED);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool run_phases(struct run *run)
{
    struct program *program = run->program;
    program->row.base_rss_kb = measure_rss_kb();
    run->cpu_before_ns = os_cpu_ns();
    connect_all(run);
    if (program_measure_connects(program, run->cpu_settled_ns - run->cpu_before_ns) != 0 ||
        !attach_streams(run))
        return false;
    measure_threads(&program->row);
    if (atomic_load(&run->ended)) {
        program->before = program->after;
        return true;
    }
    ask_fleet(run);
    collect(run);
    return true;
}

static void set_limits(struct run *run)
{
    const struct collector_options *options = run->options;
    const uint32_t asked = request_asked(run->requests, run->count);
    run->limit_ticks[AWAIT_CONNECT] = run_ticks(options->connect_timeout_ms * OS_NS_PER_MS);
    run->limit_ticks[AWAIT_LOGIN] = run_ticks(options->login_timeout_ms * OS_NS_PER_MS);
    run->limit_ticks[AWAIT_DATA] = run_ticks(measure_stall_ns(options, asked));
}

/* Every accepted operation completes. If one does not, that is an error of the port, and the row
 * says so. */
static void drain(struct run *run)
{
    const uint64_t deadline_ns = os_active_ns() + (uint64_t)DRAIN_TIMEOUT_MS * OS_NS_PER_MS;
    while (atomic_load(&run->pending) > 0 && os_active_ns() < deadline_ns)
        os_park(&run->main, tick_ns);
    run->program->audit.operations_lost = atomic_load(&run->pending);
}

bool run_execute(struct run *run)
{
    assert(run->count > 0);
    run->started_ns = os_now_ns();
    run->stop_ns = UINT64_MAX;
    os_pauses_begin();
    run->started_active_ns = os_active_ns();
    set_limits(run);
    progress_start(&run->progress, stderr, run->options->quiet, run->started_ns);
    bool ran = run_phases(run);
    if (atomic_load(&run->ended))
        end_all(run, true, NULL); /* idle servers owe nothing: they end with the others */
    end_all(run, false, "given-up");
    run->program->row.paused_ms = (double)os_paused_ns() / OS_NS_PER_MS;
    drain(run);
    progress_end(&run->progress);
    return ran;
}
