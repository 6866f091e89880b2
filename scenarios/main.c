/* fanin-sweep: runs scenarios. Options that it does not know are keys of the scenarios. */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"
#include "scenarios/check.h"
#include "scenarios/summary.h"
#include "scenarios/sweep.h"

struct fields {
    const char *out, *repeat, *seed, *resume, *only;
    double budget_min;
    bool dry_run, quiet;
};

enum { BUDGET_MIN_MAX = 100000 };

#define AT(field) .offset = offsetof(struct fields, field)

static const struct option_spec table[] = {
    {"out", "DIR", NULL, "where the rows go (default: results/<scenarios>-<UTC time>)",
     options_string, AT(out)},
    {"repeat", "N", NULL, "rows of each cell, instead of the scenario's", options_string,
     AT(repeat)},
    {"seed", "S", NULL, "of the order (default: the scenario's, or from the clock; recorded)",
     options_string, AT(seed)},
    {"budget", "MIN", "0",
     "start no further repeats after so many minutes; the first repeat of\n"
     "each cell runs in any case; 0: no limit",
     options_rate, AT(budget_min), 0, BUDGET_MIN_MAX},
    {"only", "SECTION", NULL, "run this section alone; SCENARIO.SECTION is possible too",
     options_string, AT(only)},
    {"resume", "DIR", NULL, "go on with the unfinished sweep in DIR, as it was begun",
     options_string, AT(resume)},
    {"dry-run", NULL, NULL, "check everything, print what would run and how long, run nothing",
     options_flag, AT(dry_run)},
    {"quiet", NULL, NULL, "no progress, no table", options_flag, AT(quiet)},
    {.name = NULL},
};

static const struct option_set set = {
    .program = "fanin-sweep",
    .synopsis = "SCENARIO.conf... [options] [--KEY=VALUES ...]",
    .about =
        "Runs every cell of the scenarios, in shuffled blocks of repeats, one client process a\n"
        "row, against mock servers that it starts and stops. Any key of a scenario can be\n"
        "given as --KEY=VALUES (comma lists are axes), for all scenarios, or for one as\n"
        "--SCENARIO.KEY=VALUES or --SCENARIO.SECTION.KEY=VALUES.",
    .epilogue =
        "Keys of a scenario: long options of the client (workers, scheme, size, ...); fleet.KEY "
        "for\n"
        "long options of fanin-servers; and the sweep's own:\n"
        "  client: programs to run, an axis (default fanin-client)\n"
        "  link: what lies between client and servers, an axis: names of links.conf beside the\n"
        "    scenario (else scenarios/links.conf), measured before the first row; rows whose link\n"
        "    cannot be had here run on loopback and say so (default loopback)\n"
        "  label: tells one cell from another and changes nothing, an axis: A, B is one cell\n"
        "    twice\n"
        "  repeat: rows of each cell (default 5)\n"
        "  seed: of the order\n"
        "  pause: milliseconds between rows (default 0)\n"
        "  timeout: seconds after which a row has failed (default 120)\n"
        "  port: first port of the servers (default 20000)\n"
        "  row-seconds: what a row is expected to take, for the estimate (default 1)\n"
        "  expect: failures, where failing connections are the result asked for\n"
        "  servers-program: what opens the servers (default fanin-servers)\n"
        "  title: what it is about\n"
        "\n"
        "Examples:\n"
        "  fanin-sweep scenarios/table1.conf --dry-run\n"
        "  fanin-sweep scenarios/table2.conf --link=loopback,lan100,lan1000\n"
        "  fanin-sweep scenarios/table3.conf --repeat=10 --table3.grid.concurrency=2,4,=workers\n"
        "  fanin-sweep --resume results/table3-20260101T120000Z\n"
        "\n"
        "Exit codes: 0 every row is there and none failed (an exhausted --budget is said, and is "
        "no\n"
        "failure); 1 a row failed, or it was interrupted; 2 wrong use; 3 this machine cannot.",
    .options = table,
    .operands = "SCENARIO.conf",
};

static bool is_own(const char *name, size_t length)
{
    static const char *const built_in[] = {"help", "version"};

    for (const struct option_spec *spec = table; spec->name != NULL; spec++) {
        if (strlen(spec->name) == length && memcmp(spec->name, name, length) == 0)
            return true;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (strlen(built_in[i]) == length && memcmp(built_in[i], name, length) == 0)
            return true;
    }
    return false;
}

static int add_override(struct arena *arena, struct sweep_request *request, const char *argument,
                        struct complaint *complaint)
{
    if (strchr(argument, '\n') != NULL)
        return complain(complaint, NULL, "--%s: a value takes no line end", argument);
    request->overrides_text = arena_text(arena, "%s%s%s", request->overrides_text,
                                         *request->overrides_text == '\0' ? "" : "\n", argument);
    return override_parse(arena, argument, &request->overrides, complaint);
}

/* Takes the --KEY=VALUES out of argv that are not our own; the rest is left to options_parse. */
static int take_overrides(struct arena *arena, int *argc, char **argv,
                          struct sweep_request *request, struct complaint *complaint)
{
    int kept = 1;

    for (int i = 1; i < *argc; i++) {
        const char *equals = strchr(argv[i], '=');

        if (strcmp(argv[i], "--") == 0)
            equals = NULL;
        if (strncmp(argv[i], "--", 2) != 0 || equals == NULL ||
            is_own(argv[i] + 2, (size_t)(equals - argv[i]) - 2))
            argv[kept++] = argv[i];
        else if (add_override(arena, request, argv[i] + 2, complaint) != 0)
            return -1;
    }
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

/* Quoted where a shell would need it. */
static const char *join_arguments(struct arena *arena, int argc, char **argv)
{
    const char *text = "fanin-sweep";

    for (int i = 1; i < argc; i++) {
        bool plain = argv[i][0] != '\0' && strpbrk(argv[i], " \t\n\"'\\$&;|<>()*?[]#~`!") == NULL;

        text = arena_text(arena, plain ? "%s %s" : "%s '%s'", text, argv[i]);
    }
    return text;
}

static int read_request(struct arena *arena, int argc, char **argv, struct sweep_request *request,
                        struct complaint *complaint)
{
    struct fields fields = {0};
    int operand, parsed;

    request->command_line = join_arguments(arena, argc, argv);
    request->overrides_text = "";
    if (take_overrides(arena, &argc, argv, request, complaint) != 0)
        return OPTIONS_WRONG;
    parsed = options_parse(&set, argc, argv, &fields, &operand);
    if (parsed != OPTIONS_OK)
        return parsed;
    if ((fields.repeat != NULL &&
         add_override(arena, request, arena_text(arena, "repeat=%s", fields.repeat), complaint)) ||
        (fields.seed != NULL &&
         add_override(arena, request, arena_text(arena, "seed=%s", fields.seed), complaint)))
        return OPTIONS_WRONG;
    request->scenario_paths = argv + operand;
    request->scenario_count = (unsigned)(argc - operand);
    request->out = fields.out;
    request->resume = fields.resume;
    request->only = fields.only;
    request->budget_ns = UINT64_MAX;
    if (fields.budget_min > 0)
        request->budget_ns = (uint64_t)(fields.budget_min * 60 * OS_NS_PER_S);
    request->dry_run = fields.dry_run;
    request->quiet = fields.quiet;
    return OPTIONS_OK;
}

static int show_plan(struct sweep *sweep)
{
    if (check_programs(&sweep->cells, &sweep->fleets, &sweep->record.links, &sweep->complaint) != 0)
        return EXIT_WRONG_USE;
    summary_cells(stdout, &sweep->cells);
    sweep_announce(sweep, stdout);
    return EXIT_DONE;
}

static int run(struct sweep *sweep)
{
    int result = sweep_prepare(sweep);

    if (result != EXIT_DONE)
        return result;
    if (sweep->request->dry_run)
        return show_plan(sweep);
    return sweep_run(sweep);
}

int main(int argc, char **argv)
{
    struct arena arena = {0};
    struct sweep_request request = {0};
    struct sweep sweep = {.arena = &arena, .request = &request};
    int result = read_request(&arena, argc, argv, &request, &sweep.complaint);

    if (result == OPTIONS_DONE)
        result = EXIT_DONE;
    else if (result == OPTIONS_WRONG)
        result = EXIT_WRONG_USE;
    else
        result = run(&sweep);
    if (sweep.complaint.text[0] != '\0')
        fprintf(stderr, "fanin-sweep: %s\n", sweep.complaint.text);
    arena_free(&arena);
    return result;
}
