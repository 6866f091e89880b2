/* A client's row: its first values, its JSON, and its summary for people. Keys are those of
 * base/row_keys.h. */
#include "client/collector/row.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#ifndef FANIN_COMMIT
#define FANIN_COMMIT "unknown"
#endif

/* An option's value in the row: a choice is its name there. */
#define USED_text(options, key)   (options)->key
#define USED_count(options, key)  (options)->key
#define USED_number(options, key) (options)->key
#define USED_flag(options, key)   (options)->key
#define USED_choice(options, key) option_##key##_names[(options)->key]

void row_init(struct row *row, const struct collector_options *options)
{
    *row = (struct row){
        .options = options,
#define ROW_OPTION(kind, key, unit, null, meaning) .key = USED_##kind(options, key),
#define ROW_RESULT(kind, key, unit, null, meaning) .key = ROW_NULL_##kind,
#include "base/row_keys.h"
    };
    row_machine(row->host, row->os);
    row->version = FANIN_VERSION " " FANIN_COMMIT;
    if (strcmp(options->engine, "auto") == 0)
        row->engine = NULL;
    row->login = options->login.given ? options->login.user : NULL;
    row->end_marker = (struct row_bytes){options->end_marker.data, options->end_marker.bytes};
    row->bottleneck = "";
    snprintf(row->audit, sizeof row->audit, "none: nothing ran");
}

void row_skip(struct row *row, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(row->reason, sizeof row->reason, format, arguments);
    va_end(arguments);
    row->status = ROW_SKIPPED;
}

int row_write(const void *of, FILE *out)
{
    const struct row *row = of;
    struct json json;
    json_open(&json, out);
#define ROW_OPTION(kind, key, unit, null, meaning) row_put_##kind(&json, #key, row->key);
#define ROW_RESULT(kind, key, unit, null, meaning) row_put_##kind(&json, #key, row->key);
#include "base/row_keys.h"
    return json_close(&json);
}

/* ---- the summary ----------------------------------------------------------------------------- */

static const struct row_line lines[] = {
    {"run", "{scheme} scheme, {bind} binding, engine {engine} (gate {gate}), {workers} workers, "
            "{concurrency} at once"},
    {"asked", "[frames_per_server] of {size_min} to {size_max} from each server, {source} "
              "source"},
    {"asked", "frames of {size_min} to {size_max} until time is up, {source} source"},
    {"request", "your own, frames of at most {frame_bytes_max}"},
    {"connect", "{connected} of {servers} servers in {connect_ms} ({connect}; median "
                "{connect_us_p50}, last {connect_us_max})"},
    {"connect", "{connected} of {servers} servers in {connect_ms} ({connect})"},
    {"failed at", "{addresses_failed}"},
    {"login", "{logged_in} of {connected} servers accepted it{login_errors}"},
    {"outages", "[reconnect_attempts] tries, {reconnects} of them reconnected; the longest "
                "{outage_ms_max}"},
    {"outages", "[reconnect_attempts] tries, {reconnects} of them reconnected"},
    {"time is up", "after [for_ms], as asked for: [ended_by_time] of {servers} servers had more"},
    {"discarded", "[discarded_bytes] of frames that were cut"},
    {"surplus", "[surplus_bytes] after the last frame asked for, dropped"},
    {"received", "{bytes}, {frames} in {elapsed_ms}"},
    {"received", "{bytes} in {elapsed_ms}"},
    {"received", "nothing"},
    {"throughput", "{bytes_per_s}, {frames_per_s}"},
    {"throughput", "{bytes_per_s}"},
    {"latency", "median {latency_us_p50}, 99% {latency_us_p99}, 99.9% {latency_us_p999}, maximum "
                "{latency_us_max}"},
    {"latency", "none: {latency_reason}"},
    {"clocks",
     "corrected by up to [clock_offset_us_max], which may be off by {clock_error_us_max}"},
    {"missed", "[frames_missed]"},
    {"memory", "peak {peak_rss_kb} ({base_rss_kb} before connecting), buffers {buffer_peak_bytes}"},
    {"memory", "peak {peak_rss_kb} ({base_rss_kb} before connecting)"},
    {"threads", "{worker_threads} workers, {buffer_threads} buffering, {total_threads} in all"},
    {"look", "{look}, [looks] times"},
    {"work", "{work}, {work_s} of CPU time"},
    {"cpu", "{cpu_user_s} user + {cpu_system_s} system; stopped [throttled_periods] times, "
            "{throttled_ms} in all, by the quota of {cpu_quota}"},
    {"cpu", "{cpu_user_s} user + {cpu_system_s} system"},
    {"efficiency", "{gb_per_cpu_s} of CPU time, {copies_per_byte} copies a byte, "
                   "{receive_calls} receives"},
    {"paused", "for [paused_ms], in which no time limit ran"},
    {"interrupted", "by {interrupted_by}"},
    {"bottleneck", "{bottleneck}"},
    {"audit", "{audit}"},
    {"status", "failed: {reason}"},
    {"status", "ok"},
};

static bool show_key(const void *shown, const char *key, char text[ROW_LINE_BYTES])
{
    const struct row *row = shown;
#define ROW_OPTION(kind, name, unit, null, meaning)                                                \
    if (strcmp(key, #name) == 0)                                                                   \
        return row_show_##kind(row->name, unit, text);
#define ROW_RESULT ROW_OPTION
#include "base/row_keys.h"
    assert(!"a key of the row");
    return false;
}

void row_summarize(const void *of, FILE *out)
{
    const struct row *row = of;
    row_lines_write(lines, sizeof lines / sizeof lines[0],
                    row->options->request.given ? "asked" : "request", show_key, row, out);
}
