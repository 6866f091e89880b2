/* The law with many threads: the limit holds; nothing is lost, doubled or out of order. */
#include "cport/tests/conformance/vectors.h"
#include "cport/tests/port_fixture.h"

#include <stdatomic.h>

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    assert_int_equal(os_thread_start(thread, OS_ROLE_WORKER, 0, run, argument), 0);
}

static void join_threads(pthread_t *threads, unsigned count)
{
    for (unsigned index = 0; index < count; index++)
        pthread_join(threads[index], NULL);
}

static void await_count(atomic_uint *count, unsigned expected)
{
    for (unsigned tries = 0; tries < PACKET_WAIT_MS && atomic_load(count) < expected; tries++)
        os_sleep_ns(ms(1));
    assert_int_equal(atomic_load(count), expected);
}

/* ---- the limit ----------------------------------------------------------------------------- */

struct counters {
    struct cport *port;
    atomic_uint running, most, handled;
    bool blocks; /* some handlers declare a blocking section */
};

static void *count_packets(void *argument)
{
    struct counters *counters = argument;
    struct cp_packet packet;
    while (cp_wait(counters->port, &packet, 1, CP_FOREVER) == 1) {
        unsigned now = atomic_fetch_add(&counters->running, 1) + 1;
        unsigned most = atomic_load(&counters->most);
        while (now > most && !atomic_compare_exchange_weak(&counters->most, &most, now))
            ;
        atomic_fetch_add(&counters->handled, 1);
        atomic_fetch_sub(&counters->running, 1);
        if (counters->blocks && packet.key % 64 == 0) {
            cp_block_begin(counters->port);
            os_sleep_ns(50000);
            cp_block_end(counters->port);
        }
    }
    return NULL;
}

static void many_workers_run(const char *engine, unsigned limit, bool blocks)
{
    enum { WORKERS = 8, PACKETS = 4000 };
    static struct cp_op ops[PACKETS];
    pthread_t threads[WORKERS];
    struct counters counters = {.port = port_of(engine, limit), .blocks = blocks};
    memset(ops, 0, sizeof ops);
    for (unsigned index = 0; index < WORKERS; index++)
        start_thread(&threads[index], count_packets, &counters);
    for (unsigned index = 0; index < PACKETS; index++)
        assert_int_equal(cp_post(counters.port, &ops[index], index, 0), 0);
    await_count(&counters.handled, PACKETS);
    if (!blocks)
        assert_true(atomic_load(&counters.most) <= limit);
    cp_close(counters.port);
    join_threads(threads, WORKERS);
    cp_free(counters.port);
}

EVERY_ENGINE(many_workers_keep_to_the_limit)
{
    for (unsigned limit = 1; limit <= 4; limit++)
        many_workers_run(*state, limit, false);
}

EVERY_ENGINE(workers_that_block_lose_nothing)
{
    many_workers_run(*state, 2, true);
}

/* A waiter with a short time-out and a post race for it, many times: every post is seen once. */
EVERY_ENGINE(timeouts_and_posts_race)
{
    enum { ROUNDS = 400 };
    static struct cp_op ops[ROUNDS];
    struct counters counters = {.port = port_of(*state, 4)};
    pthread_t thread;
    unsigned mine = 0;
    memset(ops, 0, sizeof ops);
    start_thread(&thread, count_packets, &counters);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct cp_packet packet;
        assert_int_equal(cp_post(counters.port, &ops[round], 1, 0), 0);
        mine += (unsigned)cp_wait(counters.port, &packet, 1, round % 3 * 20000);
    }
    await_count(&counters.handled, ROUNDS - mine);
    cp_close(counters.port);
    pthread_join(thread, NULL);
    cp_free(counters.port);
}

/* The conformance suite's vectors over an engine that allows one poller: the suite itself runs them
 * over those with real sockets. */
ENGINE_TEST(the_vectors_hold, "scripted")
{
    for (unsigned index = 0; index < VECTORS; index++) {
        struct cport *port = port_of(*state, vectors[index].limit), *other = port_of(*state, 1);
        const char *problem = vector_run(&vectors[index], port, other);
        cp_free(port);
        cp_free(other);
        if (problem)
            fail_msg("%s: %s", vectors[index].name, problem);
    }
}

/* ---- streams ------------------------------------------------------------------------------- */

enum { STREAMS = 24 };

/* Each connection receives numbered bytes and checks their order. */
struct stream {
    struct connection connection;
    struct cp_op op;
    struct cp_block block;
    uint8_t data[512];
    uint8_t next;
};

struct streams {
    struct cport *port;
    struct stream stream[STREAMS];
    atomic_uint bytes, wrong;
};

static void *receive_streams(void *argument)
{
    struct streams *streams = argument;
    struct cp_packet packets[4];
    int count;
    while ((count = cp_wait(streams->port, packets, 4, CP_FOREVER)) > 0)
        for (int index = 0; index < count; index++) {
            struct stream *stream = &streams->stream[packets[index].key];
            for (int64_t byte = 0; byte < packets[index].result; byte++)
                if (stream->data[byte] != stream->next++)
                    atomic_fetch_add(&streams->wrong, 1);
            if (packets[index].result <= 0)
                continue;
            atomic_fetch_add(&streams->bytes, (unsigned)packets[index].result);
            if (cp_receive(stream->connection.near, &stream->op, &stream->block, 1) != 0)
                atomic_fetch_add(&streams->wrong, 1);
        }
    return NULL;
}

EVERY_ENGINE(streams_arrive_whole_and_in_order)
{
    enum { WORKERS = 6, ROUNDS = 150, PART = 200 };
    static struct streams streams;
    pthread_t workers[WORKERS];
    uint8_t part[PART];
    memset(&streams, 0, sizeof streams);
    streams.port = port_of(*state, 3);
    for (unsigned index = 0; index < STREAMS; index++) {
        struct stream *stream = &streams.stream[index];
        remote_connect(streams.port, index, &stream->connection);
        stream->block = (struct cp_block){stream->data, sizeof stream->data};
        assert_int_equal(cp_receive(stream->connection.near, &stream->op, &stream->block, 1), 0);
    }
    for (unsigned index = 0; index < WORKERS; index++)
        start_thread(&workers[index], receive_streams, &streams);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned index = 0; index < PART; index++)
            part[index] = (uint8_t)(round * PART + index);
        for (unsigned index = 0; index < STREAMS; index++)
            remote_send(&streams.stream[index].connection, part, PART);
    }
    await_count(&streams.bytes, STREAMS * ROUNDS * PART);
    assert_int_equal(atomic_load(&streams.wrong), 0);
    cp_close(streams.port);
    join_threads(workers, WORKERS);
    for (unsigned index = 0; index < STREAMS; index++)
        remote_close(&streams.stream[index].connection);
    cp_free(streams.port);
}

/* Threads that send on one socket at once. */
struct sender {
    struct cp_socket socket;
    struct cp_op *ops;
    struct cp_block *blocks;
    unsigned count;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    for (unsigned index = 0; index < sender->count; index++)
        assert_int_equal(cp_send(sender->socket, &sender->ops[index], &sender->blocks[index], 1),
                         0);
    return NULL;
}

/* The order of submission is unknown, but bytes and completions have the same order. */
EVERY_ENGINE(sends_complete_in_the_order_of_their_bytes)
{
    enum { SENDERS = 3, SENDS = 400, ALL = SENDERS * SENDS };
    static struct cp_op ops[ALL];
    static struct cp_block blocks[ALL];
    static uint16_t numbers[ALL], completed[ALL], arrived[ALL];
    struct port_fixture *fixture = port_fixture_open(state);
    struct sender senders[SENDERS];
    pthread_t threads[SENDERS];
    memset(ops, 0, sizeof ops);
    for (unsigned index = 0; index < ALL; index++) {
        numbers[index] = (uint16_t)index;
        blocks[index] = (struct cp_block){&numbers[index], sizeof numbers[index]};
    }
    for (unsigned index = 0; index < SENDERS; index++) {
        unsigned first = index * SENDS;
        senders[index] = (struct sender){fixture->near, &ops[first], &blocks[first], SENDS};
        start_thread(&threads[index], send_all, &senders[index]);
    }
    for (unsigned index = 0; index < ALL; index++)
        completed[index] = (uint16_t)(next_packet(fixture->port).op - ops);
    join_threads(threads, SENDERS);
    assert_int_equal(remote_receive(&fixture->connection, arrived, sizeof arrived), sizeof arrived);
    assert_memory_equal(completed, arrived, sizeof arrived);
    port_fixture_close(fixture);
}
