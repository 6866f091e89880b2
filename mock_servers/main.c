/* fanin-servers: the devices, in one process. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "base/os.h"
#include "mock_servers/fleet.h"
#include "mock_servers/hosted.h"
#include "mock_servers/startup.h"

enum {
    SERVERS_MAX = 100000,
    PORT_MAX = 65535,
    OTHER_DESCRIPTORS = 64, /* of the process itself, and a few tapes */
    WHY_BYTES = 256,
    HELP_BYTES = 4096,
    PATH_BYTES_MAX = 4096,
};

/* ---- options ---- */

static int option_address(const struct option_spec *spec, const char *text, void *field, char *why,
                          size_t why_bytes)
{
    return network_parse(text, field, why, why_bytes);
}

/* Refuses what a LOGIN line cannot carry: no client could log in with it. */
static int option_login(const struct option_spec *spec, const char *text, void *field, char *why,
                        size_t why_bytes)
{
    struct login *login = field;
    char line[PROTOCOL_LINE_BYTES_MAX];
    size_t user_bytes = strcspn(text, ":");
    if (text[user_bytes] == ':' && user_bytes < sizeof login->user &&
        strlen(text + user_bytes + 1) < sizeof login->password) {
        memcpy(login->user, text, user_bytes);
        login->user[user_bytes] = '\0';
        strcpy(login->password, text + user_bytes + 1);
        if (protocol_write_login(login->user, login->password, line, sizeof line) > 0)
            return 0;
    }
    return why_write(why, why_bytes,
                     "takes USER:PASSWORD, each of 1 to %d printable characters without blanks",
                     PROTOCOL_NAME_BYTES_MAX);
}

#define AT(field) offsetof(struct fleet_config, field)

static const char *const listeners_names[] = {"own", "shared", NULL};

static const struct option_spec options[] = {
    {.name = "Devices", .help = NULL},
    {"count", "N", "1", "how many servers, one port each", options_count, AT(count), 1, SERVERS_MAX,
     NULL},
    {"listen", "ADDR", "127.0.0.1",
     "address of the first server; or a network in which this\n"
     "computer has one address, such as net:10.1.0.0/16",
     option_address, AT(listen), 0, 0, NULL},
    {"port", "BASE", "20000",
     "port of the first server; the others follow\n"
     "(0: a free one, with --count 1; the ready file says which)",
     options_count, AT(port), 0, PORT_MAX, NULL},
    {"ports-per-address", "N", "0",
     "spreads many servers over addresses: server i is at\n"
     "ADDR + i / N, port BASE + i % N (0: all on one address)",
     options_count, AT(ports_per_address), 0, PORT_MAX, NULL},
    {"listeners", "own|shared", "own",
     "own: one for each server; shared: one for each port, on all addresses of "
     "this computer, for all servers with that port; saves descriptors with very "
     "many servers",
     options_choice, AT(shared_listeners), 0, 0, listeners_names},
    {"backlog", "N", "4096", "connections that may wait to be accepted, each server", options_count,
     AT(backlog), 1, PORT_MAX, NULL},
    {"send-buffer", "BYTES", "0", "send buffer of a connection (0: the system's default)",
     options_bytes, AT(send_buffer_bytes), 0, 1 << 30, NULL},
    {"congestion", "NAME", "reno",
     "congestion control, by its name in the kernel; system: the system's default. "
     "One that paces (bbr) runs timers on the client's processors too and distorts "
     "the cost of receiving",
     options_string, AT(congestion), 0, 0, NULL},
    {"tape-cap", "BYTES", "1GiB", "memory for frames made in advance", options_bytes,
     AT(tape_cap_bytes), 1, PROTOCOL_TAPE_BYTES_MAX, NULL},
    {"login", "USER:PASSWORD", NULL, "requires this login before any frame", option_login,
     AT(login), 0, 0, NULL},
    {"ready-file", "FILE", NULL,
     "written when all servers listen: pid, first port, count;\n"
     "removed at the end",
     options_string, AT(ready_file), 0, 0, NULL},
    {"hosted", NULL, NULL,
     "a launcher (ssh, srun) has started it: one line READY or\n"
     "FAILED on standard output, then PULSE twice a second; ends when\n"
     "standard input ends or is silent for 10 s",
     options_flag, AT(hosted), 0, 0, NULL},
    {"fault", "KIND:SHARE[:ARG]", NULL,
     "injects a fault into SHARE of the servers (a number, or a\n"
     "percentage such as 2%), evenly spread; repeatable, or\n"
     "separated by commas; the kinds are listed below",
     faults_option, AT(faults), 0, 0, NULL},
    {.name = NULL},
};

static int config_parse(int argc, char **argv, struct fleet_config *config)
{
    char faults[HELP_BYTES], epilogue[2 * HELP_BYTES];
    int operand;
    faults_help(faults, sizeof faults);
    snprintf(epilogue, sizeof epilogue,
             "Faults (N counts the frames of each request; default: half of them):\n"
             "%s\n"
             "Example: 200 servers on ports 20000 to 20199, four of which reset their connections\n"
             "  fanin-servers --count 200 --port 20000 --fault reset:2%%\n"
             "\n"
             "Runs until SIGTERM or Ctrl-C. Exit codes: 0 done; 2 wrong use; 3 the machine "
             "cannot.\n",
             faults);
    struct option_set set = {
        .program = "fanin-servers",
        .synopsis = "--count N [options]",
        .about = "Mock servers (devices) that send frames to a client that collects from many.",
        .epilogue = epilogue,
        .options = options,
        .operands = NULL,
    };
    return options_parse(&set, argc, argv, config, &operand);
}

/* ---- options that do not fit together ---- */

/* Writes one line to standard error. Returns `code`. */
__attribute__((format(printf, 2, 3))) static int say(enum exit_code code, const char *format, ...)
{
    char line[2 * PATH_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "fanin-servers: %s\n", line);
    return (int)code;
}

static int config_check(const struct fleet_config *config)
{
    char why[WHY_BYTES];
    const uint64_t ports = fleet_port_count(config);
    if (config->port == 0 && config->count > 1)
        return say(EXIT_WRONG_USE, "--port 0 works with --count 1 only");
    if (config->port + ports - 1 > PORT_MAX)
        return say(EXIT_WRONG_USE,
                   "--port: %llu servers from port %llu on would need ports above %d; choose a "
                   "lower port or --ports-per-address",
                   (unsigned long long)ports, (unsigned long long)config->port, PORT_MAX);
    if (config->shared_listeners && config->port == 0)
        return say(EXIT_WRONG_USE, "--listeners shared needs a --port other than 0");
    for (unsigned i = 0; config->shared_listeners && i < config->faults.count; i++) {
        const struct fault_kind *kind = config->faults.items[i].kind;
        if (kind->place <= FAULT_OF_LISTENER_LAST)
            return say(EXIT_WRONG_USE,
                       "--fault %s needs a listener for each server; remove --listeners shared",
                       kind->name);
    }
    if (config->hosted && config->ports_per_address < config->count)
        return say(EXIT_WRONG_USE,
                   "--hosted: all servers are on one address; remove --ports-per-address");
    if (config->host + (config->count - 1) / config->ports_per_address > UINT32_MAX)
        return say(EXIT_WRONG_USE,
                   "--listen: the last server's address would be above 255.255.255.255");
    if (faults_spread(&config->faults, config->count, NULL, why, sizeof why) < 0)
        return say(EXIT_WRONG_USE, "%s", why);
    return EXIT_DONE;
}

/* ---- serving ---- */

/* A listener and a connection for each server; the rest is for clients that reconnect before
 * they close. Shared listeners need few descriptors, so fewer suffice if clients use only some
 * servers. */
static int descriptors_reserve(const struct fleet_config *config)
{
    const uint64_t count = config->count, least = fleet_listeners(config) + OTHER_DESCRIPTORS;
    const uint64_t wanted = least + count;
    uint64_t limit = 0;
    if (os_descriptors_reserve(wanted + count, &limit) == 0 ||
        os_descriptors_reserve(wanted, &limit) == 0)
        return EXIT_DONE;
    if (config->shared_listeners && limit > least && os_descriptors_reserve(limit, &limit) == 0)
        return say(
            EXIT_DONE,
            "the limit of descriptors is %llu: no more than %llu servers can be connected to at "
            "the same time; as root, for all: ulimit -Hn %llu",
            (unsigned long long)limit, (unsigned long long)(limit - least),
            (unsigned long long)wanted);
    return say(
        EXIT_MACHINE_CANNOT,
        "--count %llu needs %llu descriptors (one a listener, one a connection), but the limit is "
        "%llu; as root: ulimit -Hn %llu && ulimit -n %llu, then start again%s",
        (unsigned long long)count, (unsigned long long)wanted, (unsigned long long)limit,
        (unsigned long long)wanted, (unsigned long long)wanted,
        config->shared_listeners ? "" : "; or --listeners shared, which takes half of them");
}

static int summary_print(const struct protocol_stats *total)
{
    struct os_usage usage;
    os_usage_read(&usage);
    return say(EXIT_DONE,
               "%llu connections served: %llu frames, %llu bytes, %llu faults; %.3f s of CPU time",
               (unsigned long long)total->connections, (unsigned long long)total->frames,
               (unsigned long long)total->bytes, (unsigned long long)total->faults,
               (double)(usage.user_ns + usage.system_ns) / OS_NS_PER_S);
}

static int serve(struct fleet *fleet, const struct fleet_config *config)
{
    if (config->ready_file != NULL) {
        int result = startup_ready(config->ready_file, fleet_port(fleet), config->count);
        if (result < 0)
            return say(EXIT_MACHINE_CANNOT, "--ready-file: cannot write %s: %s", config->ready_file,
                       strerror(-result));
    }
    const char *end = NULL;
    const int hosted = config->hosted ? hosted_run(fleet, config, &end) : 0;
    if (!config->hosted)
        fleet_run(fleet);
    if (config->ready_file != NULL)
        unlink(config->ready_file);
    if (hosted < 0)
        return say(EXIT_MACHINE_CANNOT, "--hosted: no thread for it: %s", strerror(-hosted));
    if (end != NULL)
        say(EXIT_DONE, "%s", end);
    return summary_print(fleet_total(fleet));
}

static int run(const struct fleet_config *config)
{
    char why[WHY_BYTES];
    if (descriptors_reserve(config) != EXIT_DONE)
        return EXIT_MACHINE_CANNOT;
    os_interrupts_catch();
    if (config->ready_file != NULL)
        unlink(config->ready_file); /* an earlier fleet's would say that this one is ready */
    struct fleet *fleet = fleet_open(config, why, sizeof why);
    if (fleet == NULL)
        return say(EXIT_MACHINE_CANNOT, "%s", why);
    int code = serve(fleet, config);
    fleet_close(fleet);
    return code;
}

static int serve_as_asked(int argc, char **argv)
{
    struct fleet_config config = {0};
    char why[WHY_BYTES + WHY_BYTES];
    int parsed = config_parse(argc, argv, &config);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    if (network_find(&config.listen, &config.host, why, sizeof why) < 0)
        return say(EXIT_MACHINE_CANNOT, "%s", why);
    if (config.ports_per_address == 0)
        config.ports_per_address = config.count; /* all on one address */
    int code = config_check(&config);
    return code == EXIT_DONE ? run(&config) : code;
}

/* Before the options are read: a launcher is told of those that are wrong, too. The shortest of the
 * option's names is "--ho". */
static bool hosted_asked(char **argv)
{
    for (; *argv != NULL; argv++) {
        const size_t length = strcspn(*argv, "=");
        if (length >= strlen("--ho") && strncmp(*argv, "--hosted", length) == 0 &&
            strcmp(*argv + length, "=no") != 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    os_writes_fail();
    if (!hosted_asked(argv))
        return serve_as_asked(argc, argv);
    const int begun = hosted_begin();
    const int code = begun < 0 ? say(EXIT_MACHINE_CANNOT, "--hosted: %s", strerror(-begun))
                               : serve_as_asked(argc, argv);
    hosted_end(code);
    return code;
}
