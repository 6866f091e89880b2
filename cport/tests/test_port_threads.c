/* The law when many threads do it at once: the limit holds, nothing is lost, doubled or out of
 * order. */
#include "cport/tests/far_side.h"

#include <stdatomic.h>

enum { CROWD = 8, CROWD_PACKETS = 4000, LINES = 24 };

struct crowd {
    struct cport *port;
    unsigned limit;
    atomic_uint running, most, handled;
    bool blocks;
};

static void *crowd_member(void *argument)
{
    struct crowd *crowd = argument;
    struct cp_packet packet;
    while (cp_wait(crowd->port, &packet, 1, CP_FOREVER) == 1) {
        unsigned now = atomic_fetch_add(&crowd->running, 1) + 1;
        unsigned most = atomic_load(&crowd->most);
        while (now > most && !atomic_compare_exchange_weak(&crowd->most, &most, now))
            ;
        atomic_fetch_add(&crowd->handled, 1);
        atomic_fetch_sub(&crowd->running, 1);
        if (crowd->blocks && packet.key % 64 == 0) {
            cp_block_begin(crowd->port);
            os_sleep_ns(50000);
            cp_block_end(crowd->port);
        }
    }
    return NULL;
}

static void crowd_run(struct far_side *far, unsigned limit, bool blocks)
{
    static struct cp_op ops[CROWD_PACKETS];
    pthread_t threads[CROWD];
    struct crowd crowd = {.port = open_port(far, limit), .limit = limit, .blocks = blocks};
    memset(ops, 0, sizeof ops);
    for (unsigned index = 0; index < CROWD; index++)
        assert_int_equal(os_thread_start(&threads[index], OS_ROLE_WORKER, 0, crowd_member, &crowd),
                         0);
    for (unsigned index = 0; index < CROWD_PACKETS; index++)
        assert_int_equal(cp_post(crowd.port, &ops[index], index, 0), 0);
    for (unsigned turn = 0; turn < PACKET_WAIT_MS && atomic_load(&crowd.handled) < CROWD_PACKETS;
         turn++)
        os_sleep_ns(OS_NS_PER_MS);
    assert_int_equal(atomic_load(&crowd.handled), CROWD_PACKETS);
    if (!blocks)
        assert_true(atomic_load(&crowd.most) <= limit);
    cp_close(crowd.port);
    for (unsigned index = 0; index < CROWD; index++)
        pthread_join(threads[index], NULL);
    cp_free(crowd.port);
}

static void a_crowd_keeps_to_the_limit(void **state)
{
    for (unsigned limit = 1; limit <= 4; limit++)
        crowd_run(*state, limit, false);
}

static void a_crowd_that_blocks_loses_nothing(void **state)
{
    crowd_run(*state, 2, true);
}

/* Echoing lines: each connection receives a number, sends it on; counts what came, in order. */
struct line {
    struct connection connection;
    struct cp_op receive, send;
    struct cp_block in, out;
    uint8_t data[512];
    uint64_t bytes;
    uint8_t next;
};

struct lines {
    struct cport *port;
    struct line line[LINES];
    atomic_ullong bytes, wrong;
};

static void line_handle(struct lines *lines, struct line *line, int64_t result)
{
    for (int64_t index = 0; index < result; index++)
        if (line->data[index] != line->next++)
            atomic_fetch_add(&lines->wrong, 1);
    if (result > 0) {
        atomic_fetch_add(&lines->bytes, (unsigned long long)result);
        if (cp_receive(line->connection.near, &line->receive, &line->in, 1) != 0)
            atomic_fetch_add(&lines->wrong, 1);
    }
}

static void *line_worker(void *argument)
{
    struct lines *lines = argument;
    struct cp_packet packets[4];
    int count;
    while ((count = cp_wait(lines->port, packets, 4, CP_FOREVER)) > 0)
        for (int index = 0; index < count; index++)
            line_handle(lines, &lines->line[packets[index].key], packets[index].result);
    return NULL;
}

static void streams_arrive_whole_and_in_order(void **state)
{
    enum { WORKERS = 6, ROUNDS = 150, PART = 200 };
    struct far_side *far = *state;
    static struct lines lines;
    pthread_t workers[WORKERS];
    uint8_t part[PART];
    memset(&lines, 0, sizeof lines);
    lines.port = open_port(far, 3);
    for (unsigned index = 0; index < LINES; index++) {
        struct line *line = &lines.line[index];
        far->connect(lines.port, index, &line->connection);
        line->in = (struct cp_block){line->data, sizeof line->data};
        assert_int_equal(cp_receive(line->connection.near, &line->receive, &line->in, 1), 0);
    }
    for (unsigned index = 0; index < WORKERS; index++)
        assert_int_equal(os_thread_start(&workers[index], OS_ROLE_WORKER, 0, line_worker, &lines),
                         0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned index = 0; index < PART; index++)
            part[index] = (uint8_t)(round * PART + index);
        for (unsigned index = 0; index < LINES; index++)
            far->send(&lines.line[index].connection, part, PART);
    }
    const unsigned long long all = (unsigned long long)LINES * ROUNDS * PART;
    for (unsigned turn = 0; turn < PACKET_WAIT_MS && atomic_load(&lines.bytes) < all; turn++)
        os_sleep_ns(OS_NS_PER_MS);
    assert_int_equal(atomic_load(&lines.bytes), all);
    assert_int_equal(atomic_load(&lines.wrong), 0);
    cp_close(lines.port);
    for (unsigned index = 0; index < WORKERS; index++)
        pthread_join(workers[index], NULL);
    for (unsigned index = 0; index < LINES; index++)
        far->drop(&lines.line[index].connection);
    cp_free(lines.port);
}

/* Threads that send on one socket at once. */
struct choir {
    struct cp_socket *socket;
    struct cp_op *ops;
    struct cp_block *blocks;
    unsigned count;
};

static void *choir_member(void *argument)
{
    struct choir *choir = argument;
    for (unsigned index = 0; index < choir->count; index++)
        assert_int_equal(cp_send(choir->socket, &choir->ops[index], &choir->blocks[index], 1), 0);
    return NULL;
}

/* Nobody knows in which order they were submitted, but the bytes and the completions agree. */
static void sends_complete_in_the_order_of_their_bytes(void **state)
{
    enum { MEMBERS = 3, SONGS = 400, ALL = MEMBERS * SONGS };
    static struct cp_op ops[ALL];
    static struct cp_block blocks[ALL];
    static uint16_t numbers[ALL], completed[ALL], arrived[ALL];
    struct far_side *far = *state;
    struct cport *port = open_port(far, 1);
    struct connection connection;
    struct choir choir[MEMBERS];
    pthread_t threads[MEMBERS];
    memset(ops, 0, sizeof ops);
    far->connect(port, 1, &connection);
    for (unsigned index = 0; index < ALL; index++) {
        numbers[index] = (uint16_t)index;
        blocks[index] = (struct cp_block){&numbers[index], sizeof numbers[index]};
    }
    for (unsigned index = 0; index < MEMBERS; index++) {
        unsigned first = index * SONGS;
        choir[index] = (struct choir){connection.near, &ops[first], &blocks[first], SONGS};
        assert_int_equal(os_thread_start(&threads[index], "choir", 0, choir_member, &choir[index]),
                         0);
    }
    for (unsigned index = 0; index < ALL; index++)
        completed[index] = (uint16_t)(next_packet(port).op - ops);
    for (unsigned index = 0; index < MEMBERS; index++)
        pthread_join(threads[index], NULL);
    assert_int_equal(far->receive(&connection, arrived, sizeof arrived), sizeof arrived);
    assert_memory_equal(completed, arrived, sizeof arrived);
    far->drop(&connection);
    cp_free(port);
}

/* A waiter with a short time-out and a post race for it, many times: every post is seen once. */
static void timeouts_and_posts_race(void **state)
{
    enum { ROUNDS = 400 };
    struct cport *port = open_port(*state, 4);
    pthread_t thread;
    struct crowd crowd = {.port = port};
    static struct cp_op ops[ROUNDS];
    memset(ops, 0, sizeof ops);
    assert_int_equal(os_thread_start(&thread, OS_ROLE_WORKER, 0, crowd_member, &crowd), 0);
    unsigned mine = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct cp_packet packet;
        assert_int_equal(cp_post(port, &ops[round], 1, 0), 0);
        mine += (unsigned)cp_wait(port, &packet, 1, round % 3 * 20000);
    }
    for (unsigned turn = 0; turn < PACKET_WAIT_MS && atomic_load(&crowd.handled) + mine < ROUNDS;
         turn++)
        os_sleep_ns(OS_NS_PER_MS);
    assert_int_equal(atomic_load(&crowd.handled) + mine, ROUNDS);
    cp_close(port);
    pthread_join(thread, NULL);
    cp_free(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY_ENGINE(a_crowd_keeps_to_the_limit),
        EVERY_ENGINE(a_crowd_that_blocks_loses_nothing),
        EVERY_ENGINE(streams_arrive_whole_and_in_order),
        EVERY_ENGINE(sends_complete_in_the_order_of_their_bytes),
        EVERY_ENGINE(timeouts_and_posts_race),
    };
    return cmocka_run_group_tests_name("port: threads", tests, NULL, NULL);
}
