/* The ceiling: what one thread gets out of the same servers with nothing but a wait and recv
 * into one hot buffer. No completion port, no buffer scheme, no look at the bytes: a connection
 * is done when the sum of its frames' lengths has arrived. The same command line and the same
 * row as fanin-client, so that every row can be read as a share of this one. */
#include <assert.h>
#include <stdlib.h>

#include "client/collector/measure.h"
#include "client/collector/session.h"
#include "client/collector/stats.h"
#include "client/os/os.h"

enum { HOT_BYTES = 64 << 10, EVENTS_MAX = 256, TICK_MS = 100 };

struct peer {
    cp_handle handle; /* CP_HANDLE_NONE: over, or never connected */
    uint64_t expected_bytes, received_bytes, heard_ns;
    const char *reason; /* why it failed; NULL: it did not */
};

struct raw {
    struct session *session;
    struct attempt *attempts;
    struct peer *peers;
    struct fleet_stats fleet;
    struct os_usage before, after;
    struct wire_set *set;
    uint32_t count, living;
    uint64_t first_ns, last_ns, receive_calls, receive_empty;
};

static uint8_t hot[HOT_BYTES];

static void peer_end(struct raw *raw, struct peer *peer, const char *reason)
{
    assert(peer->handle != CP_HANDLE_NONE);
    wire_set_remove(raw->set, peer->handle);
    wire_close(peer->handle);
    peer->handle = CP_HANDLE_NONE;
    peer->reason = reason;
    raw->living--;
}

/* ---- connect -------------------------------------------------------------------------------- */

static void connect_all(struct raw *raw)
{
    const struct session *session = raw->session;
    uint64_t timeout_ns = session->options.connect_timeout_ms * OS_NS_PER_MS;
    for (uint32_t i = 0; i < raw->count; i++) {
        struct attempt *attempt = &raw->attempts[i];
        struct peer *peer = &raw->peers[i];
        peer->handle = CP_HANDLE_NONE;
        peer->expected_bytes = request_of(&session->book, i)->bytes_expected;
        attempt->started_ns = os_now_ns();
        attempt->result = os_interrupted() ? CP_ECANCELED
                                           : wire_connect(&session->servers.addresses[i],
                                                          timeout_ns, &peer->handle);
        attempt->done_ns = os_now_ns();
        raw->living += attempt->result == 0;
    }
}

static void log_in_all(struct raw *raw)
{
    uint64_t timeout_ns = raw->session->options.stall_timeout_ms * OS_NS_PER_MS;
    for (uint32_t i = 0; i < raw->count; i++) {
        struct peer *peer = &raw->peers[i];
        if (peer->handle == CP_HANDLE_NONE)
            continue;
        int result = request_log_in(&raw->session->book, peer->handle, timeout_ns);
        if (result != 0)
            peer_end(raw, peer, result == CP_EACCES ? "login-refused" : cp_error_name(result));
    }
}

static void ask_fleet(struct raw *raw)
{
    unsigned tries = 0;
    if (raw->session->options.request.given)
        return;
    for (uint32_t i = 0; i < raw->count && tries < STATS_TRIES; i++) {
        if (raw->peers[i].handle == CP_HANDLE_NONE)
            continue;
        if (stats_begin(&raw->fleet, &raw->session->servers.addresses[i], &raw->session->book))
            return;
        tries++;
    }
}

/* ---- collect -------------------------------------------------------------------------------- */

static void ask_all(struct raw *raw)
{
    uint64_t timeout_ns = raw->session->options.stall_timeout_ms * OS_NS_PER_MS;
    for (uint32_t i = 0; i < raw->count; i++) {
        struct peer *peer = &raw->peers[i];
        const struct request *request = request_of(&raw->session->book, i);
        if (peer->handle == CP_HANDLE_NONE)
            continue;
        int result = wire_set_add(raw->set, peer->handle, peer);
        if (result == 0 && request->bytes > 0)
            result = wire_send(peer->handle, request->text, request->bytes, timeout_ns);
        peer->heard_ns = os_now_ns();
        if (result != 0)
            peer_end(raw, peer, cp_error_name(result));
    }
}

static void receive(struct raw *raw, struct peer *peer)
{
    int64_t bytes = wire_receive(peer->handle, hot, sizeof hot, 0);
    raw->receive_calls++;
    raw->receive_empty += bytes <= 0;
    if (bytes == CP_ETIMEDOUT)
        return;
    uint64_t now_ns = os_now_ns();
    peer->heard_ns = now_ns;
    if (bytes > 0) {
        if (raw->first_ns == UINT64_MAX)
            raw->first_ns = now_ns;
        raw->last_ns = now_ns;
        peer->received_bytes += (uint64_t)bytes;
        if (peer->received_bytes >= peer->expected_bytes)
            peer_end(raw, peer, NULL);
    } else if (bytes == 0) {
        peer_end(raw, peer, peer->expected_bytes == UINT64_MAX ? NULL : "closed-early");
    } else {
        peer_end(raw, peer, cp_error_name((int)bytes));
    }
}

static uint64_t silence_max_ns(const struct raw *raw)
{
    const struct collector_options *options = &raw->session->options;
    double limit_ns = (double)options->stall_timeout_ms * OS_NS_PER_MS;
    double slow_ns = options->rate > 0 ? 3.0 * raw->count / options->rate * OS_NS_PER_S : 0;
    return (uint64_t)(slow_ns > limit_ns ? slow_ns : limit_ns);
}

static void end_silent(struct raw *raw, uint64_t now_ns)
{
    uint64_t max_ns = silence_max_ns(raw);
    bool interrupted = os_interrupted();
    for (uint32_t i = 0; i < raw->count; i++) {
        struct peer *peer = &raw->peers[i];
        if (peer->handle == CP_HANDLE_NONE)
            continue;
        if (interrupted)
            peer_end(raw, peer, "interrupted");
        else if (now_ns - peer->heard_ns > max_ns)
            peer_end(raw, peer, "stalled");
    }
}

static void collect(struct raw *raw)
{
    void *owners[EVENTS_MAX];
    uint64_t checked_ns = os_now_ns();
    ask_all(raw);
    while (raw->living > 0) {
        unsigned count = wire_set_wait(raw->set, owners, EVENTS_MAX, TICK_MS);
        for (unsigned i = 0; i < count; i++)
            receive(raw, owners[i]);
        uint64_t now_ns = os_now_ns();
        if (now_ns - checked_ns >= (uint64_t)TICK_MS * OS_NS_PER_MS || os_interrupted()) {
            end_silent(raw, now_ns);
            checked_ns = now_ns;
        }
    }
}

/* ---- measure -------------------------------------------------------------------------------- */

static void measure(struct raw *raw)
{
    struct row *row = &raw->session->row;
    uint64_t expected_bytes = 0;
    row->bytes = row->connections_failed = row->blocks_lost = row->pool_blocks = 0;
    row->buffer_cap_waits = row->buffer_turn_waits = 0;
    row->copied_bytes = row->scanned_bytes = 0;
    row->buffer_peak_bytes = sizeof hot;
    row->receive_calls = raw->receive_calls;
    row->receive_empty = raw->receive_empty;
    for (uint32_t i = 0; i < raw->count; i++) {
        const struct peer *peer = &raw->peers[i];
        row->bytes += peer->received_bytes;
        if (raw->attempts[i].result == 0 && peer->expected_bytes == UINT64_MAX)
            expected_bytes = UINT64_MAX;
        else if (raw->attempts[i].result == 0)
            expected_bytes += peer->expected_bytes;
        if (peer->reason != NULL) {
            row->connections_failed++;
            tally_add(&row->errors, peer->reason);
        }
    }
    measure_span(row, raw->first_ns, raw->last_ns, &raw->before, &raw->after);
    stats_end(&raw->fleet, &raw->session->book, row->bytes);
    measure_fleet(row, &raw->fleet);
    measure_audit(row, &(struct audit){.foreign = raw->session->options.request.given,
                                       .expected_bytes = expected_bytes,
                                       .processed_bytes = row->bytes});
    measure_bottleneck(row, (unsigned)os_cpu_count());
    measure_status(row);
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void run(struct raw *raw)
{
    struct row *row = &raw->session->row;
    struct os_usage usage;
    os_usage_read(&usage);
    row->base_rss_bytes = usage.rss_bytes;
    connect_all(raw);
    if (measure_connects(row, raw->attempts, raw->count) != 0) {
        row_skip(row, "no memory for the connects' times");
        return;
    }
    log_in_all(raw);
    row->worker_threads = (uint64_t)os_thread_count(OS_ROLE_WORKER);
    row->buffer_threads = (uint64_t)os_thread_count(OS_ROLE_BUFFER);
    row->total_threads = (uint64_t)os_thread_count(NULL);
    ask_fleet(raw);
    os_usage_read(&raw->before);
    collect(raw);
    os_usage_read(&raw->after);
    measure(raw);
}

static void describe(struct row *row)
{
    row->engine = wire_set_name();
    row->gate = "none";
    row->scheme = "raw";
    row->workers = row->concurrency = row->batch = 1;
    row->connect = CONNECT_SYNC;
    row->bind = BIND_LATE;
}

static void open_and_run(struct raw *raw)
{
    struct row *row = &raw->session->row;
    raw->count = raw->session->servers.count;
    raw->first_ns = UINT64_MAX;
    raw->attempts = calloc(raw->count, sizeof *raw->attempts);
    raw->peers = calloc(raw->count, sizeof *raw->peers);
    raw->set = wire_set_open(raw->count);
    if (raw->attempts == NULL || raw->peers == NULL || raw->set == NULL)
        row_skip(row, "no memory for the connections");
    else
        run(raw);
    wire_set_close(raw->set);
    free(raw->peers);
    free(raw->attempts);
}

static const struct collector_program program = {
    .name = "fanin-raw",
    .about =
        "The ceiling that fanin-client is measured against: one thread, one wait, and one hot "
        "buffer "
        "that every receive goes to; the bytes are counted and not looked at. Takes fanin-client's "
        "options, so that one command line serves both, and uses those of servers, load and "
        "output; it connects one server after the other.",
    .epilogue = "Examples:\n"
                "  fanin-servers --count 200 --port 20000 &\n"
                "  fanin-raw --servers 200 --port 20000 --frames 100",
};

int main(int argc, char **argv)
{
    struct session session = {0};
    struct raw raw = {.session = &session};
    int code = session_open(&session, &program, argc, argv);
    if (code != SESSION_OPEN)
        return code;
    describe(&session.row);
    os_interrupts_catch();
    if (session_reserve(&session) && !session.options.dry_run)
        open_and_run(&raw);
    return session_close(&session);
}
