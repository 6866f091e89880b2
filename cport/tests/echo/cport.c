/* bench_echo's server on cport: workers on one port. */
#include "cport/tests/echo/echo.h"

#include <pthread.h>
#include <stdlib.h>

#include <cport.h>
#include "base/tests/rounds.h"

enum { BATCH = 64 };

/* Has one operation at a time, except for the listener's accept. */
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

static void receive_next(struct connection *connection)
{
    struct cp_block block = {connection->data, sizeof connection->data};
    if (cp_receive(connection->socket, &connection->op, &block, 1) != 0)
        end(connection);
}

static void echo(struct connection *connection, size_t bytes)
{
    struct cp_block block = {connection->data, bytes};
    if (cp_send(connection->socket, &connection->op, &block, 1) != 0)
        end(connection);
}

static void accepted(cp_handle handle)
{
    struct connection *connection = malloc(sizeof *connection);
    need(connection != NULL, "no memory");
    connection->op = (struct cp_op){0};
    need(cp_associate(port, handle, (uintptr_t)connection, &connection->socket) == 0, "associate");
    receive_next(connection);
}

static void handle(const struct cp_packet *packet)
{
    struct connection *connection = (struct connection *)packet->key;
    if (packet->op == &accepting) {
        cp_handle handle = accepting.accepted;
        need(cp_accept(acceptor, &accepting, NULL, NULL) == 0, "accept");
        if (packet->result == 0)
            accepted(handle);
    } else if (packet->result <= 0) {
        end(connection);
    } else if (packet->op->kind == CP_RECEIVE) {
        echo(connection, (size_t)packet->result);
    } else {
        receive_next(connection);
    }
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
