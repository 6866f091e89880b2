/* The program around the stress runs: random events of the gate alone; then one run after the
 * other, for some seconds on each engine that works here, each from a new seed, or all from one
 * (the decisions are repeated, the timing of the threads is not). Prints TAP, one test for the gate
 * and one per engine, and reports a broken law. */
#include <stdarg.h>

#include "base/options.h"
#include "cport/tests/stress/gate_machine.h"
#include "cport/tests/stress/stress.h"

/* ---- the law -------------------------------------------------------------------------------- */

struct running running;

void law_broken(const char *file, int line, const char *format, ...)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    char what[400];
    va_list arguments;
    if (atomic_flag_test_and_set(&said))
        os_sleep_ns(UINT64_MAX);
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    printf("not ok %u - the law under stress [%s]: %s (%s:%d)\n"
           "# replay (decisions, not the threads' timing): --engine=%s --seed=%" PRIu64 "\n",
           running.test, running.engine, what, file, line, running.engine, running.seed);
    fflush(stdout);
    _Exit(1);
}

/* ---- the program ---------------------------------------------------------------------------- */

struct plan {
    const char *engine;
    uint64_t seconds, gate_events;
    uint64_t seed; /* 0: new ones */
};

#define AT(field) .offset = offsetof(struct plan, field)

static const struct option_spec options[] = {
    {"engine", "NAME", NULL, "this engine only, or the gate alone: gate", options_string,
     AT(engine)},
    {"seconds", "N", NULL, "for each engine", options_count, AT(seconds)},
    {"gate-events", "N", NULL, "random events for the gate alone", options_count, AT(gate_events)},
    {"seed", "N", NULL, "this run, repeated", options_count, AT(seed)},
    {0},
};

static const struct option_set option_set = {
    .program = "stress",
    .synopsis = "[OPTION]...",
    .about = "Checks the completion port's law with random operations.",
    .options = options,
};

/* What was exercised: a test that did nothing would show here. */
static void print_tally(uint64_t started_ns)
{
    unsigned long long ops = 0;
    printf("#");
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        unsigned long long some = tally.ops[kind];
        printf(" %llu %ss,", some, op_names[kind]);
        ops += some;
    }
    printf(" %llu refused\n#", tally.refused);
    for (int code = CP_ERROR_BASE + 1; code < CP_ERROR_END; code++) {
        unsigned long long some = tally.results[cp_error_index(code)];
        if (some > 0)
            printf(" %llu %s,", some, cp_error_name(code));
    }
    printf(" %llu ends of streams (%llu after the last byte)\n", tally.finished, tally.whole);
    printf("# %llu MB, %llu meetings, %llu places taken over, %llu blocking sections, %llu hops, "
           "%llu successors, %llu misuses,"
           " %llu closed ports\n",
           tally.bytes >> 20, tally.meetings, tally.reliefs, tally.blocks, tally.hops,
           tally.successors, tally.misuses, tally.port_closes);
    printf("ok %u - the law under stress [%s]: %llu runs, %llu operations in %.1f s\n",
           running.test, running.engine, tally.runs, ops,
           (double)(os_now_ns() - started_ns) / OS_NS_PER_S);
    memset(&tally, 0, sizeof tally);
}

static bool is_wanted(const struct plan *plan, const char *engine)
{
    return !plan->engine || strcmp(plan->engine, engine) == 0;
}

static void run_gate(const struct plan *plan)
{
    uint64_t started_ns = os_now_ns();
    running.engine = "gate";
    running.test++;
    running.seed = plan->seed ? plan->seed : random_mix(os_wall_ns());
    const char *broken = machine_walk(plan->gate_events, &running.seed);
    LAW(!broken, "%s", broken);
    printf("ok %u - the law under stress [gate]: %" PRIu64 " events in %.1f s\n", running.test,
           plan->gate_events, (double)(os_now_ns() - started_ns) / OS_NS_PER_S);
    fflush(stdout);
}

static void run_engine(const struct plan *plan)
{
    uint64_t started_ns = os_now_ns();
    struct rng seeds = {os_wall_ns()};
    do
        stress_run(plan->seed ? plan->seed : rng_next(&seeds));
    while (os_now_ns() - started_ns < plan->seconds * OS_NS_PER_S);
    print_tally(started_ns);
    fflush(stdout);
}

int stress_main(int argc, char **argv, unsigned seconds, uint64_t gate_events)
{
    int unused;
    struct plan plan = {.seconds = seconds, .gate_events = gate_events};
    int parsed = options_parse(&option_set, argc, argv, &plan, &unused);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    content_init();
    unsigned planned = is_wanted(&plan, "gate");
    const char *engine;
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++)
        planned += is_wanted(&plan, engine);
    if (planned == 0) {
        fprintf(stderr, "stress: --engine=%s: there is no such engine here\n", plan.engine);
        return EXIT_WRONG_USE;
    }
    printf("1..%u\n", planned);
    if (is_wanted(&plan, "gate"))
        run_gate(&plan);
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++) {
        char why[256];
        if (!is_wanted(&plan, engine))
            continue;
        running.engine = engine;
        running.test++;
        if (runs_here(engine, why, sizeof why))
            run_engine(&plan);
        else
            printf("skip: %s\nnot ok %u # SKIP %s\n", why, running.test, engine);
    }
    return 0;
}
