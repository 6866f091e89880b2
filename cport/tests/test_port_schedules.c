/* The port's own use of its gate under a scheduler of the test (fibers.h): cp_wait, cp_post,
 * blocking sections, time-outs and closing on fibers. A fiber may be left wherever a thread could
 * be overtaken: before it takes the port's lock, before it unparks or wakes a poller, while it
 * runs, and where it sleeps.
 *
 * The linker puts the functions called __wrap_* in place of the port's lock, parking, clock and of
 * the table of threads (Makefile). A time-out comes when the scheduler says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/tests/test.h"
#include "cport/port.h"
#include "cport/tests/fibers.h"

enum { PACKETS_MAX = 24, BATCH = 4, SLEEP_NS = 1000 };

/* A script has a letter for each thing that the fiber does:
 *   w  waits for a packet      W  for up to BATCH      t  with a time-out      0  without blocking
 *   b  a blocking section   r  ... until one more packet has been handled   B  ... without end
 *   p  posts a packet          e  the kernel completes an operation: a poll finds it
 *   d  sleeps until every packet has been handled      c  closes the port      x  its thread ends
 * A worker (one that begins with none of p, e, d, c) goes on with w until the port is closed. */
struct actor {
    const char *script;
    struct worker worker;
    unsigned packets;          /* it sleeps until so many have been handled */
    uint64_t runs_since;       /* a moment; 0: it does not run */
    unsigned last[FIBERS_MAX]; /* number + 1 of the last packet that it got from each */
};

struct scenario {
    const char *name;
    unsigned departures; /* from the plain schedule, at most */
    unsigned limit, pollers_max;
    const char *scripts[FIBERS_MAX];
};

static struct {
    const struct scenario *scenario;
    struct cport *port;
    struct actor actors[FIBERS_MAX]; /* one for each fiber */
    unsigned actor_count;
    uint64_t moment;
    bool wake_up;             /* the engine's: a poll returns */
    struct gate_queue kernel; /* completed operations that no poll has found */
    struct cp_op ops[PACKETS_MAX];
    unsigned poster[PACKETS_MAX]; /* which fiber; FIBERS_MAX: the kernel */
    bool handled[PACKETS_MAX];
    unsigned made, handled_count, expected;
    char broken[160];
} world;

__attribute__((format(printf, 1, 2))) static void breaks(const char *format, ...)
{
    va_list arguments;
    if (world.broken[0])
        return;
    va_start(arguments, format);
    vsnprintf(world.broken, sizeof world.broken, format, arguments);
    va_end(arguments);
    fibers.stopped = true;
}

/* ---- what fibers sleep for ----------------------------------------------------------------- */

static bool is_unparked(unsigned index)
{
    return world.actors[index].worker.parker.state != 0;
}

static bool has_events(unsigned index)
{
    return world.wake_up || world.kernel.first;
}

static bool are_handled(unsigned index)
{
    return world.handled_count >= world.actors[index].packets || world.port->closed;
}

static bool never(unsigned index)
{
    return false;
}

static struct actor *actor_now(void)
{
    return &world.actors[fiber_index()];
}

/* ---- in place of threads ------------------------------------------------------------------- */

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
uint64_t __real_os_now_ns(void);
uint64_t __wrap_os_now_ns(void);
bool __wrap_os_park(struct os_parker *parker, uint64_t timeout_ns);
void __wrap_os_unpark(struct os_parker *parker);
struct worker *__wrap_worker_join(struct cport *port);
struct worker *__wrap_worker_current(const struct cport *port);

/* No fiber is left while it has a lock, so every lock is free. */
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!fibers.now)
        return __real_pthread_mutex_lock(mutex);
    fiber_pause();
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    return fibers.now ? 0 : __real_pthread_mutex_unlock(mutex);
}

uint64_t __wrap_os_now_ns(void)
{
    return fibers.now ? fibers.clock_ns : __real_os_now_ns();
}

bool __wrap_os_park(struct os_parker *parker, uint64_t timeout_ns)
{
    bool woken = fiber_sleep(is_unparked, timeout_ns);
    parker->state = woken ? 0 : parker->state;
    return woken;
}

void __wrap_os_unpark(struct os_parker *parker)
{
    fiber_pause();
    if (parker->state != 0)
        breaks("a worker is unparked twice");
    parker->state = 1;
}

struct worker *__wrap_worker_join(struct cport *port)
{
    struct worker *worker = &actor_now()->worker;
    worker->port = port;
    return worker;
}

struct worker *__wrap_worker_current(const struct cport *port)
{
    struct worker *worker = &actor_now()->worker;
    return worker->port == port ? worker : NULL;
}

static void worker_leaves(struct actor *actor)
{
    struct effects effects = NO_EFFECTS;
    if (!actor->worker.port)
        return;
    port_lock(world.port);
    gate_leave(&world.port->gate, &actor->worker.gate, &effects.gate);
    port_unlock(world.port, &effects);
    actor->worker.port = NULL;
}

/* ---- the engine ---------------------------------------------------------------------------- */

static int engine_open(struct cport *port, char *why, size_t why_bytes)
{
    return 0;
}

static void engine_close(struct cport *port)
{
}

static void engine_poll(struct cport *port, uint64_t timeout_ns, struct effects *effects)
{
    if (timeout_ns > 0)
        fiber_sleep(has_events, timeout_ns);
    world.wake_up = false;
    for (struct cp_node *node; (node = gate_queue_pop(&world.kernel));)
        gate_queue_push(&effects->posts, node);
}

static void engine_wake_poller(struct cport *port, uint64_t when_ns)
{
    fiber_pause();
    world.wake_up = true;
}

static struct engine engine = {
    .name = "scheduled",
    .readiness = true,
    .open = engine_open,
    .close = engine_close,
    .poll = engine_poll,
    .wake_poller = engine_wake_poller,
};

/* ---- what fibers do ------------------------------------------------------------------------ */

/* As in the stress test: those that have run since before `began` ran at that moment. */
static void check_limit(const struct actor *actor, uint64_t began)
{
    unsigned run = 1;
    for (unsigned index = 0; index < world.actor_count; index++) {
        uint64_t since = world.actors[index].runs_since;
        run += &world.actors[index] != actor && since != 0 && since < began;
    }
    if (run > world.scenario->limit)
        breaks("%u workers run, the limit is %u", run, world.scenario->limit);
}

static void handle(struct actor *actor, const struct cp_packet *packet)
{
    size_t number = packet->key;
    if (world.handled[number])
        breaks("packet %zu came twice", number);
    world.handled[number] = true;
    world.handled_count++;
    unsigned poster = world.poster[number];
    if (poster == FIBERS_MAX)
        return; /* one poll may overtake another */
    if (number < actor->last[poster])
        breaks("packet %zu came after packet %u", number, actor->last[poster] - 1);
    actor->last[poster] = (unsigned)number + 1;
}

/* False: the port is closed. */
static bool do_wait(struct actor *actor, unsigned max, uint64_t timeout_ns)
{
    struct cp_packet packets[BATCH];
    actor->runs_since = 0;
    uint64_t began = ++world.moment;
    int count = cp_wait(world.port, packets, max, timeout_ns);
    if (count < 0)
        return false;
    if (count == 0 && timeout_ns == CP_FOREVER)
        breaks("a wait for ever has timed out");
    actor->runs_since = ++world.moment;
    if (count > 0)
        check_limit(actor, began);
    for (int index = 0; index < count; index++)
        handle(actor, &packets[index]);
    fiber_pause();
    return true;
}

static void do_block(struct actor *actor, bool for_a_packet)
{
    unsigned more = world.handled_count + 1;
    actor->runs_since = 0;
    cp_block_begin(world.port);
    actor->packets = more < world.expected ? more : world.expected;
    if (for_a_packet)
        fiber_sleep(are_handled, CP_FOREVER);
    cp_block_end(world.port);
    actor->runs_since = ++world.moment;
    fiber_pause();
}

static void do_post(bool by_kernel)
{
    unsigned number = world.made++;
    struct cp_op *op = &world.ops[number];
    world.poster[number] = by_kernel ? FIBERS_MAX : fiber_index();
    if (!by_kernel) {
        int code = cp_post(world.port, op, number, 0);
        if (code != 0 && code != CP_ECLOSED)
            breaks("a post was refused");
        return;
    }
    *op = (struct cp_op){.kind = CP_POST, .state = OP_COMPLETE, .key = number};
    fiber_pause();
    gate_queue_push(&world.kernel, &op->node);
}

/* False: the fiber ends. */
static bool do_letter(struct actor *actor, char letter)
{
    switch (letter) {
    case 'w':
    case 'W':
        return do_wait(actor, letter == 'W' ? BATCH : 1, CP_FOREVER);
    case 't':
    case '0':
        return do_wait(actor, 1, letter == 't' ? SLEEP_NS : 0);
    case 'b':
    case 'r':
        do_block(actor, letter == 'r');
        return true;
    case 'B':
        actor->runs_since = 0;
        cp_block_begin(world.port);
        return true;
    case 'p':
    case 'e':
        do_post(letter == 'e');
        return true;
    case 'd':
        actor->packets = world.expected;
        fiber_sleep(are_handled, CP_FOREVER);
        return true;
    case 'c':
        cp_close(world.port);
        return true;
    default:
        return false;
    }
}

static void actor_run(void)
{
    struct actor *actor = actor_now();
    bool worker = !actor->script[0] || !strchr("pedc", actor->script[0]);
    bool goes_on = true;
    for (const char *letter = actor->script; *letter && goes_on; letter++)
        goes_on = do_letter(actor, *letter);
    while (worker && goes_on)
        goes_on = do_wait(actor, 1, CP_FOREVER);
    actor->runs_since = 0;
    worker_leaves(actor);
    fiber_sleep(never, CP_FOREVER);
}

/* ---- running a scenario -------------------------------------------------------------------- */

static void world_start(const struct scenario *scenario)
{
    char why[64];
    memset(&world, 0, sizeof world);
    world.scenario = scenario;
    engine.pollers_max = scenario->pollers_max;
    if (port_open(&engine, scenario->limit, &world.port, why, sizeof why) != 0)
        abort();
    unsigned *count = &world.actor_count;
    for (; *count < FIBERS_MAX && scenario->scripts[*count]; ++*count) {
        world.actors[*count].script = scenario->scripts[*count];
        for (const char *letter = scenario->scripts[*count]; *letter; letter++)
            world.expected += *letter == 'p' || *letter == 'e';
    }
}

/* No fiber can run: each must be at its end. */
static void check_end(void)
{
    for (unsigned index = 0; index < world.actor_count; index++)
        if (fibers.list[index].ready != never)
            breaks("fiber %u (%s) sleeps for ever; %u of %u packets are handled", index,
                   world.actors[index].script, world.handled_count, world.expected);
}

static void run_once(const struct scenario *scenario)
{
    world_start(scenario);
    if (!fibers_run(world.actor_count, actor_run))
        breaks("the schedule has no end");
    if (!world.broken[0])
        check_end();
    if (!world.broken[0])
        cp_free(world.port);
}

static void report_broken(void)
{
    if (!world.broken[0])
        return;
    print_message("# choices:");
    for (unsigned index = 0; index < schedule.made; index++)
        print_message(" %u/%u", schedule.taken[index], schedule.options[index]);
    fail_msg("%s: %s", world.scenario->name, world.broken);
}

static unsigned long try_all(const struct scenario *scenario)
{
    unsigned long runs = 0;
    schedule.random = false;
    schedule.given = 0;
    do {
        run_once(scenario);
        report_broken();
        runs++;
    } while (schedule_advance(scenario->departures));
    return runs;
}

static void try_random(const struct scenario *scenario, unsigned runs)
{
    schedule.random = true;
    for (unsigned seed = 1; seed <= runs; seed++) {
        schedule.rng = seed;
        run_once(scenario);
        report_broken();
    }
}

/* ---- scenarios ----------------------------------------------------------------------------- */

static const struct scenario scenarios[] = {
    {"a worker comes back from blocking", 3, 1, 9, {"", "0b", "", "p", "dc"}},
    {"two come back from blocking", 2, 2, 9, {"", "0b", "0b", "", "pp", "dc"}},
    {"one poller, blocking", 3, 1, 1, {"", "0b", "", "pp", "dc"}},
    {"time-outs", 2, 1, 9, {"t", "tb", "t", "pp", "dc"}},
    {"time-outs with two places", 2, 2, 9, {"t", "tt", "W", "ppp", "dc"}},
    {"batches and the kernel", 2, 2, 9, {"W", "W", "tb", "pep", "ee", "dc"}},
    {"one poller and the kernel", 2, 2, 1, {"w", "t", "W", "pe", "ep", "dc"}},
    {"a blocked worker is replaced", 3, 1, 9, {"wr", "wr", "", "ppp", "dc"}},
    {"a wait ends a blocking section", 3, 1, 9, {"0Bw", "wB", "pp", "dc"}},
    {"a worker that ends is replaced", 3, 1, 9, {"wx", "tx", "", "pp", "dc"}},
    {"a busy worker polls", 2, 1, 9, {"wb", "t", "pppppppppppp", "ee", "dc"}},
    {"closed at any moment", 3, 1, 9, {"wb", "t", "", "pp", "ec"}},
    {"closed with one poller", 3, 2, 1, {"", "t", "", "ppc", "e"}},
};

static void skip_under_tsan(void)
{
    if (!THREAD_SANITIZED)
        return;
    print_message("skip: the thread sanitizer does not know fibers\n");
    skip();
}

TEST(every_schedule_of_few_departures_keeps_the_law)
{
    skip_under_tsan();
    unsigned long all = 0;
    for (size_t index = 0; index < sizeof scenarios / sizeof scenarios[0]; index++) {
        unsigned long runs = try_all(&scenarios[index]);
        print_message("# %s: %lu schedules\n", scenarios[index].name, runs);
        all += runs;
    }
    print_message("# every scenario: %lu schedules\n", all);
}

TEST(random_schedules_keep_the_law)
{
    skip_under_tsan();
    for (size_t index = 0; index < sizeof scenarios / sizeof scenarios[0]; index++)
        try_random(&scenarios[index], SANITIZED ? 500 : 5000);
}
