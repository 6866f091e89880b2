/* The command line of fanin-lan. */
#include "mock_servers/lan/options.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"

static const uint64_t unset = UINT64_MAX;
static const double unset_share = -1;
static const uint64_t unlimited_queue_bytes = 64 << 20;
static const uint64_t duration_max_ns = 10ULL * OS_NS_PER_S;
static const double share_steps = 1e11; /* of 1: shares are read as whole numbers of steps */

enum { CUTS_TEXT_BYTES_MAX = 1024 };

/* ---- values with units ---------------------------------------------------------------------- */
/* Their ranges are their own, and their help says them: those of the table would be printed without
 * a unit. */

static const struct unit shares[] = {{"%", 1000000000}, {NULL, 0}};

/* A lone 0 needs no unit. */
static bool quantity_take(const char *text, const struct unit *units, uint64_t min, uint64_t max,
                          uint64_t *value)
{
    *value = 0;
    if (strcmp(text, "0") != 0 && !values_quantity_parse(text, units, value))
        return false;
    return *value >= min && *value <= max;
}

static int unit_bit_rate(const struct option_spec *spec, const char *text, void *field, char *why,
                         size_t why_bytes)
{
    uint64_t value = 0;
    if (strcmp(text, "unlimited") != 0 &&
        !quantity_take(text, values_bit_rates, 8000, 100000000000, &value))
        return why_write(why, why_bytes,
                         "takes a rate from 8kbit to 100gbit, as 100mbit or 1.5gbit, or unlimited");
    *(uint64_t *)field = value;
    return 0;
}

static int unit_duration(const struct option_spec *spec, const char *text, void *field, char *why,
                         size_t why_bytes)
{
    if (quantity_take(text, values_durations, 0, duration_max_ns, field))
        return 0;
    return why_write(why, why_bytes, "takes a duration from 0 to 10s, as 0.5ms, 250us or 2s");
}

static int unit_share(const struct option_spec *spec, const char *text, void *field, char *why,
                      size_t why_bytes)
{
    uint64_t steps;
    if (!quantity_take(text, shares, 0, (uint64_t)share_steps, &steps))
        return why_write(why, why_bytes, "takes a percentage from 0%% to 100%%, as 0.5%%");
    *(double *)field = (double)steps / share_steps;
    return 0;
}

static int unit_queue(const struct option_spec *spec, const char *text, void *field, char *why,
                      size_t why_bytes)
{
    static const struct option_spec sizes = {.min = WIRE_BYTES_MAX, .max = SHAPER_QUEUE_BYTES_MAX};
    struct queue_size queue = {0, 0};
    if (!quantity_take(text, values_durations, 1, duration_max_ns, &queue.duration_ns)) {
        queue.duration_ns = 0;
        if (options_bytes(&sizes, text, &queue.bytes, why, why_bytes) != 0)
            return why_write(
                why, why_bytes,
                "takes the time that a full queue takes to drain, up to 10s, as 100ms; or a "
                "size from %dB to %dMiB, as 256kB",
                WIRE_BYTES_MAX, SHAPER_QUEUE_BYTES_MAX >> 20);
    }
    *(struct queue_size *)field = queue;
    return 0;
}

/* Takes one "AT:FOR" apart, which lies behind the cut before it. */
static bool cut_take(char *text, struct cut_list *list)
{
    char *at = strsep(&text, ":");
    uint64_t earliest_ns = list->count > 0 ? list->cuts[list->count - 1].until_ns + 1 : 0;
    uint64_t from_ns, duration_ns;
    if (list->count == CUTS_MAX || text == NULL ||
        !quantity_take(at, values_durations, earliest_ns, INT64_MAX, &from_ns) ||
        !quantity_take(text, values_durations, 1, INT64_MAX, &duration_ns))
        return false;
    list->cuts[list->count++] = (struct cut){from_ns, from_ns + duration_ns};
    return true;
}

static int unit_cuts(const struct option_spec *spec, const char *text, void *field, char *why,
                     size_t why_bytes)
{
    char copy[CUTS_TEXT_BYTES_MAX], *rest = copy;
    struct cut_list list = {0};
    bool good = snprintf(copy, sizeof copy, "%s", text) < CUTS_TEXT_BYTES_MAX;
    while (good && rest != NULL)
        good = cut_take(strsep(&rest, ","), &list);
    if (!good)
        return why_write(
            why, why_bytes,
            "takes up to %d times AT:FOR in order, as 2s:500ms or 2s:500ms,10s:1s, that do "
            "not overlap",
            CUTS_MAX);
    *(struct cut_list *)field = list;
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------ */

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
    EACH_WAY("rate", "RATE", unit_bit_rate, paths[LINK_UP].rate_bits_per_s,
             paths[LINK_DOWN].rate_bits_per_s),
    EACH_WAY("jitter", "TIME", unit_duration, paths[LINK_UP].jitter_ns, paths[LINK_DOWN].jitter_ns),
    EACH_WAY("loss", "PERCENT", unit_share, paths[LINK_UP].loss, paths[LINK_DOWN].loss),
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
    struct shaper_config *config = &options->paths[direction];
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
    *options = (struct lan_options){.paths = {nothing, nothing}};
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
