/* Every allocation of the port fails once, in turn: each time there is CP_ENOMEM and nothing
 * else. */
#include "base/tests/failing_memory.h"
#include "cport/tests/far_side.h"

struct attempt {
    const struct far_side *far;
    int worst; /* the first code that was not 0 */
};

static void note(struct attempt *attempt, int code)
{
    if (attempt->worst == 0)
        attempt->worst = code;
}

/* One life of a port, as far as memory lasts. In a thread of its own: a worker's membership is
 * memory too. */
static void *live(void *argument)
{
    struct attempt *attempt = argument;
    struct cport *port = NULL;
    struct cp_socket *socket = NULL;
    struct cp_op post = {0}, connect = {0};
    struct sockaddr_in address = loopback(9);
    struct cp_packet packet;
    struct cp_config config = {.engine = attempt->far->engine, .concurrency = 1};
    note(attempt, cp_open(&config, &port, NULL, 0));
    if (attempt->worst != 0)
        return NULL;
    note(attempt, cp_socket_open(port, AF_INET, 1, &socket));
    if (socket)
        note(attempt, cp_connect(socket, &connect, (struct sockaddr *)&address, sizeof address,
                                 (uint64_t)PACKET_WAIT_MS * OS_NS_PER_MS));
    note(attempt, cp_post(port, &post, 1, 1));
    int count = cp_wait(port, &packet, 1, CP_FOREVER);
    note(attempt, count > 0 ? 0 : count);
    cp_free(port);
    return NULL;
}

static void every_allocation_fails_once(void **state)
{
    int failures = 0;
    cp_free(open_port(*state, 1)); /* skips where the engine does not run */
    for (int allocation = 0;; allocation++) {
        struct attempt attempt = {.far = *state};
        pthread_t thread;
        atomic_store(&allocation_failed, false);
        atomic_store(&allocations_left, allocation);
        assert_int_equal(pthread_create(&thread, NULL, live, &attempt), 0);
        pthread_join(thread, NULL);
        atomic_store(&allocations_left, -1);
        if (!atomic_load(&allocation_failed)) {
            assert_int_equal(attempt.worst, 0);
            break;
        }
        assert_int_equal(attempt.worst, CP_ENOMEM);
        failures++;
    }
    assert_true(failures >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY_ENGINE(every_allocation_fails_once),
    };
    return cmocka_run_group_tests_name("port: out of memory", tests, NULL, NULL);
}
