/* The collector's command line: parsers, the table of options, checks between options. */
#include "client/collector/options.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <cport.h>
#include "base/os.h"
#include "base/text.h"

enum {
    VERIFY_UNSET = -1,
    FRAMES_DEFAULT = 100,
    FOR_MS_MAX = 7 * 24 * 3600 * 1000, /* a week */
};

#define FRAMES_UNSET UINT64_MAX

const char *const option_connect_names[] = {"async", "sync", NULL};
const char *const option_bind_names[] = {"early", "late", NULL};
const char *const option_start_names[] = {"each", "together", NULL};
const char *const option_source_names[] = {"auto", "tape", "live", NULL};
const char *const option_verify_names[] = {"full", "header", "none", NULL};

/* ---- parsers of our own ---------------------------------------------------------------------- */

static const char *scheme_names(unsigned index, const char **summary)
{
    const struct scheme *scheme = scheme_list(index);
    *summary = scheme != NULL ? scheme->summary : NULL;
    return scheme != NULL ? scheme->name : NULL;
}

/* "auto" sets no summary. */
static const char *engine_names(unsigned index, const char **summary)
{
    return index == 0 ? "auto" : cp_engine_list(index - 1, summary);
}

static int parse_scheme(const struct option_spec *spec, const char *text, void *field, char *why,
                        size_t why_bytes)
{
    return values_name_parse(text, scheme_names, field, why, why_bytes);
}

static int parse_engine(const struct option_spec *spec, const char *text, void *field, char *why,
                        size_t why_bytes)
{
    return values_name_parse(text, engine_names, field, why, why_bytes);
}

static int parse_request(const struct option_spec *spec, const char *text, void *field, char *why,
                         size_t why_bytes)
{
    struct request_option *request = field;
    if (options_text(spec, text, &request->text, why, why_bytes) != 0)
        return -1;
    request->given = true;
    return 0;
}

/* Both ends as options_millis takes them. */
static int parse_millis_range(const struct option_spec *spec, const char *text, void *field,
                              char *why, size_t why_bytes)
{
    struct byte_range *range = field;
    const char *dots = strstr(text, "..");
    char min[32] = "";
    if (dots != NULL && (size_t)(dots - text) < sizeof min)
        memcpy(min, text, (size_t)(dots - text));
    if (options_millis(spec, min, &range->min, why, why_bytes) != 0 ||
        options_millis(spec, dots + 2, &range->max, why, why_bytes) != 0 || range->min > range->max)
        return why_write(why, why_bytes,
                         "takes MIN..MAX in milliseconds, such as 100..10s, each at most "
                         "an hour, MIN at least 1");
    return 0;
}

static bool name_copy(char name[PROTOCOL_NAME_BYTES_MAX + 1], const char *text, size_t bytes)
{
    if (bytes < 1 || bytes > PROTOCOL_NAME_BYTES_MAX)
        return false;
    snprintf(name, PROTOCOL_NAME_BYTES_MAX + 1, "%.*s", (int)bytes, text);
    while (isgraph((unsigned char)*name))
        name++;
    return *name == '\0';
}

static int parse_login(const struct option_spec *spec, const char *text, void *field, char *why,
                       size_t why_bytes)
{
    struct login_option *login = field;
    const char *colon = strchr(text, ':');
    if (colon == NULL || !name_copy(login->user, text, (size_t)(colon - text)) ||
        !name_copy(login->password, colon + 1, strlen(colon + 1)))
        return why_write(why, why_bytes,
                         "takes USER:PASSWORD, each 1 to %d printable characters, no blanks",
                         PROTOCOL_NAME_BYTES_MAX);
    login->given = true;
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define AT(field) .offset = offsetof(struct collector_options, field)

/* A range's fields lie one behind the other, as in struct byte_range. */
#define FOLLOWS(first, second)                                                                     \
    _Static_assert(offsetof(struct collector_options, second) ==                                   \
                       offsetof(struct collector_options, first) + sizeof(uint64_t),               \
                   "a range is two fields in a row")
FOLLOWS(size_min, size_max);
FOLLOWS(reconnect_delay_ms_min, reconnect_delay_ms_max);

static const struct option_spec table[] = {
    {.name = "Servers"},
    {"servers", "N|LIST|@FILE", NULL,
     "N: the ports from --port on at --address, as fanin-servers --count N opens them; "
     "LIST: host:port,host:port,... ([::1]:port for IPv6; host:port+N: N servers "
     "of one process, at ports in a row); "
     "@FILE: the same, on any number of lines; '#' starts a comment.\n"
     "All addresses of a name are tried in turn",
     options_string, AT(servers)},
    {"address", "ADDR", "127.0.0.1", "first address, with --servers N", options_string,
     AT(address)},
    {"port", "BASE", "20000", "first port, with --servers N", options_count, AT(port), 1, 65535},
    {"ports-per-address", "N", "0",
     "with --servers N: server i listens at ADDR + i / N, port BASE + i % N\n"
     "(0: all at one address)",
     options_count, AT(ports_per_address), 0, 65535},
    {"login", "USER:PASSWORD", NULL, "log in to each server before asking", parse_login, AT(login)},
    {"request", "TEXT", NULL,
     "for servers other than fanin-servers: send this to each of them;\n"
     "takes \\r \\n \\t \\0 \\\\ \\xHH; empty: send nothing",
     parse_request, AT(request)},
    {"end-marker", "TEXT", "\\r\\n", "the bytes that end a frame, 1 to 16", options_text,
     AT(end_marker), 1, PROTOCOL_MARKER_BYTES_MAX},

    {"close-ends-frame", NULL, NULL,
     "with --request: a server's close ends its last frame, too, if that has\n"
     "no end marker",
     options_flag, AT(close_ends_frame)},

    {.name = "Load"},
    {"frames", "N", NULL,
     "frames from each server; 0, with --request or --for: until it closes\n"
     "or time is up (default: 100; with --for 0)",
     options_count, AT(frames_per_server), 0, PROTOCOL_FRAMES_MAX},
    {"for", "DURATION", "0",
     "end the collection in good order this long after the servers are asked\n"
     "(0: no limit); --frames ends it, too, if that comes first",
     options_millis, AT(for_ms), 0, FOR_MS_MAX},
    {"size", "MIN..MAX", "256..100kB", "bytes per frame, uniformly distributed", options_range,
     AT(size_min), PROTOCOL_FRAME_BYTES_MIN, PROTOCOL_FRAME_BYTES_MAX},
    {"rate", "R", "0",
     "frames per second of all servers together, 0.001 to 1000000 of each;\n0: unlimited",
     options_rate, AT(rate), 0, 1000000000},
    {"link-rate", "BITS", "0",
     "bits per second of the link to the servers, so that the row can name\n"
     "it as the bottleneck; 0: not known",
     options_rate, AT(link_rate_bits_per_s), 0, 1000000000000},
    {"source", "auto|tape|live", "auto",
     "tape: frames made in advance; live: made when due, which measures\n"
     "latency; auto: live with --rate or without a number of --frames, else\n"
     "tape",
     options_choice, AT(source), .names = option_source_names},
    {"start", "each|together", "each",
     "each: a server sends once it is asked; together: all hold until the\n"
     "last one is asked, and then start at the same time",
     options_choice, AT(start), .names = option_start_names},
    {"seed", "S", "1", "seed of frame lengths and payloads; server i uses S + i % 4", options_count,
     AT(seed), 0, INT64_MAX},
    {"idle", "PERCENT", "0",
     "share of the servers that are connected but never asked, to measure\n"
     "the cost of idle connections; the others share --rate",
     options_count, AT(idle_percent), 0, 99},
    {"flood", "FRAMES", "0",
     "with --rate: the first server sends this many frames, from a tape, as\n"
     "fast as they are read; latencies are those of the other servers",
     options_count, AT(flood_frames), 0, PROTOCOL_FRAMES_MAX},
    {"verify", "full|header|none", NULL,
     "what to check in each frame (default: full; with --request none)", options_choice, AT(verify),
     .names = option_verify_names},

    {.name = "Completion port"},
    {"engine", "NAME", "auto", "auto: the first one that runs here", parse_engine, AT(engine)},
    {"workers", "W", "0",
     "threads that wait on the port (0: 2n+2 for n CPUs, by\naffinity and CPU quota)",
     options_count, AT(workers), 0, WORKERS_MAX},
    {"concurrency", "C", "0",
     "workers that may run at the same time (0: as many as CPUs, by\naffinity and CPU quota)",
     options_count, AT(concurrency), 0, WORKERS_MAX},
    {"batch", "N", "1", "packets that one wait may return (the paper's call returns 1)",
     options_count, AT(batch), 1, CP_BATCH_MAX},
    {"connect", "async|sync", "async",
     "all servers at the same time, or one after the other, blocking", options_choice, AT(connect),
     .names = option_connect_names},
    {"connect-timeout", "MS", "5000", "limit of one connect to one address", options_millis,
     AT(connect_timeout_ms), 1, 3600000},
    {"login-timeout", "MS", "5000", "with --login: limit until the server has answered",
     options_millis, AT(login_timeout_ms), 1, 3600000},
    {"stall-timeout", "MS", "10000",
     "fail a server that still owes frames after this long without data", options_millis,
     AT(stall_timeout_ms), 100, 3600000},

    {.name = "Lost connections"},
    {"reconnect", NULL, NULL,
     "try again when a connection cannot be made or logged in (except for a\n"
     "wrong password or a name without an address), is reset, closes early\n"
     "or stalls; then continue with the first missing frame",
     options_flag, AT(reconnect)},
    {"reconnect-delay", "MIN..MAX", "100..10s",
     "try n waits a random time up to MIN * 2^n, at most MAX", parse_millis_range,
     AT(reconnect_delay_ms_min), 1, 3600000},
    {"reconnect-tries", "N", "0",
     "give a server up after this many tries in a row without a new frame\n"
     "(0: never)",
     options_count, AT(reconnect_tries), 0, 1000000},

    {.name = "Buffers"},
    {"scheme", "NAME", "chain",
     "how received bytes are buffered until a frame is whole (see below)", parse_scheme,
     AT(scheme)},
    {"bind", "early|late", "late",
     "early: a receive is posted with its blocks, as in the paper; late: it\n"
     "takes blocks when data is there, so an idle connection holds none",
     options_choice, AT(bind), .names = option_bind_names},
    {"block", "BYTES", "16KiB", "size of one block", options_bytes, AT(block_bytes), 256, 64 << 20},
    {"blocks", "N", "8", "blocks of one receive", options_count, AT(blocks_per_receive), 1,
     CP_BLOCKS_MAX},
    {"pool-cap", "BYTES", "0", "limit of all the scheme's buffers together (0: none)",
     options_bytes, AT(pool_cap_bytes), 0, (uint64_t)1 << 44},
    {"pool-batch", "N", "64", "blocks allocated together when a pool is empty", options_count,
     AT(pool_batch), 1, 65536},
    {"processors", "N", "0",
     "with --scheme slices: threads that process frames (0: the worker that\n"
     "received a frame processes it)",
     options_count, AT(processors), 0, PROCESSORS_MAX},
    {"look", "wake|every:T", "wake",
     "with --scheme chain: wake: its thread is woken when there are frames;\n"
     "every:TIME[:one|:all]: it looks on a timer, as in the paper, and takes\n"
     "one frame or all that wait",
     options_look, AT(look)},
    {"work", "none|KIND:COST", "none",
     "CPU time that processing a frame costs beside its check: such as\n"
     "touch:5ns/byte (reads the bytes), spin:20us/record (does not), or both:\n"
     "touch:5ns/byte+20us/record. Without frames (drain, raw) per byte only",
     options_work, AT(work)},
    {"frame-max", "BYTES", NULL,
     "a longer frame ends its connection\n(default: maximum of --size; with --request 1 MiB)",
     options_bytes, AT(frame_bytes_max), 1, (uint64_t)1 << 30},

    {.name = "Output"},
    {"json", "FILE|-", NULL, "write the row to FILE; -: to standard output, without the summary",
     options_string, AT(json)},
    {"quiet", NULL, NULL, "print neither summary nor progress", options_flag, AT(quiet)},
    {"dry-run", NULL, NULL, "check all that can be checked without connecting, then end",
     options_flag, AT(dry_run)},
    {.name = NULL},
};

/* ---- options against each other -------------------------------------------------------------- */

static void resolve_defaults(struct collector_options *options)
{
    bool foreign = options->request.given;
    unsigned cpus = (unsigned)os_cpu_count();
    if (options->workers == 0)
        options->workers = 2 * (uint64_t)cpus + 2;
    if (options->concurrency == 0)
        options->concurrency = cpus;
    if (options->frames_per_server == FRAMES_UNSET)
        options->frames_per_server = options->for_ms > 0 ? 0 : FRAMES_DEFAULT;
    bool endless = !foreign && options->frames_per_server == 0;
    if (options->source == SOURCE_AUTO)
        options->source = options->rate > 0 || endless ? SOURCE_LIVE : SOURCE_TAPE;
    if (options->verify == VERIFY_UNSET)
        options->verify = foreign ? VERIFY_NONE : VERIFY_FULL;
    if (options->pool_cap_bytes == 0)
        options->pool_cap_bytes = UINT64_MAX;
    processing_read(&options->processing, options->work, options->look);
    options->work = options->processing.work_text;
    options->look = options->processing.look_text;
    if (options->frame_bytes_max == 0)
        options->frame_bytes_max = foreign ? FOREIGN_FRAME_BYTES : options->size_max;
}

static int check_together(const struct collector_options *options, char *why, size_t why_bytes)
{
    bool foreign = options->request.given;
    if (options->servers == NULL)
        return why_write(why, why_bytes,
                         "--servers is missing: N, host:port,host:port,... or @FILE");
    if (!foreign && options->frames_per_server == 0 && options->for_ms == 0)
        return why_write(why, why_bytes, "--frames: takes 1 or more; 0 needs --request or --for");
    if (!foreign && options->frames_per_server == 0 && options->source == SOURCE_TAPE)
        return why_write(
            why, why_bytes,
            "--source tape: needs --frames N: a tape is made in advance, and has an end");
    if (options->close_ends_frame && (!foreign || options->verify != VERIFY_NONE))
        return why_write(why, why_bytes,
                         "--close-ends-frame: needs --request, and excludes --verify full and "
                         "header: our own frames are not whole without their marker");
    if (options->flood_frames > 0 && (foreign || options->rate == 0))
        return why_write(why, why_bytes,
                         "--flood: needs a --rate for the other servers, and excludes --request");
    if (options->start == START_TOGETHER && foreign)
        return why_write(why, why_bytes,
                         "--start together: excludes --request: only our own servers hold what "
                         "they are asked for");
    if (!foreign && options->frame_bytes_max < options->size_max)
        return why_write(
            why, why_bytes, "--frame-max: %llu is less than the largest frame of --size, %llu",
            (unsigned long long)options->frame_bytes_max, (unsigned long long)options->size_max);
    if (options->frame_bytes_max <= options->end_marker.bytes)
        return why_write(why, why_bytes, "--frame-max: must exceed the length of --end-marker, %u",
                         (unsigned)options->end_marker.bytes);
    return 0;
}

static size_t names_write(char *text, size_t text_bytes, const char *heading, name_list *names)
{
    const char *name, *summary;
    size_t used = (size_t)snprintf(text, text_bytes, "%s:\n", heading);
    for (unsigned i = 0; (name = names(i, &summary)) != NULL; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, "  %s\n      %s\n", name, summary);
    return used;
}

static void epilogue_write(char *text, size_t text_bytes, const char *examples)
{
    size_t used = names_write(text, text_bytes, "Schemes", scheme_names);
    used += names_write(text + used, text_bytes - used, "\nEngines", cp_engine_list);
    used += (size_t)snprintf(
        text + used, text_bytes - used,
        "\nExamples:\n  fanin-servers --count 200 --port 20000 &\n%s\n\n"
        "Exit codes: 0 all frames of all servers arrived, or --for ended the\n"
        "collection, and no audit failed; 1 something measured failed; 2 wrong use;\n"
        "3 this machine cannot.\n",
        examples);
    assert(used < text_bytes);
}

int collector_options_read(const struct program_text *program, int argc, char **argv,
                           struct collector_options *options)
{
    char epilogue[4096], why[512];
    int operand;
    epilogue_write(epilogue, sizeof epilogue, program->examples);
    const struct option_set set = {
        .program = program->name,
        .synopsis = "--servers N|LIST|@FILE [options]",
        .about = program->about,
        .epilogue = epilogue,
        .options = table,
    };
    *options =
        (struct collector_options){.verify = VERIFY_UNSET, .frames_per_server = FRAMES_UNSET};
    int parsed = options_parse(&set, argc, argv, options, &operand);
    if (parsed != OPTIONS_OK)
        return parsed;
    resolve_defaults(options);
    if (check_together(options, why, sizeof why) != 0) {
        fprintf(stderr, "%s: %s\n", program->name, why);
        return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}

struct protocol_marker collector_options_marker(const struct collector_options *options)
{
    struct protocol_marker marker = {.count = (unsigned)options->end_marker.bytes};
    assert(options->end_marker.bytes <= sizeof marker.bytes);
    memcpy(marker.bytes, options->end_marker.data, options->end_marker.bytes);
    return marker;
}

void collector_options_process(const struct collector_options *options,
                               struct scheme_config *config)
{
    config->process = (struct process_config){
        .verify = (enum verify)options->verify,
        .live = options->source == SOURCE_LIVE && !options->request.given,
        .frame_bytes_max = options->frame_bytes_max,
        .marker = collector_options_marker(options),
        .work = options->processing.work,
    };
    config->look = options->processing.look;
    marker_init(&config->marker, config->process.marker.bytes, config->process.marker.count);
}
