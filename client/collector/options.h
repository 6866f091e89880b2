/* What the collector can be told: one struct, one table, one set of checks. fanin-client and its
 * peers take the same options and write the same row, so that one command line compares them. */
#ifndef FANIN_COLLECTOR_OPTIONS_H
#define FANIN_COLLECTOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "base/protocol.h"
#include "base/row.h"
#include "client/buffers/scheme.h"
#include "client/collector/processing.h"

enum connect_mode { CONNECT_ASYNC, CONNECT_SYNC };
enum bind_mode { BIND_EARLY, BIND_LATE };
enum start_mode { START_EACH, START_TOGETHER };
enum source_mode { SOURCE_AUTO, SOURCE_TAPE, SOURCE_LIVE };

enum {
    WORKERS_MAX = 4096,
    PROCESSORS_MAX = 64,
    FOREIGN_FRAME_BYTES = 1 << 20, /* --frame-max for servers that are not ours */
};

/* A request of one's own; an empty one is a request too: nothing is sent. */
struct request_option {
    bool given;
    struct text_value text;
};

struct login_option {
    bool given;
    char user[PROTOCOL_NAME_BYTES_MAX + 1], password[PROTOCOL_NAME_BYTES_MAX + 1];
};

#define OPTION_FIELD_choice(key) int key; /* an index; option_KEY_name gives its name */
#define OPTION_FIELD_text        ROW_FIELD_text
#define OPTION_FIELD_flag        ROW_FIELD_flag
#define OPTION_FIELD_count       ROW_FIELD_count
#define OPTION_FIELD_number      ROW_FIELD_number

/* As used once collector_options_read has returned: no "auto" and no "0: default" is left, but for
 * `engine`, whose choice is the port's. */
struct collector_options {
    /* Those that are keys of the row, by its names. */
#define ROW_OPTION(kind, key, unit, null, meaning) OPTION_FIELD_##kind(key)
#include "base/row_keys.h"
    const char *servers, *address; /* --servers as typed */
    uint64_t port, ports_per_address;
    struct login_option login;
    struct request_option request;
    struct processing processing; /* what --work and --look say, and their texts */
    struct text_value end_marker;
    double link_rate_bits_per_s; /* of the wire to the servers; 0: not known */
    uint64_t idle_percent;       /* of the servers: connected, never asked */
    const char *json;
    bool quiet, dry_run;
};

/* What differs in the help of the programs that take these options. */
struct program_text {
    const char *name, *about, *examples;
};

/* collector_options_read: reads argv, answers --help and --version, checks options against each
 * other. OPTIONS_OK, OPTIONS_DONE, or OPTIONS_WRONG after one line on stderr. */
int collector_options_read(const struct program_text *program, int argc, char **argv,
                           struct collector_options *options);

/* collector_options_marker: the end marker, as the protocol wants it. */
struct protocol_marker collector_options_marker(const struct collector_options *options);

/* collector_options_process: the processing step and the end marker that the options ask for. */
void collector_options_process(const struct collector_options *options,
                               struct scheme_config *config);

/* Names as the options spell them; NULL ends each list. */
extern const char *const option_connect_names[], *const option_bind_names[];
extern const char *const option_source_names[], *const option_verify_names[];
extern const char *const option_start_names[];

#endif
