/* A socket that always has something to receive must not keep the others from being served: one
 * text, over every engine. */
#include "cport/tests/far_side.h"

enum { FLOOD_BYTES = 20000, WAITS_MAX = 200, FLOODED = 1, QUIET = 2 };

struct receiver {
    struct connection connection;
    struct cp_op op;
    struct cp_block block;
    char byte;
};

static void receive(struct receiver *receiver)
{
    receiver->block = (struct cp_block){&receiver->byte, 1};
    assert_int_equal(cp_receive(receiver->connection.near, &receiver->op, &receiver->block, 1), 0);
}

static void a_flood_does_not_keep_others_waiting(void **state)
{
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct receiver flooded = {.byte = 0}, quiet = {.byte = 0};
    static char data[FLOOD_BYTES];
    bool served = false;
    far->connect(port, FLOODED, &flooded.connection);
    far->connect(port, QUIET, &quiet.connection);
    far->send(&flooded.connection, data, sizeof data);
    receive(&flooded);
    receive(&quiet);
    for (unsigned i = 0; i < WAITS_MAX; i++) { /* the worker is in the middle of it */
        assert_int_equal(next_packet(port).key, FLOODED);
        receive(&flooded);
    }
    far->send(&quiet.connection, "x", 1);
    for (unsigned i = 0; i < WAITS_MAX && !served; i++) {
        struct cp_packet packet = next_packet(port);
        assert_int_equal(packet.result, 1);
        served = packet.key == QUIET;
        if (!served)
            receive(&flooded);
    }
    assert_true(served);
    far->drop(&flooded.connection);
    far->drop(&quiet.connection);
    cp_free(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY_ENGINE(a_flood_does_not_keep_others_waiting),
    };
    return cmocka_run_group_tests_name("port: fairness", tests, NULL, NULL);
}
