/* The gate as a pure state machine: the vectors of the kernel queue's behaviour, what polling adds,
 * and random histories held against the invariants. Workers and packets are records; a worker that
 * is woken takes its next step. */
#include <string.h>

#include "base/random.h"
#include "base/tests/test.h"
#include "cport/gate.h"
#include "cport/tests/conformance/vectors.h"

enum { WORKERS = 8, PACKETS = 64, BATCH_MAX = 16 };

struct packet {
    struct cp_node node;
    int number;
};

static struct gate gate;
static struct gate_worker workers[WORKERS];
static struct packet packets[PACKETS];
static int has[WORKERS];       /* the first packet's number, or WAITING, TIMED_OUT, CLOSED */
static int has_count[WORKERS]; /* how many packets it got at once */
static unsigned batch;         /* what every wait asks for */

static void start(unsigned limit, unsigned pollers_max)
{
    gate_init(&gate, limit, pollers_max);
    memset(workers, 0, sizeof workers);
    memset(has, 0, sizeof has);
    batch = 1;
}

static void step(int who, struct gate_effects *effects)
{
    struct gate_queue taken = {0};
    has[who] = WAITING;
    has_count[who] = 0;
    enum gate_verdict verdict = gate_next(&gate, &workers[who], batch, &taken, effects);
    if (verdict == GATE_CLOSED)
        has[who] = CLOSED;
    for (struct cp_node *node; (node = gate_queue_pop(&taken));) {
        if (has_count[who]++ == 0)
            has[who] = ((struct packet *)node)->number;
    }
    assert_true((verdict == GATE_TAKE) == (has_count[who] > 0));
}

/* The kernel wakes the poller that came last. */
static struct gate_worker *newest_poller(void)
{
    struct gate_worker *worker = gate.newest;
    while (worker && worker->state != GATE_POLLING)
        worker = worker->older;
    return worker;
}

static void carry_out(struct gate_effects effects)
{
    while (effects.wake || effects.wake_poller) {
        struct gate_worker *worker = effects.wake;
        if (worker) {
            effects.wake = worker->wake_next;
        } else {
            effects.wake_poller = false;
            worker = newest_poller();
        }
        if (!worker)
            continue;
        gate_back(&gate, worker);
        step((int)(worker - workers), &effects);
    }
    gate_check(&gate);
}

static void gate_post_number(int number, struct gate_effects *effects)
{
    packets[number].number = number;
    gate_post(&gate, &packets[number].node, effects);
}

/* Also what random histories are made of. */
static void act(enum action action, int who, int value)
{
    struct gate_effects effects = {0};
    struct gate_worker *worker = &workers[who];
    switch (action) {
    case STEP_GET:
    case STEP_POLL:
        gate_arrive(&gate, worker);
        step(who, &effects);
        if (action == STEP_GET || has[who] != WAITING)
            break;
        /* fallthrough */
    case STEP_TIME_OUT:
        gate_timeout(&gate, worker, &effects);
        has[who] = TIMED_OUT;
        break;
    case STEP_BLOCK:
        gate_block(&gate, worker, &effects);
        break;
    case STEP_RESUME:
        gate_unblock(&gate, worker);
        break;
    case STEP_LEAVE:
    case STEP_HOP:
        gate_leave(&gate, worker, &effects);
        break;
    case STEP_POST:
        gate_post_number(value, &effects);
        break;
    case STEP_UNNOTICED:
        gate_post_number(value, &effects);
        assert_null(effects.wake);
        effects.wake_poller = false;
        break;
    case STEP_BACK:
        gate_back(&gate, worker);
        if (value > 0)
            gate_post_number(value, &effects);
        step(who, &effects);
        break;
    default:
        fail_msg("step %d is none of the gate's", action);
    }
    carry_out(effects);
}

static void run(const struct step *steps)
{
    for (const struct step *each = steps; each->action != STEP_END; each++) {
        int who = each->worker, value = each->value, is = value;
        if (each->action == STEP_BATCH)
            batch = (unsigned)value;
        else if (each->action == STEP_POLLERS)
            gate.pollers_max = (unsigned)value;
        else if (each->action == STEP_HAS)
            is = has[who];
        else if (each->action == STEP_HAS_COUNT)
            is = has_count[who];
        else if (each->action == STEP_STATE)
            is = (int)workers[who].state;
        else if (each->action == STEP_RUNNING)
            is = (int)gate.running;
        else if (each->action == STEP_QUEUED)
            is = (int)gate_queue_count(&gate.queue);
        else
            act(each->action, who, value);
        if (is != value)
            fail_msg("step %d: %d, not %d", (int)(each - steps) + 1, is, value);
    }
}

#define RUN(...) run((const struct step[]){__VA_ARGS__, {STEP_END, 0, 0}})

/* ---- vectors ------------------------------------------------------------------------------- */

/* clang-format off */
#define POLLERS(most)        {STEP_POLLERS, 0, most}
#define TIME_OUT(worker)     {STEP_TIME_OUT, worker, 0}
#define UNNOTICED(number)    {STEP_UNNOTICED, 0, number}
#define BACK(worker, number) {STEP_BACK, worker, number}
#define STATE(worker, state) {STEP_STATE, worker, GATE_##state}

/* What polling adds. */
static const struct vector polling[] = {
    {NULL, "a waiter that times out runs over the limit", 1, 2,
     {GET(A), GET(B), POST(1), HAS(B, 1), TIME_OUT(A), RUNNING(2), GET(A), RUNNING(1),
      HAS(A, WAITING)}},
    {NULL, "packets leave in the order they came", 1, 1,
     {BATCH(A, 4), POST(1), POST(2), POST(3), POST(4), POST(5), POST(6),
      GET(A), HAS(A, 1), HAS_COUNT(A, 4), GET(A), HAS(A, 5), HAS_COUNT(A, 2)}},
    {NULL, "a poller that takes a packet is replaced", 2, 3,
     {POLLERS(1), GET(A), GET(B), STATE(A, POLLING), STATE(B, PARKED), POST(1), POST(2),
      HAS(B, 1), HAS(A, 2),
      GET(C), GET(B), STATE(B, POLLING), LEAVE(A), STATE(C, PARKED),
      BACK(B, 3), HAS(B, 3), STATE(C, POLLING)}},
    {NULL, "a poller hands a packet to a newer waiter", 1, 2,
     {GET(A), GET(B), BACK(A, 1), HAS(B, 1), STATE(A, PARKED), GET(B), STATE(B, POLLING)}},
    /* The first worker takes them all, and no later packet before an earlier one. */
    {NULL, "a batch begins with what pollers were granted", 2, 2,
     {BATCH(A, 4), GET(A), GET(B), UNNOTICED(1), UNNOTICED(2), UNNOTICED(3),
      BACK(B, 0), HAS(B, 1), HAS_COUNT(B, 3), RUNNING(1), HAS(A, WAITING)}},
    /* Otherwise that worker could soon take the earlier packet after the later one. */
    {NULL, "a parked worker is handed what is oldest", 2, 3,
     {POLLERS(1), GET(A), GET(B), POST(1), POST(2), GET(C), GET(A), STATE(A, POLLING),
      STATE(C, PARKED),
      UNNOTICED(3), BLOCK(B), POST(4), HAS(C, 3), HAS(A, 4)}},
    /* While A was granted the only place, B came back from blocking. C would be one too many; it
     * wakes A again, whose wake-up it may have seen. */
    {NULL, "no newcomer takes a poller's packet over the limit", 1, 3,
     {GET(A), POLL(B), BLOCK(B), UNNOTICED(1), RESUME(B), GET(C), HAS(C, WAITING), HAS(A, 1),
      RUNNING(2)}},
    /* Within the limit it saves A the way. */
    {NULL, "a newcomer takes a poller's packet under the limit", 1, 2,
     {GET(A), UNNOTICED(1), GET(B), HAS(B, 1), BACK(A, 0), HAS(A, WAITING), RUNNING(1)}},
    /* A's poll returns while B runs: there is no place, so it parks. */
    {NULL, "blocking makes another worker poll", 1, 3,
     {GET(A), GET(B), POST(1), HAS(B, 1), STATE(A, POLLING), GET(B), STATE(B, PARKED), POST(2),
      GET(C), HAS(B, 2), BACK(A, 0), STATE(A, PARKED), BLOCK(B), STATE(C, POLLING),
      STATE(A, PARKED)}},
};
/* clang-format on */

static void vectors_add(const struct vector *each, size_t count, CMUnitTestFunction test)
{
    for (; count > 0; count--, each++)
        test_add((struct CMUnitTest){each->name, test, NULL, NULL, (void *)(uintptr_t)each});
}

TEST_ADDED_BY((vectors_add(vectors, VECTORS, vector_holds),
               vectors_add(polling, sizeof polling / sizeof polling[0], vector_holds)),
              vector_holds, void **state)
{
    const struct vector *vector = *state;
    start(vector->limit, WORKERS);
    run(vector->steps);
}

TEST(no_worker_is_woken_for_a_place_that_an_awake_one_takes)
{
    start(2, WORKERS);
    RUN(GET(A), GET(B), POST(1), POST(2), GET(C), GET(A), GET(B), STATE(C, PARKED));
    struct gate_effects effects = {0};
    gate_back(&gate, &workers[A]);
    gate_post_number(3, &effects); /* B's, the newest */
    assert_null(effects.wake);
    step(A, &effects);
    carry_out(effects);
    RUN(STATE(C, PARKED), RUNNING(1));
    assert_int_equal(gate.pollers, 1);
}

/* The newest poller is still asleep in the engine: it keeps its sleep if another has come back and
 * takes all there is, and not if something is left for it. */
TEST(no_poller_is_woken_for_a_packet_that_another_has_claimed)
{
    for (int left = 0; left < 2; left++) {
        struct gate_effects effects = {0};
        start(2, WORKERS);
        RUN(GET(A), GET(B));
        gate_back(&gate, &workers[A]);
        for (int number = 1; number <= 1 + left; number++)
            gate_post_number(number, &effects);
        assert_true(effects.wake_poller);
        step(A, &effects);
        assert_int_equal(effects.wake_poller, left == 1);
        carry_out(effects);
        RUN(RUNNING(1 + left));
    }
}

/* Returns the packets that it dropped. */
static struct gate_queue gate_close_all(void)
{
    struct gate_effects effects = {0};
    struct gate_queue dropped = {0};
    gate_close(&gate, &dropped, &effects);
    carry_out(effects);
    return dropped;
}

TEST(closing_wakes_everyone)
{
    start(2, WORKERS);
    RUN(GET(A), GET(B), GET(C), GET(D));
    gate_close_all();
    RUN(HAS(A, CLOSED), HAS(B, CLOSED), HAS(C, CLOSED), HAS(D, CLOSED));
    assert_null(gate.newest);
}

TEST(closing_drops_what_is_queued)
{
    start(1, WORKERS);
    RUN(GET(A), POST(1), POST(2), POST(3));
    struct gate_queue dropped = gate_close_all();
    assert_int_equal(((struct packet *)gate_queue_pop(&dropped))->number, 2);
    assert_int_equal(((struct packet *)gate_queue_pop(&dropped))->number, 3);
    assert_null(gate_queue_pop(&dropped));
    RUN(GET(A), HAS(A, CLOSED));
}

/* ---- random histories ---------------------------------------------------------------------- */

static uint64_t random_state;

static unsigned below(unsigned bound)
{
    return (unsigned)(random_next(&random_state) % bound);
}

static void random_event(int *posted, int *delivered, int *overshoot)
{
    int who = (int)below(WORKERS);
    struct gate_worker *worker = &workers[who];
    if (below(3) == 0) {
        if (*posted - *delivered < PACKETS - 1)
            act(STEP_POST, 0, 1 + (*posted)++ % (PACKETS - 1));
        return;
    }
    switch (worker->state) {
    case GATE_OUTSIDE:
    case GATE_RUNNING:
        if (below(5) == 0 && worker->state == GATE_RUNNING)
            act(STEP_BLOCK, who, 0);
        else if (below(9) == 0)
            act(STEP_LEAVE, who, 0);
        else
            act(STEP_GET, who, 0);
        break;
    case GATE_BLOCKED:
        act(STEP_RESUME, who, 0);
        *overshoot = 1;
        break;
    case GATE_PARKED:
    case GATE_POLLING:
        if (below(4) == 0 && gate.grants == 0) {
            act(STEP_TIME_OUT, who, 0);
            *overshoot = 1;
        }
        break;
    default:
        fail_msg("worker %d is in state %d between events", who, worker->state);
    }
}

TEST(random_histories_keep_the_invariants)
{
    for (unsigned seed = 1; seed <= 200; seed++) {
        random_state = seed;
        start(1 + below(4), 1 + below(WORKERS));
        batch = 1 + below(BATCH_MAX);
        int posted = 0, overshoot = 0;
        for (int event = 0; event < 400; event++) {
            int waiting = (int)gate_queue_count(&gate.queue);
            random_event(&posted, &(int){posted - waiting}, &overshoot);
            gate_check(&gate);
            if (!overshoot && gate.running > gate.limit)
                fail_msg("seed %u: %u run, the limit is %u", seed, gate.running, gate.limit);
        }
    }
}
