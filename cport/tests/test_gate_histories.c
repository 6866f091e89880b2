/* Random histories of the gate, held against its invariants. */
#include "cport/tests/gate_stage.h"

static uint64_t random_state;

static unsigned below(unsigned bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % bound;
}

static void random_event(int *posted, int *delivered, int *overshoot)
{
    int who = (int)below(WORKERS);
    struct gate_worker *worker = &workers[who];
    if (below(3) == 0) {
        if (*posted - *delivered < PACKETS - 1)
            post(1 + (*posted)++ % (PACKETS - 1));
        return;
    }
    switch (worker->state) {
    case GATE_OUTSIDE:
    case GATE_RUNNING:
        if (below(5) == 0 && worker->state == GATE_RUNNING)
            block(who);
        else if (below(9) == 0)
            leave(who);
        else
            get(who);
        break;
    case GATE_BLOCKED:
        resume(who);
        *overshoot = 1;
        break;
    case GATE_PARKED:
    case GATE_POLLING:
        if (below(4) == 0 && gate.grants == 0) {
            time_out(who);
            *overshoot = 1;
        }
        break;
    default:
        fail_msg("worker %d is in state %d between events", who, worker->state);
    }
}

static void random_histories_keep_the_invariants(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 200; seed++) {
        random_state = seed;
        start_with(1 + below(4), 1 + below(WORKERS));
        batch = 1 + below(BATCH_MAX);
        int posted = 0, overshoot = 0;
        for (int event = 0; event < 400; event++) {
            int waiting = queued();
            random_event(&posted, &(int){posted - waiting}, &overshoot);
            gate_check(&gate);
            if (!overshoot && gate.running > gate.limit)
                fail_msg("seed %u: %u run, the limit is %u", seed, gate.running, gate.limit);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_histories_keep_the_invariants),
    };
    return cmocka_run_group_tests_name("gate: histories", tests, NULL, NULL);
}
