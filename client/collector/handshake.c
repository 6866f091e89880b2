/* How a connection begins: connect, log in, ask.
 *
 *   CONNECT --> (LOGIN_ASK --> LOGIN_ANSWER -->) RUN: ready; the main thread starts it, and asks
 *
 * A connection that is opened again starts by itself and asks for what is missing.
 *
 * Before RUN one operation at a time is in flight, and the worker with its completion owns the
 * connection. In RUN the control operation is the request, in flight beside the first receive. */
#include "client/collector/run.h"

#include <assert.h>
#include <string.h>

/* Once it is accepted its completion may be on another worker already. */
static int post_send(struct connection *connection, const char *text, size_t bytes)
{
    const bool is_request = connection->step == STEP_RUN;
    struct control *control = control_of(connection);
    int result = CP_ECLOSED;
    connection_lock(connection);
    if (connection->socket_id != 0) {
        control->block = (struct cp_block){(void *)(uintptr_t)text, bytes};
        result = cp_send(socket_of(connection), &control->op, &control->block, 1);
    }
    if (is_request)
        connection->asking = result == 0;
    connection_unlock(connection);
    return result;
}

static void post_request(struct connection *connection, const char *text, size_t bytes)
{
    struct run *run = run_of(connection);
    if (bytes == 0)
        return;
    atomic_fetch_add(&run->pending, 1);
    int result = post_send(connection, text, bytes);
    if (result != 0) {
        run_count_down(run, &run->pending);
        connection_cut(connection, cp_error_name(result), os_now_ns());
    }
}

/* Without a rate nothing is due at any time, and without a frame of its own nothing is missing. */
static void ask_again(struct connection *connection, uint64_t now_ns)
{
    struct reconnect *reconnect = reconnect_of(connection);
    const struct request *request = request_of(run_of(connection)->requests, connection->index);
    const bool scheduled = request->go.rate > 0 && reconnect->began_ns != 0;
    reconnect->reasked = reconnect->reasked || reconnect->began_ns != 0;
    if (reconnect->began_ns == 0)
        reconnect->began_ns = now_ns;
    size_t bytes = request_again(request, reconnect->frames,
                                 scheduled ? now_ns - reconnect->began_ns : 0, reconnect->text);
    post_request(connection, reconnect->text, bytes);
}

/* Asks first, while nobody else holds the connection: once a receive is out, it may be lost and
 * paused at any time. */
static void continue_after_reconnect(struct connection *connection)
{
    const uint64_t now_ns = os_now_ns();
    connection_lock(connection);
    if (!connection->cut)
        ending_of(connection)->cut_reason = NULL;
    connection_unlock(connection);
    reconnect_end(reconnect_of(connection), now_ns);
    reconnect_of(connection)->returns++;
    atomic_fetch_sub(&run_of(connection)->away, 1);
    connection_await(connection, AWAIT_DATA);
    ask_again(connection, now_ns);
    receive_owner_post_next(connection);
}

static void opened(struct connection *connection)
{
    struct run *run = run_of(connection);
    connection->step = STEP_RUN;
    if (connection->opened) {
        continue_after_reconnect(connection);
        return;
    }
    /* The main thread waits for the count, and only then takes connections out of READY. */
    connection->opened = true;
    receive_owner_hand_over(connection, CONNECTION_READY);
    run_count_down(run, &run->connecting);
}

static char *answer_of(const struct connection *connection)
{
    return run_of(connection)->answers + (size_t)connection->index * LOGIN_ANSWER_BYTES;
}

static void answer_await(struct connection *connection)
{
    blocks_of(connection)[0].data = answer_of(connection) + connection->answer_bytes;
    blocks_of(connection)[0].bytes = LOGIN_ANSWER_BYTES - connection->answer_bytes;
    int result = receive_owner_post(connection, 1);
    if (result != 0)
        receive_owner_fail(connection, login_error(result));
}

static void answer_done(struct connection *connection, int64_t result)
{
    const char *answer = answer_of(connection), *verdict = LOGIN_GARBAGE;
    if (result <= 0) {
        program_look(run_of(connection)->program, connection->index, answer,
                     connection->answer_bytes);
        receive_owner_fail(connection, login_error((int)result));
        return;
    }
    connection->answer_bytes += (uint8_t)result;
    unsigned bytes = connection->answer_bytes;
    if (bytes >= 2 && memcmp(answer + bytes - 2, "\r\n", 2) == 0) {
        verdict = login_verdict(answer, bytes - 2);
    } else if (bytes < LOGIN_ANSWER_BYTES) {
        answer_await(connection);
        return;
    }
    if (verdict == NULL) {
        connection_await(connection, AWAIT_NOTHING);
        connection->logged_in = true;
        if (ending_of(connection)->login_reason != NULL)
            ending_of(connection)->login_reason = NULL;
        opened(connection);
    } else if (strcmp(verdict, LOGIN_REFUSED) == 0) {
        /* A password that was wrong once will be wrong again. */
        answer_of(connection)[bytes - 2] = '\0';
        program_note_refusal(run_of(connection)->program, connection->index, answer);
        connection_end(connection, verdict, os_now_ns());
        receive_owner_release(connection);
    } else {
        program_look(run_of(connection)->program, connection->index, answer, bytes);
        receive_owner_fail(connection, verdict);
    }
}

static void log_in(struct connection *connection)
{
    const struct run *run = run_of(connection);
    connection->step = STEP_LOGIN_ASK;
    connection_await(connection, AWAIT_LOGIN);
    int result = post_send(connection, run->requests->login, run->requests->login_bytes);
    if (result != 0)
        receive_owner_fail(connection, login_error(result));
}

/* Opens a socket and posts the connect to the server's present address. Once it is accepted its
 * completion may be on another worker already. The limit is our own and not the port's: it stands
 * still while we are late. */
static int post_connect(struct connection *connection)
{
    const struct run *run = run_of(connection);
    const struct net_address address = servers_address(&run->program->servers, connection->index);
    if (address.bytes == 0)
        return ATTEMPT_UNRESOLVED;
    connection_await(connection, AWAIT_CONNECT);
    connection_lock(connection);
    struct cp_socket socket = {0};
    int result = CP_ECANCELED;
    if (!connection->over)
        result = cp_socket_open(run->port, net_family(&address), (uintptr_t)connection, &socket);
    if (result == 0) {
        connection->socket_id = socket.id;
        result = cp_connect(socket, &control_of(connection)->op, net_sockaddr(&address),
                            address.bytes, CP_FOREVER);
    }
    connection_unlock(connection);
    return result;
}

/* After a connect that failed: closes its socket and turns to the server's next address. False: the
 * connection is over, or no address is left. */
static bool turn_to_next_address(struct connection *connection, int result)
{
    struct program *program = run_of(connection)->program;
    connection_lock(connection);
    const bool over = connection->over;
    if (!over && connection->socket_id != 0)
        cp_socket_close(socket_of(connection));
    if (!over)
        connection->socket_id = 0;
    connection_unlock(connection);
    if (over)
        return false;
    return connection->opened ? servers_next(&program->servers, connection->index)
                              : program_address_failed(program, connection->index, result);
}

/* A name without an address will not get one during the run. */
static void fail_connect(struct connection *connection, int result)
{
    if (result == ATTEMPT_UNRESOLVED)
        connection_end(connection, attempt_error_name(result), os_now_ns());
    else
        connection_cut(connection, attempt_error_name(result), os_now_ns());
    receive_owner_release(connection);
}

/* Times are those of the first attempt; a server that was connected once stays a connected one. */
static void connect_settled(struct connection *connection, int result)
{
    struct run *run = run_of(connection);
    struct attempt *attempt = &run->program->attempts[connection->index];
    if (!connection->opened) {
        run->program->attempt_times[connection->index].done_ns = os_now_ns();
        if (atomic_fetch_sub(&run->unsettled, 1) == 1)
            run->cpu_settled_ns = os_cpu_ns();
    }
    if (!connection->opened || attempt->result < 0)
        attempt->result = result;
    connection_await(connection, AWAIT_NOTHING);
    if (result < 0)
        fail_connect(connection, result);
    else if (run->requests->login_bytes > 0)
        log_in(connection);
    else
        opened(connection);
}

/* What ended a connect in the port's words: its own end, by connection_check, or the run's. */
static int connect_result(struct connection *connection, int result)
{
    connection_lock(connection);
    const bool over = connection->over;
    connection_unlock(connection);
    if (result == CP_ECANCELED && !over)
        return CP_ETIMEDOUT;
    return result == CP_EABORTED && over ? CP_ECANCELED : result;
}

/* Tries the next address as long as connects fail at once. */
static void connect_done(struct connection *connection, int result)
{
    while (result < 0 && turn_to_next_address(connection, result)) {
        result = post_connect(connection);
        if (result == 0)
            return;
    }
    connect_settled(connection, result);
}

void connection_connect(struct connection *connection)
{
    struct program *program = run_of(connection)->program;
    if (!connection->opened)
        program->attempt_times[connection->index].started_ns = os_now_ns();
    servers_retry(&program->servers, connection->index);
    int result = post_connect(connection);
    if (result != 0)
        connect_done(connection, result);
}

void connection_reopen(struct connection *connection)
{
    connection_lock(connection);
    const bool due = connection->phase == CONNECTION_PAUSED && !connection->asking &&
                     reconnect_of(connection)->due_tick <= atomic_load(&run_of(connection)->tick);
    if (due) {
        connection->phase = CONNECTION_BUSY;
        connection->cut = connection->resumed = false;
    }
    connection_unlock(connection);
    if (!due)
        return;
    reconnect_of(connection)->tries++;
    connection->step = STEP_CONNECT;
    connection->answer_bytes = 0;
    connection_connect(connection);
}

void connection_connect_blocking(struct connection *connection)
{
    const struct run *run = run_of(connection);
    struct cp_socket socket;
    cp_handle handle;
    int result = program_connect(run->program, connection->index, &handle);
    if (result == 0) {
        connection_lock(connection);
        result = cp_associate(run->port, handle, (uintptr_t)connection, &socket);
        if (result == 0)
            connection->socket_id = socket.id;
        connection_unlock(connection);
        if (result != 0)
            net_close(handle);
    }
    connect_settled(connection, result);
}

/* Only now does the server owe something: it may be one of very many that are asked in turn. */
void connection_ask(struct connection *connection)
{
    const struct request *request = request_of(run_of(connection)->requests, connection->index);
    connection_lock(connection);
    const bool open = connection->socket_id != 0;
    if (open && run_of(connection)->options->reconnect)
        reconnect_of(connection)->began_ns = os_now_ns();
    connection_unlock(connection);
    if (!open)
        return;
    connection_await(connection, request->go.hold ? AWAIT_NOTHING : AWAIT_DATA);
    post_request(connection, request->text, request->bytes);
}

/* One that was lost meanwhile waits for something else, or for nothing more. */
void connection_expect(struct connection *connection)
{
    connection_lock(connection);
    if (connection->socket_id != 0 && !connection->cut && !connection->over)
        connection_await(connection, AWAIT_DATA);
    connection_unlock(connection);
}

/* From the end of `asking` on another request may be on its way. */
static void request_done(struct connection *connection, int64_t result)
{
    if (result < 0)
        connection_cut(connection, cp_error_name((int)result), os_now_ns());
    connection_lock(connection);
    connection->asking = false;
    connection_unlock(connection);
    run_count_down(run_of(connection), &run_of(connection)->pending);
}

static void control_done(struct connection *connection, int64_t result)
{
    if (connection->step == STEP_CONNECT) {
        connect_done(connection, connect_result(connection, (int)result));
    } else if (connection->step == STEP_RUN) {
        request_done(connection, result);
    } else if (result < 0) {
        receive_owner_fail(connection, login_error((int)result));
    } else {
        assert(connection->step == STEP_LOGIN_ASK);
        connection->step = STEP_LOGIN_ANSWER;
        answer_await(connection);
    }
}

void connection_complete(struct connection *connection, struct worker *worker, struct cp_op *op,
                         int64_t result)
{
    if (op == &control_of(connection)->op)
        control_done(connection, result);
    else if (connection->step == STEP_LOGIN_ANSWER)
        answer_done(connection, result);
    else
        receive_owner_received(connection, worker, result);
}
