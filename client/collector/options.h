/* What the collector can be told: one struct, one table, one set of checks. fanin-client and its
 * peers take the same options and write the same row, so that one command line compares them. */
#ifndef FANIN_COLLECTOR_OPTIONS_H
#define FANIN_COLLECTOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/options.h"
#include "client/buffers/process.h"
#include "base/protocol.h"

enum connect_mode { CONNECT_ASYNC, CONNECT_SYNC };
enum bind_mode { BIND_EARLY, BIND_LATE };
enum source_mode { SOURCE_AUTO, SOURCE_TAPE, SOURCE_LIVE };

enum {
    SERVERS_MAX = 1000000,
    WORKERS_MAX = 4096,
    PROCESSORS_MAX = 64,
    FOREIGN_FRAME_BYTES = 1 << 20, /* --frame-max for servers that are not ours */
};

/* A request of one's own; an empty one is a request too: nothing is sent. */
struct request_option {
    bool given;
    struct text_value text;
};

struct millis_range {
    uint64_t min, max;
};

struct login_option {
    bool given;
    char user[PROTOCOL_NAME_BYTES_MAX + 1], password[PROTOCOL_NAME_BYTES_MAX + 1];
};

/* As used once collector_options_read has returned: no "auto" and no "0: default" is left, but for
 * `engine`, whose choice is the port's. */
struct collector_options {
    const char *engine, *scheme;
    const char *servers, *address; /* --servers as typed */
    uint64_t port, ports_per_address;
    uint64_t workers, concurrency;
    int connect, bind;
    uint64_t connect_timeout_ms, login_timeout_ms, stall_timeout_ms;
    bool reconnect;
    struct millis_range reconnect_delay_ms;
    uint64_t reconnect_tries; /* in a row without a new frame; 0: no limit */
    uint64_t batch;
    uint64_t frames; /* of each server; 0: until the server closes */
    struct byte_range size;
    double rate;                 /* frames per second of all servers together; 0: unlimited */
    double link_rate_bits_per_s; /* of the wire to the servers; 0: not known */
    int source;
    uint64_t seed;
    uint64_t idle_percent; /* of the servers: connected, never asked */
    uint64_t flood_frames; /* of server 0, beside the others' rate; 0: it is as they are */
    struct request_option request;
    struct text_value end_marker;
    struct login_option login;
    int verify;
    uint64_t frame_bytes_max;
    uint64_t block_bytes, blocks_per_receive, pool_cap_bytes, pool_batch_blocks;
    uint64_t processors;
    const char *json;
    bool quiet, dry_run;
};

/* What differs in the help of the programs that take these options. */
struct collector_program {
    const char *name, *about, *epilogue;
};

/* collector_options_read: reads argv, answers --help and --version, checks options against each
 * other. OPTIONS_OK, OPTIONS_DONE, or OPTIONS_WRONG after one line on stderr. */
int collector_options_read(const struct collector_program *program, int argc, char **argv,
                           struct collector_options *options);

/* collector_options_marker: the end marker, as the protocol wants it. */
struct protocol_marker collector_options_marker(const struct collector_options *options);

/* Names as the options spell them. */
const char *connect_mode_name(int mode);
const char *bind_mode_name(int mode);
const char *source_mode_name(int mode);
const char *verify_name(int verify);

#endif
