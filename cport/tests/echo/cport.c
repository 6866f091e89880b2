/* bench_echo's server on cport: workers on one port. */
#include "cport/tests/echo/echo.h"

#include <pthread.h>
#include <stdlib.h>

#include <cport.h>
#include "base/tests/rounds.h"

enum { BATCH = 64 };

/* Has one operation at a time. */
struct connection {
    struct cp_socket socket;
    struct cp_op op;
    char data[ECHO_BUFFER_BYTES];
};

static struct cport *port;
static struct cp_socket acceptor;
static struct cp_op accepting;

static void end(struct connection *connection)
{
    cp_socket_close(connection->socket);
    free(connection);
}

/* What cp_receive and cp_send did: CP_DONE, 0: a packet will come, or a negative code. */
static int receive_next(struct connection *connection)
{
    struct cp_block block = {connection->data, sizeof connection->data};
    return cp_receive(connection->socket, &connection->op, &block, 1);
}

static int send_back(struct connection *connection)
{
    struct cp_block block = {connection->data, (size_t)connection->op.result};
    return cp_send(connection->socket, &connection->op, &block, 1);
}

/* Goes on until an operation has to wait. */
static void go_on(struct connection *connection, int code)
{
    while (code == CP_DONE && connection->op.result > 0)
        code = connection->op.kind == CP_RECEIVE ? send_back(connection) : receive_next(connection);
    if (code != 0)
        end(connection);
}

static void accepted(cp_handle handle)
{
    struct connection *connection = malloc(sizeof *connection);
    need(connection != NULL, "no memory");
    connection->op = (struct cp_op){0};
    need(cp_associate(port, handle, (uintptr_t)connection, &connection->socket) == 0, "associate");
    need(cp_socket_skip(connection->socket, true) == 0, "skip");
    go_on(connection, receive_next(connection));
}

static void handle(const struct cp_packet *packet)
{
    if (packet->op != &accepting) {
        go_on((struct connection *)packet->key, packet->result > 0 ? CP_DONE : CP_ERESET);
        return;
    }
    cp_handle handle = accepting.accepted;
    need(cp_accept(acceptor, &accepting, NULL, NULL) == 0, "accept");
    if (packet->result == 0)
        accepted(handle);
}

static void *worker(void *unused)
{
    struct cp_packet packets[BATCH];
    int count;
    while ((count = cp_wait(port, packets, BATCH, CP_FOREVER)) > 0)
        for (int index = 0; index < count; index++)
            handle(&packets[index]);
    return unused;
}

void serve_cport(const struct echo_server *self, int listener)
{
    char why[256];
    pthread_t thread;
    struct cp_config config = {.engine = self->engine, .concurrency = self->concurrency};
    need(cp_open(&config, &port, why, sizeof why) == 0, "cp_open");
    need(cp_associate(port, listener, 0, &acceptor) == 0, "associate");
    need(cp_accept(acceptor, &accepting, NULL, NULL) == 0, "accept");
    for (unsigned index = 1; index < self->threads; index++)
        need(pthread_create(&thread, NULL, worker, NULL) == 0, "thread");
    worker(NULL);
}
