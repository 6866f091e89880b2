/* Behaviours of threads: 58 to 61, and the vectors S1 to S9 with real threads. */
#ifndef FANIN_CONFORMANCE_THREADS_H
#define FANIN_CONFORMANCE_THREADS_H

#include "cport/port.h"
#include "cport/tests/conformance/stage.h"

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
static struct cp_op posts[16];

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
static bool stuck; /* the actors did not settle: whatever was seen counts for nothing */

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
    stuck = true;
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

static bool actors_start(struct cport *port, unsigned count)
{
    memset(actors, 0, sizeof actors);
    memset(posts, 0, sizeof posts);
    stuck = false;
    for (unsigned who = 0; who < count; who++) {
        struct actor *actor = &actors[who];
        actor->port = port;
        actor->batch = 1;
        pthread_mutex_init(&actor->lock, NULL);
        pthread_cond_init(&actor->changed, NULL);
        if (os_thread_start(&actor->thread, OS_ROLE_WORKER, 0, actor_run, actor) != 0)
            return false;
    }
    return true;
}

static void actor_end(int who)
{
    tell(who, END);
    pthread_join(actors[who].thread, NULL);
    actors[who].port = NULL;
}

static void actors_end(struct cport *port)
{
    cp_close(port);
    settle(port);
    for (int who = 0; who < ACTORS; who++)
        if (actors[who].port)
            actor_end(who);
}

static bool post(struct cport *port, int number)
{
    int code = cp_post(port, &posts[number], (uintptr_t)number, 0);
    settle(port);
    return code == 0 && !stuck;
}

static int has(int who)
{
    pthread_mutex_lock(&actors[who].lock);
    int result = actors[who].has;
    pthread_mutex_unlock(&actors[who].lock);
    return result;
}

/* ---- the vectors --------------------------------------------------------------------------- */

static const char *s1_a_busy_port_hands_nothing_over(struct stage *stage)
{
    struct cport *port = stage->port;
    tell(A, GET);
    tell(B, GET);
    EXPECT(post(port, 1));
    EXPECT(post(port, 2));
    EXPECT(has(B) == 1);
    tell(B, GET);
    EXPECT(has(B) == 2);
    EXPECT(has(A) == RUNNING);
    return NULL;
}

static const char *s2_a_worker_back_from_blocking_overshoots(struct stage *stage)
{
    struct cport *port = stage->port;
    tell(A, GET);
    tell(B, GET);
    EXPECT(post(port, 1));
    EXPECT(post(port, 2));
    tell(B, BLOCK);
    EXPECT(has(A) == 2);
    tell(B, UNBLOCK);
    EXPECT(post(port, 3));
    tell(A, GET);
    EXPECT(has(A) == RUNNING);
    tell(B, GET);
    EXPECT(has(B) == 3);
    return NULL;
}

static const char *s3_blocking_frees_the_place(struct stage *stage)
{
    struct cport *port = stage->port;
    tell(A, GET);
    tell(B, GET);
    EXPECT(post(port, 1));
    tell(B, BLOCK);
    EXPECT(post(port, 2));
    EXPECT(has(A) == 2);
    return NULL;
}

static const char *s4_the_newest_waiter_first(struct stage *stage)
{
    struct cport *port = stage->port;
    tell(A, GET);
    tell(B, GET);
    tell(C, GET);
    EXPECT(post(port, 1));
    EXPECT(post(port, 2));
    EXPECT(post(port, 3));
    EXPECT(has(C) == 1);
    EXPECT(has(B) == 2);
    tell(B, GET);
    EXPECT(has(B) == 3);
    EXPECT(has(A) == RUNNING);
    return NULL;
}

static const char *s5_a_first_look_takes_a_place(struct stage *stage)
{
    struct cport *port = stage->port;
    tell(A, GET);
    EXPECT(post(port, 1));
    EXPECT(post(port, 2));
    tell(B, GET_AT_ONCE);
    EXPECT(has(B) == TIMED_OUT);
    tell(A, GET);
    EXPECT(has(A) == RUNNING);
    tell(B, BLOCK);
    EXPECT(has(A) == 2);
    return NULL;
}

static const char *s6_a_worker_that_ends_gives_its_place(struct stage *stage)
{
    struct cport *port = stage->port;
    tell(A, GET);
    tell(B, GET);
    EXPECT(post(port, 1));
    EXPECT(post(port, 2));
    EXPECT(has(B) == 1);
    actor_end(B);
    settle(port);
    EXPECT(has(A) == 2);
    return NULL;
}

static const char *s6_a_worker_that_hops_gives_its_place(struct stage *stage)
{
    struct cport *port = stage->port;
    actors[B].other = stage->far;
    tell(A, GET);
    tell(B, GET);
    EXPECT(post(port, 1));
    EXPECT(post(port, 2));
    tell(B, HOP);
    EXPECT(has(A) == 2);
    return NULL;
}

static const char *s8_a_batch_is_one_place(struct stage *stage)
{
    struct cport *port = stage->port;
    for (int number = 1; number <= 5; number++)
        EXPECT(post(port, number));
    actors[A].batch = 8;
    tell(A, GET);
    EXPECT(has(A) == 1);
    EXPECT(actors[A].count == 5);
    EXPECT(post(port, 6));
    tell(B, GET);
    EXPECT(has(B) == RUNNING);
    return NULL;
}

static const char *s9_one_thread_handles_a_slow_stream(struct stage *stage)
{
    struct cport *port = stage->port;
    for (int who = A; who <= D; who++)
        tell(who, GET);
    for (int number = 1; number <= 8; number++) {
        EXPECT(post(port, number));
        EXPECT(has(D) == number);
        tell(D, GET);
    }
    for (int who = A; who <= C; who++)
        EXPECT(has(who) == RUNNING);
    return NULL;
}

static const char *s7_a_timeout_counts_as_running(struct stage *stage)
{
    struct cport *port = stage->port; /* the limit is 1; S7 */
    tell(A, GET);
    tell(B, GET_AT_ONCE);
    EXPECT(has(B) == TIMED_OUT);
    EXPECT(post(port, 1)); /* B counts as running: A must not be woken */
    EXPECT(has(A) == RUNNING);
    tell(B, BLOCK);
    EXPECT(has(A) == 1);
    return NULL;
}

static const char *a_limit_of_0_is_the_processors(struct stage *stage)
{
    EXPECT(cp_concurrency(stage->port) == (unsigned)os_cpu_count());
    return NULL;
}

static const char *under_the_limit_nothing_blocks(struct stage *stage)
{
    struct cport *port = stage->port;
    EXPECT(post(port, 1));
    tell(A, GET);
    EXPECT(has(A) == 1);
    EXPECT(post(port, 2));
    tell(B, GET_AT_ONCE); /* over the limit: a packet is there, and not for B */
    EXPECT(has(B) == TIMED_OUT);
    return NULL;
}

/* ---- the limit ----------------------------------------------------------------------------- */

struct spinners {
    struct cport *port;
    atomic_uint running, most, handled;
};

static void *spin(void *argument)
{
    struct spinners *spinners = argument;
    struct cp_packet packet;
    while (cp_wait(spinners->port, &packet, 1, CP_FOREVER) == 1) {
        unsigned now = atomic_fetch_add(&spinners->running, 1) + 1;
        unsigned most = atomic_load(&spinners->most);
        while (now > most && !atomic_compare_exchange_weak(&spinners->most, &most, now))
            ;
        for (uint64_t until_ns = os_now_ns() + 20000; os_now_ns() < until_ns;)
            ;
        atomic_fetch_sub(&spinners->running, 1);
        atomic_fetch_add(&spinners->handled, 1);
    }
    return NULL;
}

static const char *never_more_than_the_limit(struct stage *stage)
{
    enum { SPINNERS = 4, PACKETS = 400 };
    static struct cp_op ops[PACKETS];
    struct spinners spinners = {.port = stage->port};
    pthread_t threads[SPINNERS];
    memset(ops, 0, sizeof ops);
    for (unsigned index = 0; index < SPINNERS; index++)
        EXPECT(os_thread_start(&threads[index], OS_ROLE_WORKER, 0, spin, &spinners) == 0);
    for (unsigned index = 0; index < PACKETS; index++)
        cp_post(stage->port, &ops[index], index, 0);
    for (unsigned turn = 0; turn < PATIENCE_MS && atomic_load(&spinners.handled) < PACKETS; turn++)
        os_sleep_ns(ms(1));
    unsigned handled = atomic_load(&spinners.handled), most = atomic_load(&spinners.most);
    cp_close(stage->port);
    for (unsigned index = 0; index < SPINNERS; index++)
        pthread_join(threads[index], NULL);
    EXPECT(handled == PACKETS);
    EXPECT(most == 1);
    return NULL;
}

#endif
