#include "client/collector/row.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/os.h"

#ifndef FANIN_COMMIT
#define FANIN_COMMIT "unknown"
#endif

enum { KB = 1024 };

/* ---- filling in ------------------------------------------------------------------------------ */

void tally_add(struct tally *tally, const char *name)
{
    unsigned i = 0;
    while (i < tally->used && strcmp(tally->items[i].name, name) != 0)
        i++;
    assert(i < TALLY_NAMES_MAX);
    if (i == tally->used)
        tally->items[tally->used++].name = name;
    tally->items[i].count++;
}

uint64_t tally_total(const struct tally *tally)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < tally->used; i++)
        total += tally->items[i].count;
    return total;
}

void row_init(struct row *row, const struct collector_options *options)
{
    memset(row, 0, sizeof *row);
    row->options = options;
    row->engine = strcmp(options->engine, "auto") == 0 ? NULL : options->engine;
    row->scheme = options->scheme;
    row->bottleneck = "";
    row->connect = options->connect;
    row->bind = options->bind;
    row->workers = options->workers;
    row->concurrency = options->concurrency;
    row->batch = options->batch;
    uint64_t *const counts[] = {
        &row->connected,
        &row->connect_failed,
        &row->logged_in,
        &row->reconnects,
        &row->reconnect_attempts,
        &row->discarded_bytes,
        &row->undelivered_bytes,
        &row->frames_missed,
        &row->bytes,
        &row->frames,
        &row->peak_rss_bytes,
        &row->base_rss_bytes,
        &row->ready_rss_bytes,
        &row->buffer_peak_bytes,
        &row->buffer_cap_waits,
        &row->buffer_turn_waits,
        &row->buffer_predicted_bytes,
        &row->worker_threads,
        &row->buffer_threads,
        &row->total_threads,
        &row->switches_voluntary,
        &row->receive_calls,
        &row->switches_involuntary,
        &row->receive_empty,
        &row->copied_bytes,
        &row->scanned_bytes,
        &row->hand_overs,
        &row->pool_blocks,
        &row->connections_failed,
        &row->blocks_lost,
        &row->server_bytes,
        &row->server_frames,
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        *counts[i] = ROW_UNKNOWN;
    double *const numbers[] = {
        &row->connect_ms,   &row->elapsed_ms,   &row->bytes_per_s,
        &row->frames_per_s, &row->cpu_user_s,   &row->cpu_system_s,
        &row->gb_per_cpu_s, &row->server_cpu_s, &row->outage_ms_max,
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        *numbers[i] = NAN;
    for (unsigned i = 0; i < CONNECT_QUANTILES; i++)
        row->connect_us[i] = NAN;
    for (unsigned i = 0; i < LATENCY_QUANTILES; i++)
        row->latency_us[i] = NAN;
    snprintf(row->audit, sizeof row->audit, "none: nothing ran");
}

void row_skip(struct row *row, const char *reason)
{
    row->status = ROW_SKIPPED;
    snprintf(row->reason, sizeof row->reason, "%s", reason);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_count(struct json *json, const char *key, uint64_t value)
{
    if (value == ROW_UNKNOWN)
        json_null(json, key);
    else
        json_count(json, key, value);
}

static void put_kb(struct json *json, const char *key, uint64_t bytes)
{
    put_count(json, key, bytes == ROW_UNKNOWN ? ROW_UNKNOWN : bytes / KB);
}

static void put_share(struct json *json, const char *key, uint64_t part, uint64_t whole)
{
    bool known = part != ROW_UNKNOWN && whole != ROW_UNKNOWN && whole > 0;
    json_number(json, key, known ? (double)part / (double)whole : NAN);
}

static void put_tally(struct json *json, const char *key, const struct tally *tally)
{
    json_object_open(json, key);
    for (unsigned i = 0; i < tally->used; i++)
        json_count(json, tally->items[i].name, tally->items[i].count);
    json_object_close(json);
}

struct machine_facts {
    char host[128], os[128], kernel[128];
};

static void note_fact(void *context, const char *name, const char *value)
{
    struct machine_facts *facts = context;
    if (strcmp(name, "host") == 0)
        snprintf(facts->host, sizeof facts->host, "%s", value);
    else if (strcmp(name, "os") == 0)
        snprintf(facts->os, sizeof facts->os, "%s", value);
    else if (strcmp(name, "kernel") == 0)
        snprintf(facts->kernel, sizeof facts->kernel, "%s", value);
}

static void write_identity(const struct row *row, struct json *json)
{
    static const char *const status_names[] = {"ok", "failed", "skipped"};
    struct machine_facts facts = {.host = "", .os = "", .kernel = ""};
    char os[sizeof facts.os + sizeof facts.kernel + 1];
    os_machine_describe(note_fact, &facts);
    snprintf(os, sizeof os, "%s %s", facts.os, facts.kernel);
    json_text(json, "version", FANIN_VERSION " " FANIN_COMMIT);
    json_text(json, "host", facts.host);
    json_text(json, "os", os);
    json_text(json, "status", status_names[row->status]);
    json_text(json, "reason", row->reason);
    json_text(json, "audit", row->audit);
}

static void write_options(const struct row *row, struct json *json)
{
    const struct collector_options *options = row->options;
    json_text(json, "engine", row->engine);
    json_text(json, "gate", row->gate);
    json_text(json, "scheme", row->scheme);
    json_text(json, "bind", bind_mode_name(row->bind));
    json_count(json, "workers", row->workers);
    json_count(json, "concurrency", row->concurrency);
    json_count(json, "batch", row->batch);
    json_count(json, "servers", row->servers);
    json_count(json, "idle_servers", row->idle_servers);
    json_text(json, "target", row->target);
    json_text(json, "connect", connect_mode_name(row->connect));
    json_count(json, "connect_timeout_ms", options->connect_timeout_ms);
    json_count(json, "login_timeout_ms", options->login_timeout_ms);
    json_count(json, "stall_timeout_ms", options->stall_timeout_ms);
    json_flag(json, "reconnect", options->reconnect);
    json_count(json, "reconnect_delay_ms_min", options->reconnect_delay_ms.min);
    json_count(json, "reconnect_delay_ms_max", options->reconnect_delay_ms.max);
    json_count(json, "reconnect_tries", options->reconnect_tries);
    json_count(json, "frames_per_server", options->frames);
    json_count(json, "size_min", options->size.min);
    json_count(json, "size_max", options->size.max);
    json_number(json, "rate", options->rate);
    json_count(json, "flood_frames", options->flood_frames);
    json_text(json, "source", source_mode_name(options->source));
    json_count(json, "seed", options->seed);
    json_text(json, "verify", verify_name(options->verify));
    json_text(json, "login", options->login.given ? options->login.user : NULL);
    if (row->request == NULL)
        json_null(json, "request");
    else
        json_bytes(json, "request", row->request->text, row->request->bytes);
    json_bytes(json, "end_marker", options->end_marker.data, options->end_marker.bytes);
    json_count(json, "block_bytes", options->block_bytes);
    json_count(json, "blocks_per_receive", options->blocks_per_receive);
    put_count(json, "pool_cap_bytes",
              options->pool_cap_bytes > 0 ? options->pool_cap_bytes : ROW_UNKNOWN);
    json_count(json, "pool_batch", options->pool_batch_blocks);
    json_count(json, "processors", options->processors);
    json_count(json, "frame_bytes_max", options->frame_bytes_max);
}

static void write_connects(const struct row *row, struct json *json)
{
    static const char *const keys[] = {"connect_us_min", "connect_us_p50", "connect_us_p90",
                                       "connect_us_p99", "connect_us_max"};
    put_count(json, "connected", row->connected);
    put_count(json, "connect_failed", row->connect_failed);
    put_tally(json, "connect_errors", &row->connect_errors);
    json_number(json, "connect_ms", row->connect_ms);
    for (unsigned i = 0; i < CONNECT_QUANTILES; i++)
        json_number(json, keys[i], row->connect_us[i]);
    put_count(json, "logged_in", row->logged_in);
    put_tally(json, "login_errors", &row->login_errors);
}

static void write_outages(const struct row *row, struct json *json)
{
    put_count(json, "reconnects", row->reconnects);
    put_count(json, "reconnect_attempts", row->reconnect_attempts);
    json_number(json, "outage_ms_max", row->outage_ms_max);
    put_count(json, "discarded_bytes", row->discarded_bytes);
    put_count(json, "undelivered_bytes", row->undelivered_bytes);
    put_count(json, "frames_missed", row->frames_missed);
}

static void write_traffic(const struct row *row, struct json *json)
{
    static const char *const keys[] = {"latency_us_p50", "latency_us_p90", "latency_us_p99",
                                       "latency_us_p999", "latency_us_max"};
    json_number(json, "elapsed_ms", row->elapsed_ms);
    put_count(json, "bytes", row->bytes);
    put_count(json, "frames", row->frames);
    json_number(json, "bytes_per_s", row->bytes_per_s);
    json_number(json, "frames_per_s", row->frames_per_s);
    for (unsigned i = 0; i < LATENCY_QUANTILES; i++)
        json_number(json, keys[i], row->latency_us[i]);
}

static void write_costs(const struct row *row, struct json *json)
{
    put_kb(json, "peak_rss_kb", row->peak_rss_bytes);
    put_kb(json, "base_rss_kb", row->base_rss_bytes);
    put_kb(json, "ready_rss_kb", row->ready_rss_bytes);
    put_count(json, "buffer_peak_bytes", row->buffer_peak_bytes);
    put_count(json, "buffer_predicted_bytes", row->buffer_predicted_bytes);
    put_count(json, "buffer_cap_waits", row->buffer_cap_waits);
    put_count(json, "buffer_turn_waits", row->buffer_turn_waits);
    put_count(json, "worker_threads", row->worker_threads);
    put_count(json, "buffer_threads", row->buffer_threads);
    put_count(json, "total_threads", row->total_threads);
    json_number(json, "cpu_s", row->cpu_user_s + row->cpu_system_s);
    json_number(json, "cpu_user_s", row->cpu_user_s);
    json_number(json, "cpu_system_s", row->cpu_system_s);
    json_number(json, "gb_per_cpu_s", row->gb_per_cpu_s);
    put_count(json, "switches_voluntary", row->switches_voluntary);
    put_count(json, "switches_involuntary", row->switches_involuntary);
    put_share(json, "copies_per_byte", row->copied_bytes, row->bytes);
    put_share(json, "scanned_per_byte", row->scanned_bytes, row->bytes);
    put_count(json, "receive_calls", row->receive_calls);
    put_count(json, "receive_empty", row->receive_empty);
    put_share(json, "receives_per_frame", row->receive_calls, row->frames);
    put_count(json, "hand_overs", row->hand_overs);
    put_count(json, "pool_blocks", row->pool_blocks);
    put_count(json, "blocks_lost", row->blocks_lost);
}

static void write_outcome(const struct row *row, struct json *json)
{
    put_count(json, "connections_failed", row->connections_failed);
    put_tally(json, "errors", &row->errors);
    put_count(json, "server_bytes", row->server_bytes);
    put_count(json, "server_frames", row->server_frames);
    json_number(json, "server_cpu_s", row->server_cpu_s);
    json_text(json, "bottleneck", row->bottleneck);
}

int row_write(const struct row *row, FILE *out)
{
    struct json json;
    json_open(&json, out);
    write_identity(row, &json);
    write_options(row, &json);
    write_connects(row, &json);
    write_outages(row, &json);
    write_traffic(row, &json);
    write_costs(row, &json);
    write_outcome(row, &json);
    return json_close(&json);
}
