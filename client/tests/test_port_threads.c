/* The law with real threads: who runs, who is woken, and that nothing is lost or doubled when many do it at once. */
#include "client/tests/far_side.h"

#include <stdatomic.h>
#include <stdio.h>

/* ---- actors: threads that do one wait at a time, on command ------------------------------------------ */

enum { ACTORS = 4, RUNNING = -10, TIMED_OUT = -11, PORT_CLOSED = -12 };

enum command { NONE, GET, GET_AT_ONCE, BLOCK, UNBLOCK, HOP, END };

struct actor {
    pthread_t thread;
    struct cport *port, *other;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum command command;
    const struct worker *worker; /* its membership, once it has one */
    int has;                     /* the key of the packet it got, or a word above */
    unsigned batch;
    int count;
};

enum { A, B, C, D };
static struct actor actors[ACTORS];

static void actor_get(struct actor *actor, struct cport *port, uint64_t timeout_ns)
{
    struct cp_packet packets[8];
    int count = cp_wait(port, packets, actor->batch, timeout_ns);
    pthread_mutex_lock(&actor->lock);
    actor->count = count;
    actor->has = count > 0 ? (int)packets[0].key : count == 0 ? TIMED_OUT : PORT_CLOSED;
    pthread_mutex_unlock(&actor->lock);
}

static void actor_do(struct actor *actor, enum command command)
{
    switch (command) {
    case GET:
        actor_get(actor, actor->port, CP_FOREVER);
        break;
    case GET_AT_ONCE:
        actor_get(actor, actor->port, 0);
        break;
    case HOP:
        actor_get(actor, actor->other, 0);
        break;
    case BLOCK:
        cp_block_begin(actor->port);
        break;
    case UNBLOCK:
        cp_block_end(actor->port);
        break;
    case NONE:
    case END:
        break;
    }
}

static void *actor_run(void *argument)
{
    struct actor *actor = argument;
    pthread_mutex_lock(&actor->lock);
    while (actor->command != END) {
        enum command command = actor->command;
        pthread_mutex_unlock(&actor->lock);
        actor_do(actor, command);
        pthread_mutex_lock(&actor->lock);
        if (actor->command == command)
            actor->command = NONE;
        pthread_cond_broadcast(&actor->changed);
        while (actor->command == NONE)
            pthread_cond_wait(&actor->changed, &actor->lock);
    }
    pthread_mutex_unlock(&actor->lock);
    return NULL;
}

/* How many wait for good: nothing is on its way to them. */
static unsigned waiters(struct cport *port)
{
    unsigned count = 0;
    port_lock(port);
    for (struct gate_worker *each = port->gate.newest; each; each = each->older)
        count += each->state == GATE_PARKED || each->state == GATE_POLLING;
    count -= port->gate.grants;
    if (port->closed)
        count = 0;
    port_unlock(port, &(struct gate_effects){0});
    return count;
}

static bool idle(struct actor *actor)
{
    pthread_mutex_lock(&actor->lock);
    bool done = actor->command == NONE;
    pthread_mutex_unlock(&actor->lock);
    return done;
}

/* Until every actor has done its command or sits in its wait. */
static void settle(struct cport *port)
{
    for (unsigned turn = 0; turn < PATIENCE_MS; turn++) {
        unsigned busy = 0;
        os_sleep_ns(OS_NS_PER_MS);
        for (unsigned index = 0; index < ACTORS; index++)
            busy += actors[index].port && !idle(&actors[index]);
        if (busy == waiters(port) && busy == waiters(port))
            return;
    }
    fail_msg("the actors do not settle");
}

static void tell(int who, enum command command)
{
    struct actor *actor = &actors[who];
    pthread_mutex_lock(&actor->lock);
    actor->command = command;
    if (command == GET || command == GET_AT_ONCE)
        actor->has = RUNNING;
    pthread_cond_broadcast(&actor->changed);
    pthread_mutex_unlock(&actor->lock);
    if (command != END)
        settle(actor->port);
}

static void actors_start(struct cport *port, int count)
{
    memset(actors, 0, sizeof actors);
    for (int who = 0; who < count; who++) {
        actors[who].port = port;
        actors[who].batch = 1;
        pthread_mutex_init(&actors[who].lock, NULL);
        pthread_cond_init(&actors[who].changed, NULL);
        assert_int_equal(
            os_thread_start(&actors[who].thread, OS_ROLE_WORKER, 0, actor_run, &actors[who]), 0);
    }
}

static void actors_end(struct cport *port)
{
    cp_close(port);
    for (unsigned who = 0; who < ACTORS; who++) {
        if (!actors[who].port)
            continue;
        settle(port);
        if (actors[who].command != END)
            tell((int)who, END);
        pthread_join(actors[who].thread, NULL);
        actors[who].port = NULL;
    }
    cp_free(port);
}

static struct cp_op posts[16];

static void post(struct cport *port, int number)
{
    assert_int_equal(cp_post(port, &posts[number], (uintptr_t)number, 0), 0);
    settle(port);
}

static int has(int who)
{
    pthread_mutex_lock(&actors[who].lock);
    int result = actors[who].has;
    pthread_mutex_unlock(&actors[who].lock);
    return result;
}

static struct cport *stage(struct far_side *far, unsigned limit, int actor_count)
{
    struct cport *port = open_port(far, limit);
    memset(posts, 0, sizeof posts);
    actors_start(port, actor_count);
    return port;
}

/* ---- the vectors --------------------------------------------------------------------------------------- */

static void s1_a_busy_port_hands_nothing_over(void **state)
{
    struct cport *port = stage(*state, 1, 2);
    tell(A, GET);
    tell(B, GET);
    post(port, 1);
    post(port, 2);
    assert_int_equal(has(B), 1);
    tell(B, GET);
    assert_int_equal(has(B), 2);
    assert_int_equal(has(A), RUNNING);
    actors_end(port);
}

static void s2_a_worker_back_from_blocking_overshoots(void **state)
{
    struct cport *port = stage(*state, 1, 2);
    tell(A, GET);
    tell(B, GET);
    post(port, 1);
    post(port, 2);
    tell(B, BLOCK);
    assert_int_equal(has(A), 2);
    tell(B, UNBLOCK);
    post(port, 3);
    tell(A, GET);
    assert_int_equal(has(A), RUNNING);
    tell(B, GET);
    assert_int_equal(has(B), 3);
    actors_end(port);
}

static void s3_blocking_frees_the_place(void **state)
{
    struct cport *port = stage(*state, 1, 2);
    tell(A, GET);
    tell(B, GET);
    post(port, 1);
    tell(B, BLOCK);
    post(port, 2);
    assert_int_equal(has(A), 2);
    actors_end(port);
}

static void s4_the_newest_waiter_first(void **state)
{
    struct cport *port = stage(*state, 2, 3);
    tell(A, GET);
    tell(B, GET);
    tell(C, GET);
    post(port, 1);
    post(port, 2);
    post(port, 3);
    assert_int_equal(has(C), 1);
    assert_int_equal(has(B), 2);
    tell(B, GET);
    assert_int_equal(has(B), 3);
    assert_int_equal(has(A), RUNNING);
    actors_end(port);
}

static void s5_a_first_look_takes_a_place(void **state)
{
    struct cport *port = stage(*state, 1, 2);
    tell(A, GET);
    post(port, 1);
    post(port, 2);
    tell(B, GET_AT_ONCE);
    assert_int_equal(has(B), TIMED_OUT);
    tell(A, GET);
    assert_int_equal(has(A), RUNNING);
    tell(B, BLOCK);
    assert_int_equal(has(A), 2);
    actors_end(port);
}

static void s6_a_worker_that_ends_gives_its_place(void **state)
{
    struct cport *port = stage(*state, 1, 2);
    tell(A, GET);
    tell(B, GET);
    post(port, 1);
    post(port, 2);
    assert_int_equal(has(B), 1);
    tell(B, END);
    pthread_join(actors[B].thread, NULL);
    actors[B].port = NULL;
    settle(port);
    assert_int_equal(has(A), 2);
    actors_end(port);
}

static void s6_a_worker_that_hops_gives_its_place(void **state)
{
    struct cport *port = stage(*state, 1, 2), *other = open_port(*state, 1);
    actors[B].other = other;
    tell(A, GET);
    tell(B, GET);
    post(port, 1);
    post(port, 2);
    tell(B, HOP);
    assert_int_equal(has(A), 2);
    actors_end(port);
    cp_free(other);
}

static void s8_a_batch_is_one_place(void **state)
{
    struct cport *port = stage(*state, 1, 2);
    for (int number = 1; number <= 5; number++)
        post(port, number);
    actors[A].batch = 8;
    tell(A, GET);
    assert_int_equal(has(A), 1);
    assert_int_equal(actors[A].count, 5);
    post(port, 6);
    tell(B, GET);
    assert_int_equal(has(B), RUNNING);
    actors_end(port);
}

static void s9_one_thread_handles_a_slow_stream(void **state)
{
    struct cport *port = stage(*state, 4, 4);
    for (int who = A; who <= D; who++)
        tell(who, GET);
    for (int number = 1; number <= 8; number++) {
        post(port, number);
        assert_int_equal(has(D), number);
        tell(D, GET);
    }
    for (int who = A; who <= C; who++)
        assert_int_equal(has(who), RUNNING);
    actors_end(port);
}

static void a_timeout_counts_as_running(void **state)
{
    struct cport *port = open_port(*state, 1); /* S7, seen from one thread */
    assert_no_packet(port, 1);
    assert_int_equal(port->gate.running, 1);
    assert_no_packet(port, 1);
    assert_int_equal(port->gate.running, 1);
    cp_free(port);
}

static void closing_wakes_every_waiter(void **state)
{
    struct cport *port = stage(*state, 2, 4);
    for (int who = A; who <= D; who++)
        tell(who, GET);
    cp_close(port);
    settle(port);
    for (int who = A; who <= D; who++)
        assert_int_equal(has(who), PORT_CLOSED);
    actors_end(port);
}

/* ---- crowds -------------------------------------------------------------------------------------------- */

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
    for (unsigned turn = 0; turn < PATIENCE_MS && atomic_load(&crowd.handled) < CROWD_PACKETS;
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
    for (unsigned turn = 0; turn < PATIENCE_MS && atomic_load(&lines.bytes) < all; turn++)
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
    for (unsigned turn = 0; turn < PATIENCE_MS && atomic_load(&crowd.handled) + mine < ROUNDS;
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
        EVERY_ENGINE(s1_a_busy_port_hands_nothing_over),
        EVERY_ENGINE(s2_a_worker_back_from_blocking_overshoots),
        EVERY_ENGINE(s3_blocking_frees_the_place),
        EVERY_ENGINE(s4_the_newest_waiter_first),
        EVERY_ENGINE(s5_a_first_look_takes_a_place),
        EVERY_ENGINE(s6_a_worker_that_ends_gives_its_place),
        EVERY_ENGINE(s6_a_worker_that_hops_gives_its_place),
        EVERY_ENGINE(a_timeout_counts_as_running),
        EVERY_ENGINE(s8_a_batch_is_one_place),
        EVERY_ENGINE(s9_one_thread_handles_a_slow_stream),
        EVERY_ENGINE(closing_wakes_every_waiter),
        EVERY_ENGINE(a_crowd_keeps_to_the_limit),
        EVERY_ENGINE(a_crowd_that_blocks_loses_nothing),
        EVERY_ENGINE(streams_arrive_whole_and_in_order),
        EVERY_ENGINE(timeouts_and_posts_race),
    };
    return cmocka_run_group_tests_name("port: threads", tests, NULL, NULL);
}
