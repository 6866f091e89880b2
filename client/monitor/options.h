/* What a viewer of screens can be told: the same for fanin-monitor, fanin-peer-vncclient and
 * fanin-eye, so that one command line compares them. */
#ifndef FANIN_MONITOR_OPTIONS_H
#define FANIN_MONITOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "base/row.h"

enum viewer { VIEWER_MONITOR, VIEWER_VNCCLIENT, VIEWER_XTIGHTVNC, VIEWER_XTIGERVNC };
enum topology { TOPOLOGY_ACCEPT, TOPOLOGY_CONNECT };
enum accepts { ACCEPTS_THREAD, ACCEPTS_PORT };
enum view { VIEW_WINDOWS, VIEW_GRID, VIEW_NONE };
enum security { SECURITY_NONE, SECURITY_PASSWORD, SECURITY_TLS };

enum { SCREENS_MAX = 4096, QUALITY_LOSSLESS = 10, MONITOR_ENCODINGS_MAX = 8 };

#define OPTION_FIELD_choice(key) int key; /* an index; option_KEY_names has its name */
#define OPTION_FIELD_text        ROW_FIELD_text
#define OPTION_FIELD_flag        ROW_FIELD_flag
#define OPTION_FIELD_count       ROW_FIELD_count
#define OPTION_FIELD_from1       ROW_FIELD_from1
#define OPTION_FIELD_number      ROW_FIELD_number

/* As used once monitor_options_read has returned. */
struct monitor_options {
    const char *program; /* its name */
#define ROW_OPTION(kind, key, unit, null, meaning) OPTION_FIELD_##kind(key)
#include "client/monitor/row_keys.h"
    const char *listen;  /* ADDR, ADDR:PORT; NULL: --connect is given */
    const char *connect; /* HOST:PORT,... or @FILE, or "" : --screens ports from --port on at
                               --address */
    const char *address; /* of the screens that are connected to */
    uint64_t port;       /* of --listen, or the first screen's */
    bool allow_anyone;   /* beyond this machine without a password */
    uint64_t pixels_max, handshake_timeout_ms, stall_timeout_ms;
    const char *password_file, *tls_authority, *journal, *display, *json;
    double link_rate_bits_per_s; /* of the wire to the screens; 0: not known */
    /* fanin-eye's */
    double input_rate; /* keys a second that the eye presses; 0: none */
    bool quiet, dry_run;
};

/* monitor_options_read: reads argv, answers --help and --version, checks options against each
 * other. OPTIONS_OK, OPTIONS_DONE, or OPTIONS_WRONG after one line on stderr. */
struct program_help {
    const char *name, *about, *examples;
    bool eye; /* takes the eye's options too */
};
int monitor_options_read(const struct program_help *program, int argc, char **argv,
                         struct monitor_options *options);

extern const char *const option_viewer_names[], *const option_topology_names[];
extern const char *const option_accepts_names[], *const option_view_names[];
extern const char *const option_security_names[];

#endif
