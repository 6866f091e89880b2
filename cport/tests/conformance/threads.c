/* Behaviours of threads: 59, 60 and S10 to S12, and the vectors with real threads: each is a worker
 * that carries out one command at a time. */
#include <stdio.h>

#include "cport/port.h"
#include "cport/tests/conformance/stage.h"
#include "cport/tests/conformance/vectors.h"

struct actor {
    pthread_t thread;
    struct cport *port, *other;  /* port NULL: there is no such thread */
    struct os_parker idle;       /* between two commands */
    _Atomic enum action command; /* STEP_END: none */
    atomic_int has;              /* the first packet's number, or WAITING, TIMED_OUT, CLOSED */
    atomic_int count;            /* packets it got at once */
    unsigned batch;
};

static struct actor actors[VECTOR_WORKERS_MAX];
static struct cp_op posts[VECTOR_PACKETS_MAX];

static void actor_get(struct actor *actor, struct cport *port, uint64_t timeout_ns)
{
    struct cp_packet packets[VECTOR_BATCH_MAX];
    int count = cp_wait(port, packets, actor->batch, timeout_ns);
    actor->count = count;
    actor->has = count > 0 ? (int)packets[0].key : count == 0 ? TIMED_OUT : CLOSED;
}

static void actor_do(struct actor *actor, enum action command)
{
    if (command == STEP_BLOCK)
        cp_block_begin(actor->port);
    else if (command == STEP_RESUME)
        cp_block_end(actor->port);
    else if (command == STEP_HOP)
        actor_get(actor, actor->other, 0);
    else
        actor_get(actor, actor->port, command == STEP_GET ? CP_FOREVER : 0);
}

static void *actor_run(void *argument)
{
    struct actor *actor = argument;
    for (;;) {
        enum action command = actor->command;
        if (command == STEP_LEAVE)
            return NULL;
        if (command == STEP_END) {
            os_park(&actor->idle, UINT64_MAX);
            continue;
        }
        actor_do(actor, command);
        /* Unless the next command, to leave, has come meanwhile. */
        atomic_compare_exchange_strong(&actor->command, &command, STEP_END);
    }
}

/* How many wait, with nothing on its way to them. */
static unsigned waiters(struct cport *port)
{
    unsigned count = 0;
    port_lock(port);
    for (struct gate_worker *each = port->gate.newest; each; each = each->older)
        count += each->state == GATE_PARKED || each->state == GATE_POLLING;
    count = port->closed ? 0 : count - port->gate.grants;
    port_unlock(port, &NO_EFFECTS);
    return count;
}

/* Until every actor has done its command or is in its wait. */
static bool settle(struct cport *port)
{
    for (unsigned tries = 0; tries < PATIENCE_MS; tries++) {
        unsigned busy = 0;
        os_sleep_ns(OS_NS_PER_MS);
        for (unsigned index = 0; index < VECTOR_WORKERS_MAX; index++)
            busy += actors[index].port && actors[index].command != STEP_END;
        if (busy == waiters(port) && busy == waiters(port))
            return true;
    }
    return false;
}

static void command(struct actor *actor, enum action action)
{
    if (action == STEP_GET || action == STEP_POLL)
        actor->has = WAITING;
    actor->command = action;
    os_unpark(&actor->idle);
}

static void actor_end(struct actor *actor)
{
    command(actor, STEP_LEAVE);
    pthread_join(actor->thread, NULL);
    actor->port = NULL;
}

static bool actors_start(unsigned count, struct cport *port, struct cport *other)
{
    memset(actors, 0, sizeof actors);
    memset(posts, 0, sizeof posts);
    for (unsigned index = 0; index < count; index++) {
        struct actor *actor = &actors[index];
        actor->port = port;
        actor->other = other;
        actor->batch = 1;
        if (os_thread_start(&actor->thread, OS_ROLE_WORKER, 0, actor_run, actor) != 0)
            return false;
    }
    return true;
}

/* ---- the vectors --------------------------------------------------------------------------- */

/* The OS's own gate does not show its figures. */
static bool gate_is(struct cport *port, const struct step *step)
{
    port_lock(port);
    unsigned value =
        step->action == STEP_RUNNING ? port->gate.running : gate_queue_count(&port->gate.queue);
    port_unlock(port, &NO_EFFECTS);
    return port->os_gate || value == (unsigned)step->value;
}

static bool step_run(const struct step *step, struct cport *port)
{
    struct actor *actor = &actors[step->worker];
    switch (step->action) {
    case STEP_BATCH:
        actor->batch = (unsigned)step->value;
        return true;
    case STEP_POST:
        return cp_post(port, &posts[step->value], (uintptr_t)step->value, 0) == 0 && settle(port);
    case STEP_HAS:
        return actor->has == step->value;
    case STEP_HAS_COUNT:
        return actor->count == step->value;
    case STEP_RUNNING:
    case STEP_QUEUED:
        return gate_is(port, step);
    case STEP_LEAVE:
        actor_end(actor);
        return settle(port);
    default:
        command(actor, step->action);
        return settle(port);
    }
}

const char *vector_run(const struct vector *vector, struct cport *port, struct cport *other)
{
    static char why[64];
    const char *problem = NULL;
    if (!actors_start(vector->workers, port, other))
        problem = "no threads";
    for (unsigned index = 0; !problem && vector->steps[index].action != STEP_END; index++)
        if (!step_run(&vector->steps[index], port)) {
            snprintf(why, sizeof why, "step %u of the vector", index + 1);
            problem = why;
        }
    cp_close(port);
    settle(port);
    for (unsigned index = 0; index < vector->workers; index++)
        if (actors[index].port)
            actor_end(&actors[index]);
    return problem;
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

void never_more_than_the_limit(struct stage *stage)
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
    bool all_handled = reaches(&spinners.handled, PACKETS);
    cp_close(stage->port);
    for (unsigned index = 0; index < SPINNERS; index++)
        pthread_join(threads[index], NULL);
    EXPECT(all_handled);
    EXPECT(atomic_load(&spinners.most) == 1);
}

void a_limit_of_0_is_the_processors(struct stage *stage)
{
    EXPECT(cp_concurrency(stage->port) == (unsigned)os_cpu_count());
}

/* ---- workers that sleep unasked ------------------------------------------------------------ */

enum { TO_SLEEP = 1, TO_COMPUTE, TO_WAKE = 7 }; /* keys; the connection's is the last */

static struct {
    struct cport *port;
    struct os_parker bed;
    atomic_bool computes;
    atomic_uint taken, handled;
    pthread_t threads[2];
    struct cp_op first, second;
} servants;

static void *serve(void *argument)
{
    struct cp_packet packet;
    while (cp_wait(servants.port, &packet, 1, CP_FOREVER) == 1) {
        atomic_fetch_add(&servants.taken, 1);
        if (packet.key == TO_SLEEP)
            os_park(&servants.bed, UINT64_MAX);
        else if (packet.key == TO_WAKE)
            os_unpark(&servants.bed);
        while (packet.key == TO_COMPUTE && atomic_load(&servants.computes))
            ;
        atomic_fetch_add(&servants.handled, 1);
    }
    return NULL;
}

/* The first of two workers has a packet with this key. */
static bool servants_start(struct cport *port, uintptr_t key)
{
    memset(&servants, 0, sizeof servants);
    servants.port = port;
    servants.computes = true;
    for (unsigned index = 0; index < 2; index++)
        if (os_thread_start(&servants.threads[index], OS_ROLE_WORKER, 0, serve, NULL) != 0)
            return false;
    return cp_post(port, &servants.first, key, 0) == 0 && reaches(&servants.taken, 1);
}

static void servants_end(void)
{
    servants.computes = false;
    cp_close(servants.port);
    os_unpark(&servants.bed);
    for (unsigned index = 0; index < 2; index++)
        pthread_join(servants.threads[index], NULL);
}

void sleeping_gives_the_place(struct stage *stage)
{
    EXPECT(servants_start(stage->port, TO_SLEEP));
    bool other_has_it = cp_post(stage->port, &servants.second, 0, 0) == 0 &&
                        reaches(&servants.taken, 2) && reaches(&servants.handled, 1);
    os_unpark(&servants.bed);
    bool both = reaches(&servants.handled, 2);
    servants_end();
    EXPECT(other_has_it && both);
}

void waiting_for_the_next_packet(struct stage *stage)
{
    EXPECT(post_receive(stage) == 0);
    EXPECT(servants_start(stage->port, TO_SLEEP));
    bool both = far_send(stage, "x", 1) == 1 && reaches(&servants.handled, 2);
    servants_end();
    EXPECT(both);
}

void computing_keeps_the_place(struct stage *stage)
{
    EXPECT(servants_start(stage->port, TO_COMPUTE));
    bool posted = cp_post(stage->port, &servants.second, 0, 0) == 0;
    os_sleep_ns(ms(A_MOMENT_MS));
    bool kept = atomic_load(&servants.taken) == 1;
    servants.computes = false;
    bool both = reaches(&servants.handled, 2);
    servants_end();
    EXPECT(posted && kept && both);
}
