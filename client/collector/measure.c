/* Computes figures of the row and the verdicts on it. */
#include "client/collector/measure.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/quantile.h"
#include <cport.h>

/* ---- connects -------------------------------------------------------------------------------- */

static int compare_numbers(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

const char *attempt_error_name(int result)
{
    if (result == ATTEMPT_UNRESOLVED)
        return "unresolved";
    return result == CP_ECANCELED ? MEASURE_INTERRUPTED : cp_error_name(result);
}

void measure_connected(struct row *row, const struct attempt *attempts, uint32_t count)
{
    row->connect_errors[0] = (struct row_tally){.used = 0};
    row->connected = 0;
    for (uint32_t i = 0; i < count; i++)
        if (attempts[i].result == 0)
            row->connected++;
        else
            row_tally_add(row->connect_errors, attempt_error_name(attempts[i].result));
    row->connect_failed = count - row->connected;
}

int measure_connects(struct row *row, const struct attempt *attempts,
                     const struct attempt_times *times, uint32_t count, uint64_t cpu_ns)
{
    const struct {
        double *field, share;
    } quantiles[] = {
        {&row->connect_us_min, 0},    {&row->connect_us_p50, 0.5}, {&row->connect_us_p90, 0.9},
        {&row->connect_us_p99, 0.99}, {&row->connect_us_max, 1},
    };
    uint64_t first_ns = UINT64_MAX, posted_ns = 0, last_ns = 0;
    uint32_t connected = 0;
    double *each_us = malloc(count * sizeof *each_us);
    if (each_us == NULL) {
        row_skip(row, "no memory for the connects' times");
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t started_ns = times[i].started_ns, done_ns = times[i].done_ns;
        assert(done_ns >= started_ns);
        if (started_ns < first_ns)
            first_ns = started_ns;
        if (started_ns > posted_ns)
            posted_ns = started_ns;
        if (done_ns > last_ns)
            last_ns = done_ns;
        if (attempts[i].result == 0)
            each_us[connected++] = (double)(done_ns - started_ns) / 1e3;
    }
    measure_connected(row, attempts, count);
    row->connect_ms = (double)(last_ns - first_ns) / OS_NS_PER_MS;
    row->connect_posted_ms = (double)(posted_ns - first_ns) / OS_NS_PER_MS;
    row->connect_cpu_s = (double)cpu_ns / OS_NS_PER_S;
    qsort(each_us, connected, sizeof *each_us, compare_numbers);
    for (unsigned i = 0; connected > 0 && i < sizeof quantiles / sizeof quantiles[0]; i++)
        *quantiles[i].field = each_us[quantile_rank(quantiles[i].share, connected) - 1];
    free(each_us);
    return 0;
}

/* ---- the run --------------------------------------------------------------------------------- */

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : NAN;
}

enum { KB = 1024 };

/* 0 could not be read and is unknown. */
static uint64_t kb(uint64_t bytes)
{
    return bytes > 0 ? bytes / KB : ROW_UNKNOWN;
}

void resources_begin(struct resources *resources)
{
    cpu_quota_read("", &resources->quota);
    resources->now_ns = os_now_ns();
    os_usage_read(&resources->usage);
}

void resources_end(struct resources *resources)
{
    os_usage_read(&resources->usage);
    resources->now_ns = os_now_ns();
    cpu_quota_read("", &resources->quota);
}

void measure_throttled(struct row *row, const struct cpu_quota *before,
                       const struct cpu_quota *after)
{
    if (isfinite(after->cpus))
        row->cpu_quota = after->cpus;
    if (before->throttled_periods == UINT64_MAX || after->throttled_periods == UINT64_MAX)
        return;
    row->throttled_periods = after->throttled_periods - before->throttled_periods;
    row->throttled_ms = (double)(after->throttled_ns - before->throttled_ns) / OS_NS_PER_MS;
    if (row->paused_ms > 0 && row->paused_ms <= row->throttled_ms)
        row->paused_ms = NAN;
}

void measure_cpu_share(struct row *row, uint64_t before_ns, uint64_t after_ns)
{
    if (!isnan(row->elapsed_ms) && row->cpu_s > 0)
        row->cpu_share_used = ratio(row->cpu_s, (double)(after_ns - before_ns) / OS_NS_PER_S);
}

void measure_span(struct row *row, uint64_t first_ns, uint64_t last_ns,
                  const struct os_usage *before, const struct os_usage *after)
{
    row->peak_rss_kb = kb(after->rss_peak_bytes);
    row->cpu_user_s = (double)(after->user_ns - before->user_ns) / OS_NS_PER_S;
    row->cpu_system_s = (double)(after->system_ns - before->system_ns) / OS_NS_PER_S;
    row->cpu_s = row->cpu_user_s + row->cpu_system_s;
    row->switches_voluntary = after->switches_voluntary - before->switches_voluntary;
    row->switches_involuntary = after->switches_involuntary - before->switches_involuntary;
    if (last_ns < first_ns)
        return;
    double elapsed_s = (double)(last_ns - first_ns) / OS_NS_PER_S;
    row->elapsed_ms = elapsed_s * 1e3;
    row->bytes_per_s = ratio((double)row->bytes, elapsed_s);
    if (row->frames != ROW_UNKNOWN)
        row->frames_per_s = ratio((double)row->frames, elapsed_s);
    row->gb_per_cpu_s = ratio((double)row->bytes / 1e9, row->cpu_s);
}

uint64_t measure_rss_kb(void)
{
    struct os_usage usage;
    os_usage_read(&usage);
    return kb(usage.rss_bytes);
}

void measure_first(_Atomic uint64_t *first_ns, uint64_t now_ns)
{
    uint64_t first = atomic_load_explicit(first_ns, memory_order_relaxed);
    while (now_ns < first &&
           !atomic_compare_exchange_weak_explicit(first_ns, &first, now_ns, memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
}

uint64_t measure_stall_ns(const struct collector_options *options, uint32_t servers)
{
    const double limit_ns = (double)options->stall_timeout_ms * OS_NS_PER_MS;
    const double slow_ns = options->rate > 0 ? 3.0 * servers / options->rate * OS_NS_PER_S : 0;
    return (uint64_t)fmin(fmax(slow_ns, limit_ns), (double)INT64_MAX);
}

uint64_t measure_stop_ns(const struct collector_options *options, uint64_t now_ns)
{
    return options->for_ms > 0 ? now_ns + options->for_ms * OS_NS_PER_MS : UINT64_MAX;
}

uint64_t measure_expected_bytes(const struct request_set *requests, const struct attempt *attempts,
                                uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t bytes = request_of(requests, i)->goal.bytes;
        if (attempts[i].result != 0)
            continue;
        if (bytes == UINT64_MAX)
            return UINT64_MAX;
        sum += bytes;
    }
    return sum;
}

void measure_figures(struct row *row, const struct scheme_figures *figures)
{
    row->frames = figures->bytes > 0 && figures->frames == 0 ? ROW_UNKNOWN : figures->frames;
    if (row->frames == ROW_UNKNOWN && row->surplus_bytes == 0)
        row->surplus_bytes = ROW_UNKNOWN;
    row->buffer_peak_bytes = figures->buffer_peak_bytes;
    row->buffer_cap_waits = figures->buffer_cap_waits;
    row->buffer_turn_waits = figures->buffer_turn_waits;
    row->hand_overs = figures->hand_overs > 0 ? figures->hand_overs : ROW_UNKNOWN;
    row->looks = figures->looks > 0 ? figures->looks : ROW_UNKNOWN;
    if (strcmp(row->work, WORK_NONE_TEXT) != 0)
        row->work_s = figures->work_ns / OS_NS_PER_S;
    if (figures->work_given_up)
        row->interrupted_by = os_interrupted_by();
    row->pool_blocks = figures->pool_blocks;
    row->blocks_lost = figures->blocks_lost;
    row->copies_per_byte = ratio((double)figures->copied_bytes, (double)row->bytes);
    row->scanned_per_byte = ratio((double)figures->scanned_bytes, (double)row->bytes);
    if (row->frames != ROW_UNKNOWN)
        row->receives_per_frame = ratio((double)row->receive_calls, (double)row->frames);
}

void measure_committed(struct row *row, const struct os_usage *after)
{
    const uint64_t bytes = row->buffer_peak_bytes;
    row->committed_kb = kb(after->committed_peak_bytes);
    if (row->committed_kb == ROW_UNKNOWN && row->base_rss_kb != ROW_UNKNOWN && bytes != ROW_UNKNOWN)
        row->committed_kb = row->base_rss_kb + bytes / KB;
}

void measure_latencies(struct row *row, const struct latency *latency, const struct clocks *clocks)
{
    const struct {
        double *field, share;
    } quantiles[] = {
        {&row->latency_us_min, 0},    {&row->latency_us_p50, 0.5},    {&row->latency_us_p90, 0.9},
        {&row->latency_us_p99, 0.99}, {&row->latency_us_p999, 0.999}, {&row->latency_us_max, 1},
    };
    row->negative_latencies = latency->negative;
    clocks_measure(row, clocks, latency->negative_ns_max);
    if (latency->count == 0 || row->latency_reason[0] != '\0')
        return;
    for (unsigned i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        *quantiles[i].field = (double)latency_quantile_ns(latency, quantiles[i].share) / 1e3;
    clocks_limit(row, clocks);
}

static uint64_t threads_of(const char *role)
{
    const int count = os_thread_count(role);
    return count >= 0 ? (uint64_t)count : ROW_UNKNOWN;
}

void measure_threads(struct row *row)
{
    row->worker_threads = threads_of(OS_ROLE_WORKER);
    row->buffer_threads = threads_of(OS_ROLE_BUFFER);
    row->total_threads = threads_of(NULL);
}

void measure_missed(struct row *row)
{
    const struct collector_options *options = row->options;
    const uint64_t each = options->frames_per_server;
    uint64_t asked = each * (row->servers - row->idle_servers);
    if (options->flood_frames > 0)
        asked += options->flood_frames - each;
    if (each > 0 && row->ended_by_time == 0 && row->frames != ROW_UNKNOWN && row->frames <= asked)
        row->frames_missed = asked - row->frames;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static uint64_t frame_errors(const struct row_tally *errors)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < errors->used; i++)
        for (int error = FRAME_OK + 1; error < FRAME_ERROR_COUNT; error++)
            if (strcmp(errors->items[i].name, frame_error_name(error)) == 0)
                total += errors->items[i].count;
    return total;
}

static bool audit_differs(struct row *row, const char *format, uint64_t left, uint64_t right)
{
    if (left == right)
        return false;
    snprintf(row->audit, sizeof row->audit, format, (unsigned long long)left,
             (unsigned long long)right);
    return true;
}

/* Compares the received bytes with those asked for and those processed. */
static bool audit_client(struct row *row, const struct audit *audit)
{
    bool sizes_known = audit->expected_bytes != UINT64_MAX;
    uint64_t kept_bytes = row->bytes - row->discarded_bytes;
    return !(
        audit_differs(row, "fail: %llu blocks lost", row->blocks_lost, 0) ||
        audit_differs(row, "fail: %llu operations lost", audit->operations_lost, 0) ||
        audit_differs(row, "fail: %llu connections with bad frames", frame_errors(row->errors),
                      0) ||
        (sizes_known && audit_differs(row, "fail: received %llu bytes, asked for %llu", kept_bytes,
                                      audit->expected_bytes - audit->left_bytes)) ||
        audit_differs(row, "fail: processed frames of %llu bytes, received %llu",
                      audit->processed_bytes, kept_bytes));
}

/* Compares the received bytes with those that the servers sent. A lost connection loses bytes on
 * their way, and so does the end by --for: servers that were asked again, or stopped, may have sent
 * more. Restarted servers do not know. */
static bool audit_servers(struct row *row, const struct audit *audit)
{
    if (row->server_bytes == ROW_UNKNOWN && row->options->reconnect)
        return true;
    if (row->server_bytes == ROW_UNKNOWN) {
        snprintf(row->audit, sizeof row->audit, "fail: the servers do not say what they sent%s%s",
                 audit->unanswered != NULL ? ": " : "",
                 audit->unanswered != NULL ? audit->unanswered : "");
        return false;
    }
    if ((audit->reasked || row->ended_by_time > 0) && row->server_bytes > row->bytes)
        return true;
    return !audit_differs(row, "fail: servers sent %llu bytes, received %llu", row->server_bytes,
                          row->bytes);
}

void measure_audit(struct row *row, const struct audit *audit)
{
    if (row->connected == 0) {
        snprintf(row->audit, sizeof row->audit, "none: no server connected");
        return;
    }
    if (!audit_client(row, audit))
        return;
    if (row->options->request.given)
        snprintf(row->audit, sizeof row->audit, "none: servers that are not ours do not tell%s",
                 audit->reasked ? ", and were asked anew after outages: frames may be missing or "
                                  "be there twice"
                                : "");
    else if (audit_servers(row, audit))
        snprintf(row->audit, sizeof row->audit, "pass");
}

/* The share of the link's rate that was used. At MTU 1500 a full Ethernet frame carries 1448 bytes
 * of TCP payload and takes 1538 bytes on the wire. */
static double link_share(const struct row *row)
{
    enum { BITS_PER_BYTE = 8 };
    const double overhead = 1538.0 / 1448.0;
    double rate = row->options->link_rate_bits_per_s;
    double bytes_per_s = (double)row->bytes / (row->elapsed_ms / 1e3);
    return rate > 0 ? bytes_per_s * BITS_PER_BYTE * overhead / rate : 0;
}

static const double busy = 0.85;

/* What else runs in its groups may use the quota up, too: then the client is stopped, although its
 * own share is small. */
static bool quota_is_used_up(const struct row *row, const struct cpu_quota *quota, double elapsed_s)
{
    const bool used_up = row->cpu_s / elapsed_s > busy * quota->cpus;
    if (!isfinite(quota->cpus) || row->throttled_periods == ROW_UNKNOWN)
        return isfinite(quota->cpus) && used_up;
    const double periods = elapsed_s * OS_NS_PER_S / (double)quota->period_ns;
    return (used_up && row->throttled_periods > 0) || (double)row->throttled_periods > periods / 2;
}

void measure_bottleneck(struct row *row, unsigned cpus, const struct cpu_quota *quota,
                        double busiest_cpu_s)
{
    const double reached = 0.95, full = 0.9;
    const struct collector_options *options = row->options;
    double elapsed_s = row->elapsed_ms / 1e3;
    if (!(elapsed_s > 0))
        return;
    double places = (double)(row->concurrency < cpus ? row->concurrency : cpus);
    double client = row->cpu_s / elapsed_s / places;
    double servers = isnan(busiest_cpu_s) ? 0 : busiest_cpu_s / elapsed_s;
    if (link_share(row) >= full)
        row->bottleneck = "link";
    else if (quota_is_used_up(row, quota, elapsed_s))
        row->bottleneck = "cpu-quota";
    else if (client > busy && client >= servers)
        row->bottleneck = "client";
    else if (servers > busy)
        row->bottleneck = "servers";
    else if (options->rate > 0 && row->frames_per_s >= reached * options->rate)
        row->bottleneck = "offered-load";
    else
        row->bottleneck = "unclear";
}

/* "25 of 100 connections failed: 25 closed-early, all at 10.1.0.3". */
static void reason_add_at(struct row *row, const char *text, const struct row_tally *tally,
                          const char *where)
{
    char counts[ROW_LINE_BYTES] = "";
    const size_t used = strlen(row->reason);
    if (tally != NULL)
        row_tally_text(tally, ": ", counts);
    snprintf(row->reason + used, sizeof row->reason - used, "%s%s%s%s", used > 0 ? "; " : "", text,
             counts, where);
    row->status = ROW_FAILED;
}

static void reason_add(struct row *row, const char *text)
{
    reason_add_at(row, text, NULL, "");
}

static const struct {
    int code, error;
} limited[] = {
    {CP_EMFILE, -EMFILE},
    {CP_ENFILE, -ENFILE},
    {CP_ENOSPC, -ENOSPC},
    {CP_ENOMEM, -ENOMEM},
    {CP_EADDRNOTAVAIL, -EADDRNOTAVAIL},
};

enum { LIMITED = sizeof limited / sizeof limited[0] };

int measure_limit_error(int code)
{
    for (unsigned i = 0; i < LIMITED; i++)
        if (limited[i].code == code)
            return limited[i].error;
    return 0;
}

static bool has_error(const struct row_tally *tally, int code)
{
    for (unsigned i = 0; i < tally->used; i++)
        if (strcmp(tally->items[i].name, cp_error_name(code)) == 0)
            return true;
    return false;
}

static void add_limits(struct row *row)
{
    char text[ROW_LINE_BYTES];
    for (unsigned i = 0; i < LIMITED; i++)
        if ((has_error(row->connect_errors, limited[i].code) ||
             has_error(row->errors, limited[i].code)) &&
            os_limit_met(limited[i].error, text, sizeof text))
            reason_add(row, text);
}

void measure_status(struct row *row, const char *where_missing, const char *where_failed)
{
    char text[2 * ROW_LINE_BYTES];
    assert(row->status != ROW_SKIPPED);
    if (row->interrupted_by != NULL) {
        snprintf(text, sizeof text, "interrupted by %s", row->interrupted_by);
        reason_add(row, text);
    }
    if (row->connect_failed > 0) {
        snprintf(text, sizeof text, "%llu of %llu servers not connected",
                 (unsigned long long)row->connect_failed, (unsigned long long)row->servers);
        reason_add_at(row, text, row->connect_errors, where_missing);
    }
    if (row->connections_failed > 0) {
        snprintf(text, sizeof text, "%llu of %llu connections failed",
                 (unsigned long long)row->connections_failed, (unsigned long long)row->connected);
        reason_add_at(row, text, row->errors, where_failed);
    }
    if (row->refusal[0] != '\0')
        reason_add(row, row->refusal);
    add_limits(row);
    if (strncmp(row->audit, "fail", 4) == 0) {
        snprintf(text, sizeof text, "audit: %s", row->audit);
        reason_add(row, text);
    }
}
