/* The contract of the completion port: what the conformance suite does not have of receives, over
 * every engine that runs here. */
#include "cport/tests/port_fixture.h"

EVERY_ENGINE(waiting_does_not_end_early)
{
    struct cport *port = port_of(*state, 1);
    struct cp_packet packet;
    uint64_t before_ns = os_now_ns();
    assert_int_equal(cp_wait(port, &packet, 1, ms(30)), 0);
    assert_true(os_now_ns() - before_ns >= ms(30));
    cp_free(port);
}

/* ---- receives ------------------------------------------------------------------------------ */

/* The end of the stream is there, too. */
EVERY_ENGINE(data_that_is_already_there_is_received)
{
    struct port_fixture *fixture = port_fixture_open(state);
    const char *expected[] = {"ab", "cd", "e", "", ""};
    fixture->block.bytes = 2;
    remote_send(&fixture->connection, "abcde", 5);
    remote_finish(&fixture->connection);
    for (unsigned part = 0; part < 5; part++) {
        size_t bytes = strlen(expected[part]);
        receive_block(fixture);
        assert_next(fixture->port, &fixture->op, (int64_t)bytes);
        assert_memory_equal(fixture->data, expected[part], bytes);
    }
    port_fixture_close(fixture);
}

EVERY_ENGINE(receives_share_what_comes_in_order)
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
