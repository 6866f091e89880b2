/* A client's row: its first values, its JSON, and its summary for people. Keys are those of
 * base/row_keys.h. */
#include "client/collector/row.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/os.h"

#ifndef FANIN_COMMIT
#define FANIN_COMMIT "unknown"
#endif

/* An option's value in the row: a choice is its name there. */
#define USED_text(options, key)   (options)->key
#define USED_count(options, key)  (options)->key
#define USED_number(options, key) (options)->key
#define USED_flag(options, key)   (options)->key
#define USED_choice(options, key) option_##key##_names[(options)->key]

struct facts {
    char host[128], os[128], kernel[128];
};

static void note_fact(void *context, const char *name, const char *value)
{
    struct facts *facts = context;
    if (strcmp(name, "host") == 0)
        snprintf(facts->host, sizeof facts->host, "%s", value);
    else if (strcmp(name, "os") == 0)
        snprintf(facts->os, sizeof facts->os, "%s", value);
    else if (strcmp(name, "kernel") == 0)
        snprintf(facts->kernel, sizeof facts->kernel, "%s", value);
}

void row_init(struct row *row, const struct collector_options *options)
{
    *row = (struct row){
        .options = options,
#define ROW_OPTION(kind, key, unit, null, meaning) .key = USED_##kind(options, key),
#define ROW_RESULT(kind, key, unit, null, meaning) .key = ROW_NULL_##kind,
#include "base/row_keys.h"
    };
    struct facts facts = {.host = "", .os = "", .kernel = ""};
    os_machine_describe(note_fact, &facts);
    snprintf(row->host, sizeof row->host, "%s", facts.host);
    snprintf(row->os, sizeof row->os, "%s %s", facts.os, facts.kernel);
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

void row_tally_text(const struct row_tally *tally, const char *before, char text[ROW_LINE_BYTES])
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < tally->used && used < ROW_LINE_BYTES; i++)
        used +=
            (size_t)snprintf(text + used, ROW_LINE_BYTES - used, "%s%" PRIu64 " %s",
                             i == 0 ? before : ", ", tally->items[i].count, tally->items[i].name);
}

int row_write(const struct row *row, FILE *out)
{
    struct json json;
    json_open(&json, out);
#define ROW_OPTION(kind, key, unit, null, meaning) row_put_##kind(&json, #key, row->key);
#define ROW_RESULT(kind, key, unit, null, meaning) row_put_##kind(&json, #key, row->key);
#include "base/row_keys.h"
    return json_close(&json);
}

/* ---- the summary ----------------------------------------------------------------------------- */

/* A line's text names keys of the row in braces. It is printed if none of them is null, and the
 * key in [] is not 0; of several lines in a row with the same name only the first such one. */
static const struct line {
    const char *name, *text;
} lines[] = {
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

/* Units whose values are shown in steps of 1000, beginning with `factor` times the value. */
static const struct scale {
    const char *unit;
    double factor;
    const char *shown[7];
} scales[] = {
    {"bytes", 1, {"B", "kB", "MB", "GB", "TB", "PB"}},
    {"kB", 1024, {"B", "kB", "MB", "GB", "TB", "PB"}},
    {"bytes/s", 1, {"B/s", "kB/s", "MB/s", "GB/s", "TB/s", "PB/s"}},
    {"us", 1, {"us", "ms", "s"}},
    {"ms", 1e3, {"us", "ms", "s"}},
    {"s", 1e6, {"us", "ms", "s"}},
};

/* Three digits that mean something. False: the value is null. */
static bool show_number(double value, const char *unit, char text[ROW_LINE_BYTES])
{
    bool whole = value == floor(value);
    for (unsigned i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        const struct scale *scale = &scales[i];
        if (strcmp(scale->unit, unit) != 0)
            continue;
        unsigned step = 0;
        for (value *= scale->factor; value >= 999.5 && scale->shown[step + 1] != NULL; step++)
            value /= 1000;
        unit = scale->shown[step];
        whole = step == 0;
        break;
    }
    snprintf(text, ROW_LINE_BYTES, "%.*f%s%s", whole || value >= 100 ? 0 : 2, value,
             unit[0] != '\0' ? " " : "", unit);
    return !isnan(value);
}

static bool show_count(uint64_t value, const char *unit, char text[ROW_LINE_BYTES])
{
    return show_number(value == ROW_UNKNOWN ? NAN : (double)value, unit, text);
}

static bool show_text(const char *value, const char *unit, char text[ROW_LINE_BYTES])
{
    snprintf(text, ROW_LINE_BYTES, "%s", value != NULL ? value : "");
    return text[0] != '\0';
}

#define show_line                      show_text
#define show_choice                    show_text
#define show_from1                     show_count
#define show_positive                  show_number
#define show_time                      show_number
#define show_tally(value, unit, text)  (row_tally_text(value, "; ", text), true)
#define show_flag(value, unit, text)   false
#define show_integer                   show_flag
#define show_bytes(value, unit, text)  false
#define show_status(value, unit, text) false

static bool show_key(const struct row *row, const char *key, char text[ROW_LINE_BYTES])
{
#define ROW_OPTION(kind, name, unit, null, meaning)                                                \
    if (strcmp(key, #name) == 0)                                                                   \
        return show_##kind(row->name, unit, text);
#define ROW_RESULT ROW_OPTION
#include "base/row_keys.h"
    assert(!"a key of the row");
    return false;
}

/* False: it does not apply to this row. */
static bool line_write(const struct row *row, const struct line *line, FILE *out)
{
    char text[4 * ROW_LINE_BYTES], key[64], value[ROW_LINE_BYTES];
    int used = snprintf(text, sizeof text, "%-12s", line->name);
    for (const char *at = line->text; *at != '\0';) {
        size_t bytes = strcspn(at, "{[}]");
        const bool is_key = at > line->text && (at[-1] == '{' || at[-1] == '[');
        snprintf(is_key ? key : value, is_key ? sizeof key : sizeof value, "%.*s", (int)bytes, at);
        if (is_key && (!show_key(row, key, value) || (at[-1] == '[' && value[0] == '0')))
            return false;
        used += snprintf(text + used, sizeof text - (size_t)used, "%s", value);
        at += bytes + (at[bytes] != '\0');
    }
    fprintf(out, "%s\n", text);
    return true;
}

void row_summarize(const struct row *row, FILE *out)
{
    const char *written = "", *left_out = row->options->request.given ? "asked" : "request";
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (strcmp(lines[i].name, written) != 0 && strcmp(lines[i].name, left_out) != 0 &&
            line_write(row, &lines[i], out))
            written = lines[i].name;
}
