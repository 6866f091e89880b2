/* Design notes.
 *
 *   READING --GO--> WAITING --tape made--> SENDING --all sent--> READING
 *      |  \------GO, live------------------^  | | \--fault of the device--> closed
 *      |                                      | |  \--fault--> RESETTING --all arrived--> closed
 *      |--NO, close--> FINISHING <--fault-----/ \--fault--> SILENT --peer ends--> closed
 *      |                  | answer sent, no more to come
 *      |--peer ends       v
 *      v               DRAINING --peer ends--> closed
 *   closed
 *
 * FINISHING and DRAINING are why a connection ends in good order: a socket that is closed with
 * unread data in it sends a reset, which could overtake what the peer has not read yet.
 *
 * A GO with hold passes from READING (live) or WAITING (tape) through HELD, which START ends.
 *
 * No line is read while frames go out: what a client sends early waits in its socket. A client
 * that half-closes still gets its frames; but not while it is held, because a START need not come,
 * and nothing else would tell that the client has gone.
 *
 * WAITING ends when all tapes are complete, not only this connection's: a client starts all its
 * connections at once and measures from the first frame on, and making tapes would disturb it. */
#include "mock_servers/connection_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

enum { RESET_POLL_NS = 2 * OS_NS_PER_MS };

/* How long a reset waits for what was sent to arrive: for a peer that does not read, and where the
 * system does not say what has arrived. */
static const uint64_t reset_patience_ns = 60 * (uint64_t)OS_NS_PER_S, reset_blind_ns = OS_NS_PER_S;

/* Also of one that is not under way; afterwards the next line is read, or the caller says what
 * else. */
static void stream_drop(struct connection *connection)
{
    if (connection->state == SENDING) {
        run_send_end(connection->run, os_cpu_ns());
        connection->state = READING;
    }
    stream_end(&connection->stream);
    tapes_give(connection->all->tapes, connection->stream.tape);
    connection->stream.tape = NULL;
}

static void close_now(struct connection *connection, void (*close_socket)(intptr_t socket))
{
    assert(connection->state != CLOSED);
    loop_remove(connection->all->loop, &connection->handler);
    close_socket(connection->socket);
    list_remove(&connection->waiting);
    list_remove(&connection->member);
    list_append(&connection->all->closed, &connection->member);
    stream_drop(connection);
    runs_release(&connection->all->runs, connection->run);
    connection->state = CLOSED;
}

/* A call on the socket has moved no bytes: it would have blocked, or the peer is gone. */
static void await_or_close(struct connection *connection, int64_t result, enum net_sign sign)
{
    if (result == -EAGAIN)
        net_watch_again(&connection->handler.watched, sign);
    else
        close_now(connection, net_close);
}

/* ---- answers ---- */

/* True: the answer is out. */
static bool answer_send(struct connection *connection)
{
    while (connection->answer_sent < connection->answer_bytes) {
        int64_t sent = net_send(connection->socket, connection->answer + connection->answer_sent,
                                connection->answer_bytes - connection->answer_sent);
        if (sent < 0) {
            await_or_close(connection, sent, NET_WRITABLE);
            return false;
        }
        connection->answer_sent += (unsigned)sent;
    }
    connection->answer_bytes = connection->answer_sent = 0;
    return true;
}

/* ---- states ---- */
/* Each does what it can now. True: the connection can continue at once. */

static bool reading(struct connection *connection)
{
    if (!answer_send(connection))
        return false;
    if (line_serve(connection))
        return true;
    size_t room = sizeof connection->line - connection->line_bytes;
    if (room == 0) {
        answer_no(connection, "such a line: it is too long");
        return true;
    }
    int64_t received =
        net_receive(connection->socket, connection->line + connection->line_bytes, room);
    if (received <= 0) {
        await_or_close(connection, received, NET_READABLE);
        return false;
    }
    connection->line_bytes += (unsigned)received;
    return true;
}

static bool finishing(struct connection *connection)
{
    if (!answer_send(connection))
        return false;
    net_finish(connection->socket);
    connection->state = DRAINING;
    return true;
}

static bool draining(struct connection *connection)
{
    char nowhere[4096];
    int64_t received;
    while ((received = net_receive(connection->socket, nowhere, sizeof nowhere)) > 0)
        continue;
    await_or_close(connection, received, NET_READABLE);
    return false;
}

static bool resetting(struct connection *connection)
{
    uint64_t now_ns = os_now_ns();
    int64_t left = net_unacknowledged(connection->socket);
    uint64_t patience_ns = left < 0 ? reset_blind_ns : reset_patience_ns;
    if (left != 0 && now_ns < connection->resetting_ns + patience_ns)
        loop_wake_at(connection->all->loop, &connection->handler, now_ns + RESET_POLL_NS);
    else
        close_now(connection, net_reset);
    return false;
}

/* Until START for its run, and then until the moment that it named. */
static bool held(struct connection *connection)
{
    const uint64_t start_ns = connection->run->start_ns;
    if (connection->finished) {
        close_now(connection, net_close);
        return false;
    }
    if (start_ns == RUN_NOT_STARTED)
        return false;
    if (os_now_ns() < start_ns) {
        loop_wake_at(connection->all->loop, &connection->handler, start_ns);
        return false;
    }
    sending_start(connection, start_ns);
    return true;
}

static bool sending(struct connection *connection)
{
    struct connections *all = connection->all;
    struct stream *stream = &connection->stream;
    enum stream_state state = stream_send(stream);
    runs_add(&all->runs, connection->run, &stream->done);
    stream->done = (struct protocol_stats){0};
    switch (state) {
    case STREAM_MORE:
        loop_schedule(all->loop, &connection->handler);
        return false;
    case STREAM_BLOCKED:
        net_watch_again(&connection->handler.watched, NET_WRITABLE);
        return false;
    case STREAM_LATER:
        loop_wake_at(all->loop, &connection->handler, stream->wake_ns);
        return false;
    case STREAM_LOST:
        close_now(connection, net_close);
        return false;
    case STREAM_DONE:
        stream_drop(connection);
        break;
    case STREAM_FAULT:
        stream_drop(connection);
        fault_act(connection, stream->action);
        break;
    }
    return true;
}

/* In states without sending or receiving, and until the next frame is due, only the signs tell that
 * the peer is gone. */
static void close_if_gone(struct connection *connection, unsigned signs)
{
    const enum state state = connection->state;
    bool broken = signs & NET_BROKEN;
    bool finished = signs & (NET_BROKEN | NET_FINISHED);
    if ((state == SILENT && finished) ||
        ((state == WAITING || state == SENDING || state == RESETTING) && broken))
        close_now(connection, net_close);
}

static bool advance(struct connection *connection)
{
    switch (connection->state) {
    case READING:
        return reading(connection);
    case HELD:
        return held(connection);
    case SENDING:
        return sending(connection);
    case FINISHING:
        return finishing(connection);
    case DRAINING:
        return draining(connection);
    case RESETTING:
        return resetting(connection);
    case WAITING:
    case SILENT:
    case CLOSED:
        break;
    }
    return false;
}

static void handle(struct handler *handler, unsigned signs)
{
    struct connection *connection = (struct connection *)handler;
    connection->finished |= (signs & (NET_BROKEN | NET_FINISHED)) != 0;
    close_if_gone(connection, signs);
    while (advance(connection))
        continue;
}

/* ---- opening and closing ---- */

int connections_init(struct connections *all, struct loop *loop, const struct login *login,
                     uint64_t tape_cap_bytes)
{
    all->loop = loop;
    all->login = login;
    all->identity = os_identity();
    runs_init(&all->runs);
    all->tapes = tapes_open(tape_cap_bytes, &all->scratch);
    list_init(&all->open);
    list_init(&all->waiting);
    list_init(&all->closed);
    return all->tapes == NULL ? -1 : 0;
}

int connection_open(struct endpoint *endpoint, intptr_t socket)
{
    struct connections *all = endpoint->connections;
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return -1;
    connection->handler.handle = handle;
    connection->all = all;
    connection->endpoint = endpoint;
    connection->socket = socket;
    if (fault_is_at(endpoint->fault, FAULT_AT_LINE))
        connection->state = SILENT;
    if (loop_add(all->loop) < 0 || loop_watch(all->loop, &connection->handler, socket) < 0) {
        loop_remove(all->loop, &connection->handler);
        free(connection);
        return -1;
    }
    list_append(&all->open, &connection->member);
    return 0;
}

void connections_start(struct connections *all)
{
    struct list_node *node;
    while ((node = list_first(&all->waiting)) != NULL) {
        struct connection *connection = LIST_MEMBER(node, struct connection, waiting);
        list_remove(node);
        if (!connection->stream.tape->failed) {
            stream_begin(connection);
        } else {
            stream_drop(connection);
            answer_no(connection, "memory for this tape");
        }
        loop_schedule(all->loop, &connection->handler);
    }
}

void connections_reset(const struct endpoint *endpoint)
{
    struct list_node *first = &endpoint->connections->open, *after;
    for (struct list_node *node = first->after; node != first; node = after) {
        struct connection *connection = LIST_MEMBER(node, struct connection, member);
        after = node->after;
        if (connection->endpoint == endpoint)
            close_now(connection, net_reset);
    }
}

void connections_free(struct connections *all)
{
    struct list_node *node;
    while ((node = list_first(&all->closed)) != NULL) {
        list_remove(node);
        free(LIST_MEMBER(node, struct connection, member));
    }
}

void connections_end(struct connections *all)
{
    struct list_node *node;
    while ((node = list_first(&all->open)) != NULL)
        close_now(LIST_MEMBER(node, struct connection, member), net_close);
    connections_free(all);
    runs_free(&all->runs);
    tapes_close(all->tapes);
    free(all->scratch.data);
}
