/* The parts of a peer that do not depend on how it receives. */
#include "client/peers/peer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- links ---------------------------------------------------------------------------------- */

bool peer_is_living(const struct peer_link *link)
{
    return link->handle != CP_HANDLE_NONE &&
           !atomic_load_explicit(&link->over, memory_order_relaxed);
}

int peer_link_ask(struct peer_link *link)
{
    const struct program *program = &link->peer->program;
    const struct request *request = request_of(&program->requests, link->index);
    if (!link->idle)
        atomic_store(&link->heard_ns, atomic_load(&link->peer->now_ns));
    if (request->bytes == 0)
        return 0;
    return cp_error_from_errno(net_send_all(link->handle, request->text, request->bytes,
                                            program->options.stall_timeout_ms * OS_NS_PER_MS));
}

/* The clock is the tick's: to read one at each receive would cost small frames more than the
 * silence of a second or more is worth. */
void peer_link_heard(struct peer_link *link, size_t bytes)
{
    assert(bytes > 0);
    if (!link->heard)
        measure_first(&link->peer->program.first_ns, os_now_ns());
    link->heard = true;
    link->stream.received_bytes += bytes;
    link->receive_calls++;
    atomic_store_explicit(&link->heard_ns,
                          atomic_load_explicit(&link->peer->now_ns, memory_order_relaxed),
                          memory_order_relaxed);
}

static const char *refused(struct peer_link *link)
{
    program_note_refusal(&link->peer->program, link->index, link->refusal->text);
    return refusal_name(link->refusal);
}

bool peer_link_refused(struct peer_link *link, const void *data, size_t bytes, const char **reason)
{
    if (link->heard || link->peer->program.requests.foreign)
        return false;
    const enum refusal_state state = refusal_feed(&link->refusal, data, bytes);
    *reason = state == REFUSAL_WHOLE ? refused(link) : NULL;
    return state != REFUSAL_NONE;
}

bool peer_link_ends_in_frame(const struct peer_link *link)
{
    return link->peer->program.options.close_ends_frame && link->stream.partial_bytes > 0;
}

static const char *closed_reason(struct peer_link *link, struct processor *processor)
{
    if (link->refusal != NULL)
        return refused(link);
    if (processor != NULL && peer_link_ends_in_frame(link))
        framer_finish(link, processor);
    return request_end_reason(&link->peer->program.requests, &link->stream);
}

/* Of a model that counts bytes, on its one thread. The link's last bytes leave no debt. */
static void work_with_bytes(struct peer_link *link, const uint8_t *data, size_t bytes)
{
    struct processor *processor = &link->peer->processor;
    processor_work_bytes(processor, data, bytes);
    if (request_is_answered(&link->stream))
        processor_settle(processor);
}

bool peer_link_received(struct peer_link *link, struct processor *processor, uint8_t *data,
                        int64_t result, const char **reason)
{
    enum frame_error error = FRAME_OK;
    if (result <= 0) {
        link->receive_calls++;
        link->receive_empty++;
        if (result != PEER_NOTHING)
            *reason = result == 0 ? closed_reason(link, processor) : cp_error_name((int)result);
        return result == PEER_NOTHING;
    }
    if (peer_link_refused(link, data, (size_t)result, reason)) {
        link->receive_calls++;
        return *reason == NULL;
    }
    if (link->stream.received_bytes < OPENING_BYTES)
        program_look(&link->peer->program, link->index, data, (size_t)result);
    peer_link_heard(link, (size_t)result);
    if (processor != NULL)
        error = framer_take(link, processor, data, (size_t)result);
    else
        work_with_bytes(link, data, (size_t)result);
    return peer_link_continues(link, error, reason);
}

bool peer_link_continues(const struct peer_link *link, enum frame_error error, const char **reason)
{
    if (error == FRAME_SURPLUS && link->peer->program.requests.foreign)
        error = FRAME_OK;
    *reason = error == FRAME_OK ? NULL : frame_error_name(error);
    return error == FRAME_OK && (link->idle || !request_is_answered(&link->stream));
}

/* The usage is read by the thread that ends the last link: the main thread may be late to wake. */
void peer_link_end(struct peer_link *link, const char *reason)
{
    struct peer *peer = link->peer;
    assert(!atomic_load(&link->over));
    link->reason = link->idle && atomic_load(&peer->living) == 0 ? NULL : reason;
    link->ended_ns = os_now_ns();
    atomic_store(&link->over, true);
    if (link->idle)
        return;
    uint32_t before = atomic_fetch_sub(&peer->living, 1);
    assert(before > 0);
    if (before > 1)
        return;
    resources_end(&peer->program.after);
    os_unpark(&peer->main);
}

/* ---- connect and log in --------------------------------------------------------------------- */

static void connect_all(struct peer *peer)
{
    const struct request_set *requests = &peer->program.requests;
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        *link = (struct peer_link){.peer = peer, .index = i, .handle = CP_HANDLE_NONE};
        link->idle = request_is_idle(requests, i);
        link->stream.goal = processes_goal(&peer->program, i);
        peer->living += program_connect(&peer->program, i, &link->handle) == 0 && !link->idle;
    }
}

static void log_in_all(struct peer *peer)
{
    struct program *program = &peer->program;
    const uint64_t timeout_ns = program->options.login_timeout_ms * OS_NS_PER_MS;
    struct row *row = &peer->program.row;
    if (!program->options.login.given)
        return;
    row->logged_in = 0;
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        const char *reason = NULL;
        char answer[PROTOCOL_LINE_BYTES_MAX] = "";
        if (link->handle == CP_HANDLE_NONE)
            continue;
        if (!os_interrupted())
            reason = request_log_in(&program->requests, link->handle, timeout_ns, answer);
        if (program_interrupted(program))
            reason = MEASURE_INTERRUPTED;
        row->logged_in += reason == NULL;
        if (reason == NULL)
            continue;
        if (strcmp(reason, LOGIN_REFUSED) == 0)
            program_note_refusal(&peer->program, i, answer);
        program_look(&peer->program, i, answer, strlen(answer));
        row_tally_add(row->login_errors, login_short_name(reason));
        net_close(link->handle);
        link->handle = CP_HANDLE_NONE;
        peer_link_end(link, reason);
    }
}

static void ask_fleet(struct peer *peer)
{
    for (uint32_t i = 0; i < peer->count; i++)
        if (peer_is_living(&peer->links[i]) && processes_choose(&peer->program, i))
            break;
    processes_ask(&peer->program);
}

/* ---- collect -------------------------------------------------------------------------------- */

/* Data or the server's end may have come which nobody has received yet: then we are late. */
static void check_silence(struct peer_link *link, uint64_t now_ns)
{
    const uint64_t heard_ns = atomic_load_explicit(&link->heard_ns, memory_order_relaxed);
    if (now_ns <= heard_ns || now_ns - heard_ns <= link->peer->silence_max_ns ||
        net_wait(link->handle, NET_READABLE, 0))
        return;
    link->silent_ns = now_ns - heard_ns;
    link->peer->model->cut(link, "stalled");
}

void peer_tick(struct peer *peer)
{
    uint64_t now_ns = os_active_ns();
    bool interrupted = atomic_load(&peer->living) > 0 && program_interrupted(&peer->program);
    clocks_watch(&peer->program.clocks);
    atomic_store_explicit(&peer->now_ns, now_ns, memory_order_relaxed);
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        if (!peer_is_living(link))
            continue;
        if (interrupted)
            peer->model->cut(link, MEASURE_INTERRUPTED);
        else if (now_ns >= peer->stop_ns && !link->idle)
            peer->model->cut(link, program_time_up);
        else
            check_silence(link, now_ns);
    }
}

static void set_heard(struct peer *peer)
{
    const uint64_t now_ns = os_active_ns();
    atomic_store(&peer->now_ns, now_ns);
    for (uint32_t i = 0; i < peer->count; i++)
        atomic_store(&peer->links[i].heard_ns, peer->links[i].idle ? UINT64_MAX : now_ns);
}

/* What the first ones send waits until all are asked, so silence begins then. After Ctrl-C the rest
 * is started and cut. */
static void start_and_ask(struct peer *peer)
{
    const struct peer_model *model = peer->model;
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        if (!peer_is_living(link))
            continue;
        os_active_ns(); /* a look: the loop may be long */
        int result = model->start(link);
        if (result == 0)
            result = os_interrupted() ? CP_ECANCELED : peer_link_ask(link);
        if (result == CP_ECANCELED)
            program_interrupted(&peer->program);
        if (result != 0)
            model->cut(link, attempt_error_name(result));
    }
    if (peer->program.options.start == START_TOGETHER)
        processes_start(&peer->program);
    set_heard(peer);
}

static void collect(struct peer *peer)
{
    const struct peer_model *model = peer->model;
    peer->silence_max_ns = measure_stall_ns(&peer->program.options,
                                            request_asked(&peer->program.requests, peer->count));
    set_heard(peer);
    resources_begin(&peer->program.before);
    peer->program.after = peer->program.before;
    if (model->start != NULL)
        start_and_ask(peer);
    peer->stop_ns = measure_stop_ns(&peer->program.options, atomic_load(&peer->now_ns));
    if (atomic_load(&peer->living) > 0)
        model->collect(peer);
    /* Idle servers owe nothing: they end with the others. */
    for (uint32_t i = 0; i < peer->count; i++)
        if (peer->links[i].idle && peer_is_living(&peer->links[i]))
            model->cut(&peer->links[i], NULL);
    assert(atomic_load(&peer->living) == 0);
}

static void measure(struct peer *peer)
{
    struct program *program = &peer->program;
    struct row *row = &program->row;
    program_count_begin(program);
    for (uint32_t i = 0; i < peer->count; i++) {
        struct peer_link *link = &peer->links[i];
        bool stalled = link->reason != NULL && strcmp(link->reason, "stalled") == 0;
        uint64_t end_ns = link->ended_ns - (stalled ? link->silent_ns : 0);
        program_count(program, i, &link->stream, link->reason, link->heard ? end_ns : 0);
        row->receive_calls += link->receive_calls;
        row->receive_empty += link->receive_empty;
    }
    if (peer->model->counts_bytes)
        program->figures.bytes = row->bytes;
    const uint64_t peak_bytes = atomic_load(&peer->budget.peak_bytes);
    program->figures.buffer_peak_bytes = peak_bytes > 0 ? peak_bytes : ROW_UNKNOWN;
    program_measure(program);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* NULL, or why this machine cannot. */
static const char *open_model(struct peer *peer)
{
    const struct peer_model *model = peer->model;
    peer->link_states = calloc(peer->count, model->link_state_bytes + 1);
    processor_init(&peer->processor, &peer->config.process, &peer->budget);
    for (uint32_t i = 0; peer->link_states != NULL && i < peer->count; i++) {
        peer->links[i].state = (char *)peer->link_states + i * model->link_state_bytes;
    }
    return peer->link_states != NULL ? model->open(peer) : "no memory for the connections";
}

static void close_model(struct peer *peer)
{
    if (peer->link_states != NULL)
        peer->model->close(peer);
    for (uint32_t i = 0; i < peer->count; i++) {
        framer_close(&peer->links[i]);
        free(peer->links[i].refusal);
        if (peer->links[i].handle != CP_HANDLE_NONE)
            net_close(peer->links[i].handle);
    }
    processor_sum_up(&peer->processor, &peer->program.figures);
    processor_end(&peer->processor);
    free(peer->link_states);
}

static void run(struct peer *peer)
{
    struct row *row = &peer->program.row;
    row->base_rss_kb = measure_rss_kb();
    os_pauses_begin();
    const uint64_t cpu_ns = os_cpu_ns();
    connect_all(peer);
    if (program_measure_connects(&peer->program, os_cpu_ns() - cpu_ns) != 0)
        return;
    log_in_all(peer);
    const char *why = open_model(peer);
    if (why == NULL) {
        measure_threads(row);
        ask_fleet(peer);
        collect(peer);
    } else {
        program_skip(&peer->program, -EAGAIN, "%s", why);
    }
    row->paused_ms = (double)os_paused_ns() / OS_NS_PER_MS;
    close_model(peer);
    if (why == NULL)
        measure(peer);
}

/* The row's keys that are not options here. */
static void describe(struct peer *peer)
{
    const struct peer_model *model = peer->model;
    struct row *row = &peer->program.row;
    snprintf(peer->engine, sizeof peer->engine, "%s%s", model->engine,
             model->engine_version != NULL ? model->engine_version() : "");
    const bool copies = model->copying != NULL && peer->program.options.processors > 0;
    snprintf(peer->scheme, sizeof peer->scheme, "%s%s", copies ? model->copying : model->scheme,
             peer->slices ? "-slices" : "");
    row->engine = peer->engine;
    row->scheme = peer->scheme;
    row->gate = "none";
    row->workers = row->concurrency = model->thread_per_link ? peer->count : 1;
    row->batch = 1;
    row->connect = option_connect_names[CONNECT_SYNC];
    row->bind = option_bind_names[model->thread_per_link ? BIND_EARLY : BIND_LATE];
}

int peer_main(int argc, char **argv, const struct peer_model *model)
{
    char about[512], examples[128];
    const struct program_text text = {.name = model->name, .about = about, .examples = examples};
    struct peer peer = {.model = model};
    struct program *program = &peer.program;
    snprintf(about, sizeof about,
             "%s%s. Takes fanin-client's options, so that one command line serves both, and uses "
             "those of servers, load and output; it connects one server after the other.",
             model->about,
             model->counts_bytes
                 ? ""
                 : "; with --scheme slices it processes frames in pieces, as they arrive");
    snprintf(examples, sizeof examples, "  %s --servers 200 --port 20000 --frames 100",
             model->name);
    int code = program_open(program, &text, argc, argv);
    if (code != PROGRAM_OPEN)
        return code;
    if (program->options.reconnect)
        return program_refuse(program, "--reconnect: only fanin-client has it; its peers connect "
                                       "each server once");
    if (program->options.start == START_TOGETHER && model->start == NULL)
        return program_refuse(program, "--start together: not with a thread for each connection, "
                                       "which asks when it runs: take --start each");
    if (program->options.processing.look.every_ns > 0)
        return program_refuse(program, "--look: only fanin-client's scheme chain has a common "
                                       "buffer to look at: leave it out, or take --look wake");
    if (program->options.processing.work.record_ns > 0 && model->counts_bytes)
        return program_refuse(program, "--work: this program does not look for records: give a "
                                       "cost per byte only, such as touch:5ns/byte");
    if (program->options.processors > 1 && model->copying != NULL)
        return program_refuse(program, "--processors: this program has one thread that copies: "
                                       "take 0 or 1");
    peer.count = program->servers.count;
    peer.slices = !model->counts_bytes && strcmp(program->options.scheme, "slices") == 0;
    describe(&peer);
    collector_options_process(&program->options, &peer.config);
    budget_init(&peer.budget, UINT64_MAX);
    if (program_reserve(program) && !program->options.dry_run) {
        peer.links = calloc(peer.count, sizeof *peer.links);
        if (peer.links != NULL)
            run(&peer);
        else
            program_skip(program, -ENOMEM, "no memory for the connections");
        free(peer.links);
    }
    return program_close(program);
}
