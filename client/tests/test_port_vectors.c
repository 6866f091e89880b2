/* Who runs and who is woken: the gate's vectors with real threads, on every engine. */
#include "client/tests/far_side.h"

/* ---- actors: threads that do one wait at a time, on command -------------------------------- */

enum { ACTORS = 4, RUNNING = -10, TIMED_OUT = -11, PORT_CLOSED = -12 };

enum command { NONE, GET, GET_AT_ONCE, BLOCK, UNBLOCK, HOP, END };

struct actor {
    pthread_t thread;
    struct cport *port, *other;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum command command;
    int has; /* the key of the packet it got, or a word above */
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

/* ---- the vectors --------------------------------------------------------------------------- */

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
    };
    return cmocka_run_group_tests_name("port: vectors", tests, NULL, NULL);
}
