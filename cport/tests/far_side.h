/* The far side of a connection, once by real loopback sockets and once by the script, so that
 * one text of tests runs over every engine. */
#ifndef FANIN_TESTS_FAR_SIDE_H
#define FANIN_TESTS_FAR_SIDE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/os.h"
#include "cport/port.h"
#include "cport/script.h"

struct connection {
    struct cp_socket *near;
    int far; /* a descriptor; -1 with the script */
};

struct far_side {
    const char *engine;
    void (*connect)(struct cport *port, uintptr_t key, struct connection *connection);
    void (*send)(struct connection *connection, const void *data, size_t bytes);
    size_t (*receive)(struct connection *connection, void *data, size_t bytes); /* all of them */
    void (*finish)(struct connection *connection);
    void (*reset)(struct connection *connection);
    void (*drop)(struct connection *connection);
};

/* ---- loopback ------------------------------------------------------------------------------ */

static inline struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A listening socket on a free port, whose address is filled in. */
static inline int listen_somewhere(struct sockaddr_in *address, int backlog)
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

static inline void loopback_connect(struct cport *port, uintptr_t key,
                                    struct connection *connection)
{
    struct sockaddr_in address;
    int listener = listen_somewhere(&address, 1);
    int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(near, (struct sockaddr *)&address, sizeof address), 0);
    connection->far = accept(listener, NULL, NULL);
    assert_true(connection->far >= 0);
    close(listener);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(connection->far, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(cp_associate(port, near, key, &connection->near), 0);
}

static inline void loopback_send(struct connection *connection, const void *data, size_t bytes)
{
    assert_int_equal(send(connection->far, data, bytes, MSG_NOSIGNAL), bytes);
}

static inline size_t loopback_receive(struct connection *connection, void *data, size_t bytes)
{
    ssize_t count = recv(connection->far, data, bytes, MSG_WAITALL);
    return count > 0 ? (size_t)count : 0;
}

static inline void loopback_finish(struct connection *connection)
{
    shutdown(connection->far, SHUT_WR);
}

static inline void loopback_reset(struct connection *connection)
{
    struct linger hard = {.l_onoff = 1};
    setsockopt(connection->far, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(connection->far);
    connection->far = -1;
}

static inline void loopback_drop(struct connection *connection)
{
    if (connection->far >= 0)
        close(connection->far);
}

/* ---- script -------------------------------------------------------------------------------- */

static inline void script_pair(struct cport *port, uintptr_t key, struct connection *connection)
{
    connection->far = -1;
    assert_int_equal(cp_associate(port, 1000 + (cp_handle)key, key, &connection->near), 0);
}

static inline void script_side_send(struct connection *connection, const void *data, size_t bytes)
{
    script_feed(connection->near, data, bytes);
}

static inline size_t script_side_receive(struct connection *connection, void *data, size_t bytes)
{
    return script_sent(connection->near, data, bytes);
}

static inline void script_side_finish(struct connection *connection)
{
    script_finish(connection->near);
}

static inline void script_side_reset(struct connection *connection)
{
    script_reset(connection->near);
}

static inline void script_side_drop(struct connection *connection)
{
    (void)connection;
}

static struct far_side far_epoll __attribute__((unused)) = {
    .engine = "epoll",
    .connect = loopback_connect,
    .send = loopback_send,
    .receive = loopback_receive,
    .finish = loopback_finish,
    .reset = loopback_reset,
    .drop = loopback_drop,
};

static struct far_side far_uring __attribute__((unused)) = {
    .engine = "uring",
    .connect = loopback_connect,
    .send = loopback_send,
    .receive = loopback_receive,
    .finish = loopback_finish,
    .reset = loopback_reset,
    .drop = loopback_drop,
};

static struct far_side far_script __attribute__((unused)) = {
    .engine = "script",
    .connect = script_pair,
    .send = script_side_send,
    .receive = script_side_receive,
    .finish = script_side_finish,
    .reset = script_side_reset,
    .drop = script_side_drop,
};

/* Lines of a suite's table: a test on one engine, on each that has real sockets, or on each. */
/* clang-format off */
#define ON(engine, test) {#test " [" #engine "]", test, NULL, NULL, &far_##engine}
/* clang-format on */
#define EVERY_LOOPBACK(test) ON(epoll, test), ON(uring, test)
#define EVERY_ENGINE(test)   EVERY_LOOPBACK(test), ON(script, test)

/* Skips the test, with the engine's reason, where the engine does not run. */
static inline struct cport *open_port(const struct far_side *far, unsigned concurrency)
{
    struct cport *port = NULL;
    struct cp_config config = {.engine = far->engine, .concurrency = concurrency};
    char why[256];
    int code = cp_open(&config, &port, why, sizeof why);
    if (code == CP_EUNSUPPORTED) {
        print_message("skip: %s: %s\n", far->engine, why);
        skip();
    }
    assert_int_equal(code, 0);
    return port;
}

enum { PACKET_WAIT_MS = 10000 };

/* The next packet, which has to come. */
static inline struct cp_packet next_packet(struct cport *port)
{
    struct cp_packet packet = {0};
    assert_int_equal(cp_wait(port, &packet, 1, (uint64_t)PACKET_WAIT_MS * OS_NS_PER_MS), 1);
    return packet;
}

static inline void assert_no_packet(struct cport *port, uint64_t within_ms)
{
    struct cp_packet packet;
    assert_int_equal(cp_wait(port, &packet, 1, within_ms * OS_NS_PER_MS), 0);
}

#endif
