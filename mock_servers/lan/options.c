/* The command line of fanin-lan. */
#include "mock_servers/lan/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/os.h"

enum { BITS_PER_BYTE = 8 };

static const uint64_t unset = UINT64_MAX;
static const double unset_share = -1;
static const uint64_t unlimited_queue_bytes = 64 << 20;
static const uint64_t grace_ns = 2ULL * OS_NS_PER_S;

/* What may be set for each direction apart. */
struct path_choices {
    uint64_t rate_bits_per_s, jitter_ns;
    double loss;
    struct queue_size queue;
};

struct choices {
    int link;
    struct path_choices both, path[LINK_DIRECTIONS];
    uint64_t round_trip_ns, seed, ready_timeout_ns, join_pid;
    struct cut_list cuts;
    const char *far_command, *ready_file, *json, *stats;
    bool check, quiet;
};

#define AT(field) offsetof(struct choices, field)
#define NO_RANGE  0, 0, NULL

static const struct option_spec specs[] = {
    {.name = "The link (near is where COMMAND runs, far where the --far command does)"},
    {"rate", "RATE", "100mbit",
     "rate of the wire, each way: a full frame of 1538 bytes, gap\n"
     "and preamble included, carries 1448 of TCP payload; 8kbit\n"
     "to 100gbit, or unlimited",
     unit_bit_rate, AT(both.rate_bits_per_s), NO_RANGE},
    {"rtt", "TIME", "0.5ms", "round trip: half of it is added each way; up to 10s", unit_duration,
     AT(round_trip_ns), NO_RANGE},
    {"jitter", "TIME", "0",
     "each frame is up to this much earlier or later, evenly\n"
     "spread, but never overtakes; at most half the round trip",
     unit_duration, AT(both.jitter_ns), NO_RANGE},
    {"loss", "PERCENT", "0%", "share of frames lost at random, each way", unit_share, AT(both.loss),
     NO_RANGE},
    {"queue", "TIME|BYTES", "100ms",
     "size of the queue in front of the wire, as a time at the\n"
     "link's rate or in bytes; when it is full frames are dropped",
     unit_queue, AT(both.queue), NO_RANGE},
    {"seed", "N", "1", "random seed of loss and jitter", options_count, AT(seed), 0, UINT32_MAX,
     NULL},
    {"cut", "AT:FOR,...", NULL,
     "take the link down at time AT after the near command's\n"
     "start, for the time FOR: 2s:500ms",
     unit_cuts, AT(cuts), NO_RANGE},
    {"link", "KIND", "auto",
     "kernel: veth with the kernel's tbf and netem; tun: a link in\n"
     "user space between TAP devices; packet: the same between\n"
     "packet sockets, without /dev/net/tun; auto: the first of\n"
     "these that works",
     options_choice, AT(link), 0, 0, link_names},
    {.name = "Each way apart (up: near to far, down: far to near)"},
    {"up-rate", "RATE", NULL, "instead of --rate", unit_bit_rate, AT(path[LINK_UP].rate_bits_per_s),
     NO_RANGE},
    {"down-rate", "RATE", NULL, "instead of --rate", unit_bit_rate,
     AT(path[LINK_DOWN].rate_bits_per_s), NO_RANGE},
    {"up-jitter", "TIME", NULL, "instead of --jitter", unit_duration, AT(path[LINK_UP].jitter_ns),
     NO_RANGE},
    {"down-jitter", "TIME", NULL, "instead of --jitter", unit_duration,
     AT(path[LINK_DOWN].jitter_ns), NO_RANGE},
    {"up-loss", "PERCENT", NULL, "instead of --loss", unit_share, AT(path[LINK_UP].loss), NO_RANGE},
    {"down-loss", "PERCENT", NULL, "instead of --loss", unit_share, AT(path[LINK_DOWN].loss),
     NO_RANGE},
    {"up-queue", "TIME|BYTES", NULL, "instead of --queue", unit_queue, AT(path[LINK_UP].queue),
     NO_RANGE},
    {"down-queue", "TIME|BYTES", NULL, "instead of --queue", unit_queue, AT(path[LINK_DOWN].queue),
     NO_RANGE},
    {.name = "The commands"},
    {"far", "COMMAND", NULL,
     "command for sh -c in the far namespace, stopped when the near\n"
     "command has ended; its output goes to stderr",
     options_string, AT(far_command), NO_RANGE},
    {"ready-file", "FILE", NULL,
     "start the near command when this file appears;\n"
     "fanin-servers --ready-file makes one",
     options_string, AT(ready_file), NO_RANGE},
    {"ready-timeout", "TIME", "30s", "how long to wait for the ready file", unit_timeout,
     AT(ready_timeout_ns), NO_RANGE},
    {"join", "PID", NULL,
     "run COMMAND in the near namespace of the fanin-lan with this\n"
     "process id",
     options_count, AT(join_pid), 1, INT32_MAX, NULL},
    {.name = "Measurements"},
    {"check", NULL, NULL,
     "measure round trip, loss and rate of the link for some\n"
     "seconds, and print what was asked for beside it; exit code 1\n"
     "outside 3 % of the rate, 0.1 ms + 5 % of the round trip, or\n"
     "the 99 % interval of the loss",
     options_flag, AT(check), NO_RANGE},
    {"json", "FILE", NULL, "with --check: the result as a line of JSON (-: stdout)", options_string,
     AT(json), NO_RANGE},
    {"stats", "FILE", NULL,
     "frames carried, lost and dropped, and CPU times, as a line of\n"
     "JSON at the end (-: stdout)",
     options_string, AT(stats), NO_RANGE},
    {"quiet", NULL, NULL, "print errors only", options_flag, AT(quiet), NO_RANGE},
    {.name = NULL},
};

static const struct option_set set = {
    .program = "fanin-lan",
    .synopsis = "[link options] [--far 'COMMAND'] -- COMMAND... | --check",
    .about =
        "Runs a command in a \"near\" and one in a \"far\" network namespace, joined by a link "
        "that "
        "has a rate, a round trip and losses: the paper's LAN on one machine. Both find the "
        "link's addresses in FANIN_NEAR and FANIN_FAR (198.18.0.1 and 198.19.0.1; each side "
        "answers on all addresses of its /16). Needs iproute2, and root or user namespaces. Leaves "
        "nothing behind, even when it is killed.",
    .epilogue =
        "Examples:\n"
        "  The paper's LAN, 200 servers on its far side:\n"
        "    fanin-lan --ready-file /tmp/ready --far 'fanin-servers --count 200 --listen "
        "$FANIN_FAR\n"
        "      --ready-file /tmp/ready' -- fanin-client --servers 200 --address 198.19.0.1\n"
        "  Measure a link:\n"
        "    fanin-lan --rate 100mbit --rtt 10ms --loss 1% --check\n"
        "  A slow way up, a fast way down, cut after two seconds for half a second:\n"
        "    fanin-lan --up-rate 10mbit --down-rate 1gbit --cut 2s:500ms -- sh\n"
        "  Keep the link until Ctrl-C (no COMMAND); from another terminal: fanin-lan --join PID -- "
        "sh\n"
        "    fanin-lan --far 'fanin-servers --count 10 --listen $FANIN_FAR'\n"
        "\n"
        "Exit codes: the near command's (128 + signal; 127 not found, 126 cannot be executed);\n"
        "its own, after a line that begins with \"fanin-lan:\": 1 the far command or the check\n"
        "failed; 2 wrong use; 3 not possible on this machine.\n",
    .options = specs,
    .operands = "COMMAND",
};

/* ---- options that do not go together -------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static int wrong_use(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("fanin-lan: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return OPTIONS_WRONG;
}

static int modes_check(const struct choices *choices, bool has_command)
{
    if (choices->check && (has_command || choices->far_command != NULL))
        return wrong_use("--check measures the link alone: leave out COMMAND and --far");
    if (choices->check && (choices->join_pid > 0 || choices->cuts.count > 0))
        return wrong_use("--check does not go with --join or --cut");
    if (choices->json != NULL && !choices->check)
        return wrong_use("--json writes the result of --check; without it use --stats FILE");
    if (choices->join_pid > 0 && (!has_command || choices->far_command != NULL))
        return wrong_use("--join takes a COMMAND to run, and no --far");
    if (!choices->check && choices->join_pid == 0 && !has_command && choices->far_command == NULL)
        return wrong_use(
            "takes a COMMAND to run, --far 'COMMAND', or --check; --help has examples");
    return OPTIONS_OK;
}

/* ---- one direction -------------------------------------------------------------------------- */

static uint64_t queue_bytes(const struct path_choices *path)
{
    if (path->queue.bytes > 0)
        return path->queue.bytes;
    if (path->rate_bits_per_s == 0)
        return unlimited_queue_bytes;
    double bytes =
        (double)path->rate_bits_per_s / BITS_PER_BYTE * (double)path->queue.duration_ns / 1e9;
    return bytes < WIRE_BYTES_MAX ? WIRE_BYTES_MAX : (uint64_t)bytes;
}

/* What is not set for this direction is taken from both. */
static void path_complete(struct path_choices *path, const struct path_choices *both)
{
    if (path->rate_bits_per_s == unset)
        path->rate_bits_per_s = both->rate_bits_per_s;
    if (path->jitter_ns == unset)
        path->jitter_ns = both->jitter_ns;
    if (path->loss == unset_share)
        path->loss = both->loss;
    if (path->queue.bytes == 0 && path->queue.duration_ns == 0)
        path->queue = both->queue;
}

static int path_read(struct shaper_config *config, struct choices *choices, int direction)
{
    static const char *const names[] = {[LINK_UP] = "up", [LINK_DOWN] = "down"};
    struct path_choices *path = &choices->path[direction];

    path_complete(path, &choices->both);
    /* Directions lose different frames. */
    *config = (struct shaper_config){.rate_bits_per_s = path->rate_bits_per_s,
                                     .delay_ns = choices->round_trip_ns / 2,
                                     .jitter_ns = path->jitter_ns,
                                     .queue_bytes = queue_bytes(path),
                                     .loss = path->loss,
                                     .seed = choices->seed * LINK_DIRECTIONS + (uint64_t)direction};
    if (config->jitter_ns > config->delay_ns)
        return wrong_use(
            "--jitter: %g ms %s is more than half of the round trip of %g ms; no frame "
            "arrives before it is sent",
            (double)config->jitter_ns / 1e6, names[direction],
            (double)choices->round_trip_ns / 1e6);
    if (config->queue_bytes > SHAPER_QUEUE_BYTES_MAX)
        return wrong_use("--queue: %llu bytes %s are more than %d; a shorter time would be right",
                         (unsigned long long)config->queue_bytes, names[direction],
                         SHAPER_QUEUE_BYTES_MAX);
    return OPTIONS_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void session_read(struct session_config *session, const struct choices *choices,
                         char **command)
{
    *session = (struct session_config){
        .far_command = choices->far_command,
        .near_command = *command == NULL ? NULL : command,
        .ready_file = choices->ready_file,
        .ready_timeout_ns = choices->ready_timeout_ns,
        .grace_ns = grace_ns,
        .cuts = choices->cuts,
        .quiet = choices->quiet,
    };
}

int lan_options_read(struct lan_options *options, int argc, char **argv)
{
    static const struct path_choices nothing = {unset, unset, unset_share, {0, 0}};
    struct choices choices = {.path = {nothing, nothing}};
    int operand = argc;
    int result = options_parse(&set, argc, argv, &choices, &operand);

    /* Without -- the command's options would be taken for fanin-lan's. */
    if (result == OPTIONS_OK && operand < argc && strcmp(argv[operand - 1], "--") != 0)
        result = wrong_use("put -- before COMMAND: fanin-lan [options] -- %s ...", argv[operand]);
    if (result == OPTIONS_OK)
        result = modes_check(&choices, operand < argc);
    *options = (struct lan_options){.link = choices.link,
                                    .check = choices.check,
                                    .json = choices.json,
                                    .stats = choices.stats,
                                    .join_pid = choices.join_pid};
    for (int i = 0; i < LINK_DIRECTIONS && result == OPTIONS_OK; i++)
        result = path_read(&options->request.path[i], &choices, i);
    session_read(&options->session, &choices, argv + (operand < argc ? operand : argc));
    return result;
}
