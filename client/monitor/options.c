/* The command line of the viewers of screens: parsers, the table of options, checks between
 * options. */
#include "client/monitor/options.h"

#include <stdio.h>
#include <string.h>

#include <cport.h>
#include "base/os.h"
#include "base/rfb/protocol.h"
#include "base/text.h"
#include "client/monitor/addresses.h"
#include "client/monitor/rfb/decoder.h"

enum {
    UNSET = -1,
    WHY_BYTES = 640,
    WORKERS_MAX = 4096,
    AHEAD_MAX = 16,
    FOR_MS_MAX = 7 * 24 * 3600 * 1000, /* a week */
    SCREENS_DEFAULT = 7,
};

const char *const option_viewer_names[] = {"monitor", "vncclient", "xtightvnc", "xtigervnc", NULL};
const char *const option_topology_names[] = {"accept", "connect", NULL};
const char *const option_accepts_names[] = {"thread", "port", NULL};
const char *const option_view_names[] = {"windows", "grid", "none", NULL};
const char *const option_security_names[] = {"none", "password", "tls", NULL};

/* ---- parsers of our own ---------------------------------------------------------------------- */

static const char *engine_names(unsigned index, const char **summary)
{
    return index == 0 ? "auto" : cp_engine_list(index - 1, summary);
}

static int parse_engine(const struct option_spec *spec, const char *text, void *field, char *why,
                        size_t why_bytes)
{
    return values_name_parse(text, engine_names, field, why, why_bytes);
}

/* A link's rate, or a number of bits a second. */
static int parse_budget(const struct option_spec *spec, const char *text, void *field, char *why,
                        size_t why_bytes)
{
    if (values_quantity_parse(text, values_bit_rates, field) ||
        options_count(spec, text, field, why, why_bytes) == 0)
        return 0;
    return why_write(why, why_bytes, "takes bits per second, such as 50mbit or 50M; 0: no limit");
}

static bool encoding_known(const char *name, size_t bytes)
{
    const struct decoder *decoder;
    for (unsigned i = 0; (decoder = decoder_list(i)) != NULL; i++)
        if (strlen(decoder->name) == bytes && memcmp(decoder->name, name, bytes) == 0)
            return true;
    return false;
}

static void encodings_refuse(char *why, size_t why_bytes)
{
    const struct decoder *decoder;
    why_write(why, why_bytes, "takes names of encodings separated by commas, without blanks:");
    for (unsigned i = 0; (decoder = decoder_list(i)) != NULL; i++) {
        const size_t used = strlen(why);
        why_write(why + used, why_bytes - used, "%s %s", i > 0 ? "," : "", decoder->name);
    }
}

static int parse_encodings(const struct option_spec *spec, const char *text, void *field, char *why,
                           size_t why_bytes)
{
    const char *at = text;
    unsigned count = 0;
    do {
        const size_t bytes = strcspn(at, ",");
        if (!encoding_known(at, bytes) || ++count > MONITOR_ENCODINGS_MAX) {
            encodings_refuse(why, why_bytes);
            return -1;
        }
        at += bytes + (at[bytes] == ',');
    } while (*at != '\0');
    *(const char **)field = text;
    return 0;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define AT(field) .offset = offsetof(struct monitor_options, field)

/* The eye's come first: the other viewers' table begins behind them. */
enum { EYE_LINES = 3 };

static const struct option_spec table[] = {
    {.name = "Eye"},
    {"viewer", "NAME", "monitor",
     "the viewer to measure; xtightvnc and xtigervnc start one process for each screen",
     options_choice, AT(viewer), .names = option_viewer_names},
    {"input-rate", "R", "0",
     "keys per second that the eye presses, one window after the other; needs --control",
     options_rate, AT(input_rate), 0, 1000},

    {.name = "Screens"},
    {"listen", "ADDR[:PORT]", NULL,
     "wait for screens to connect to this address (default without --connect: near, which is "
     "$FANIN_NEAR, the address that fanin-lan sets, or else 127.0.0.1)",
     options_string, AT(listen)},
    {"connect", "LIST|@FILE", NULL,
     "connect to these screens: HOST[:PORT],HOST[:PORT],... (default port: 5900); @FILE: read the "
     "list from a file, where line breaks separate too and '#' starts a comment; '': connect to "
     "--screens ports of --address, from --port on",
     options_string, AT(connect)},
    {"topology", "WAY", NULL,
     "who connects: accept means --listen near, connect means --connect ''\n"
     "(default: what --listen or --connect says, else accept)",
     options_choice, AT(topology), .names = option_topology_names},
    {"port", "PORT", NULL,
     "port of --listen (default: 5500), or of the first screen of --connect '' (default: 5900)",
     options_count, AT(port), 1, 65535},
    {"address", "ADDR", "127.0.0.1", "address of the screens, with --connect ''", options_string,
     AT(address)},
    {"screens", "N", NULL, "number of screens (default: 7, or as many as --connect names)",
     options_count, AT(screens), 1, SCREENS_MAX},
    {"for", "DURATION", "0",
     "end this long after the last screen's handshake (0: run until Ctrl-C)", options_millis,
     AT(for_ms), 0, FOR_MS_MAX},
    {"handshake-timeout", "DURATION", "30s",
     "end a connection whose handshake takes longer; with --for, also end the run if not all "
     "screens have connected by then",
     options_millis, AT(handshake_timeout_ms), 1, 3600000},
    {"stall-timeout", "DURATION", "10s",
     "end a connection that has sent nothing for this long, not even an answer to a request",
     options_millis, AT(stall_timeout_ms), 100, 3600000},
    {"pixels-max", "N", "16M", "refuse a screen of more pixels", options_count, AT(pixels_max), 1,
     1 << 28},

    {.name = "View"},
    {"view", "windows|grid|none", "windows",
     "a window for each screen; all in one, the chosen one large; or pictures in memory alone",
     options_choice, AT(view), .names = option_view_names},
    {"display", "NAME", NULL, "X server for the windows, such as :1 (default: $DISPLAY)",
     options_string, AT(display)},
    {"control", NULL, NULL, "send keys and pointer to the screens (default: view only)",
     options_flag, AT(control)},

    {.name = "Flow"},
    {"encodings", "LIST", "tight,zrle,copyrect,raw", "encodings to ask for, in order of preference",
     parse_encodings, AT(encodings)},
    {"quality", "N", "8", "JPEG quality, 0 (smallest) to 9; 10: lossless", options_count,
     AT(quality), 0, QUALITY_LOSSLESS},
    {"ahead", "N", "1",
     "update requests in flight for each screen; more than 1 helps where the round trip is long "
     "and "
     "the link idle",
     options_count, AT(ahead), 1, AHEAD_MAX},
    {"rate", "R", "0",
     "limit of updates per second of a visible screen (0: no limit); the screen with the keyboard "
     "has none, a hidden screen is not asked",
     options_rate, AT(rate), 0, 1000},
    {"budget", "BITS", "0",
     "limit of bits per second of all screens together, such as 50mbit (0: no limit); the screen "
     "with the keyboard comes first",
     parse_budget, AT(budget), 0, UINT64_C(1000000000000)},
    {"link-rate", "BITS", "0",
     "bits per second of the link to the screens, as fanin-sweep says it; not used", options_rate,
     AT(link_rate_bits_per_s), 0, UINT64_C(1000000000000)},

    {.name = "Security"},
    {"security", "KIND", NULL,
     "what a screen must offer (default: tls with --tls-authority, password with --password-file, "
     "else none)",
     options_choice, AT(security), .names = option_security_names},
    {"password-file", "FILE", NULL, "the first line is the password of all screens", options_string,
     AT(password_file)},
    {"tls-authority", "FILE", NULL,
     "PEM file of authorities; one of them must have signed each screen's certificate",
     options_string, AT(tls_authority)},
    {"allow-anyone", NULL, NULL,
     "listen beyond this machine without a password or certificates: any host that reaches the "
     "port is shown",
     options_flag, AT(allow_anyone)},

    {.name = "Completion port"},
    {"engine", "NAME", "auto", "engine of the port; auto: the first one that runs here",
     parse_engine, AT(engine)},
    {"workers", "W", "0", "threads that wait on the port (0: two for each CPU)", options_count,
     AT(workers), 0, WORKERS_MAX},
    {"concurrency", "C", "0", "workers that may run at the same time (0: as many as CPUs)",
     options_count, AT(concurrency), 0, WORKERS_MAX},
    {"accepts", "WAY", "thread",
     "how connections are accepted: by a thread outside of the port, as in the paper, or by "
     "accepts posted on the port",
     options_choice, AT(accepts), .names = option_accepts_names},

    {.name = "Output"},
    {"json", "FILE|-", NULL, "write the row to FILE; -: to standard output, without the summary",
     options_string, AT(json)},
    {"journal", "FILE", NULL,
     "append a line of JSON for each event: who connected from where, when a screen was "
     "controlled, why a connection ended",
     options_string, AT(journal)},
    {"quiet", NULL, NULL, "print neither summary nor progress", options_flag, AT(quiet)},
    {"dry-run", NULL, NULL, "check the options, connect nothing, and end", options_flag,
     AT(dry_run)},
    {.name = NULL},
};

/* ---- options against each other -------------------------------------------------------------- */

static int resolve_topology(struct monitor_options *options, char *why, size_t why_bytes)
{
    if (options->listen != NULL && options->connect != NULL)
        return why_write(why, why_bytes,
                         "--listen excludes --connect: either screens connect, or the viewer does");
    if (options->listen != NULL && options->topology == TOPOLOGY_CONNECT)
        return why_write(why, why_bytes, "--topology connect: excludes --listen; use --connect");
    if (options->connect != NULL && options->topology == TOPOLOGY_ACCEPT)
        return why_write(why, why_bytes, "--topology accept: excludes --connect; use --listen");
    if (options->topology == UNSET)
        options->topology = options->connect != NULL ? TOPOLOGY_CONNECT : TOPOLOGY_ACCEPT;
    if (options->topology == TOPOLOGY_CONNECT && options->connect == NULL)
        options->connect = "";
    if (options->topology == TOPOLOGY_ACCEPT && options->listen == NULL)
        options->listen = ADDRESS_NEAR;
    if (options->port == 0)
        options->port = options->topology == TOPOLOGY_ACCEPT ? RFB_LISTEN_PORT : RFB_PORT;
    return 0;
}

static int resolve_screens(struct monitor_options *options, char *why, size_t why_bytes)
{
    struct targets targets;
    struct net_address address;
    const uint64_t asked = options->screens;
    if (asked == 0)
        options->screens = SCREENS_DEFAULT;
    if (options->topology == TOPOLOGY_ACCEPT) {
        if (addresses_listen(options, &address, why, why_bytes) != 0)
            return -1;
        if (options->security == SECURITY_NONE && !options->allow_anyone &&
            !addresses_local(options, &address))
            return why_write(why, why_bytes,
                             "--listen %s: others than this machine reach it: give "
                             "--password-file or --tls-authority, or say --allow-anyone",
                             options->listen);
        return 0;
    }
    if (addresses_connect(options, &targets, why, why_bytes) != 0)
        return -1;
    options->screens = targets.count;
    targets_free(&targets);
    if (asked != 0 && asked != options->screens)
        return why_write(why, why_bytes, "--screens %llu: --connect names %llu",
                         (unsigned long long)asked, (unsigned long long)options->screens);
    return 0;
}

static int resolve_security(struct monitor_options *options, char *why, size_t why_bytes)
{
    if (options->security == UNSET && options->tls_authority != NULL)
        options->security = SECURITY_TLS;
    if (options->security == UNSET)
        options->security = options->password_file != NULL ? SECURITY_PASSWORD : SECURITY_NONE;
    if (options->security == SECURITY_PASSWORD && options->password_file == NULL)
        return why_write(why, why_bytes, "--security password: needs --password-file");
    if (options->security == SECURITY_TLS && options->tls_authority == NULL)
        return why_write(why, why_bytes, "--security tls: needs --tls-authority");
    if (options->security == SECURITY_NONE && options->password_file != NULL)
        return why_write(why, why_bytes, "--security none: excludes --password-file");
    if (options->security != SECURITY_TLS && options->tls_authority != NULL)
        return why_write(why, why_bytes, "--security %s: excludes --tls-authority",
                         option_security_names[options->security]);
    return 0;
}

static int resolve_defaults(struct monitor_options *options, char *why, size_t why_bytes)
{
    const uint64_t cpus = (uint64_t)os_cpu_count();
    if (options->workers == 0)
        options->workers = 2 * cpus;
    if (options->concurrency == 0)
        options->concurrency = cpus;
    if (resolve_topology(options, why, why_bytes) != 0 ||
        resolve_security(options, why, why_bytes) != 0 ||
        resolve_screens(options, why, why_bytes) != 0)
        return -1;
    if (options->input_rate > 0 && !options->control)
        return why_write(why, why_bytes, "--input-rate: needs --control");
    if (options->input_rate > 0 && options->view == VIEW_NONE)
        return why_write(why, why_bytes, "--input-rate: needs windows: --view none has none");
    return 0;
}

static const char exit_codes[] =
    "Exit codes: 0 done; 1 a screen was lost or did not come, or the audit failed; 2 wrong use; "
    "3 the\nmachine cannot.";

int monitor_options_read(const struct program_help *program, int argc, char **argv,
                         struct monitor_options *options)
{
    char epilogue[4096], why[WHY_BYTES] = "";
    int operand;
    snprintf(epilogue, sizeof epilogue, "Examples:\n%s\n%s", program->examples, exit_codes);
    const struct option_set set = {
        .program = program->name,
        .synopsis = "--listen ADDR[:PORT] | --connect LIST  [options]",
        .about = program->about,
        .epilogue = epilogue,
        .options = program->eye ? table : table + EYE_LINES,
    };
    *options = (struct monitor_options){
        .program = program->name, .viewer = options->viewer, .topology = UNSET, .security = UNSET};
    int parsed = options_parse(&set, argc, argv, options, &operand);
    if (parsed != OPTIONS_OK)
        return parsed;
    if (resolve_defaults(options, why, sizeof why) != 0) {
        fprintf(stderr, "%s: %s\n", program->name, why);
        return OPTIONS_WRONG;
    }
    return OPTIONS_OK;
}
