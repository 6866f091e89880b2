/* How operations end: sends, cancels, closes, refusals. One text, over every engine that runs
 * here. */
#include "cport/tests/far_side.h"

static struct cp_op zeroed(void)
{
    return (struct cp_op){0};
}

/* ---- send ---------------------------------------------------------------------------------- */

static void a_send_completes_when_all_bytes_are_gone(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    enum { BYTES = 24 << 20 }; /* more than any socket buffer takes at once */
    char *data = malloc(BYTES), *arrived = malloc(BYTES);
    for (size_t index = 0; index < BYTES; index++)
        data[index] = (char)(index * 31 + index / 251);
    struct cp_block blocks[] = {{data, BYTES / 2}, {data + BYTES / 2, BYTES / 2}};
    far->connect(port, 5, &connection);
    if (connection.far < 0)
        script_window(connection.near, BYTES / 3);
    assert_int_equal(cp_send(connection.near, &op, blocks, 2), 0);
    assert_no_packet(port, 5);
    if (connection.far < 0)
        script_window(connection.near, BYTES);
    for (size_t got = 0; got < BYTES;) {
        /* The worker's wait is what carries the rest on. */
        size_t part = far->receive(&connection, arrived + got, connection.far < 0 ? BYTES : 65536);
        assert_true(part > 0);
        got += part;
        struct cp_packet packet;
        if (got < BYTES && cp_wait(port, &packet, 1, 0) == 1)
            assert_int_equal(packet.result, BYTES);
        else if (got == BYTES && op.pending)
            assert_int_equal(next_packet(port).result, BYTES);
    }
    assert_memory_equal(data, arrived, BYTES);
    far->drop(&connection);
    cp_free(port);
    free(data);
    free(arrived);
}

static void sends_go_out_in_order(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op ops[4] = {0};
    char arrived[8];
    struct cp_block blocks[4] = {{"ab", 2}, {"cd", 2}, {"ef", 2}, {"gh", 2}};
    far->connect(port, 5, &connection);
    for (unsigned index = 0; index < 4; index++)
        assert_int_equal(cp_send(connection.near, &ops[index], &blocks[index], 1), 0);
    for (unsigned index = 0; index < 4; index++) {
        struct cp_packet packet = next_packet(port);
        assert_ptr_equal(packet.op, &ops[index]);
        assert_int_equal(packet.result, 2);
    }
    assert_int_equal(far->receive(&connection, arrived, 8), 8);
    assert_memory_equal(arrived, "abcdefgh", 8);
    far->drop(&connection);
    cp_free(port);
}

/* ---- cancel and close ---------------------------------------------------------------------- */

static void a_cancelled_receive_ends_once_and_loses_nothing(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op first = zeroed(), second = zeroed();
    char data[8];
    struct cp_block block = {data, 8};
    far->connect(port, 5, &connection);
    assert_int_equal(cp_cancel(connection.near, NULL), CP_ENOTFOUND);
    assert_int_equal(cp_receive(connection.near, &first, &block, 1), 0);
    assert_int_equal(cp_receive(connection.near, &second, &block, 1), 0);
    assert_int_equal(cp_cancel(connection.near, &first), 0);
    struct cp_packet packet = next_packet(port);
    assert_ptr_equal(packet.op, &first);
    assert_int_equal(packet.result, CP_ECANCELED);
    assert_int_equal(cp_cancel(connection.near, &first), CP_ENOTFOUND);
    far->send(&connection, "kept", 4);
    packet = next_packet(port);
    assert_ptr_equal(packet.op, &second);
    assert_int_equal(packet.result, 4);
    assert_memory_equal(data, "kept", 4);
    assert_no_packet(port, 5);
    far->drop(&connection);
    cp_free(port);
}

static void cancelling_everything_ends_everything(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op ops[5] = {0};
    char data[8];
    struct cp_block block = {data, 8};
    far->connect(port, 5, &connection);
    for (unsigned index = 0; index < 5; index++)
        assert_int_equal(cp_receive(connection.near, &ops[index], &block, 1), 0);
    assert_int_equal(cp_cancel(connection.near, NULL), 0);
    for (unsigned index = 0; index < 5; index++) {
        struct cp_packet packet = next_packet(port);
        assert_ptr_equal(packet.op, &ops[index]);
        assert_int_equal(packet.result, CP_ECANCELED);
    }
    assert_no_packet(port, 5);
    far->drop(&connection);
    cp_free(port);
}

static void closing_a_socket_ends_what_is_in_flight(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op ops[3] = {0};
    char data[8];
    struct cp_block block = {data, 8};
    far->connect(port, 5, &connection);
    for (unsigned index = 0; index < 3; index++)
        assert_int_equal(cp_receive(connection.near, &ops[index], &block, 1), 0);
    cp_socket_close(connection.near);
    for (unsigned index = 0; index < 3; index++) {
        struct cp_packet packet = next_packet(port);
        assert_ptr_equal(packet.op, &ops[index]);
        assert_int_equal(packet.key, 5);
        assert_int_equal(packet.result, CP_EABORTED);
    }
    assert_no_packet(port, 5);
    far->drop(&connection);
    cp_free(port);
}

/* Not the first alone: to those behind it, the system tells of an ordinary end. */
static void a_reset_ends_every_receive(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op ops[3] = {0}, empty = zeroed();
    char data[3];
    struct cp_block blocks[3] = {{&data[0], 1}, {&data[1], 1}, {&data[2], 1}};
    far->connect(port, 5, &connection);
    for (unsigned index = 0; index < 3; index++)
        assert_int_equal(cp_receive(connection.near, &ops[index], &blocks[index], 1), 0);
    assert_int_equal(cp_receive(connection.near, &empty, NULL, 0), 0);
    far->reset(&connection);
    for (unsigned index = 0; index < 4; index++)
        assert_int_equal(next_packet(port).result, CP_ERESET);
    far->drop(&connection);
    cp_free(port);
}

static void closing_an_idle_socket_posts_nothing(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    for (unsigned turn = 0; turn < 300;
         turn++) { /* slots are used again, late events find nobody */
        struct connection connection;
        far->connect(port, turn + 1, &connection);
        far->send(&connection, "x", 1);
        cp_socket_close(connection.near);
        far->drop(&connection);
    }
    assert_no_packet(port, 5);
    assert_true(port->slots <= SLOTS_PER_CHUNK);
    cp_free(port);
}

static void a_held_cancel_still_ends_once(void **state)
{
    struct cport *port = open_port(*state, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    char data[8];
    struct cp_block block = {data, 8};
    script_pair(port, 5, &connection);
    script_hold_cancels(connection.near);
    assert_int_equal(cp_receive(connection.near, &op, &block, 1), 0);
    assert_int_equal(cp_cancel(connection.near, &op), 0);
    assert_int_equal(cp_cancel(connection.near, &op), 0); /* asked twice */
    assert_no_packet(port, 5);
    script_feed(connection.near, "won", 3); /* the kernel was faster */
    assert_int_equal(next_packet(port).result, 3);
    assert_int_equal(cp_receive(connection.near, &op, &block, 1), 0);
    struct cp_socket *socket = connection.near;
    cp_socket_close(socket);
    assert_no_packet(port, 5);
    script_release_cancels(socket);
    assert_int_equal(next_packet(port).result, CP_EABORTED);
    cp_free(port);
}

/* ---- refusals ------------------------------------------------------------------------------ */

static void wrong_calls_are_refused_and_never_complete(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_socket *fresh;
    struct cp_op op = zeroed(), other = zeroed();
    char data[8];
    struct cp_block block = {data, 8}, empty = {data, 0}, nowhere = {NULL, 8};
    struct sockaddr_in address = loopback(9);
    far->connect(port, 5, &connection);
    assert_int_equal(cp_socket_open(port, AF_INET, 6, &fresh), 0);
    assert_int_equal(cp_receive(fresh, &op, &block, 1), CP_ENOTCONN);
    assert_int_equal(cp_send(fresh, &op, &block, 1), CP_ENOTCONN);
    assert_int_equal(cp_accept(fresh, &op), CP_EINVAL);
    assert_int_equal(cp_connect(fresh, &op, NULL, 0, CP_FOREVER), CP_EINVAL);
    assert_int_equal(
        cp_connect(connection.near, &op, (struct sockaddr *)&address, sizeof address, CP_FOREVER),
        CP_EISCONN);
    assert_int_equal(cp_receive(connection.near, &op, &empty, 1), CP_EINVAL);
    assert_int_equal(cp_receive(connection.near, &op, &nowhere, 1), CP_EINVAL);
    assert_int_equal(cp_receive(connection.near, &op, &block, CP_BLOCKS_MAX + 1), CP_EINVAL);
    assert_int_equal(cp_receive(connection.near, NULL, &block, 1), CP_EINVAL);
    assert_int_equal(cp_send(connection.near, &op, &block, 0), CP_EINVAL);
    assert_int_equal(cp_receive_late(connection.near, &op, &block, 1, NULL), CP_EINVAL);
    assert_int_equal(cp_receive(connection.near, &op, &block, 1), 0);
    assert_int_equal(cp_receive(connection.near, &op, &block, 1), CP_EINVAL); /* in flight */
    assert_int_equal(cp_cancel(connection.near, &other), CP_ENOTFOUND);
    assert_no_packet(port, 5);
    far->drop(&connection);
    cp_free(port);
}

static void a_closed_port_refuses_everything(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_socket *late;
    struct cp_op op = zeroed(), queued = zeroed(), pending = zeroed();
    struct cp_packet packet;
    char data[8];
    struct cp_block block = {data, 8};
    far->connect(port, 5, &connection);
    assert_int_equal(cp_receive(connection.near, &pending, &block, 1), 0);
    assert_int_equal(cp_post(port, &queued, 1, 1), 0);
    cp_close(port);
    cp_close(port);
    assert_int_equal(cp_wait(port, &packet, 1, CP_FOREVER), CP_ECLOSED);
    assert_int_equal(cp_post(port, &op, 0, 0), CP_ECLOSED);
    assert_int_equal(cp_receive(connection.near, &op, &block, 1), CP_ECLOSED);
    assert_int_equal(cp_socket_open(port, AF_INET, 0, &late), CP_ECLOSED);
    assert_false(queued.pending); /* dropped, and the caller's again */
    assert_false(pending.pending);
    far->drop(&connection);
    cp_free(port);
}

static void an_unknown_engine_lists_those_there_are(void **state)
{
    (void)state;
    struct cport *port = NULL;
    char why[128];
    assert_int_equal(cp_open(&(struct cp_config){.engine = "kqueue"}, &port, why, sizeof why),
                     CP_EINVAL);
    assert_non_null(strstr(why, "kqueue"));
    assert_non_null(strstr(why, "epoll"));
    assert_null(strstr(why, "script"));
    assert_int_equal(cp_open(&(struct cp_config){.engine = "auto"}, &port, why, sizeof why), 0);
    assert_string_equal(cp_engine_name(port), cp_engine_list(0, NULL));
    assert_int_equal(cp_concurrency(port), os_cpu_count());
    cp_free(port);
    assert_null(cp_engine_list(99, NULL));
}

static void every_code_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (int code = CP_ERROR_BASE + 1; code < CP_ERROR_END; code++) {
        assert_int_equal(cp_error_index(code), code - CP_ERROR_BASE - 1);
        for (int other = CP_ERROR_BASE + 1; other < code; other++)
            assert_string_not_equal(cp_error_name(code), cp_error_name(other));
        assert_true(strlen(cp_error_text(code)) > 0);
    }
    assert_string_equal(cp_error_name(12345), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY_ENGINE(a_send_completes_when_all_bytes_are_gone),
        EVERY_ENGINE(sends_go_out_in_order),
        EVERY_ENGINE(a_cancelled_receive_ends_once_and_loses_nothing),
        EVERY_ENGINE(cancelling_everything_ends_everything),
        EVERY_ENGINE(closing_a_socket_ends_what_is_in_flight),
        EVERY_ENGINE(a_reset_ends_every_receive),
        EVERY_ENGINE(closing_an_idle_socket_posts_nothing),
        ON(script, a_held_cancel_still_ends_once),
        EVERY_ENGINE(wrong_calls_are_refused_and_never_complete),
        EVERY_ENGINE(a_closed_port_refuses_everything),
        cmocka_unit_test(an_unknown_engine_lists_those_there_are),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests_name("port: how operations end", tests, NULL, NULL);
}
