/* How a connection begins: connect, log in, ask.
 *
 *   CONNECT --> (LOGIN_ASK --> LOGIN_ANSWER -->) RUN: ready; the main thread starts it, and asks
 *
 * Up to RUN one operation at a time is out, and whoever has its completion holds the connection. In
 * RUN the control operation is the request, on its way beside the first receive. */
#include "client/collector/holder.h"

#include <assert.h>
#include <string.h>

static void fail(struct connection *connection, const char *reason)
{
    connection_end(connection, reason, os_now_ns());
    holder_leave(connection);
}

static void become_ready(struct connection *connection)
{
    struct run *run = connection->run;
    connection->step = STEP_RUN;
    if (holder_rest(connection, CONNECTION_READY) == REST_OVER)
        holder_leave(connection);
    run_count_down(run, &run->connecting);
}

static int post_send(struct connection *connection, const char *text, size_t bytes)
{
    int result = CP_ECLOSED;
    connection->control_block = (struct cp_block){(void *)(uintptr_t)text, bytes};
    pthread_mutex_lock(&connection->lock);
    if (connection->socket != NULL)
        result =
            cp_send(connection->socket, &connection->control_op, &connection->control_block, 1);
    pthread_mutex_unlock(&connection->lock);
    return result;
}

static char *answer_of(const struct connection *connection)
{
    return connection->run->answers + (size_t)connection->index * LOGIN_ANSWER_BYTES;
}

static void answer_await(struct connection *connection)
{
    connection->blocks[0].data = answer_of(connection) + connection->answer_bytes;
    connection->blocks[0].bytes = LOGIN_ANSWER_BYTES - connection->answer_bytes;
    int result = holder_receive(connection, 1);
    if (result != 0)
        fail(connection, cp_error_name(result));
}

void opening_answer_done(struct connection *connection, int64_t result)
{
    const char *answer = answer_of(connection);
    if (result <= 0) {
        fail(connection, result == 0 ? "closed-early" : cp_error_name((int)result));
        return;
    }
    holder_heard(connection);
    connection->answer_bytes += (unsigned)result;
    unsigned bytes = connection->answer_bytes;
    if (bytes >= 2 && memcmp(answer + bytes - 2, "\r\n", 2) == 0) {
        if (bytes == 4 && memcmp(answer, "OK", 2) == 0)
            become_ready(connection);
        else
            fail(connection, memcmp(answer, "NO", 2) == 0 ? "login-refused" : "bad-answer");
    } else if (bytes == LOGIN_ANSWER_BYTES) {
        fail(connection, "bad-answer");
    } else {
        answer_await(connection);
    }
}

/* The attempt's result is for connect_errors; a connection that never was has no reason of its
 * own. */
static void connect_done(struct connection *connection, int result)
{
    const struct request_book *book = connection->run->book;
    struct attempt *attempt = &connection->run->attempts[connection->index];
    attempt->done_ns = os_now_ns();
    attempt->result = result;
    if (result < 0) {
        fail(connection, NULL);
        return;
    }
    holder_heard(connection);
    if (book->login_bytes == 0) {
        become_ready(connection);
        return;
    }
    connection->step = STEP_LOGIN_ASK;
    result = post_send(connection, book->login, book->login_bytes);
    if (result != 0)
        fail(connection, cp_error_name(result));
}

void connection_connect(struct connection *connection, const struct wire_address *address)
{
    const struct run *run = connection->run;
    uint64_t timeout_ns = run->options->connect_timeout_ms * OS_NS_PER_MS;
    run->attempts[connection->index].started_ns = os_now_ns();
    pthread_mutex_lock(&connection->lock);
    int result =
        cp_socket_open(run->port, wire_family(address), (uintptr_t)connection, &connection->socket);
    if (result == 0)
        result = cp_connect(connection->socket, &connection->control_op, wire_sockaddr(address),
                            address->bytes, timeout_ns);
    pthread_mutex_unlock(&connection->lock);
    if (result != 0)
        connect_done(connection, result);
}

void connection_adopt(struct connection *connection, cp_handle handle, int result)
{
    const struct run *run = connection->run;
    if (result == 0) {
        pthread_mutex_lock(&connection->lock);
        result = cp_associate(run->port, handle, (uintptr_t)connection, &connection->socket);
        pthread_mutex_unlock(&connection->lock);
        if (result != 0)
            wire_close(handle);
    }
    connect_done(connection, result);
}

void connection_ask(struct connection *connection)
{
    struct run *run = connection->run;
    const struct request *request = request_of(run->book, connection->index);
    if (request->bytes == 0)
        return;
    atomic_fetch_add(&run->pending, 1);
    int result = post_send(connection, request->text, request->bytes);
    if (result == 0)
        return;
    run_pending_drop(run);
    connection_end(connection, cp_error_name(result), os_now_ns());
}

void opening_control_done(struct connection *connection, int64_t result)
{
    switch (connection->step) {
    case STEP_CONNECT:
        connect_done(connection, (int)result);
        return;
    case STEP_LOGIN_ASK:
        if (result < 0) {
            fail(connection, cp_error_name((int)result));
            return;
        }
        connection->step = STEP_LOGIN_ANSWER;
        answer_await(connection);
        return;
    case STEP_LOGIN_ANSWER:
        assert(!"no control operation is out while the answer is awaited");
        return;
    case STEP_RUN:
        if (result < 0)
            connection_end(connection, cp_error_name((int)result), os_now_ns());
        run_pending_drop(connection->run);
        return;
    }
}
