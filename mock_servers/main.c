/* fanin-servers: the devices, in one process. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/os.h"
#include "mock_servers/fleet.h"
#include "mock_servers/ready.h"

enum {
    SERVERS_MAX = 100000,
    PORT_MAX = 65535,
    OTHER_DESCRIPTORS = 64, /* of the process itself, and a few tapes */
    WHY_BYTES = 256,
    HELP_BYTES = 4096,
};

struct login {
    char user[PROTOCOL_NAME_BYTES_MAX + 1], password[PROTOCOL_NAME_BYTES_MAX + 1];
};

struct choices {
    uint64_t count, port, ports_per_address, backlog, send_buffer_bytes, tape_cap_bytes;
    uint32_t host;
    int listeners;
    const char *ready_file, *congestion;
    struct login login;
    struct fault_list faults;
};

/* ---- options ---- */

static int option_address(const struct option_spec *spec, const char *text, void *field, char *why,
                          size_t why_bytes)
{
    struct in_addr address;

    if (inet_pton(AF_INET, text, &address) != 1)
        return why_write(why, why_bytes, "takes an IPv4 address such as 127.0.0.1");
    *(uint32_t *)field = ntohl(address.s_addr);
    return 0;
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

#define AT(field) offsetof(struct choices, field)

enum { LISTENERS_OWN, LISTENERS_SHARED };
static const char *const listeners_names[] = {
    [LISTENERS_OWN] = "own", [LISTENERS_SHARED] = "shared", NULL};

static const struct option_spec options[] = {
    {.name = "Devices", .help = NULL},
    {"count", "N", "1", "how many servers, one port each", options_count, AT(count), 1, SERVERS_MAX,
     NULL},
    {"listen", "ADDR", "127.0.0.1", "address of the first server", option_address, AT(host), 0, 0,
     NULL},
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
     options_choice, AT(listeners), 0, 0, listeners_names},
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
     AT(tape_cap_bytes), 1, (uint64_t)1 << 40, NULL},
    {"login", "USER:PASSWORD", NULL, "requires this login before any frame", option_login,
     AT(login), 0, 0, NULL},
    {"ready-file", "FILE", NULL,
     "written when all servers listen: pid, first port, count;\n"
     "removed at the end",
     options_string, AT(ready_file), 0, 0, NULL},
    {"fault", "KIND:SHARE[:ARG]", NULL,
     "injects a fault into SHARE of the servers (a number, or a\n"
     "percentage such as 2%), evenly spread; repeatable, or\n"
     "separated by commas; the kinds are listed below",
     faults_option, AT(faults), 0, 0, NULL},
    {.name = NULL},
};

static const char epilogue_start[] =
    "Faults (N counts the frames of each request; default: half of them):\n";
static const char epilogue_end[] =
    "\n"
    "Example: 200 servers on ports 20000 to 20199, four of which reset their connections\n"
    "  fanin-servers --count 200 --port 20000 --fault reset:2%\n"
    "\n"
    "Runs until SIGTERM or Ctrl-C. Exit codes: 0 done; 2 wrong use; 3 the machine cannot.\n";

static int choices_parse(int argc, char **argv, struct choices *choices)
{
    char faults[HELP_BYTES], epilogue[HELP_BYTES + sizeof epilogue_start + sizeof epilogue_end];
    int operand;
    faults_help(faults, sizeof faults);
    snprintf(epilogue, sizeof epilogue, "%s%s%s", epilogue_start, faults, epilogue_end);
    struct option_set set = {
        .program = "fanin-servers",
        .synopsis = "--count N [options]",
        .about = "Mock servers (devices) that send frames to a client that collects from many.",
        .epilogue = epilogue,
        .options = options,
        .operands = NULL,
    };
    return options_parse(&set, argc, argv, choices, &operand);
}

/* ---- options that do not fit together ---- */

static int wrong_use(const char *why)
{
    fprintf(stderr, "fanin-servers: %s\n", why);
    return EXIT_WRONG_USE;
}

static int faults_fit(const struct choices *choices, char *why, size_t why_bytes)
{
    const struct fault **by_server = calloc(choices->count, sizeof *by_server);
    if (by_server == NULL)
        return 0; /* fleet_open will run out of memory, too, and say so */
    int result = faults_spread(&choices->faults, choices->count, by_server, why, why_bytes);
    free(by_server);
    return result;
}

static int listeners_fit(const struct choices *choices, char *why, size_t why_bytes)
{
    if (choices->listeners != LISTENERS_SHARED)
        return 0;
    if (choices->port == 0)
        return why_write(why, why_bytes, "--listeners shared needs a --port other than 0");
    for (unsigned i = 0; i < choices->faults.count; i++) {
        const struct fault_kind *kind = choices->faults.items[i].kind;
        if (fault_is_listeners(kind))
            return why_write(
                why, why_bytes,
                "--fault %s needs a listener for each server; remove --listeners shared",
                kind->name);
    }
    return 0;
}

static int choices_check(const struct choices *choices)
{
    char why[WHY_BYTES];
    uint64_t each = choices->ports_per_address > 0 ? choices->ports_per_address : choices->count;
    uint64_t ports = each < choices->count ? each : choices->count;
    if (choices->port == 0 && choices->count > 1)
        return wrong_use("--port 0 works with --count 1 only");
    if (choices->port + ports - 1 > PORT_MAX) {
        snprintf(why, sizeof why,
                 "--port: %llu servers from port %llu on would need ports above %d; choose a lower "
                 "port or --ports-per-address",
                 (unsigned long long)ports, (unsigned long long)choices->port, PORT_MAX);
        return wrong_use(why);
    }
    if (listeners_fit(choices, why, sizeof why) < 0)
        return wrong_use(why);
    if (choices->host + (choices->count - 1) / each > UINT32_MAX)
        return wrong_use("--listen: the last server's address would be above 255.255.255.255");
    if (faults_fit(choices, why, sizeof why) < 0)
        return wrong_use(why);
    return EXIT_DONE;
}

/* ---- serving ---- */

static bool reserve(uint64_t count, uint64_t *limit)
{
    return os_descriptors_reserve(count, limit) == 0;
}

/* A listener and a connection for each server; the rest is for clients that reconnect before
 * they close. Shared listeners need few descriptors, so fewer suffice if clients use only some
 * servers. */
static int descriptors_reserve(const struct choices *choices, uint64_t listeners)
{
    const uint64_t count = choices->count, least = listeners + OTHER_DESCRIPTORS;
    const uint64_t wanted = least + count;
    const bool shared = choices->listeners == LISTENERS_SHARED;
    uint64_t limit = 0;
    if (reserve(wanted + count, &limit) || reserve(wanted, &limit))
        return EXIT_DONE;
    if (shared && limit > least && reserve(limit, &limit)) {
        fprintf(stderr,
                "fanin-servers: the limit of descriptors is %llu: no more than %llu servers can be "
                "connected to at the same time; as root, for all: ulimit -Hn %llu\n",
                (unsigned long long)limit, (unsigned long long)(limit - least),
                (unsigned long long)wanted);
        return EXIT_DONE;
    }
    fprintf(stderr,
            "fanin-servers: --count %llu needs %llu descriptors (one a listener, one a "
            "connection), but the limit is %llu; as root: ulimit -Hn %llu && ulimit -n %llu, then "
            "start again%s\n",
            (unsigned long long)count, (unsigned long long)wanted, (unsigned long long)limit,
            (unsigned long long)wanted, (unsigned long long)wanted,
            shared ? "" : "; or --listeners shared, which takes half of them");
    return EXIT_MACHINE_CANNOT;
}

static void summary_print(const struct protocol_stats *total)
{
    struct os_usage usage;
    os_usage_read(&usage);
    fprintf(
        stderr,
        "fanin-servers: %llu connections served: %llu frames, %llu bytes, %llu faults; %.3f s of "
        "CPU time\n",
        (unsigned long long)total->connections, (unsigned long long)total->frames,
        (unsigned long long)total->bytes, (unsigned long long)total->faults,
        (double)(usage.user_ns + usage.system_ns) / OS_NS_PER_S);
}

static int serve(struct fleet *fleet, const struct choices *choices)
{
    if (choices->ready_file != NULL) {
        int result = ready_write(choices->ready_file, fleet_port(fleet), choices->count);
        if (result < 0) {
            fprintf(stderr, "fanin-servers: --ready-file: cannot write %s: %s\n",
                    choices->ready_file, strerror(-result));
            return EXIT_MACHINE_CANNOT;
        }
    }
    fleet_run(fleet);
    if (choices->ready_file != NULL)
        remove(choices->ready_file);
    summary_print(fleet_total(fleet));
    return EXIT_DONE;
}

static struct fleet_config config_of(const struct choices *choices)
{
    bool uses_default = strcmp(choices->congestion, "system") == 0;
    bool wants_login = choices->login.user[0] != '\0';
    return (struct fleet_config){
        .first = net_ipv4(choices->host, (uint16_t)choices->port),
        .count = choices->count,
        .ports_per_address = choices->ports_per_address,
        .shared_listeners = choices->listeners == LISTENERS_SHARED,
        .listen = {.backlog = (int)choices->backlog,
                   .tuning = {.send_buffer_bytes = (int)choices->send_buffer_bytes,
                              .congestion = uses_default ? NULL : choices->congestion}},
        .tape_cap_bytes = choices->tape_cap_bytes,
        .faults = choices->faults,
        .user = wants_login ? choices->login.user : NULL,
        .password = choices->login.password,
    };
}

static int run(const struct choices *choices)
{
    const struct fleet_config config = config_of(choices);
    char why[WHY_BYTES];
    if (descriptors_reserve(choices, fleet_listeners(&config)) != EXIT_DONE)
        return EXIT_MACHINE_CANNOT;
    os_interrupts_catch();
    if (choices->ready_file != NULL)
        remove(choices->ready_file); /* an earlier fleet's would say that this one is ready */
    struct fleet *fleet = fleet_open(&config, why, sizeof why);
    if (fleet == NULL) {
        fprintf(stderr, "fanin-servers: %s\n", why);
        return EXIT_MACHINE_CANNOT;
    }
    int code = serve(fleet, choices);
    fleet_close(fleet);
    return code;
}

int main(int argc, char **argv)
{
    struct choices choices = {0};
    int parsed = choices_parse(argc, argv, &choices);
    if (parsed != OPTIONS_OK)
        return parsed == OPTIONS_DONE ? EXIT_DONE : EXIT_WRONG_USE;
    int code = choices_check(&choices);
    return code == EXIT_DONE ? run(&choices) : code;
}
