/* What the port's tests share. */
#include "cport/tests/port_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"
#include "cport/tests/scripted_engine.h"

void engine_test_add(const char *name, CMUnitTestFunction test, const char *const *names)
{
    for (; *names; names++)
        test_add_variant((struct CMUnitTest){name, test, NULL, NULL, (void *)*names}, *names);
}

int port_try(const char *engine, unsigned concurrency, struct cport **port, char *why,
             size_t why_bytes)
{
    struct cp_config config = {.engine = engine, .concurrency = concurrency};
    if (strcmp(engine, engine_scripted.name) == 0)
        return port_open(&engine_scripted, concurrency, port, why, why_bytes);
    return cp_open(&config, port, why, why_bytes);
}

/* Whether this build has the engine. */
static bool is_built(const char *engine)
{
    const char *built;
    for (unsigned index = 0; (built = cp_engine_list(index, NULL)); index++)
        if (strcmp(built, engine) == 0)
            return true;
    return strcmp(engine, engine_scripted.name) == 0;
}

struct cport *port_of(const char *engine, unsigned concurrency)
{
    struct cport *port = NULL;
    char why[256] = "not in this build";
    int code = CP_EUNSUPPORTED;
    if (is_built(engine))
        code = port_try(engine, concurrency, &port, why, sizeof why);
    if (code == CP_EUNSUPPORTED) {
        print_message("skip: %s: %s\n", engine, why);
        skip();
    }
    assert_int_equal(code, 0);
    return port;
}

struct cp_packet next_packet(struct cport *port)
{
    struct cp_packet packet = {0};
    assert_int_equal(cp_wait(port, &packet, 1, ms(PACKET_WAIT_MS)), 1);
    return packet;
}

void assert_next(struct cport *port, const struct cp_op *op, int64_t result)
{
    struct cp_packet packet = next_packet(port);
    if (op)
        assert_ptr_equal(packet.op, op);
    assert_int_equal(packet.result, result);
}

void assert_no_packet(struct cport *port)
{
    struct cp_packet packet;
    assert_int_equal(cp_wait(port, &packet, 1, ms(5)), 0);
}

/* ---- connections --------------------------------------------------------------------------- */

struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int listen_somewhere(struct sockaddr_in *address, int backlog)
{
    socklen_t bytes = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0);
    *address = loopback(0);
    assert_int_equal(bind(listener, (struct sockaddr *)address, bytes), 0);
    assert_int_equal(listen(listener, backlog), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)address, &bytes), 0);
    return listener;
}

static int connect_pair(int *remote)
{
    struct sockaddr_in address;
    struct timeval limit = {.tv_sec = PACKET_WAIT_MS / 1000};
    int listener = listen_somewhere(&address, 1);
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(near, (struct sockaddr *)&address, sizeof address), 0);
    *remote = accept(listener, NULL, NULL);
    assert_true(*remote >= 0);
    close(listener);
    setsockopt(*remote, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return near;
}

void remote_connect(struct cport *port, uintptr_t key, struct connection *connection)
{
    connection->scripted = port->engine == &engine_scripted;
    connection->remote = -1;
    cp_handle near =
        connection->scripted ? 1000 + (cp_handle)key : connect_pair(&connection->remote);
    assert_int_equal(cp_associate(port, near, key, &connection->near), 0);
}

void remote_send(struct connection *connection, const void *data, size_t bytes)
{
    if (connection->scripted)
        script_feed(connection->near, data, bytes);
    else
        assert_int_equal(send(connection->remote, data, bytes, MSG_NOSIGNAL), bytes);
}

size_t remote_receive(struct connection *connection, void *data, size_t bytes)
{
    if (connection->scripted)
        return script_sent(connection->near, data, bytes);
    ssize_t count = recv(connection->remote, data, bytes, MSG_WAITALL);
    return count > 0 ? (size_t)count : 0;
}

void remote_finish(struct connection *connection)
{
    if (connection->scripted)
        script(connection->near, SCRIPT_FINISH, 0);
    else
        shutdown(connection->remote, SHUT_WR);
}

void remote_reset(struct connection *connection)
{
    if (connection->scripted) {
        script(connection->near, SCRIPT_RESET, 0);
        return;
    }
    net_reset(connection->remote);
    connection->remote = -1;
}

void remote_close(struct connection *connection)
{
    if (connection->remote >= 0)
        close(connection->remote);
    connection->remote = -1;
}

struct port_fixture *port_fixture_open(void **state)
{
    struct cport *port = port_of(*state, 1);
    struct port_fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture->port = port;
    fixture->block = (struct cp_block){fixture->data, sizeof fixture->data};
    remote_connect(port, 5, &fixture->connection);
    fixture->near = fixture->connection.near;
    return fixture;
}

void port_fixture_close(struct port_fixture *fixture)
{
    remote_close(&fixture->connection);
    cp_free(fixture->port);
    free(fixture);
}

void receive_block(struct port_fixture *fixture)
{
    assert_int_equal(cp_receive(fixture->near, &fixture->op, &fixture->block, 1), 0);
}
