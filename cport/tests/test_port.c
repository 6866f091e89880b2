/* The contract of the completion port: posts and receives, over every engine that runs here. */
#include "cport/tests/port_fixture.h"

/* ---- posts --------------------------------------------------------------------------------- */

EVERY_ENGINE(a_post_arrives_as_it_was_given)
{
    struct cport *port = port_of(*state, 1);
    struct cp_op op = {0};
    assert_int_equal(cp_post(port, &op, 77, -5), 0);
    assert_int_equal(cp_post(port, &op, 78, 0), CP_EINVAL); /* in flight */
    struct cp_packet packet = next_packet(port);
    assert_ptr_equal(packet.op, &op);
    assert_int_equal(packet.key, 77);
    assert_int_equal(packet.result, -5);
    assert_int_equal(op.kind, CP_POST);
    assert_int_equal(cp_post(port, &op, 79, 1), 0); /* free again */
    assert_int_equal(next_packet(port).key, 79);
    cp_free(port);
}

EVERY_ENGINE(posts_leave_in_order_and_in_batches)
{
    struct cport *port = port_of(*state, 1);
    struct cp_op ops[6] = {0};
    struct cp_packet packets[4];
    for (unsigned index = 0; index < 6; index++)
        assert_int_equal(cp_post(port, &ops[index], index, 0), 0);
    assert_int_equal(cp_wait(port, packets, 4, CP_FOREVER), 4);
    for (unsigned index = 0; index < 4; index++)
        assert_int_equal(packets[index].key, index);
    assert_int_equal(cp_wait(port, packets, 4, CP_FOREVER), 2);
    assert_int_equal(packets[0].key, 4);
    assert_int_equal(packets[1].key, 5);
    cp_free(port);
}

EVERY_ENGINE(waiting_ends_in_time)
{
    struct cport *port = port_of(*state, 1);
    struct cp_packet packet;
    assert_int_equal(cp_wait(port, &packet, 1, 0), 0);
    uint64_t before_ns = os_now_ns();
    assert_int_equal(cp_wait(port, &packet, 1, ms(30)), 0);
    assert_true(os_now_ns() - before_ns >= ms(30));
    assert_int_equal(cp_wait(port, NULL, 1, 0), CP_EINVAL);
    assert_int_equal(cp_wait(port, &packet, 0, 0), CP_EINVAL);
    cp_free(port);
}

/* ---- receives ------------------------------------------------------------------------------ */

EVERY_ENGINE(a_receive_fills_its_blocks_in_order)
{
    struct port_fixture *fixture = port_fixture_open(state);
    char one[3], two[4], three[5];
    struct cp_block blocks[] = {{one, 3}, {two, 4}, {three, 5}};
    assert_int_equal(cp_receive(fixture->near, &fixture->op, blocks, 3), 0);
    assert_no_packet(fixture->port);
    remote_send(&fixture->connection, "abcdefghi", 9);
    struct cp_packet packet = next_packet(fixture->port);
    assert_ptr_equal(packet.op, &fixture->op);
    assert_int_equal(packet.key, 5);
    assert_int_equal(packet.result, 9);
    assert_memory_equal(one, "abc", 3);
    assert_memory_equal(two, "defg", 4);
    assert_memory_equal(three, "hi", 2);
    port_fixture_close(fixture);
}

EVERY_ENGINE(data_that_is_already_there_is_received)
{
    struct port_fixture *fixture = port_fixture_open(state);
    const char *expected[] = {"ab", "cd", "e"};
    fixture->block.bytes = 2;
    remote_send(&fixture->connection, "abcde", 5);
    for (unsigned part = 0; part < 3; part++) {
        size_t bytes = strlen(expected[part]);
        receive_block(fixture);
        assert_next(fixture->port, &fixture->op, (int64_t)bytes);
        assert_memory_equal(fixture->data, expected[part], bytes);
    }
    port_fixture_close(fixture);
}

EVERY_ENGINE(receives_complete_in_the_order_they_were_posted)
{
    enum { COUNT = 8 };
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_op ops[COUNT] = {0};
    struct cp_block blocks[COUNT];
    for (unsigned index = 0; index < COUNT; index++) {
        blocks[index] = (struct cp_block){&fixture->data[index], 1};
        assert_int_equal(cp_receive(fixture->near, &ops[index], &blocks[index], 1), 0);
    }
    remote_send(&fixture->connection, "01234567", COUNT);
    for (unsigned index = 0; index < COUNT; index++)
        assert_next(fixture->port, &ops[index], 1);
    assert_memory_equal(fixture->data, "01234567", COUNT);
    port_fixture_close(fixture);
}

struct stock {
    char data[2][4];
    unsigned free, taken, given;
};

static unsigned stock_take(void *context, struct cp_block *blocks, unsigned max)
{
    struct stock *stock = context;
    unsigned count = 0;
    for (; count < max && count < stock->free; count++)
        blocks[count] = (struct cp_block){stock->data[count], 4};
    stock->taken += count;
    return count;
}

static void stock_give(void *context, struct cp_block *blocks, unsigned count)
{
    ((struct stock *)context)->given += count;
}

EVERY_ENGINE(a_late_receive_takes_blocks_only_for_data)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_block blocks[2];
    struct stock stock = {.free = 2};
    struct cp_source source = {stock_take, stock_give, &stock};
    assert_int_equal(cp_receive_late(fixture->near, &fixture->op, blocks, 2, &source), 0);
    assert_no_packet(fixture->port);
    assert_int_equal(stock.taken - stock.given, 0); /* an idle connection holds none */
    remote_send(&fixture->connection, "abcdef", 6);
    assert_next(fixture->port, &fixture->op, 6);
    assert_int_equal(fixture->op.block_count, 2);
    assert_memory_equal(stock.data[0], "abcd", 4);
    assert_memory_equal(stock.data[1], "ef", 2);
    port_fixture_close(fixture);
}

EVERY_ENGINE(a_late_receive_without_blocks_leaves_the_data)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_block blocks[2];
    struct stock stock = {.free = 0};
    struct cp_source source = {stock_take, stock_give, &stock};
    remote_send(&fixture->connection, "abc", 3);
    assert_int_equal(cp_receive_late(fixture->near, &fixture->op, blocks, 2, &source), 0);
    assert_next(fixture->port, &fixture->op, CP_ENOBUFS);
    assert_int_equal(fixture->op.block_count, 0);
    stock.free = 1;
    assert_int_equal(cp_receive_late(fixture->near, &fixture->op, blocks, 2, &source), 0);
    assert_next(fixture->port, &fixture->op, 3);
    assert_memory_equal(stock.data[0], "abc", 3);
    port_fixture_close(fixture);
}

EVERY_ENGINE(a_receive_into_nothing_waits_for_data_and_leaves_it)
{
    struct port_fixture *fixture = port_fixture_open(state);
    assert_int_equal(cp_receive(fixture->near, &fixture->op, NULL, 0), 0);
    assert_no_packet(fixture->port);
    remote_send(&fixture->connection, "xy", 2);
    assert_next(fixture->port, &fixture->op, 0);
    receive_block(fixture);
    assert_next(fixture->port, &fixture->op, 2);
    assert_int_equal(cp_receive(fixture->near, &fixture->op, NULL, 0), 0);
    remote_finish(&fixture->connection);
    assert_next(fixture->port, &fixture->op, 0); /* the end counts as something to receive */
    port_fixture_close(fixture);
}

EVERY_ENGINE(the_end_of_the_stream_is_a_receive_of_0_bytes)
{
    struct port_fixture *fixture = port_fixture_open(state);
    const int64_t expected[] = {4, 0, 0};
    remote_send(&fixture->connection, "last", 4);
    remote_finish(&fixture->connection);
    for (unsigned index = 0; index < 3; index++) {
        receive_block(fixture);
        assert_next(fixture->port, &fixture->op, expected[index]);
    }
    port_fixture_close(fixture);
}

EVERY_ENGINE(a_reset_is_reported_and_stays)
{
    struct port_fixture *fixture = port_fixture_open(state);
    struct cp_op send = {0};
    receive_block(fixture);
    remote_reset(&fixture->connection);
    assert_next(fixture->port, &fixture->op, CP_ERESET);
    assert_int_equal(cp_receive(fixture->near, &fixture->op, &fixture->block, 1), CP_ERESET);
    assert_int_equal(cp_send(fixture->near, &send, &fixture->block, 1), CP_ERESET);
    assert_no_packet(fixture->port);
    port_fixture_close(fixture);
}

/* ---- fairness ------------------------------------------------------------------------------ */

/* A socket that always has something to receive must not starve the others. */
EVERY_ENGINE(a_flood_does_not_keep_others_waiting)
{
    enum { FLOOD_BYTES = 20000, WAITS_MAX = 200, FLOODED = 5, QUIET };
    static const char flood[FLOOD_BYTES];
    struct port_fixture *fixture = port_fixture_open(state);
    struct connection quiet;
    struct cp_op op = {0};
    char byte;
    struct cp_block block = {&byte, 1};
    uintptr_t key = FLOODED;
    remote_connect(fixture->port, QUIET, &quiet);
    remote_send(&fixture->connection, flood, sizeof flood);
    fixture->block.bytes = 1;
    receive_block(fixture);
    assert_int_equal(cp_receive(quiet.near, &op, &block, 1), 0);
    for (unsigned index = 0; index < 2 * WAITS_MAX && key == FLOODED; index++) {
        if (index == WAITS_MAX) /* by now the worker is in the middle of the flood */
            remote_send(&quiet, "x", 1);
        struct cp_packet packet = next_packet(fixture->port);
        assert_int_equal(packet.result, 1);
        key = packet.key;
        if (key == FLOODED)
            receive_block(fixture);
    }
    assert_int_equal(key, QUIET);
    remote_close(&quiet);
    port_fixture_close(fixture);
}
