/* The contract of the completion port: one text, over every engine that runs here. */
#include "cport/tests/far_side.h"

static struct cp_op zeroed(void)
{
    return (struct cp_op){0};
}

/* ---- packets of one's own ------------------------------------------------------------------ */

static void a_post_arrives_as_it_was_given(void **state)
{
    struct cport *port = open_port(*state, 1);
    struct cp_op op = zeroed();
    assert_int_equal(cp_post(port, &op, 77, -5), 0);
    assert_int_equal(cp_post(port, &op, 78, 0), CP_EINVAL); /* in flight */
    struct cp_packet packet = next_packet(port);
    assert_ptr_equal(packet.op, &op);
    assert_int_equal(packet.key, 77);
    assert_int_equal(packet.result, -5);
    assert_int_equal(op.kind, CP_POST);
    assert_int_equal(cp_post(port, &op, 79, 1), 0); /* and free again */
    assert_int_equal(next_packet(port).key, 79);
    cp_free(port);
}

static void posts_leave_in_order_and_in_batches(void **state)
{
    struct cport *port = open_port(*state, 1);
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

static void waiting_ends_in_time(void **state)
{
    struct cport *port = open_port(*state, 1);
    struct cp_packet packet;
    assert_int_equal(cp_wait(port, &packet, 1, 0), 0);
    uint64_t before_ns = os_now_ns();
    assert_int_equal(cp_wait(port, &packet, 1, 30 * OS_NS_PER_MS), 0);
    assert_true(os_now_ns() - before_ns >= 30 * OS_NS_PER_MS);
    assert_int_equal(cp_wait(port, NULL, 1, 0), CP_EINVAL);
    assert_int_equal(cp_wait(port, &packet, 0, 0), CP_EINVAL);
    cp_free(port);
}

/* ---- receive ------------------------------------------------------------------------------- */

static void a_receive_fills_its_blocks_in_order(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    char one[3], two[4], three[5];
    struct cp_block blocks[] = {{one, 3}, {two, 4}, {three, 5}};
    far->connect(port, 5, &connection);
    assert_int_equal(cp_receive(connection.near, &op, blocks, 3), 0);
    assert_no_packet(port, 5);
    far->send(&connection, "abcdefghi", 9);
    struct cp_packet packet = next_packet(port);
    assert_ptr_equal(packet.op, &op);
    assert_int_equal(packet.key, 5);
    assert_int_equal(packet.result, 9);
    assert_memory_equal(one, "abc", 3);
    assert_memory_equal(two, "defg", 4);
    assert_memory_equal(three, "hi", 2);
    far->drop(&connection);
    cp_free(port);
}

static void data_that_is_there_already_is_received(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    char data[2];
    struct cp_block block = {data, 2};
    far->connect(port, 5, &connection);
    far->send(&connection, "abcde", 5);
    const char *expected[] = {"ab", "cd", "e"};
    for (unsigned turn = 0; turn < 3; turn++) {
        assert_int_equal(cp_receive(connection.near, &op, &block, 1), 0);
        size_t bytes = strlen(expected[turn]);
        assert_int_equal(next_packet(port).result, bytes);
        assert_memory_equal(data, expected[turn], bytes);
    }
    far->drop(&connection);
    cp_free(port);
}

static void receives_complete_in_the_order_they_were_posted(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    enum { COUNT = 8 };
    struct cp_op ops[COUNT] = {0};
    char data[COUNT];
    struct cp_block blocks[COUNT];
    far->connect(port, 5, &connection);
    for (unsigned index = 0; index < COUNT; index++) {
        blocks[index] = (struct cp_block){&data[index], 1};
        assert_int_equal(cp_receive(connection.near, &ops[index], &blocks[index], 1), 0);
    }
    far->send(&connection, "01234567", COUNT);
    for (unsigned index = 0; index < COUNT; index++) {
        struct cp_packet packet = next_packet(port);
        assert_ptr_equal(packet.op, &ops[index]);
        assert_int_equal(packet.result, 1);
    }
    assert_memory_equal(data, "01234567", COUNT);
    far->drop(&connection);
    cp_free(port);
}

struct shelf {
    char data[2][4];
    unsigned stock, taken, given;
};

static unsigned shelf_take(void *context, struct cp_block *blocks, unsigned max)
{
    struct shelf *shelf = context;
    unsigned count = 0;
    for (; count < max && count < shelf->stock; count++)
        blocks[count] = (struct cp_block){shelf->data[count], 4};
    shelf->taken += count;
    return count;
}

static void shelf_give(void *context, struct cp_block *blocks, unsigned count)
{
    (void)blocks;
    ((struct shelf *)context)->given += count;
}

static void a_late_receive_takes_blocks_only_for_data(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    struct cp_block blocks[2];
    struct shelf shelf = {.stock = 2};
    struct cp_source source = {shelf_take, shelf_give, &shelf};
    far->connect(port, 5, &connection);
    assert_int_equal(cp_receive_late(connection.near, &op, blocks, 2, &source), 0);
    assert_no_packet(port, 5);
    assert_int_equal(shelf.taken - shelf.given, 0); /* an idle connection holds none */
    far->send(&connection, "abcdef", 6);
    assert_int_equal(next_packet(port).result, 6);
    assert_int_equal(op.block_count, 2);
    assert_memory_equal(shelf.data[0], "abcd", 4);
    assert_memory_equal(shelf.data[1], "ef", 2);
    far->drop(&connection);
    cp_free(port);
}

static void a_late_receive_without_blocks_leaves_the_data(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    struct cp_block blocks[2];
    struct shelf shelf = {.stock = 0};
    struct cp_source source = {shelf_take, shelf_give, &shelf};
    far->connect(port, 5, &connection);
    far->send(&connection, "abc", 3);
    assert_int_equal(cp_receive_late(connection.near, &op, blocks, 2, &source), 0);
    assert_int_equal(next_packet(port).result, CP_ENOBUFS);
    assert_int_equal(op.block_count, 0);
    shelf.stock = 1;
    assert_int_equal(cp_receive_late(connection.near, &op, blocks, 2, &source), 0);
    assert_int_equal(next_packet(port).result, 3);
    assert_memory_equal(shelf.data[0], "abc", 3);
    far->drop(&connection);
    cp_free(port);
}

static void a_receive_into_nothing_waits_for_data_and_leaves_it(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    char data[4];
    struct cp_block block = {data, 4};
    far->connect(port, 5, &connection);
    assert_int_equal(cp_receive(connection.near, &op, NULL, 0), 0);
    assert_no_packet(port, 5);
    far->send(&connection, "xy", 2);
    assert_int_equal(next_packet(port).result, 0);
    assert_int_equal(cp_receive(connection.near, &op, &block, 1), 0);
    assert_int_equal(next_packet(port).result, 2);
    assert_int_equal(cp_receive(connection.near, &op, NULL, 0), 0);
    far->finish(&connection);
    assert_int_equal(next_packet(port).result, 0); /* the end counts as something to receive */
    far->drop(&connection);
    cp_free(port);
}

static void the_peers_end_is_a_receive_of_nothing(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op op = zeroed();
    char data[16];
    struct cp_block block = {data, sizeof data};
    far->connect(port, 5, &connection);
    far->send(&connection, "last", 4);
    far->finish(&connection);
    assert_int_equal(cp_receive(connection.near, &op, &block, 1), 0);
    assert_int_equal(next_packet(port).result, 4);
    for (unsigned turn = 0; turn < 2; turn++) {
        assert_int_equal(cp_receive(connection.near, &op, &block, 1), 0);
        assert_int_equal(next_packet(port).result, 0);
    }
    far->drop(&connection);
    cp_free(port);
}

static void a_reset_is_reported_and_stays(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct cp_op receive = zeroed(), send = zeroed();
    char data[16];
    struct cp_block block = {data, sizeof data};
    far->connect(port, 5, &connection);
    assert_int_equal(cp_receive(connection.near, &receive, &block, 1), 0);
    far->reset(&connection);
    assert_int_equal(next_packet(port).result, CP_ERESET);
    assert_int_equal(cp_receive(connection.near, &receive, &block, 1), CP_ERESET);
    assert_int_equal(cp_send(connection.near, &send, &block, 1), CP_ERESET);
    assert_no_packet(port, 5);
    far->drop(&connection);
    cp_free(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY_ENGINE(a_post_arrives_as_it_was_given),
        EVERY_ENGINE(posts_leave_in_order_and_in_batches),
        EVERY_ENGINE(waiting_ends_in_time),
        EVERY_ENGINE(a_receive_fills_its_blocks_in_order),
        EVERY_ENGINE(data_that_is_there_already_is_received),
        EVERY_ENGINE(receives_complete_in_the_order_they_were_posted),
        EVERY_ENGINE(a_late_receive_takes_blocks_only_for_data),
        EVERY_ENGINE(a_late_receive_without_blocks_leaves_the_data),
        EVERY_ENGINE(a_receive_into_nothing_waits_for_data_and_leaves_it),
        EVERY_ENGINE(the_peers_end_is_a_receive_of_nothing),
        EVERY_ENGINE(a_reset_is_reported_and_stays),
    };
    return cmocka_run_group_tests_name("port: posts and receives", tests, NULL, NULL);
}
