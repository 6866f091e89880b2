/* The row that a run leaves: every option as it was used and everything that was measured.
 * results/README.md has each key with its unit. */
#ifndef FANIN_COLLECTOR_ROW_H
#define FANIN_COLLECTOR_ROW_H

#include <stdint.h>
#include <stdio.h>

#include "client/collector/options.h"
#include "client/collector/request.h"
#include "client/collector/wire.h"

/* A count that was not measured; a double that was not measured is NAN. Both become null. */
#define ROW_UNKNOWN UINT64_MAX

enum { TALLY_NAMES_MAX = 48, ROW_TEXT_BYTES = 512 };

/* Counts by name. Names are constants. */
struct tally {
    struct {
        const char *name;
        uint64_t count;
    } items[TALLY_NAMES_MAX];
    unsigned used;
};

void tally_add(struct tally *tally, const char *name);
uint64_t tally_total(const struct tally *tally);

enum row_status { ROW_OK, ROW_FAILED, ROW_SKIPPED };

enum { CONNECT_MIN, CONNECT_P50, CONNECT_P90, CONNECT_P99, CONNECT_MAX, CONNECT_QUANTILES };
enum { LATENCY_P50, LATENCY_P90, LATENCY_P99, LATENCY_P999, LATENCY_MAX, LATENCY_QUANTILES };

struct row {
    const struct collector_options *options;
    const struct request *request; /* of the first server; NULL: none was made */
    char target[WIRE_TEXT_BYTES];  /* the first server */
    enum row_status status;
    char reason[ROW_TEXT_BYTES], audit[ROW_TEXT_BYTES];
    const char *engine, *gate, *scheme; /* as used */
    const char *bottleneck;
    int connect, bind; /* as used */
    uint64_t workers, concurrency, batch;
    uint64_t servers, idle_servers;

    uint64_t connected, connect_failed;
    struct tally connect_errors;
    double connect_ms, connect_us[CONNECT_QUANTILES];
    uint64_t logged_in; /* unknown: no login is wanted */
    struct tally login_errors;

    uint64_t reconnects, reconnect_attempts;
    uint64_t discarded_bytes, undelivered_bytes, frames_missed;
    double outage_ms_max;

    double elapsed_ms;
    uint64_t bytes, frames;
    double bytes_per_s, frames_per_s;
    double latency_us[LATENCY_QUANTILES];

    uint64_t peak_rss_bytes, base_rss_bytes, ready_rss_bytes;
    uint64_t buffer_peak_bytes, buffer_predicted_bytes;
    uint64_t buffer_cap_waits, buffer_turn_waits;
    uint64_t worker_threads, buffer_threads, total_threads;
    double cpu_user_s, cpu_system_s, gb_per_cpu_s;
    uint64_t switches_voluntary, switches_involuntary;
    uint64_t copied_bytes, scanned_bytes;
    uint64_t hand_overs; /* unknown: the scheme does not publish to threads, or not one by one */
    uint64_t receive_calls, receive_empty;
    uint64_t pool_blocks, blocks_lost;

    uint64_t connections_failed;
    struct tally errors;
    uint64_t server_bytes, server_frames;
    double server_cpu_s;
};

/* row_init: nothing is measured yet. */
void row_init(struct row *row, const struct collector_options *options);

/* row_skip: the run cannot happen here, because of `reason`. */
void row_skip(struct row *row, const char *reason);

/* row_write: one line of JSON to `out`, flushed. 0, or a negative errno value. */
int row_write(const struct row *row, FILE *out);

#endif
