/* A row of screens: its first values, its JSON, its summary for people, and the delays of stamps.
 * Keys are those of row_keys.h. */
#include "client/monitor/row.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantile.h"

#ifndef FANIN_COMMIT
#define FANIN_COMMIT "unknown"
#endif

/* An option's value in the row: a choice is its name there. */
#define USED_text(options, key)   (options)->key
#define USED_count(options, key)  (options)->key
#define USED_from1(options, key)  (options)->key
#define USED_number(options, key) (options)->key
#define USED_flag(options, key)   (options)->key
#define USED_choice(options, key) option_##key##_names[(options)->key]

void monitor_row_init(struct monitor_row *row, const struct monitor_options *options)
{
    *row = (struct monitor_row){
        .options = options,
#define ROW_OPTION(kind, key, unit, null, meaning) .key = USED_##kind(options, key),
#define ROW_RESULT(kind, key, unit, null, meaning) .key = ROW_NULL_##kind,
#define ROW_EYE(kind, key, unit, null, meaning)    .key = ROW_NULL_##kind,
#include "client/monitor/row_keys.h"
    };
    row_machine(row->host, row->os);
    row->version = FANIN_VERSION " " FANIN_COMMIT;
    if (options->viewer != VIEWER_MONITOR)
        row->engine = "";
    else if (strcmp(options->engine, "auto") == 0)
        row->engine = NULL;
    snprintf(row->audit, sizeof row->audit, "none: nothing ran");
}

void monitor_row_skip(struct monitor_row *row, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(row->reason, sizeof row->reason, format, arguments);
    va_end(arguments);
    row->status = ROW_SKIPPED;
}

void monitor_row_fail(struct monitor_row *row, const char *format, ...)
{
    va_list arguments;
    if (row->status != ROW_OK)
        return;
    va_start(arguments, format);
    vsnprintf(row->reason, sizeof row->reason, format, arguments);
    va_end(arguments);
    row->status = ROW_FAILED;
}

static int row_write(const void *of, FILE *out)
{
    const struct monitor_row *row = of;
    struct json json;
    json_open(&json, out);
#define ROW_OPTION(kind, key, unit, null, meaning) row_put_##kind(&json, #key, row->key);
#define ROW_RESULT                                 ROW_OPTION
#define ROW_EYE                                    ROW_OPTION
#include "client/monitor/row_keys.h"
    return json_close(&json);
}

/* ---- the summary ----------------------------------------------------------------------------- */

static const struct row_line lines[] = {
    {"run", "{viewer}, engine {engine} (gate {gate}), {workers} workers, {concurrency} at once, "
            "view {view}"},
    {"run", "{viewer}, view {view}"},
    {"screens", "{screens_connected} of {screens} in {accept_ms}{screens_lost}, [screens_returned] "
                "came again"},
    {"screens", "{screens_connected} of {screens} in {accept_ms}, their pictures in {pictures_ms}"
                "{screens_lost}"},
    {"screens", "{screens_connected} of {screens} in {accept_ms}{screens_lost}"},
    {"screens", "{screens_connected} of {screens}{screens_lost}"},
    {"watched", "{elapsed_ms}"},
    {"updates", "{updates}, {updates_per_s}, {rectangles} rectangles"},
    {"received", "{bytes}, {mbit_per_s}, {bits_per_pixel} a pixel"},
    {"received", "{bytes}, {mbit_per_s}"},
    {"decoded", "median {decoded_ms_p50}, 95% {decoded_ms_p95}, 99% {decoded_ms_p99}; worst "
                "screen's 95% {decoded_worst_p95_ms}"},
    {"seen", "median {screen_ms_p50}, 95% {screen_ms_p95}, 99% {screen_ms_p99}, maximum "
             "{screen_ms_max}; worst screen's 95% {worst_screen_p95_ms}"},
    {"eye", "floor: median {eye_floor_ms_p50}, 95% {eye_floor_ms_p95}; {eye_screens} windows, "
            "{eye_stamps} changes"},
    {"keys", "[keys_sent] pressed, {keys_seen} seen; median {input_ms_p50}, 95% {input_ms_p95}"},
    {"input", "[events_sent] sent, {events_seen} seen"},
    {"input", "[events_sent] sent"},
    {"cpu", "{cpu_s}, {cpu_us_per_update} an update"},
    {"cpu", "{cpu_s}"},
    {"memory", "peak {peak_rss_kb}"},
    {"threads", "{worker_threads} workers, {total_threads} in all"},
    {"threads", "{total_threads}"},
    {"paused", "for [paused_ms], in which no time limit ran"},
    {"interrupted", "by {interrupted_by}"},
    {"audit", "{audit}"},
    {"status", "failed: {reason}"},
    {"status", "ok"},
};

static bool show_key(const void *shown, const char *key, char text[ROW_LINE_BYTES])
{
    const struct monitor_row *row = shown;
#define ROW_OPTION(kind, name, unit, null, meaning)                                                \
    if (strcmp(key, #name) == 0)                                                                   \
        return row_show_##kind(row->name, unit, text);
#define ROW_RESULT ROW_OPTION
#define ROW_EYE    ROW_OPTION
#include "client/monitor/row_keys.h"
    assert(!"a key of the row");
    return false;
}

static void row_summarize(const void *row, FILE *out)
{
    row_lines_write(lines, sizeof lines / sizeof lines[0], NULL, show_key, row, out);
}

int monitor_row_finish(const struct monitor_row *row)
{
    const struct monitor_options *options = row->options;
    const struct row_end end = {.program = options->program,
                                .json = options->dry_run ? NULL : options->json,
                                .quiet = options->quiet || options->dry_run,
                                .status = row->status,
                                .reason = row->reason,
                                .row = row,
                                .write = row_write,
                                .summarize = row_summarize};
    return row_end(&end);
}

void monitor_row_usage(struct monitor_row *row, const struct os_usage *before,
                       const struct os_usage *after)
{
    const uint64_t cpu_ns = after->user_ns + after->system_ns - before->user_ns - before->system_ns;
    row->cpu_s = (double)cpu_ns / OS_NS_PER_S;
    if (row->updates > 0)
        row->cpu_us_per_update = (double)cpu_ns / 1000 / (double)row->updates;
    row->switches_voluntary = after->switches_voluntary - before->switches_voluntary;
    row->switches_involuntary = after->switches_involuntary - before->switches_involuntary;
}

/* ---- delays of stamps ------------------------------------------------------------------------ */

enum { DELAYS_FIRST = 256, DELAYS_MAX = 1 << 17 };

/* Days of watching must not fill the memory: half of the values then stand for all. */
static void delays_thin(struct delays *delays)
{
    delays->count /= 2;
    for (size_t i = 0; i < delays->count; i++)
        delays->values_us[i] = delays->values_us[2 * i + 1];
    delays->step = 2 * (delays->step > 0 ? delays->step : 1);
}

static bool delays_grow(struct delays *delays)
{
    const size_t room = delays->capacity > 0 ? 2 * delays->capacity : DELAYS_FIRST;
    uint64_t *values = realloc(delays->values_us, room * sizeof *values);
    if (values == NULL)
        return false;
    delays->values_us = values;
    delays->capacity = room;
    return true;
}

bool delays_add(struct delays *delays, uint64_t stamp_us, uint64_t now_us)
{
    const uint64_t delay_us = now_us - stamp_us;
    if (stamp_us == delays->last_stamp)
        return true;
    if (stamp_us > now_us)
        return false;
    if (delays->count == DELAYS_MAX)
        delays_thin(delays);
    if (delays->count == delays->capacity && !delays_grow(delays))
        return false;
    delays->last_stamp = stamp_us;
    delays->total++;
    if (delay_us > delays->max_us)
        delays->max_us = delay_us;
    if (delays->step < 2 || delays->total % delays->step == 0)
        delays->values_us[delays->count++] = delay_us;
    return true;
}

static int compare(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* How many values of all screens are at most `value`, each counted as often as it stands for. */
static uint64_t values_within(const struct delays *screens, unsigned count, uint64_t value)
{
    uint64_t within = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t low = 0, high = screens[i].count;
        while (low < high) {
            const size_t middle = (low + high) / 2;
            if (screens[i].values_us[middle] <= value)
                low = middle + 1;
            else
                high = middle;
        }
        within += low * (screens[i].step > 0 ? screens[i].step : 1);
    }
    return within;
}

/* The smallest value that at least the share of all does not exceed: of sorted lists, without a
 * list of all. */
static double quantile_ms(const struct delays *screens, unsigned count, double share)
{
    uint64_t low = 0, high = 0;
    for (unsigned i = 0; i < count; i++)
        if (screens[i].count > 0 && screens[i].values_us[screens[i].count - 1] > high)
            high = screens[i].values_us[screens[i].count - 1];
    const uint64_t all = values_within(screens, count, high);
    if (all == 0)
        return NAN;
    const uint64_t rank = quantile_rank(share, all);
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (values_within(screens, count, middle) >= rank)
            high = middle;
        else
            low = middle + 1;
    }
    return (double)low / 1000;
}

struct delay_figures delays_figures(struct delays *screens, unsigned count)
{
    struct delay_figures figures = {.max_ms = NAN, .worst_p95_ms = NAN};
    for (unsigned i = 0; i < count; i++) {
        struct delays *delays = &screens[i];
        if (delays->count == 0)
            continue;
        qsort(delays->values_us, delays->count, sizeof *delays->values_us, compare);
        const double p95_ms = quantile_ms(delays, 1, 0.95);
        if (!(p95_ms <= figures.worst_p95_ms))
            figures.worst_p95_ms = p95_ms;
        if (!((double)delays->max_us / 1000 <= figures.max_ms))
            figures.max_ms = (double)delays->max_us / 1000;
        figures.count += delays->total;
    }
    figures.p50_ms = quantile_ms(screens, count, 0.50);
    figures.p95_ms = quantile_ms(screens, count, 0.95);
    figures.p99_ms = quantile_ms(screens, count, 0.99);
    return figures;
}

void monitor_row_decoded(struct monitor_row *row, struct delay_figures figures)
{
    row->stamps = figures.count;
    row->decoded_ms_p50 = figures.p50_ms;
    row->decoded_ms_p95 = figures.p95_ms;
    row->decoded_ms_p99 = figures.p99_ms;
    row->decoded_ms_max = figures.max_ms;
    row->decoded_worst_p95_ms = figures.worst_p95_ms;
}

void delays_free(struct delays *delays)
{
    free(delays->values_us);
    *delays = (struct delays){0};
}
