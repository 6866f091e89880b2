/* The lines that a connection reads: what they ask for, and the answers. */
#include "mock_servers/connection_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "mock_servers/device.h"

/* ---- answers ---- */

static const char wrong_login[] = "wrong user or password";

static void answer(struct connection *connection, const char *line)
{
    connection->answer_bytes =
        (unsigned)snprintf(connection->answer, sizeof connection->answer, "%s", line);
}

void answer_no(struct connection *connection, const char *why)
{
    connection->answer_bytes =
        (unsigned)snprintf(connection->answer, sizeof connection->answer, "NO %s\r\n", why);
    connection->state = FINISHING;
}

/* False: there is no memory, and the client is told so. */
static bool run_ask(struct connection *connection, uint64_t id)
{
    struct runs *runs = &connection->all->runs;
    struct run *run = runs_hold(runs, id);
    if (run == NULL) {
        answer_no(connection, "memory for this run");
        return false;
    }
    runs_release(runs, connection->run);
    connection->has_asked = connection->has_asked && run == connection->run;
    connection->run = run;
    return true;
}

static void serve_stats(struct connection *connection, uint64_t id)
{
    if (!run_ask(connection, id))
        return;
    struct protocol_stats stats = run_stats(connection->run, os_cpu_ns());
    stats.process = connection->all->identity;
    connection->answer_bytes =
        (unsigned)protocol_write_stats(&stats, connection->answer, sizeof connection->answer);
}

static void serve_time(struct connection *connection)
{
    connection->answer_bytes =
        (unsigned)protocol_write_time(os_wall_ns(), connection->answer, sizeof connection->answer);
}

/* ---- requests ---- */

void fault_act(struct connection *connection, enum fault_action action)
{
    switch (action) {
    case ACTION_CONTINUE:
        break;
    case ACTION_ANSWER_NO:
        answer_no(connection, wrong_login);
        break;
    case ACTION_FINISH:
        connection->state = FINISHING;
        break;
    case ACTION_RESET:
        connection->state = RESETTING;
        connection->resetting_ns = os_now_ns();
        break;
    case ACTION_RESTART:
        device_restart(connection->endpoint);
        break;
    case ACTION_STALL:
    case ACTION_FLOOD:
        connection->state = SILENT;
        break;
    case ACTION_GARBAGE:
        answer(connection, "\x01?\r\n");
        break;
    }
}

static void serve_login(struct connection *connection, const struct protocol_request *request)
{
    const struct login *login = connection->all->login;
    const struct fault *fault = connection->endpoint->fault;
    if (fault_is_at(fault, FAULT_AT_LOGIN)) {
        fault_act(connection, fault->kind->action);
    } else if (login->user[0] != '\0' && (strcmp(login->user, request->user) != 0 ||
                                          strcmp(login->password, request->password) != 0)) {
        answer_no(connection, wrong_login);
    } else {
        connection->logged_in = true;
        answer(connection, "OK\r\n");
    }
}

/* False: there has to be one, and the client is told so. */
static bool login_there(struct connection *connection)
{
    const bool there = connection->all->login->user[0] == '\0' || connection->logged_in;
    if (!there)
        answer_no(connection, "frames before a login");
    return there;
}

void sending_start(struct connection *connection, uint64_t start_ns)
{
    const struct protocol_go *go = &connection->stream.go;
    stream_start(&connection->stream, connection->endpoint->number, start_ns);
    run_send_begin(connection->run, os_cpu_ns());
    if (go->from == 0 && go->ago_ns == 0)
        run_stream_begun(connection->run, os_wall_ns());
    connection->state = SENDING;
}

void stream_begin(struct connection *connection)
{
    const uint64_t now_ns = os_now_ns();
    if (connection->stream.go.hold && now_ns < connection->run->start_ns)
        connection->state = HELD;
    else
        sending_start(connection, now_ns);
}

static void serve_go(struct connection *connection, const struct protocol_go *go)
{
    struct connections *all = connection->all;
    struct stream *stream = &connection->stream;
    char why[PROTOCOL_LINE_BYTES_MAX / 2];
    if (!login_there(connection) || !run_ask(connection, go->run))
        return;
    const struct protocol_stats asked = {.connections = !connection->has_asked};
    runs_add(&all->runs, connection->run, &asked);
    connection->has_asked = true;
    *stream = (struct stream){.socket = connection->socket,
                              .scratch = &all->scratch,
                              .go = *go,
                              .fault = connection->endpoint->fault};
    if (go->source == PROTOCOL_LIVE) {
        stream_begin(connection);
        return;
    }
    stream->tape = tapes_take(all->tapes, go, why, sizeof why);
    if (stream->tape == NULL) {
        answer_no(connection, why);
        return;
    }
    connection->state = WAITING;
    list_append(&all->waiting, &connection->waiting);
}

/* Those that are held look at the time of their start themselves. */
static void serve_start(struct connection *connection, uint64_t id, uint64_t in_ns)
{
    const uint64_t start_ns = os_now_ns() + in_ns;
    struct connections *all = connection->all;
    if (!login_there(connection) || !run_ask(connection, id))
        return;
    answer(connection, "OK\r\n");
    if (connection->run->start_ns != RUN_NOT_STARTED)
        return;
    connection->run->start_ns = start_ns;
    for (struct list_node *node = all->open.after; node != &all->open; node = node->after) {
        struct connection *held = LIST_MEMBER(node, struct connection, member);
        if (held->state == HELD && held->run == connection->run)
            loop_schedule(all->loop, &held->handler);
    }
}

static void request_serve(struct connection *connection, const char *line)
{
    struct protocol_request request;
    const char *why = protocol_read_request(line, &request);
    if (why != NULL)
        answer_no(connection, why);
    else if (request.kind == PROTOCOL_LOGIN)
        serve_login(connection, &request);
    else if (request.kind == PROTOCOL_GO)
        serve_go(connection, &request.go);
    else if (request.kind == PROTOCOL_START)
        serve_start(connection, request.go.run, request.in_ns);
    else if (request.kind == PROTOCOL_STATS)
        serve_stats(connection, request.go.run);
    else
        serve_time(connection);
}

/* Where the first whole line ends; NULL: there is none yet. */
static char *line_end(char *line, unsigned bytes)
{
    for (unsigned i = 1; i < bytes; i++)
        if (line[i - 1] == '\r' && line[i] == '\n')
            return line + i - 1;
    return NULL;
}

bool line_serve(struct connection *connection)
{
    char *line = connection->line;
    char *end = line_end(line, connection->line_bytes);
    if (end == NULL)
        return false;
    unsigned bytes = (unsigned)(end - line) + 2;
    *end = '\0';
    if (strlen(line) + 2 != bytes)
        answer_no(connection, "such a line: it holds a NUL");
    else
        request_serve(connection, line);
    connection->line_bytes -= bytes;
    memmove(line, line + bytes, connection->line_bytes);
    return true;
}
