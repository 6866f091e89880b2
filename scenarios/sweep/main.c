/* fanin-sweep: runs scenarios. Options that it does not know are keys of the scenarios. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/row.h"
#include "scenarios/sweep/check.h"
#include "scenarios/sweep/command.h"
#include "scenarios/sweep/hosts_check.h"
#include "scenarios/sweep/spin.h"
#include "scenarios/sweep/sweep.h"

enum { BUDGET_MIN_MAX = 100000 };

#define AT(field) .offset = offsetof(struct sweep_request, field)

static const struct option_spec table[] = {
    {"out", "DIR", NULL, "directory of the rows (default: results/<scenarios>-<UTC time>)",
     options_string, AT(out)},
    {"repeat", "N", NULL, "rows of each cell (default: the scenario's)", options_string,
     AT(repeat)},
    {"seed", "S", NULL, "of the order (default: the scenario's, or from the clock; recorded)",
     options_string, AT(seed)},
    {"budget", "MIN", "0",
     "run for this many minutes: 5 repeats of each cell (or its repeat, if fewer), then more of "
     "those with the widest intervals, until all are within --precision or no further row fits; "
     "the first repeat of each cell always runs; 0: no budget",
     options_rate, AT(budget_min), 0, BUDGET_MIN_MAX},
    {"precision", "PERCENT", NULL,
     "with --budget: sufficient width of a median's 95 % interval (default: the scenario's, or "
     "5%)",
     options_string, AT(precision)},
    {"only", "SECTION", NULL, "run only this section, or SCENARIO.SECTION", options_string,
     AT(only)},
    {"resume", "DIR", NULL, "continue the unfinished sweep in DIR with its recorded options",
     options_string, AT(resume)},
    {"dry-run", NULL, NULL, "check everything, print the plan and its duration, run nothing",
     options_flag, AT(dry_run)},
    {"check", NULL, NULL,
     "run nothing; report what makes results noisy on this machine and how to change it; with "
     "scenarios, also whether their ports and limits suffice. With --hosts='NAME NAME' (and "
     "--launcher, --network, --servers) or a scenario that has hosts: a line for each host, ok or "
     "what is wrong there and what to do",
     options_flag, AT(check)},
    {"json", "FILE", NULL, "with --check: write its findings to FILE; -: to standard output",
     options_string, AT(json)},
    {"spin", "TIME", NULL,
     "run nothing; compute for so long and tell which share of a processor that got (as JSON)",
     options_millis, AT(spin_ms), 1, 3600000},
    {"quiet", NULL, NULL, "print no progress and no summary", options_flag, AT(quiet)},
    {.name = NULL},
};

static const struct option_set set = {
    .program = "fanin-sweep",
    .synopsis = "SCENARIO.conf... [options] [--KEY=VALUES ...]",
    .about =
        "Runs every cell of the scenarios, in shuffled blocks of repeats, with one client process\n"
        "for each row, against mock servers that it starts and stops. --KEY=VALUES replaces a key\n"
        "in all scenarios (comma lists are axes), --SCENARIO.KEY=VALUES in one scenario, and\n"
        "--SCENARIO.SECTION.KEY=VALUES in one section.",
    .epilogue =
        "Keys of a scenario: long options of the client (workers, scheme, size, ...), by their\n"
        "whole names, flags with yes or no; fleet.KEY for long options of fanin-servers; and the\n"
        "sweep's own:\n"
        "  client: programs to run, an axis (default fanin-client)\n"
        "  link: the network between client and servers, an axis: names of links.conf beside the\n"
        "    scenario (else scenarios/links.conf). Each is measured before its first row; rows of\n"
        "    a link that is unavailable run on loopback and say so (default loopback)\n"
        "  launcher: what starts the servers on other computers, an axis: a name of "
        "launchers.conf\n"
        "    beside the scenario (else scenarios/launchers.conf), such as ssh or slurm. `servers` "
        "is\n"
        "    the total, spread evenly (docs/hosts.md; default: the servers are on this computer)\n"
        "  hosts: on which, an axis: names with blanks between them, or their number, as the "
        "launcher\n"
        "    takes it (in a Slurm job: all nodes but the first)\n"
        "  network: in which client and servers meet: 10.1.0.0/16\n"
        "  on-host-loss: stop (default) or continue with the hosts that are left; the row in "
        "which\n"
        "    a host was lost has failed\n"
        "  cpu-share: how much of one processor the client may use, an axis: 6%, or 100% for full\n"
        "    speed (default). Each is measured before the rows; where it cannot be had, rows run\n"
        "    at full speed and say so (docs/paper-machine.md)\n"
        "  cpu-period: in which it may, an axis (default 40ms)\n"
        "  label: distinguishes cells and changes nothing, an axis: A, B runs one cell twice.\n"
        "    The differences between the two are false alarms. The report counts them and leaves\n"
        "    these rows out of its tables\n"
        "  repeat: rows of each cell (default 5)\n"
        "  rtt: round trip of the link instead of its own, an axis: lan100 with rtt = 9.9ms is "
        "the\n"
        "    link lan100-rtt9.9\n"
        "  machine: name of the machine that a cell stands for, an axis; only goes into the row\n"
        "  calibrate: KEY FROM..TO, two values alike but for one number, such as cpu-share "
        "2%..25%:\n"
        "    the section has one cell and no rows. Before the rows of all sections its KEY is\n"
        "    varied until the median of `metric` is `target`, with `repeat` runs near the value\n"
        "    (default 12; fewer once its interval is as narrow as `precision`). Other sections "
        "take\n"
        "    the value with KEY = =[SECTION]. One that fails says what it found, and those rows "
        "run\n"
        "    without KEY and say so\n"
        "  target: of a calibration, what metric shall be\n"
        "  advise: search the axes of the section instead of crossing them, and recommend a\n"
        "    cell by auto (latency of frames at a rate, else cpu), latency, cpu, throughput or\n"
        "    memory. The best cells and the client's defaults then run `repeat` more rows each,\n"
        "    and more if --budget has time left. frames = auto: as many as row-seconds allow\n"
        "  margin: percent of difference that advise ignores (default 5%)\n"
        "  metric: figure of the row for --budget (default elapsed_ms)\n"
        "  precision: of its median, in percent (default 5%)\n"
        "  seed: of the order\n"
        "  pause: milliseconds between rows (default 0)\n"
        "  timeout: seconds after which a row fails (default 120)\n"
        "  port: first port of the servers (default 20000)\n"
        "  row-seconds: expected duration of a row (default 1)\n"
        "  expect: failures, where failing connections are the expected result\n"
        "  servers-program: the program that opens the servers (default fanin-servers)\n"
        "  screens: in place of servers, for viewers of screens: how many, an axis. With client =\n"
        "    fanin-monitor or fanin-eye, and servers-program = fanin-screens\n"
        "  title: of the scenario\n"
        "\n"
        "Examples:\n"
        "  fanin-sweep --check scenarios/table1.conf\n"
        "  fanin-sweep --check --hosts='lab1 lab2' --network=10.1.0.0/16\n"
        "  fanin-sweep scenarios/table1.conf --dry-run\n"
        "  fanin-sweep scenarios/table2.conf --link=loopback,lan100,lan1000\n"
        "  fanin-sweep scenarios/table3.conf --repeat=10 --table3.grid.concurrency=2,4,=workers\n"
        "  fanin-sweep scenarios/advise.conf --servers=500 --size=2kB..8kB --rate=20000 "
        "--budget=3\n"
        "  fanin-sweep scenarios/table3.conf --launcher=ssh --hosts='lab1 lab2 lab3' "
        "--network=10.1.0.0/16\n"
        "  fanin-sweep --resume results/table3-20260101T120000Z\n"
        "\n"
        "Exit codes: 0 all rows are written and none failed, also when the --budget ended the\n"
        "sweep; 1 a row or a calibration failed, the sweep was interrupted, or --check found "
        "noise; 2 wrong use;\n"
        "3 this machine cannot run it.",
    .options = table,
    .operands = "SCENARIO.conf",
};

/* Whether the program itself has an option of this name. */
static bool is_own(const char *name)
{
    const struct option_spec *spec = table;
    while (spec->name != NULL && strcmp(spec->name, name) != 0)
        spec++;
    return spec->name != NULL || strcmp(name, "help") == 0 || strcmp(name, "version") == 0;
}

static int add_override(struct arena *arena, struct sweep_request *request, const char *argument,
                        struct error *error)
{
    struct overrides parsed = {0}; /* only to find mistakes */
    if (strchr(argument, '\n') != NULL)
        return error_set(error, NULL, "--%s: a value must be one line", argument);
    request->overrides_text = arena_join(arena, request->overrides_text, "\n", argument);
    return override_parse(arena, argument, &parsed, error);
}

/* Moves --KEY=VALUES that are no options of the program from argv to the request. */
static int take_overrides(struct arena *arena, int *argc, char **argv,
                          struct sweep_request *request, struct error *error)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        const char *equals = strchr(argv[i], '=');
        if (strncmp(argv[i], "--", 2) != 0 || equals == NULL ||
            is_own(arena_copy(arena, argv[i] + 2, (size_t)(equals - argv[i]) - 2)))
            argv[kept++] = argv[i];
        else if (add_override(arena, request, argv[i] + 2, error) != 0)
            return -1;
    }
    argv[kept] = NULL;
    *argc = kept;
    return 0;
}

static const char *join_arguments(struct arena *arena, int argc, char **argv)
{
    const char *text = "fanin-sweep";
    for (int i = 1; i < argc; i++)
        text = arena_join(arena, text, " ", command_word(arena, argv[i]));
    return text;
}

static int read_request(struct arena *arena, int argc, char **argv, struct sweep_request *request,
                        struct error *error)
{
    int operand;
    request->command_line = join_arguments(arena, argc, argv);
    request->overrides_text = "";
    if (take_overrides(arena, &argc, argv, request, error) != 0)
        return OPTIONS_WRONG;
    int parsed = options_parse(&set, argc, argv, request, &operand);
    if (parsed != OPTIONS_OK)
        return parsed;
    request->scenario_paths = argv + operand;
    request->scenario_count = (unsigned)(argc - operand);
    /* Options that set a key are recorded with the keys. */
    const char *const keys[][2] = {
        {"repeat", request->repeat}, {"seed", request->seed}, {"precision", request->precision}};
    for (unsigned i = 0; i < 3; i++) {
        if (keys[i][1] != NULL &&
            add_override(arena, request, arena_text(arena, "%s=%s", keys[i][0], keys[i][1]),
                         error) != 0)
            return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}

static int show_plan(struct sweep *sweep)
{
    if (sweep_check_programs(sweep) != EXIT_DONE)
        return EXIT_WRONG_USE;
    if (sweep->advice == NULL)
        sweep_print_cells(sweep, stdout);
    sweep_announce(sweep, stdout);
    return EXIT_DONE;
}

static void write_check(struct json *json, const void *check)
{
    json_count(json, "schema", ROW_SCHEMA);
    host_check_write(json, check);
}

static int check_machine(struct sweep *sweep)
{
    const struct sweep_request *request = sweep->request;
    bool on_stdout = request->json != NULL && strcmp(request->json, "-") == 0;
    struct host_check check = host_check_of(sweep->arena, &sweep->fleets, HOST_CHECK_MS);
    if (host_check_run(&check, &sweep->error) != 0)
        return EXIT_MACHINE_CANNOT;
    if (!request->quiet && !on_stdout)
        host_check_print(stdout, &check);
    int code = request->json == NULL ? 0 : json_write_file(request->json, write_check, &check);
    if (code != 0) {
        error_system(&sweep->error, NULL, code, "--json=%s: cannot write", request->json);
        return EXIT_MACHINE_CANNOT;
    }
    return host_check_count(&check, LEVEL_NOISY) == 0 ? EXIT_DONE : EXIT_MEASURED_FAILURE;
}

/* Whether a key on the command line says where the servers are. */
static bool names_hosts(const struct sweep_request *request)
{
    for (const char *line = request->overrides_text; *line != '\0';) {
        if (strncmp(line, "hosts=", 6) == 0 || strncmp(line, "launcher=", 9) == 0)
            return true;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    return false;
}

static int check_hosts(struct sweep *sweep)
{
    if (sweep->request->json != NULL) {
        error_set(&sweep->error, NULL, "--json writes the check of this machine, not of hosts");
        return EXIT_WRONG_USE;
    }
    return hosts_check(sweep->arena, &sweep->fleets, stdout, &sweep->error);
}

static int run(struct sweep *sweep)
{
    const struct sweep_request *request = sweep->request;
    if (request->spin_ms != 0)
        return spin_print(request->spin_ms);
    if (request->json != NULL && !request->check) {
        error_set(&sweep->error, NULL, "--json goes with --check; rows go to --out=DIR");
        return EXIT_WRONG_USE;
    }
    if (!request->check || request->scenario_count != 0 || request->resume != NULL ||
        names_hosts(request)) {
        int result = sweep_prepare(sweep);
        if (result != EXIT_DONE)
            return result;
    }
    if (request->check)
        return hosts_check_needed(&sweep->fleets) ? check_hosts(sweep) : check_machine(sweep);
    return request->dry_run ? show_plan(sweep) : sweep_run(sweep);
}

int main(int argc, char **argv)
{
    struct arena arena = {0};
    struct sweep_request request = {0};
    struct sweep sweep = {.arena = &arena, .request = &request};
    os_writes_fail();
    static char whole_names[] = OPTIONS_WHOLE_NAMES "=1"; /* of the programs that it starts */
    int result = read_request(&arena, argc, argv, &request, &sweep.error);
    putenv(whole_names);
    if (result == OPTIONS_OK)
        result = run(&sweep);
    else
        result = result == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    output_dir_unlock(&sweep.output);
    if (sweep.error.text[0] != '\0')
        fprintf(stderr, "fanin-sweep: %s\n", sweep.error.text);
    arena_free(&arena);
    return result;
}
