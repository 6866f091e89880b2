/* The program around the stress runs:
 *
 *   stress [--engine=NAME] [--seconds=N] [--seed=N]
 *
 * Run after run from seeds of its own, for `seconds` on each engine that runs here; with --seed
 * that one run again and again: its decisions are repeated, the timing of its threads is not.
 * Prints TAP, one test per engine. */
#include "cport/tests/stress/stress.h"

struct plan {
    const char *engine;
    unsigned seconds;
    bool one_seed;
    uint64_t seed;
};

static bool number_of(const char *text, uint64_t *number)
{
    char *end;
    *number = strtoull(text, &end, 0);
    return *text && !*end;
}

static bool option(const char *argument, const char *name, const char **value)
{
    size_t bytes = strlen(name);
    *value = argument + bytes;
    return strncmp(argument, name, bytes) == 0;
}

static bool plan_read(struct plan *plan, int argc, char **argv)
{
    for (int index = 1; index < argc; index++) {
        const char *value;
        uint64_t seconds;
        bool well = true;
        if (option(argv[index], "--engine=", &value))
            plan->engine = value;
        else if (option(argv[index], "--seed=", &value))
            well = plan->one_seed = number_of(value, &plan->seed);
        else if (option(argv[index], "--seconds=", &value) && number_of(value, &seconds))
            plan->seconds = (unsigned)seconds;
        else
            well = false;
        if (!well) {
            fprintf(stderr, "stress: %s: takes --engine=NAME, --seconds=N and --seed=N\n",
                    argv[index]);
            return false;
        }
    }
    return true;
}

static bool runs_here(const char *engine, char *why, size_t why_bytes)
{
    struct cport *port = NULL;
    int code = cp_open(&(struct cp_config){.engine = engine}, &port, why, why_bytes);
    cp_free(port);
    return code == 0;
}

static unsigned long long told(atomic_ullong *what)
{
    return atomic_exchange(what, 0);
}

/* What the engine has been through: a test that exercised nothing would show here. */
static void tell(uint64_t started_ns)
{
    unsigned long long ops = 0;
    printf("#");
    for (unsigned kind = 0; kind < OP_KINDS; kind++) {
        unsigned long long some = told(&tally.ops[kind]);
        printf(" %llu %ss,", some, op_names[kind]);
        ops += some;
    }
    printf(" %llu refused\n#", told(&tally.refused));
    for (int code = CP_ERROR_BASE + 1; code < CP_ERROR_END; code++) {
        unsigned long long some = told(&tally.results[cp_error_index(code)]);
        if (some > 0)
            printf(" %llu %s,", some, cp_error_name(code));
    }
    printf(" %llu ends of streams (%llu after the last byte)\n", told(&tally.finished),
           told(&tally.whole));
    printf("# %llu MB, %llu meetings, %llu places taken over, %llu blocking sections, %llu hops, "
           "%llu successors, %llu misuses,"
           " %llu closed ports\n",
           told(&tally.bytes) >> 20, told(&tally.meetings), told(&tally.reliefs),
           told(&tally.blocks), told(&tally.hops), told(&tally.successors), told(&tally.misuses),
           told(&tally.port_closes));
    printf("ok %u - the law under stress [%s]: %llu runs, %llu operations in %.1f s\n",
           running.test, running.engine, told(&tally.runs), ops,
           (double)(os_now_ns() - started_ns) / OS_NS_PER_S);
}

static void run_engine(const struct plan *plan)
{
    uint64_t started_ns = os_now_ns();
    struct rng seeds = {plan->seed};
    do
        stress_run(plan->one_seed ? plan->seed : rng_next(&seeds));
    while (os_now_ns() - started_ns < (uint64_t)plan->seconds * OS_NS_PER_S);
    tell(started_ns);
    fflush(stdout);
}

int stress_main(int argc, char **argv, unsigned seconds)
{
    struct plan plan = {.seconds = seconds, .seed = os_wall_ns()};
    if (!plan_read(&plan, argc, argv))
        return 2;
    content_init();
    unsigned planned = 0;
    const char *engine;
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++)
        planned += !plan.engine || strcmp(plan.engine, engine) == 0;
    if (planned == 0) {
        fprintf(stderr, "stress: --engine=%s: there is no such engine here\n", plan.engine);
        return 2;
    }
    printf("1..%u\n", planned);
    for (unsigned index = 0; (engine = cp_engine_list(index, NULL)); index++) {
        char why[256];
        if (plan.engine && strcmp(plan.engine, engine) != 0)
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
