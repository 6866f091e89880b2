/* A connection's receiving side and its end.
 *
 * THE RECEIVING SIDE of a connection (its stream's offer, received, retract, detach, and the
 * posting of receives) has exactly one owner at any time:
 *
 *                           connection_continue (main)
 *                        .---------------------------- READY
 *                        |                               ^ connected, logged in
 *   connection_connect   v                               |
 *   ----------------> BUSY: the port, or the worker that got the completion
 *                      ^ |  |         |
 *   connection_continue| |  |         | every frame is found
 *                      | v  |         v
 *                  WAITING  |      SETTLED
 *                      |    |         |
 *      connection_end  |    | over    |  connection_end
 *                      '--->|<--------'  (READY, too)
 *                           v
 *                         CLOSED: stream detached; nothing of the receiving side will run again
 *
 * With --reconnect there is another way out of BUSY, when it is not over but its socket is `cut`:
 *
 *      BUSY --stream rewound--> PAUSED --connection_reopen (main)--> BUSY: connects again
 *
 * The stream belongs to the server and stays attached. Nothing of the old socket is in flight when
 * the next one is opened: the owner releases only when its receive is back, and `asking` says
 * whether its request is out.
 *
 * In READY, WAITING, SETTLED and PAUSED no thread is at work and no receive is in flight: the
 * thread that takes the connection out of that phase, under the lock, becomes the owner. In BUSY
 * the owner finds out by itself that the connection is over, at the latest when its receive is
 * aborted because the socket was closed.
 *
 * `over` is set once, by the first of: the processing side (finished, failed), the owner (an
 * error, the peer's end), the main thread (stalled, interrupted, time is up). `cut` is set once
 * per socket in the same way, where only the socket is lost. Each closes the socket in the same
 * critical section, and every call on the socket is made inside the lock with socket_id != 0, so
 * no call meets a closed socket. The port never calls back from a submitting call, and no hook of
 * a scheme is called with the lock held, so the lock is a leaf but for the port's own.
 *
 * `resumed` remembers a resume that comes between the scheme's "no block" and WAITING. */
#include "client/collector/run.h"

#include <assert.h>
#include <string.h>

void run_count_down(struct run *run, _Atomic uint32_t *count)
{
    uint32_t before = atomic_fetch_sub(count, 1);
    assert(before > 0);
    if (before == 1)
        os_unpark(&run->main);
}

void connection_note_activity(struct connection *connection)
{
    uint32_t tick = atomic_load_explicit(&run_of(connection)->tick, memory_order_relaxed);
    atomic_store_explicit(&connection->heard_tick, tick, memory_order_relaxed);
}

/* Who sees what it waits for sees since when, too. */
void connection_await(struct connection *connection, enum awaited awaited)
{
    connection_note_activity(connection);
    if (awaited == AWAIT_DATA && connection->idle)
        awaited = AWAIT_NOTHING;
    atomic_store_explicit(&connection->awaited, (uint8_t)awaited, memory_order_release);
}

static enum awaited awaited_of(const struct connection *connection)
{
    return atomic_load_explicit(&connection->awaited, memory_order_acquire);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void close_receiving_side(struct connection *connection)
{
    struct run *run = run_of(connection);
    if (reconnect_of(connection)->since_ns != 0)
        atomic_fetch_sub(&run->away, 1);
    reconnect_end(reconnect_of(connection), ending_of(connection)->ended_ns);
    if (connection->stream != NULL)
        scheme_detach(run->scheme_run, connection->stream);
    connection_lock(connection);
    assert(connection->over);
    assert(connection->phase == CONNECTION_BUSY);
    connection->phase = CONNECTION_CLOSED;
    connection_unlock(connection);
    run_count_down(run, &run->pending);
}

/* Frames that the processing side has, or will have: the next connection brings what follows. */
static uint64_t rewind_stream(struct connection *connection)
{
    const struct run *run = run_of(connection);
    struct stream *stream = connection->stream;
    if (stream == NULL)
        return 0;
    uint64_t frames = stream->found_frames, unfinished = stream->partial_bytes;
    if (request_counts_bytes(stream))
        frames = request_whole_frames(request_of(run->requests, connection->index),
                                      stream->received_bytes, &unfinished);
    connection->answered = false;
    reconnect_of(connection)->discarded_bytes += unfinished;
    scheme_rewind(run->scheme_run, stream, unfinished);
    atomic_fetch_add_explicit(&run_of(connection)->rewound_bytes, unfinished, memory_order_relaxed);
    return frames;
}

/* False: it is over, or may not be tried again and now is. */
static bool pause_for_reconnect(struct connection *connection)
{
    struct run *run = run_of(connection);
    struct reconnect *reconnect = reconnect_of(connection);
    const struct ending *ending = ending_of(connection);
    const bool was_there = reconnect->since_ns == 0;
    const uint64_t frames = rewind_stream(connection);
    if (!reconnect_begin(reconnect, run->options, connection->index, frames, ending->cut_ns)) {
        connection_end(connection, ending->cut_reason, ending->cut_ns);
        return false;
    }
    reconnect->due_tick = atomic_load(&run->tick) + run_ticks(reconnect->wait_ns);
    if (was_there)
        atomic_fetch_add(&run->away, 1);
    connection_lock(connection);
    assert(connection->phase == CONNECTION_BUSY);
    const bool paused = !connection->over;
    if (paused)
        connection->phase = CONNECTION_PAUSED;
    connection_unlock(connection);
    return paused;
}

void receive_owner_release(struct connection *connection)
{
    struct run *run = run_of(connection);
    struct ending *ending = ending_of(connection);
    const bool first = !connection->opened;
    connection->opened = true;
    connection_lock(connection);
    const bool over = connection->over;
    assert(over || connection->cut);
    if (awaited_of(connection) == AWAIT_LOGIN)
        ending->login_reason = over ? ending->reason : ending->cut_reason;
    connection_unlock(connection);
    connection_await(connection, AWAIT_NOTHING);
    if (over || !pause_for_reconnect(connection))
        close_receiving_side(connection);
    if (first)
        run_count_down(run, &run->connecting);
}

/* The usage is read by the thread that ends the last connection: the main thread may be late to
 * wake. */
static void living_drop(struct run *run)
{
    uint32_t before = atomic_fetch_sub(&run->living, 1);
    assert(before > 0);
    if (before > 1)
        return;
    resources_end(&run->program->after);
    atomic_store(&run->ended, true);
    os_unpark(&run->main);
}

/* Ends the connection, or (`cut`) its socket only. A SETTLED connection no longer needs its socket.
 * A WAITING one that is cut must get the scheme's resume first: a late resume must not reach a
 * stream that waits again. */
static void lose(struct connection *connection, bool cut, const char *reason, uint64_t now_ns)
{
    struct ending *ending = ending_of(connection);
    connection_lock(connection);
    const enum connection_phase phase = connection->phase;
    if (connection->over || (cut && (connection->cut || phase == CONNECTION_SETTLED))) {
        connection_unlock(connection);
        return;
    }
    assert(phase != CONNECTION_CLOSED);
    if (cut) {
        connection->cut = true;
        ending->cut_reason = reason;
        ending->cut_ns = now_ns;
    } else {
        connection->over = true;
        ending->reason = reason;
        ending->ended_ns = now_ns;
    }
    if (connection->socket_id != 0)
        cp_socket_close(socket_of(connection));
    connection->socket_id = 0;
    const bool owner = cut ? phase == CONNECTION_READY : phase != CONNECTION_BUSY;
    if (owner)
        connection->phase = CONNECTION_BUSY;
    connection_unlock(connection);
    if (!cut && !connection->idle)
        living_drop(run_of(connection));
    if (owner)
        receive_owner_release(connection);
}

void connection_end(struct connection *connection, const char *reason, uint64_t now_ns)
{
    lose(connection, false, reason, now_ns);
}

void connection_stop(struct connection *connection, uint64_t now_ns)
{
    connection_lock(connection);
    const char *cut_reason = ending_of(connection)->cut_reason;
    const char *reason = cut_reason != NULL ? cut_reason : program_time_up;
    const bool owes = !connection->idle && connection->phase != CONNECTION_SETTLED;
    connection_unlock(connection);
    if (owes)
        connection_end(connection, reason, now_ns);
}

void connection_cut(struct connection *connection, const char *reason, uint64_t now_ns)
{
    lose(connection, run_of(connection)->options->reconnect, reason, now_ns);
}

void receive_owner_fail(struct connection *connection, const char *reason)
{
    connection_cut(connection, reason, os_now_ns());
    receive_owner_release(connection);
}

/* The connect's packet is on its way, or data or the server's end, which no worker has taken yet:
 * then we are late. */
static bool has_come(const struct connection *connection, enum awaited awaited)
{
    return net_wait(cp_socket_handle(socket_of(connection)),
                    awaited == AWAIT_CONNECT ? NET_WRITABLE : NET_READABLE, 0);
}

/* While others receive, a connection without blocks waits its turn. If no connection has received
 * for that long, no block will come back: memory has run out, not the cap. */
void connection_check(struct connection *connection, uint64_t now_ns)
{
    struct run *run = run_of(connection);
    const enum awaited awaited = awaited_of(connection);
    const uint32_t tick = atomic_load_explicit(&run->tick, memory_order_relaxed);
    const uint32_t served_tick = atomic_load_explicit(&run->served_tick, memory_order_relaxed);
    const uint32_t since_tick = atomic_load_explicit(&connection->heard_tick, memory_order_relaxed);
    const char *reason = awaited == AWAIT_LOGIN ? LOGIN_TIMEOUT : "stalled";
    if (awaited == AWAIT_NOTHING)
        return;
    const enum patience patience =
        patience_of(since_tick, run->limit_ticks[awaited], tick, served_tick);
    run->mark = run->mark || patience == PATIENCE_MARK;
    if (patience != PATIENCE_OVER)
        return;
    /* What follows is posted under the lock, after `awaited` and since when have changed. */
    connection_lock(connection);
    const bool waits = connection->phase == CONNECTION_BUSY && connection->socket_id != 0 &&
                       awaited_of(connection) == awaited &&
                       atomic_load(&connection->heard_tick) == since_tick;
    const bool late = waits && !has_come(connection, awaited);
    if (late && awaited == AWAIT_CONNECT)
        cp_cancel(socket_of(connection), &control_of(connection)->op);
    const bool starved = connection->phase == CONNECTION_WAITING;
    connection_unlock(connection);
    const uint64_t since_ns = now_ns - (uint64_t)(tick - since_tick) * RUN_TICK_MS * OS_NS_PER_MS;
    if (late && awaited != AWAIT_CONNECT)
        connection_cut(connection, reason, since_ns);
    else if (starved && patience_of(atomic_load(&run->data_tick), run->limit_ticks[AWAIT_DATA],
                                    tick, served_tick) == PATIENCE_OVER)
        connection_end(connection, cp_error_name(CP_ENOBUFS), since_ns);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static unsigned take(void *context, struct cp_block *blocks, unsigned max)
{
    struct connection *connection = context;
    const struct run *run = run_of(connection);
    return run->scheme->offer(run->scheme_run, connection->stream, blocks, max);
}

static void give(void *context, struct cp_block *blocks, unsigned count)
{
    struct connection *connection = context;
    const struct run *run = run_of(connection);
    run->scheme->retract(run->scheme_run, connection->stream);
}

bool receive_owner_hand_over(struct connection *connection, enum connection_phase phase)
{
    connection_lock(connection);
    assert(connection->phase == CONNECTION_BUSY);
    const bool lost = connection->over || (connection->cut && phase == CONNECTION_READY);
    const bool resumed = !lost && phase == CONNECTION_WAITING && connection->resumed;
    if (!lost && !resumed)
        connection->phase = phase;
    connection->resumed = false;
    connection_unlock(connection);
    if (lost)
        receive_owner_release(connection);
    return !resumed;
}

/* Once it is accepted the completion may be on another worker already: nothing is touched after
 * that. */
int receive_owner_post(struct connection *connection, unsigned count)
{
    const struct collector_options *options = run_of(connection)->options;
    const struct cp_source source = {.take = take, .give = give, .context = connection};
    int result = CP_ECLOSED;
    connection->offered = (uint8_t)count;
    connection_lock(connection);
    if (connection->socket_id != 0 && count > 0)
        result = cp_receive(socket_of(connection), &connection->receive_op, blocks_of(connection),
                            count);
    else if (connection->socket_id != 0)
        result =
            cp_receive_late(socket_of(connection), &connection->receive_op, blocks_of(connection),
                            (unsigned)options->blocks_per_receive, &source);
    connection_unlock(connection);
    return result;
}

void receive_owner_post_next(struct connection *connection)
{
    const struct run *run = run_of(connection);
    struct stream *stream = connection->stream;
    unsigned count = 0;
    if (!connection->idle && request_is_answered(stream)) {
        receive_owner_hand_over(connection, CONNECTION_SETTLED);
        return;
    }
    while (run->options->bind == BIND_EARLY && count == 0) {
        count = run->scheme->offer(run->scheme_run, stream, blocks_of(connection),
                                   (unsigned)run->options->blocks_per_receive);
        if (count == 0 && receive_owner_hand_over(connection, CONNECTION_WAITING))
            return;
    }
    int result = receive_owner_post(connection, count);
    if (result == 0)
        return;
    if (count > 0)
        run->scheme->retract(run->scheme_run, stream);
    receive_owner_fail(connection, cp_error_name(result));
}

void connection_continue(struct connection *connection, enum connection_phase phase)
{
    connection_lock(connection);
    const bool owner = connection->phase == phase;
    if (owner)
        connection->phase = CONNECTION_BUSY;
    else if (phase == CONNECTION_WAITING && connection->phase == CONNECTION_BUSY)
        connection->resumed = true;
    connection_unlock(connection);
    if (!owner)
        return;
    if (phase == CONNECTION_WAITING)
        connection_note_activity(connection);
    receive_owner_post_next(connection);
}

/* Written only when it changes: all workers read it. */
static void data_came(struct run *run)
{
    uint32_t tick = atomic_load_explicit(&run->tick, memory_order_relaxed);
    if (atomic_load_explicit(&run->data_tick, memory_order_relaxed) != tick)
        atomic_store_explicit(&run->data_tick, tick, memory_order_relaxed);
}

static void end_refused(struct connection *connection)
{
    const struct refusal *refusal = control_of(connection)->refusal;
    program_note_refusal(run_of(connection)->program, connection->index, refusal->text);
    connection_end(connection, refusal_name(refusal), os_now_ns());
    receive_owner_release(connection);
}

/* Where frames would begin the device may refuse the request. That is no data: the scheme gets its
 * blocks back. False: it is data. */
static bool take_refusal(struct connection *connection, unsigned count, size_t bytes)
{
    const struct run *run = run_of(connection);
    enum refusal_state state = REFUSAL_PART;
    for (unsigned i = 0; i < count && bytes > 0 && state == REFUSAL_PART; i++) {
        const struct cp_block *block = &blocks_of(connection)[i];
        const size_t part = bytes < block->bytes ? bytes : block->bytes;
        state = refusal_feed(&control_of(connection)->refusal, block->data, part);
        bytes -= part;
    }
    if (state == REFUSAL_NONE)
        return false;
    run->scheme->retract(run->scheme_run, connection->stream);
    if (state == REFUSAL_WHOLE)
        end_refused(connection);
    else
        receive_owner_post_next(connection);
    return true;
}

static void take_first_bytes(struct connection *connection)
{
    if (!connection->heard)
        measure_first(&run_of(connection)->program->first_ns, os_now_ns());
    connection->heard = connection->answered = true;
}

static void look_at_opening(struct connection *connection, size_t bytes)
{
    const struct cp_block *first = &blocks_of(connection)[0];
    if (connection->stream->received_bytes < OPENING_BYTES)
        program_look(run_of(connection)->program, connection->index, first->data,
                     bytes < first->bytes ? bytes : first->bytes);
}

/* Only the worker itself writes its count. */
static void count_received(struct worker *worker, size_t bytes)
{
    const uint64_t before = atomic_load_explicit(&worker->received_bytes, memory_order_relaxed);
    atomic_store_explicit(&worker->received_bytes, before + bytes, memory_order_relaxed);
}

static void take_bytes(struct connection *connection, struct worker *worker, unsigned count,
                       size_t bytes)
{
    struct run *run = run_of(connection);
    connection_note_activity(connection);
    data_came(run);
    if (!connection->answered) {
        if (!run->requests->foreign && take_refusal(connection, count, bytes))
            return;
        take_first_bytes(connection);
    }
    look_at_opening(connection, bytes);
    count_received(worker, bytes);
    enum frame_error error = run->scheme->received(run->scheme_run, connection->stream,
                                                   blocks_of(connection), count, bytes);
    if (error == FRAME_OK) {
        receive_owner_post_next(connection);
        return;
    }
    if (error == FRAME_SURPLUS && run->requests->foreign) { /* an idle server's banner, too */
        receive_owner_hand_over(connection, CONNECTION_SETTLED);
        return;
    }
    connection_end(connection, frame_error_name(error), os_now_ns());
    receive_owner_release(connection);
}

/* Why the server's close is a failure, or NULL. */
static const char *closed_reason(struct connection *connection)
{
    const struct run *run = run_of(connection);
    if (run->options->close_ends_frame && connection->stream->partial_bytes > 0)
        scheme_finish(run->scheme_run, connection->stream);
    return request_end_reason(run->requests, connection->stream);
}

void receive_owner_received(struct connection *connection, struct worker *worker, int64_t result)
{
    const struct run *run = run_of(connection);
    unsigned count = connection->offered;
    if (count == 0)
        count = connection->receive_op.block_count;
    worker->receive_calls += result != CP_EABORTED;
    if (result > 0) {
        take_bytes(connection, worker, count, (size_t)result);
        return;
    }
    worker->receive_empty += result != CP_EABORTED;
    if (count > 0)
        run->scheme->retract(run->scheme_run, connection->stream);
    if (result == 0 && control_of(connection)->refusal != NULL) {
        end_refused(connection);
        return;
    }
    if (result == CP_ENOBUFS) {
        if (!receive_owner_hand_over(connection, CONNECTION_WAITING))
            receive_owner_post_next(connection);
        return;
    }
    const char *reason = result < 0 ? cp_error_name((int)result) : closed_reason(connection);
    if (reason == NULL)
        connection_end(connection, NULL, os_now_ns());
    else
        connection_cut(connection, reason, os_now_ns());
    receive_owner_release(connection);
}
