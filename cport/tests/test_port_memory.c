/* Every allocation of the port fails once, in turn: each time the result is CP_ENOMEM and nothing
 * else. */
#include "base/tests/failing_memory.h"
#include "cport/tests/port_fixture.h"

#include <netinet/in.h>

struct life {
    const char *engine;
    int first_code; /* that was not 0 */
};

static void note(struct life *life, int code)
{
    if (life->first_code == 0)
        life->first_code = code;
}

/* Opens and uses a port, as far as memory lasts. In a thread of its own, since a worker's
 * membership is memory too. */
static void *live(void *argument)
{
    struct life *life = argument;
    char why[64];
    struct cport *port = NULL;
    struct cp_socket socket = {0};
    struct cp_op post = {0}, connect = {0}, timer = {0}, late = {0};
    struct sockaddr_in address = loopback(9);
    struct cp_packet packet;
    note(life, port_try(life->engine, 1, &port, why, sizeof why));
    if (life->first_code != 0)
        return NULL;
    note(life, cp_socket_open(port, AF_INET, 1, &socket));
    if (socket.port)
        note(life, cp_connect(socket, &connect, (struct sockaddr *)&address, sizeof address,
                              ms(PACKET_WAIT_MS)));
    note(life, cp_post_key(port, 1, 1));
    note(life, cp_post(port, &post, 1, 1));
    note(life, cp_timer(port, &timer, 1, 0));
    note(life, cp_timer(port, &late, 1, ms(PACKET_WAIT_MS)));
    int count = cp_wait(port, &packet, 1, CP_FOREVER);
    note(life, count > 0 ? 0 : count);
    cp_free(port);
    return NULL;
}

EVERY_ENGINE(every_allocation_fails_once)
{
    int failures = 0;
    cp_free(port_of(*state, 1)); /* skips where the engine does not run */
    for (int allocation = 0;; allocation++) {
        struct life life = {.engine = *state};
        pthread_t thread;
        atomic_store(&allocation_failed, false);
        atomic_store(&allocations_left, allocation);
        assert_int_equal(pthread_create(&thread, NULL, live, &life), 0);
        pthread_join(thread, NULL);
        atomic_store(&allocations_left, -1);
        if (!atomic_load(&allocation_failed)) {
            assert_int_equal(life.first_code, 0);
            break;
        }
        assert_int_equal(life.first_code, CP_ENOMEM);
        failures++;
    }
    assert_true(failures >= 4);
}
