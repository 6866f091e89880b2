/* A row for people: a few aligned lines. */
#include "client/collector/summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "client/collector/measure.h"

static void line(FILE *out, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void line(FILE *out, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(out, "%-12s", name);
    vfprintf(out, format, arguments);
    fputc('\n', out);
    va_end(arguments);
}

/* "12.3 MB", three digits that mean something. */
static const char *bytes_text(double bytes, char text[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    unsigned unit = 0;
    while (bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        unit++;
    }
    snprintf(text, 32, "%.*f %s", unit == 0 || bytes >= 99.95 ? 0 : 1, bytes, units[unit]);
    return text;
}

static const char *micros_text(double micros, char text[32])
{
    if (micros >= 1e6)
        snprintf(text, 32, "%.2f s", micros / 1e6);
    else if (micros >= 1e3)
        snprintf(text, 32, "%.2f ms", micros / 1e3);
    else
        snprintf(text, 32, "%.0f us", micros);
    return text;
}

static void write_run(const struct row *row, FILE *out)
{
    const struct collector_options *options = row->options;
    line(out, "run",
         "%s scheme, %s binding, engine %s (gate %s), %" PRIu64 " workers, %" PRIu64 " at once",
         row->scheme, row->bind, row->engine, row->gate, row->workers, row->concurrency);
    char least[32], most[32];
    if (options->request.given)
        line(out, "asked", "a request of your own, frames of at most %s",
             bytes_text((double)options->frame_bytes_max, most));
    else
        line(out, "asked", "%" PRIu64 " frames of %s to %s from each server, %s source",
             row->frames_per_server, bytes_text((double)row->size_min, least),
             bytes_text((double)row->size_max, most), row->source);
}

static void write_connects(const struct row *row, FILE *out)
{
    char median[32], last[32];
    if (row->connected == 0)
        line(out, "connect", "0 of %" PRIu64 " servers in %.1f ms (%s)", row->servers,
             row->connect_ms, row->connect);
    else
        line(out, "connect",
             "%" PRIu64 " of %" PRIu64 " servers in %.1f ms (%s; median %s, last %s)",
             row->connected, row->servers, row->connect_ms, row->connect,
             micros_text(row->connect_us_p50, median), micros_text(row->connect_us_max, last));
}

static void write_logins(const struct row *row, FILE *out)
{
    if (row->logged_in == ROW_UNKNOWN)
        return;
    fprintf(out, "%-12s%" PRIu64 " of %" PRIu64 " servers accepted it", "login", row->logged_in,
            row->connected);
    for (unsigned i = 0; i < row->login_errors->used; i++)
        fprintf(out, "%s%" PRIu64 " %s", i == 0 ? "; " : ", ", row->login_errors->items[i].count,
                row->login_errors->items[i].name);
    fputc('\n', out);
}

static void write_outages(const struct row *row, FILE *out)
{
    char longest[32], discarded[32];
    if (row->reconnect_attempts == ROW_UNKNOWN || row->reconnect_attempts == 0)
        return;
    line(out, "outages", "%" PRIu64 " tries, %" PRIu64 " of them reconnected; the longest %s",
         row->reconnect_attempts, row->reconnects,
         micros_text(isnan(row->outage_ms_max) ? 0 : row->outage_ms_max * 1e3, longest));
    line(out, "discarded", "%s of frames that were cut and came again",
         bytes_text((double)row->discarded_bytes, discarded));
}

static void write_missed(const struct row *row, FILE *out)
{
    if (row->frames_missed != ROW_UNKNOWN && row->frames_missed > 0)
        line(out, "missed", "%" PRIu64 " of %" PRIu64 " frames", row->frames_missed,
             measure_asked(row));
}

static void write_traffic(const struct row *row, FILE *out)
{
    char bytes[32], rate[32];
    if (isnan(row->elapsed_ms)) {
        line(out, "received", "nothing");
        return;
    }
    bytes_text((double)row->bytes, bytes);
    bytes_text(row->bytes_per_s, rate);
    if (row->frames == ROW_UNKNOWN) {
        line(out, "received", "%s in %.1f ms", bytes, row->elapsed_ms);
        line(out, "throughput", "%s/s", rate);
    } else {
        line(out, "received", "%s, %" PRIu64 " frames in %.1f ms", bytes, row->frames,
             row->elapsed_ms);
        line(out, "throughput", "%s/s, %.0f frames/s", rate, row->frames_per_s);
    }
    char median[32], p99[32], p999[32], most[32];
    if (!isnan(row->latency_us_p50))
        line(out, "latency", "median %s, 99%% %s, 99.9%% %s, maximum %s",
             micros_text(row->latency_us_p50, median), micros_text(row->latency_us_p99, p99),
             micros_text(row->latency_us_p999, p999), micros_text(row->latency_us_max, most));
}

static const char *count_text(uint64_t count, unsigned bytes_each, char text[32])
{
    return count == ROW_UNKNOWN ? "unknown" : bytes_text((double)count * bytes_each, text);
}

static void write_costs(const struct row *row, FILE *out)
{
    char peak[32], base[32], buffers[32];
    line(out, "memory", "peak %s (%s before connecting), buffers %s",
         count_text(row->peak_rss_kb, 1024, peak), count_text(row->base_rss_kb, 1024, base),
         count_text(row->buffer_peak_bytes, 1, buffers));
    line(out, "threads", "%" PRIu64 " workers, %" PRIu64 " buffering, %" PRIu64 " in all",
         row->worker_threads, row->buffer_threads, row->total_threads);
    line(out, "cpu", "%.3f s user + %.3f s system", row->cpu_user_s, row->cpu_system_s);
    if (!isnan(row->gb_per_cpu_s))
        line(out, "efficiency", "%.2f GB per CPU second, %.2f copies a byte, %.1f kB a receive",
             row->gb_per_cpu_s, row->copies_per_byte,
             (double)row->bytes / (double)row->receive_calls / 1e3);
    if (row->bottleneck[0] != '\0')
        line(out, "bottleneck", "%s", row->bottleneck);
}

void summary_write(const struct row *row, FILE *out)
{
    if (row->status != ROW_SKIPPED) {
        write_run(row, out);
        write_connects(row, out);
        write_logins(row, out);
        write_outages(row, out);
        write_traffic(row, out);
        write_missed(row, out);
        write_costs(row, out);
        line(out, "audit", "%s", row->audit);
    }
    if (row->status == ROW_OK)
        line(out, "status", "ok");
    else
        line(out, "status", "%s: %s", row->status == ROW_FAILED ? "failed" : "skipped",
             row->reason);
}
