/* How operations end: sends, cancels, closes, refusals, over every engine that runs here. */
#include "cport/tests/port_fixture.h"

#include <netinet/in.h>
#include <unistd.h>

#include "base/net.h"
#include "cport/tests/scripted_engine.h"

/* ---- sends --------------------------------------------------------------------------------- */

/* The kernel takes a send in three parts; the conformance suite has it with real sockets. */
ENGINE_TEST(a_send_completes_when_all_bytes_are_gone, "scripted")
{
    struct port_fixture *fixture = port_fixture_open(state);
    char arrived[8];
    struct cp_block blocks[] = {{"abcd", 4}, {"efgh", 4}};
    script(fixture->near, SCRIPT_WINDOW, 3);
    assert_int_equal(cp_send(fixture->near, &fixture->op, blocks, 2), 0);
    assert_no_packet(fixture->port);
    script(fixture->near, SCRIPT_WINDOW, 2);
    assert_no_packet(fixture->port);
    script(fixture->near, SCRIPT_WINDOW, 8);
    assert_next(fixture->port, &fixture->op, 8);
    assert_int_equal(remote_receive(&fixture->connection, arrived, 8), 8);
    assert_memory_equal(arrived, "abcdefgh", 8);
    port_fixture_close(fixture);
}

/* The system says "broken pipe" to both, and the connection is closed in both cases. */
EVERY_LOOPBACK(a_reset_is_told_from_a_shutdown)
{
    for (int order = 0; order < 3; order++) {
        struct port_fixture *fixture = port_fixture_open(state);
        if (order == 1)
            net_finish(cp_socket_handle(fixture->near));
        if (order == 2)
            remote_finish(&fixture->connection);
        assert_no_packet(fixture->port);
        remote_reset(&fixture->connection);
        assert_no_packet(fixture->port);
        for (int count = 0; count < 2; count++) {
            int code = cp_send(fixture->near, &fixture->op, &fixture->block, 1);
            if (code == 0)
                code = (int)next_packet(fixture->port).result;
            assert_int_equal(code, CP_ERESET);
        }
        assert_int_equal(cp_receive(fixture->near, &fixture->op, &fixture->block, 1), CP_ERESET);
        port_fixture_close(fixture);
    }
}

/* What waits can be received after a stray send, and the peer's end is seen. */
EVERY_LOOPBACK(a_send_after_a_shutdown_breaks_nothing)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_op receive = {0};
    net_finish(cp_socket_handle(fixture->near));
    remote_send(&fixture->connection, "waits", 5);
    remote_finish(&fixture->connection);
    assert_no_packet(fixture->port);
    for (int count = 0; count < 3; count++) {
        assert_int_equal(cp_send(fixture->near, &fixture->op, &fixture->block, 1), 0);
        assert_next(fixture->port, &fixture->op, CP_ESHUTDOWN);
    }
    assert_int_equal(cp_receive(fixture->near, &receive, &fixture->block, 1), 0);
    assert_next(fixture->port, &receive, 5);
    assert_memory_equal(fixture->data, "waits", 5);
    assert_int_equal(cp_receive(fixture->near, &receive, &fixture->block, 1), 0);
    assert_int_equal(cp_send(fixture->near, &fixture->op, &fixture->block, 1), 0);
    assert_int_equal(next_packet(fixture->port).result + next_packet(fixture->port).result,
                     CP_ESHUTDOWN); /* and 0, the end */
    port_fixture_close(fixture);
}

/* ---- cancel and close ---------------------------------------------------------------------- */

EVERY_ENGINE(a_cancelled_receive_ends_once_and_loses_nothing)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_op second = {0};
    assert_int_equal(cp_cancel(fixture->near, NULL), CP_ENOTFOUND);
    receive_block(fixture);
    assert_int_equal(cp_receive(fixture->near, &second, &fixture->block, 1), 0);
    assert_int_equal(cp_cancel(fixture->near, &fixture->op), 0);
    assert_next(fixture->port, &fixture->op, CP_ECANCELED);
    assert_int_equal(cp_cancel(fixture->near, &fixture->op), CP_ENOTFOUND);
    remote_send(&fixture->connection, "kept", 4);
    assert_next(fixture->port, &second, 4);
    assert_memory_equal(fixture->data, "kept", 4);
    assert_no_packet(fixture->port);
    port_fixture_close(fixture);
}

/* The connection lives on in the duplicate, as in a child process that inherited it; the next
 * socket has the place of the closed one. */
EVERY_LOOPBACK(a_duplicate_of_a_closed_socket_says_nothing)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct connection next;
    const int duplicate = dup((int)cp_socket_handle(fixture->near));
    char byte;
    assert_true(duplicate >= 0);
    cp_socket_close(fixture->near);
    remote_connect(fixture->port, 6, &next);
    assert_int_equal(cp_receive(next.near, &fixture->op, &fixture->block, 1), 0);
    remote_send(&fixture->connection, "x", 1);
    assert_no_packet(fixture->port);
    assert_int_equal(read(duplicate, &byte, 1), 1);
    remote_send(&next, "next", 4);
    assert_next(fixture->port, &fixture->op, 4);
    close(duplicate);
    remote_close(&next);
    port_fixture_close(fixture);
}

enum ending { CANCEL_ALL, CLOSE_SOCKET, RESET };

/* Several receives are pending, the last into nothing. Each completes once, in order. */
static void every_receive_ends(void **state, enum ending ending, int64_t result)
{
    enum { COUNT = 5 };
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_op ops[COUNT] = {0};
    for (unsigned index = 0; index < COUNT; index++)
        assert_int_equal(cp_receive(fixture->near, &ops[index], &fixture->block, index < COUNT - 1),
                         0);
    if (ending == CANCEL_ALL)
        assert_int_equal(cp_cancel(fixture->near, NULL), 0);
    else if (ending == CLOSE_SOCKET)
        cp_socket_close(fixture->near);
    else
        remote_reset(&fixture->connection);
    for (unsigned index = 0; index < COUNT; index++) {
        struct cp_packet packet = next_packet(fixture->port);
        assert_ptr_equal(packet.op, &ops[index]);
        assert_int_equal(packet.key, 5);
        assert_int_equal(packet.result, result);
    }
    assert_no_packet(fixture->port);
    port_fixture_close(fixture);
}

EVERY_ENGINE(cancelling_everything_ends_everything)
{
    every_receive_ends(state, CANCEL_ALL, CP_ECANCELED);
}

EVERY_ENGINE(closing_a_socket_ends_what_is_in_flight)
{
    every_receive_ends(state, CLOSE_SOCKET, CP_EABORTED);
}

/* Not only the first: for those behind it, the system reports an ordinary end. */
EVERY_ENGINE(a_reset_ends_every_receive)
{
    every_receive_ends(state, RESET, CP_ERESET);
}

EVERY_ENGINE(closing_an_idle_socket_posts_nothing)
{
    struct cport *port = port_of(*state, 1);
    for (unsigned index = 0; index < 300; index++) { /* slots are used again */
        struct connection connection;
        remote_connect(port, index + 1, &connection);
        remote_send(&connection, "x", 1);
        cp_socket_close(connection.near);
        remote_close(&connection);
    }
    assert_no_packet(port);
    assert_true(port->slots <= SLOTS_PER_CHUNK);
    cp_free(port);
}

ENGINE_TEST(a_held_cancel_still_ends_once, "scripted")
{
    struct port_fixture *fixture = port_fixture_open(state);
    script(fixture->near, SCRIPT_HOLD_CANCELS, 0);
    receive_block(fixture);
    assert_int_equal(cp_cancel(fixture->near, &fixture->op), 0);
    assert_int_equal(cp_cancel(fixture->near, &fixture->op), 0); /* asked twice */
    assert_no_packet(fixture->port);
    remote_send(&fixture->connection, "won", 3); /* the kernel was faster */
    assert_next(fixture->port, &fixture->op, 3);
    receive_block(fixture);
    cp_socket_close(fixture->near);
    assert_no_packet(fixture->port);
    script_release_cancels(fixture->near);
    assert_next(fixture->port, &fixture->op, CP_EABORTED);
    port_fixture_close(fixture);
}

/* ---- refusals ------------------------------------------------------------------------------ */

EVERY_ENGINE(wrong_calls_are_refused_and_never_complete)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_socket near = fixture->near, fresh;
    struct cp_op *op = &fixture->op, other = {0};
    struct cp_block block = fixture->block, nowhere = {NULL, 8};
    struct sockaddr_in address = loopback(9);
    const struct sockaddr *anywhere = (const struct sockaddr *)&address;
    assert_int_equal(cp_socket_open(fixture->port, AF_INET, 6, &fresh), 0);
    assert_int_equal(cp_receive(fresh, op, &block, 1), CP_ENOTCONN);
    assert_int_equal(cp_send(fresh, op, &block, 1), CP_ENOTCONN);
    assert_int_equal(cp_accept(fresh, op, NULL, NULL), CP_EINVAL);
    assert_int_equal(cp_connect(fresh, op, NULL, 0, CP_FOREVER), CP_EINVAL);
    assert_int_equal(cp_connect(near, op, anywhere, sizeof address, CP_FOREVER), CP_EISCONN);
    assert_int_equal(cp_receive(near, op, &nowhere, 1), CP_EINVAL);
    assert_int_equal(cp_receive(near, NULL, &block, 1), CP_EINVAL);
    assert_int_equal(cp_send(near, op, NULL, 1), CP_EINVAL);
    assert_int_equal(cp_receive_late(near, op, &block, 1, NULL), CP_EINVAL);
    assert_int_equal(cp_receive(near, op, &block, 1), 0);
    assert_int_equal(cp_receive(near, op, &block, 1), CP_EINVAL); /* in flight */
    assert_int_equal(cp_cancel(near, &other), CP_ENOTFOUND);
    assert_no_packet(fixture->port);
    port_fixture_close(fixture);
}

EVERY_ENGINE(a_closed_port_refuses_everything)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct cport *port = fixture->port;
    struct cp_socket late;
    struct cp_op op = {0}, queued = {0};
    struct cp_packet packet;
    receive_block(fixture);
    assert_int_equal(cp_post(port, &queued, 1, 1), 0);
    cp_close(port);
    cp_close(port);
    assert_int_equal(cp_wait(port, &packet, 1, CP_FOREVER), CP_ECLOSED);
    assert_int_equal(cp_post(port, &op, 0, 0), CP_ECLOSED);
    assert_int_equal(cp_receive(fixture->near, &op, &fixture->block, 1), CP_ECLOSED);
    assert_int_equal(cp_socket_open(port, AF_INET, 0, &late), CP_ECLOSED);
    assert_int_equal(op_state(&queued), OP_IDLE); /* dropped, and the caller's again */
    assert_int_equal(op_state(&fixture->op), OP_IDLE);
    port_fixture_close(fixture);
}

/* ---- a port that closes while a socket is attached: the lock is free meanwhile --------------- */

static struct {
    int result; /* of attach */
    unsigned detached;
} closing;

static int attach_while_closing(struct cp_slot *slot)
{
    struct cport *port = slot->port;
    assert_int_equal(pthread_mutex_trylock(&port->lock), 0);
    pthread_mutex_unlock(&port->lock);
    const int result = closing.result == 0 ? engine_scripted.attach(slot) : closing.result;
    cp_close(port);
    return result;
}

static void detach_counted(struct cport *port, cp_handle handle)
{
    closing.detached++;
    engine_scripted.detach(port, handle);
}

/* The handle is closed once, and never one that the port did not get. */
TEST(a_socket_that_is_attached_as_the_port_closes_is_closed_once)
{
    enum { OWN = 77 };
    static const int results[] = {0, CP_EMFILE};
    struct engine engine = engine_scripted;
    engine.attach = attach_while_closing;
    engine.detach = detach_counted;
    for (unsigned i = 0; i < 4; i++) {
        struct cport *port;
        struct cp_socket socket;
        struct cp_op op = {0};
        const struct sockaddr_in address = loopback(1);
        closing.result = results[i / 2];
        closing.detached = 0;
        assert_int_equal(port_open(&engine, 1, &port, NULL, 0), 0);
        assert_int_equal(i % 2 == 0 ? cp_socket_open(port, AF_INET, 0, &socket)
                                    : cp_associate(port, OWN, 0, &socket),
                         closing.result);
        assert_int_equal(closing.detached, closing.result == 0);
        if (closing.result == 0)
            assert_int_equal(cp_connect(socket, &op, (const struct sockaddr *)&address,
                                        sizeof address, CP_FOREVER),
                             CP_ECLOSED);
        cp_free(port);
        assert_int_equal(closing.detached, closing.result == 0);
    }
}

TEST(an_unknown_engine_lists_those_there_are)
{
    struct cport *port = NULL;
    char why[128], expected[128];
    int used = snprintf(expected, sizeof expected, "there is no engine \"kqueue\"; there is");
    for (unsigned index = 0; cp_engine_list(index, NULL); index++)
        used += snprintf(expected + used, sizeof expected - (size_t)used, " %s",
                         cp_engine_list(index, NULL));
    assert_int_equal(port_try("kqueue", 0, &port, why, sizeof why), CP_EINVAL);
    assert_string_equal(why, expected);
    assert_int_equal(port_try("auto", 0, &port, why, sizeof why), 0);
    assert_string_equal(why, "");
    assert_string_equal(cp_engine_name(port), cp_engine_list(0, NULL));
    assert_int_equal(cp_concurrency(port), os_cpu_count());
    cp_free(port);
    assert_null(cp_engine_list(99, NULL));
}

TEST(every_code_has_a_name_of_its_own)
{
    for (int code = CP_ERROR_BASE + 1; code < CP_ERROR_END; code++) {
        assert_int_equal(cp_error_index(code), code - CP_ERROR_BASE - 1);
        for (int other = CP_ERROR_BASE + 1; other < code; other++)
            assert_string_not_equal(cp_error_name(code), cp_error_name(other));
        assert_true(strlen(cp_error_text(code)) > 0);
    }
    assert_string_equal(cp_error_name(12345), "other");
}
