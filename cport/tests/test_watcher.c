/* The watcher: who loses a place and who keeps it, what a rest costs, and every way to end. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "cport/tests/port_fixture.h"

enum { WORKERS_MAX = 8, KEY_SLEEP = 1, KEY_WAKE, KEY_COMPUTE, KEY_QUICK, KEY_BLOCK, KEY_MEET };

#define WATCHER "cport-watcher"

/* Workers do what a packet's key says. */
struct scene {
    struct cport *port;
    pthread_t threads[WORKERS_MAX];
    unsigned workers;
    struct os_parker bed;     /* of the one that sleeps */
    atomic_bool bed_computes; /* what it does when it is woken */
    atomic_bool computes;
    atomic_uint handled, asleep, computing, blocks;
    pthread_barrier_t meeting;
};

static struct scene scene;
static struct cp_op ops[64];

static void compute(void)
{
    atomic_fetch_add(&scene.computing, 1);
    while (atomic_load(&scene.computes))
        ;
}

static void sleep_here(void)
{
    atomic_fetch_add(&scene.asleep, 1);
    os_park(&scene.bed, UINT64_MAX);
    if (atomic_load(&scene.bed_computes))
        compute();
}

static void block(void)
{
    sleep_here();
    cp_block_begin(scene.port);
    atomic_fetch_add(&scene.blocks, 1);
    os_park(&scene.bed, UINT64_MAX);
    cp_block_end(scene.port);
    atomic_fetch_add(&scene.blocks, 1);
    os_park(&scene.bed, UINT64_MAX);
}

static void *work(void *argument)
{
    struct cp_packet packet;
    while (cp_wait(scene.port, &packet, 1, CP_FOREVER) == 1) {
        if (packet.key == KEY_SLEEP)
            sleep_here();
        else if (packet.key == KEY_BLOCK)
            block();
        else if (packet.key == KEY_MEET)
            pthread_barrier_wait(&scene.meeting);
        else if (packet.key == KEY_COMPUTE)
            compute();
        else if (packet.key == KEY_WAKE)
            os_unpark(&scene.bed);
        atomic_fetch_add(&scene.handled, 1);
    }
    return NULL;
}

static void watched_port(const char *engine, unsigned concurrency, struct cport **port)
{
    char why[256];
    *port = port_of(engine, concurrency);
    assert_int_equal(watcher_open(*port, why, sizeof why), 0);
}

static void scene_open(const char *engine, unsigned concurrency, unsigned workers)
{
    memset(&scene, 0, sizeof scene);
    memset(ops, 0, sizeof ops);
    watched_port(engine, concurrency, &scene.port);
    scene.workers = workers;
    pthread_barrier_init(&scene.meeting, NULL, WORKERS_MAX);
    for (unsigned index = 0; index < workers; index++)
        assert_int_equal(os_thread_start(&scene.threads[index], OS_ROLE_WORKER, 0, work, NULL), 0);
}

/* A thread that was joined is in /proc for a moment more. */
static void no_watcher_is_left(void)
{
    for (unsigned tries = 0; tries < PACKET_WAIT_MS && os_thread_count(WATCHER) != 0; tries++)
        os_sleep_ns(ms(1));
    assert_int_equal(os_thread_count(WATCHER), 0);
}

static void scene_close(void)
{
    atomic_store(&scene.computes, false);
    cp_close(scene.port);
    for (unsigned index = 0; index < scene.workers; index++)
        pthread_join(scene.threads[index], NULL);
    cp_free(scene.port);
    pthread_barrier_destroy(&scene.meeting);
    no_watcher_is_left();
}

static void post(unsigned index, uintptr_t key)
{
    assert_int_equal(cp_post(scene.port, &ops[index], key, 0), 0);
}

static void await_count(atomic_uint *count, unsigned expected)
{
    for (unsigned tries = 0; tries < PACKET_WAIT_MS && atomic_load(count) < expected; tries++)
        os_sleep_ns(ms(1));
    assert_int_equal(atomic_load(count), expected);
}

struct figures {
    unsigned running, waiting, queued, wake_ups, looks;
    bool looking;
};

static struct figures figures(void)
{
    struct gate *gate = &scene.port->gate;
    port_lock(scene.port);
    struct figures now = {.running = gate->running,
                          .queued = gate_queue_count(&gate->queue),
                          .wake_ups = scene.port->watcher.wake_ups,
                          .looks = scene.port->watcher.looks,
                          .looking = gate->looking};
    for (struct gate_worker *each = gate->newest; each; each = each->older)
        now.waiting += each->state == GATE_PARKED || each->state == GATE_POLLING;
    pthread_mutex_unlock(&scene.port->lock);
    return now;
}

static void await_running(unsigned running, unsigned waiting)
{
    struct figures now = {0};
    for (unsigned tries = 0; tries < PACKET_WAIT_MS; tries++) {
        now = figures();
        if (now.running == running && now.waiting == waiting)
            return;
        os_sleep_ns(ms(1));
    }
    fail_msg("%u run and %u wait, not %u and %u", now.running, now.waiting, running, waiting);
}

/* ---- who loses the place -------------------------------------------------------------------- */

EVERY_ENGINE(one_place_and_a_worker_that_waits_for_the_next_packet)
{
    scene_open(*state, 1, 2);
    post(0, KEY_SLEEP);
    await_count(&scene.asleep, 1);
    post(1, KEY_WAKE);
    await_count(&scene.handled, 2);
    scene_close();
}

/* All places are taken, so no worker polls: the packet is nowhere but in the kernel. */
EVERY_ENGINE(one_place_and_a_worker_that_waits_for_what_a_socket_brings)
{
    struct connection connection;
    struct cp_op receive = {0};
    char data[8];
    struct cp_block place = {data, sizeof data};
    scene_open(*state, 1, 2);
    remote_connect(scene.port, KEY_WAKE, &connection);
    assert_int_equal(cp_receive(connection.near, &receive, &place, 1), 0);
    for (unsigned round = 1; round <= 20; round++) {
        post(0, KEY_SLEEP);
        await_count(&scene.asleep, round);
        remote_send(&connection, "x", 1);
        await_count(&scene.handled, 2 * round);
        assert_int_equal(cp_receive(connection.near, &receive, &place, 1), 0);
        if (round % 2)
            await_running(0, 2);
    }
    scene_close();
    remote_close(&connection);
}

/* Two places, and nobody goes on before all are here. */
EVERY_ENGINE(one_sleeper_after_the_other_gives_its_place_away)
{
    scene_open(*state, 2, WORKERS_MAX);
    for (unsigned index = 0; index < WORKERS_MAX; index++)
        post(index, KEY_MEET);
    await_count(&scene.handled, WORKERS_MAX);
    await_running(0, WORKERS_MAX);
    scene_close();
}

EVERY_ENGINE(a_worker_that_computes_keeps_its_place)
{
    scene_open(*state, 1, 2);
    atomic_store(&scene.computes, true);
    post(0, KEY_COMPUTE);
    await_count(&scene.computing, 1);
    post(1, KEY_QUICK);
    for (unsigned tries = 0; tries < PACKET_WAIT_MS && figures().looks < 20; tries++)
        os_sleep_ns(ms(1));
    struct figures now = figures();
    assert_true(now.looks >= 20);
    assert_int_equal(now.running, 1);
    assert_int_equal(now.queued, 1);
    assert_int_equal(atomic_load(&scene.handled), 0);
    atomic_store(&scene.computes, false);
    await_count(&scene.handled, 2);
    scene_close();
}

/* A slept, B computes in its place, a packet and C wait: as A computes again, both are counted. */
EVERY_ENGINE(a_sleeper_that_runs_on_is_counted_again)
{
    scene_open(*state, 1, 3);
    atomic_store(&scene.computes, true);
    atomic_store(&scene.bed_computes, true);
    post(0, KEY_SLEEP);
    await_count(&scene.asleep, 1);
    post(1, KEY_COMPUTE);
    await_count(&scene.computing, 1);
    post(2, KEY_QUICK);
    os_unpark(&scene.bed);
    await_running(2, 1);
    assert_int_equal(figures().queued, 1);
    atomic_store(&scene.computes, false);
    await_count(&scene.handled, 3);
    await_running(0, 3);
    scene_close();
}

EVERY_ENGINE(a_sleeper_may_declare_a_blocking_section)
{
    scene_open(*state, 1, 2);
    post(0, KEY_BLOCK);
    await_count(&scene.asleep, 1);
    post(1, KEY_QUICK);
    await_count(&scene.handled, 1);
    os_unpark(&scene.bed);
    await_count(&scene.blocks, 1);
    await_running(0, 1);
    os_unpark(&scene.bed);
    await_count(&scene.blocks, 2);
    await_running(1, 1);
    os_unpark(&scene.bed);
    await_count(&scene.handled, 2);
    scene_close();
}

/* ---- what it costs -------------------------------------------------------------------------- */

/* A packet at a time: whenever it comes, a place is free, though then all are taken. */
EVERY_ENGINE(without_a_backlog_nobody_looks)
{
    enum { ROUNDS = 300 };
    struct connection connection;
    struct cp_op receive = {0};
    char data[8];
    struct cp_block place = {data, sizeof data};
    scene_open(*state, 1, 3);
    remote_connect(scene.port, KEY_QUICK, &connection);
    for (unsigned round = 0; round < ROUNDS; round += 2) {
        await_running(0, 3);
        post(0, KEY_QUICK);
        await_count(&scene.handled, round + 1);
        await_running(0, 3);
        assert_int_equal(cp_receive(connection.near, &receive, &place, 1), 0);
        remote_send(&connection, "x", 1);
        await_count(&scene.handled, round + 2);
    }
    struct figures now = figures();
    assert_int_equal(now.wake_ups, 0);
    assert_int_equal(now.looks, 0);
    scene_close();
    remote_close(&connection);
}

/* However many packets come meanwhile, one wake-up is enough; and it rests when all is done. */
EVERY_ENGINE(a_backlog_calls_it_once)
{
    scene_open(*state, 1, 2);
    atomic_store(&scene.computes, true);
    post(0, KEY_COMPUTE);
    await_count(&scene.computing, 1);
    await_running(1, 1);
    for (unsigned index = 1; index < 20; index++)
        post(index, KEY_QUICK);
    atomic_store(&scene.computes, false);
    await_count(&scene.handled, 20);
    for (unsigned tries = 0; tries < PACKET_WAIT_MS && figures().looking; tries++)
        os_sleep_ns(ms(1));
    struct figures now = figures();
    assert_false(now.looking);
    assert_int_equal(now.wake_ups, 1);
    scene_close();
}

/* ---- ends ----------------------------------------------------------------------------------- */

struct wanderer {
    struct cport *home, *_Atomic away;
    uint64_t random;
};

/* Sleeps, computes, hops and returns; ends after some packets. */
static void *wander(void *argument)
{
    struct wanderer *wanderer = argument;
    struct cp_packet packet;
    for (unsigned count = 0; count < 40; count++) {
        if (cp_wait(wanderer->home, &packet, 1, ms(2)) < 0)
            return NULL;
        uint64_t number = random_next(&wanderer->random);
        if (number % 4 == 0)
            os_sleep_ns(number >> 8 & 0x1fffff);
        else if (number % 4 == 1)
            cp_wait(wanderer->away, &packet, 1, 0);
        for (uint64_t until_ns = os_now_ns() + (number >> 40 & 0xffff); os_now_ns() < until_ns;)
            ;
    }
    return NULL;
}

static void *post_on(void *argument)
{
    struct wanderer *wanderer = argument;
    struct cp_op *own = calloc(400, sizeof *own);
    for (unsigned index = 0; own && index < 400; index++) {
        cp_post(wanderer->home, &own[index], KEY_QUICK, 0);
        if (index % 8 == 0)
            os_sleep_ns(100000);
    }
    return own;
}

EVERY_LOOPBACK(workers_end_hop_and_their_port_closes_while_it_looks)
{
    enum { ROUNDS = 12, THREADS = 6 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct wanderer wanderers[THREADS];
        struct cport *home, *away;
        pthread_t threads[THREADS], poster;
        void *posted;
        watched_port(*state, 1, &home);
        watched_port(*state, 1, &away);
        for (unsigned index = 0; index < THREADS; index++) {
            wanderers[index] = (struct wanderer){home, away, round * THREADS + index + 1};
            assert_int_equal(
                os_thread_start(&threads[index], OS_ROLE_WORKER, 0, wander, &wanderers[index]), 0);
        }
        assert_int_equal(os_thread_start(&poster, OS_ROLE_WORKER, 0, post_on, &wanderers[0]), 0);
        os_sleep_ns(ms(round * 3));
        cp_close(home);
        for (unsigned index = 0; index < THREADS; index++)
            pthread_join(threads[index], NULL);
        pthread_join(poster, &posted);
        cp_free(away);
        cp_free(home);
        free(posted);
        no_watcher_is_left();
    }
}

static int exit_code_of(pid_t child)
{
    int status;
    for (unsigned tries = 0; tries < PACKET_WAIT_MS; tries++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        os_sleep_ns(ms(1));
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -1;
}

/* The child has the port but not the thread, and does not wait for it. */
EVERY_LOOPBACK(a_fork_may_free_the_port)
{
    scene_open(*state, 1, 2);
    await_running(0, 2);
    pid_t child = fork();
    if (child == 0) {
        scene.port->members = NULL; /* its threads are not here either */
        cp_free(scene.port);
        _exit(0);
    }
    assert_int_equal(exit_code_of(child), 0);
    post(0, KEY_SLEEP);
    await_count(&scene.asleep, 1);
    post(1, KEY_WAKE);
    await_count(&scene.handled, 2);
    scene_close();
}

enum { NO_CHROOT = 77 };

TEST(without_proc_it_is_refused_with_the_reason)
{
    char empty[] = "/tmp/fanin-no-proc-XXXXXX", why[256] = "";
    struct cport *port = NULL;
    assert_non_null(mkdtemp(empty));
    pid_t child = fork();
    if (child == 0) {
        if (chroot(empty) != 0 && (unshare(CLONE_NEWUSER) != 0 || chroot(empty) != 0))
            _exit(NO_CHROOT);
        struct cp_config config = {.concurrency = 1, .watch = true};
        int code = cp_open(&config, &port, why, sizeof why);
        _exit(code == CP_EUNSUPPORTED && !port && strstr(why, "/proc") ? 0 : 1);
    }
    int code = exit_code_of(child);
    rmdir(empty);
    if (code == NO_CHROOT) {
        print_message("skip: no chroot, and no user namespace to have it in\n");
        skip();
    }
    assert_int_equal(code, 0);
}
