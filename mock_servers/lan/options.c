/* The command line of fanin-lan. */
#include "mock_servers/lan/options.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"

enum { BITS_PER_BYTE = 8 };

static const uint64_t unset = UINT64_MAX;
static const double unset_share = -1;
static const uint64_t unlimited_queue_bytes = 64 << 20;
static const uint64_t grace_ns = 2ULL * OS_NS_PER_S;

#define AT(field) offsetof(struct lan_options, field)
#define NO_RANGE  0, 0, NULL
#define EACH_WAY(name, value, parse, up, down)                                                     \
    {"up-" name, value, NULL, "instead of --" name, parse, AT(up), NO_RANGE},                      \
    {                                                                                              \
        "down-" name, value, NULL, "instead of --" name, parse, AT(down), NO_RANGE                 \
    }

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
     unit_queue, AT(both_queue), NO_RANGE},
    {"seed", "N", "1", "random seed of loss and jitter", options_count, AT(seed), 0, UINT32_MAX,
     NULL},
    {"cut", "AT:FOR,...", NULL,
     "take the link down at time AT after the near command's\n"
     "start, for the time FOR: 2s:500ms",
     unit_cuts, AT(session.cuts), NO_RANGE},
    {"link", "KIND", "auto",
     "kernel: veth with the kernel's tbf and netem; tun: a link in\n"
     "user space between TAP devices; packet: the same between\n"
     "packet sockets, without /dev/net/tun; auto: the first of\n"
     "these that works",
     options_choice, AT(link), 0, 0, link_names},
    {.name = "Each way apart (up: near to far, down: far to near)"},
    EACH_WAY("rate", "RATE", unit_bit_rate, request.path[LINK_UP].rate_bits_per_s,
             request.path[LINK_DOWN].rate_bits_per_s),
    EACH_WAY("jitter", "TIME", unit_duration, request.path[LINK_UP].jitter_ns,
             request.path[LINK_DOWN].jitter_ns),
    EACH_WAY("loss", "PERCENT", unit_share, request.path[LINK_UP].loss,
             request.path[LINK_DOWN].loss),
    EACH_WAY("queue", "TIME|BYTES", unit_queue, queue[LINK_UP], queue[LINK_DOWN]),
    {.name = "The commands"},
    {"far", "COMMAND", NULL,
     "command for sh -c in the far namespace, stopped when the near\n"
     "command has ended; its output goes to stderr",
     options_string, AT(session.far_command), NO_RANGE},
    {"ready-file", "FILE", NULL,
     "start the near command when this file appears;\n"
     "fanin-servers --ready-file makes one",
     options_string, AT(session.ready_file), NO_RANGE},
    {"ready-timeout", "TIME", "30s", "how long to wait for the ready file", options_millis,
     AT(session.ready_timeout_ms), 1, 3600000, NULL},
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
    {"quiet", NULL, NULL, "print errors only", options_flag, AT(session.quiet), NO_RANGE},
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

/* Prints what is wrong. */
#define WRONG_USE(...) (message_print(__VA_ARGS__), OPTIONS_WRONG)

static int modes_check(const struct lan_options *options)
{
    bool near = options->session.near_command != NULL, far = options->session.far_command != NULL;

    if (options->check && (near || far))
        return WRONG_USE("--check measures the link alone: leave out COMMAND and --far");
    if (options->check && (options->join_pid > 0 || options->session.cuts.count > 0))
        return WRONG_USE("--check does not go with --join or --cut");
    if (options->json != NULL && !options->check)
        return WRONG_USE("--json writes the result of --check; without it use --stats FILE");
    if (options->join_pid > 0 && (!near || far))
        return WRONG_USE("--join takes a COMMAND to run, and no --far");
    if (!options->check && options->join_pid == 0 && !near && !far)
        return WRONG_USE(
            "takes a COMMAND to run, --far 'COMMAND', or --check; --help has examples");
    return OPTIONS_OK;
}

/* ---- one direction -------------------------------------------------------------------------- */

static uint64_t queue_bytes(const struct queue_size *queue, uint64_t rate_bits_per_s)
{
    if (queue->bytes > 0)
        return queue->bytes;
    if (rate_bits_per_s == 0)
        return unlimited_queue_bytes;
    double bytes = (double)rate_bits_per_s / BITS_PER_BYTE * (double)queue->duration_ns / 1e9;
    return bytes < WIRE_BYTES_MAX ? WIRE_BYTES_MAX : (uint64_t)bytes;
}

/* Completes one direction by what is set for both. */
static int path_complete(struct lan_options *options, int direction)
{
    struct shaper_config *config = &options->request.path[direction];
    struct queue_size *queue = &options->queue[direction];

    if (config->rate_bits_per_s == unset)
        config->rate_bits_per_s = options->both.rate_bits_per_s;
    if (config->jitter_ns == unset)
        config->jitter_ns = options->both.jitter_ns;
    if (config->loss == unset_share)
        config->loss = options->both.loss;
    if (queue->bytes == 0 && queue->duration_ns == 0)
        *queue = options->both_queue;
    config->delay_ns = options->round_trip_ns / 2;
    config->queue_bytes = queue_bytes(queue, config->rate_bits_per_s);
    /* Directions lose different frames. */
    config->seed = options->seed * LINK_DIRECTIONS + (uint64_t)direction;
    if (config->jitter_ns > config->delay_ns)
        return WRONG_USE(
            "--jitter: %g ms %s is more than half of the round trip of %g ms; no frame "
            "arrives before it is sent",
            (double)config->jitter_ns / 1e6, link_direction_names[direction],
            (double)options->round_trip_ns / 1e6);
    if (config->queue_bytes > SHAPER_QUEUE_BYTES_MAX)
        return WRONG_USE("--queue: %llu bytes %s are more than %d; use a shorter time",
                         (unsigned long long)config->queue_bytes, link_direction_names[direction],
                         SHAPER_QUEUE_BYTES_MAX);
    return OPTIONS_OK;
}

/* ---- all of them ---------------------------------------------------------------------------- */

int lan_options_read(struct lan_options *options, int argc, char **argv)
{
    const struct shaper_config nothing = {
        .rate_bits_per_s = unset, .jitter_ns = unset, .loss = unset_share};
    int operand = argc;

    *options =
        (struct lan_options){.request.path = {nothing, nothing}, .session.grace_ns = grace_ns};
    int result = options_parse(&set, argc, argv, options, &operand);
    if (operand < argc)
        options->session.near_command = argv + operand;
    /* Without -- the command's options would be taken for fanin-lan's. */
    if (result == OPTIONS_OK && operand < argc && strcmp(argv[operand - 1], "--") != 0)
        result = WRONG_USE("put -- before COMMAND: fanin-lan [options] -- %s ...", argv[operand]);
    if (result == OPTIONS_OK)
        result = modes_check(options);
    for (int i = 0; i < LINK_DIRECTIONS && result == OPTIONS_OK; i++)
        result = path_complete(options, i);
    return result;
}
