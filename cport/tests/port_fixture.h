/* What the port's tests share: a port of the engine under test, with connections whose remote ends
 * the test plays: real loopback sockets, or the scripted engine, so that one text of tests runs
 * over every engine. A test's initial state is its engine's name. */
#ifndef FANIN_TESTS_PORT_FIXTURE_H
#define FANIN_TESTS_PORT_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/tests/test.h"
#include "cport/port.h"
#include "cport/tests/ms.h"

/* A test on some engines, on each that has real sockets, or on each; its state is the name. */
#define ENGINE_TEST(name, ...)                                                                     \
    TEST_ADDED_BY(engine_test_add(#name, name, (const char *const[]){__VA_ARGS__, NULL}), name,    \
                  void **state)
#define EVERY_LOOPBACK(name) ENGINE_TEST(name, "epoll", "uring")
#define EVERY_ENGINE(name)   ENGINE_TEST(name, "epoll", "uring", "scripted")
void engine_test_add(const char *name, CMUnitTestFunction test, const char *const *engines);

enum { PACKET_WAIT_MS = 60000 };

/* port_of: opens a port of the engine; skips the test, with the reason, where it does not run. */
struct cport *port_of(const char *engine, unsigned concurrency);

/* port_try: the same, returning the code. */
int port_try(const char *engine, unsigned concurrency, struct cport **port, char *why,
             size_t why_bytes);

/* next_packet: the next packet, which has to come. */
struct cp_packet next_packet(struct cport *port);

/* assert_next: ... with this operation (NULL: any) and this result. */
void assert_next(struct cport *port, const struct cp_op *op, int64_t result);
void assert_no_packet(struct cport *port);

/* ---- connections --------------------------------------------------------------------------- */

struct connection {
    struct cp_socket near; /* on the port */
    bool scripted;
    int remote; /* a descriptor; -1 if closed or scripted */
};

void remote_connect(struct cport *port, uintptr_t key, struct connection *connection);
void remote_send(struct connection *connection, const void *data, size_t bytes);
/* remote_receive: all of them. */
size_t remote_receive(struct connection *connection, void *data, size_t bytes);
void remote_finish(struct connection *connection);
void remote_reset(struct connection *connection);
void remote_close(struct connection *connection);

/* A port with the limit 1, one connection with the key 5, and an operation for it. */
struct port_fixture {
    struct cport *port;
    struct connection connection;
    struct cp_socket near;
    struct cp_op op;
    struct cp_block block; /* data */
    char data[16];
};

struct port_fixture *port_fixture_open(void **state);
void port_fixture_close(struct port_fixture *fixture);

/* receive_block: posts the fixture's operation: a receive into its block. */
void receive_block(struct port_fixture *fixture);

/* ---- loopback ------------------------------------------------------------------------------ */

struct sockaddr_in;

/* loopback: 127.0.0.1 at that port. */
struct sockaddr_in loopback(unsigned port);

/* listen_somewhere: a listening socket on a free port, whose address is filled in. */
int listen_somewhere(struct sockaddr_in *address, int backlog);

#endif
