/* What a run of screens comes to. */
#include <math.h>
#include <stdlib.h>

#include "client/monitor/monitor.h"

struct counts monitor_counts(struct monitor *monitor)
{
    pthread_mutex_lock(&monitor->lock);
    struct counts sum = monitor->ended;
    for (struct list_node *node = monitor->screens.after; node != &monitor->screens;
         node = node->after) {
        struct screen *screen = LIST_MEMBER(node, struct screen, node);
        sum.updates += atomic_load_explicit(&screen->shown_updates, memory_order_relaxed);
        sum.rectangles += atomic_load_explicit(&screen->shown_rectangles, memory_order_relaxed);
        sum.pixels += atomic_load_explicit(&screen->shown_pixels, memory_order_relaxed);
        sum.bytes += atomic_load_explicit(&screen->shown_bytes, memory_order_relaxed);
    }
    pthread_mutex_unlock(&monitor->lock);
    return sum;
}

static uint64_t count_threads(const char *role)
{
    const int count = os_thread_count(role);
    return count > 0 ? (uint64_t)count : ROW_UNKNOWN;
}

void watch_look(struct monitor *monitor, struct watch *watch)
{
    watch->now_ns = os_now_ns();
    watch->counts = monitor_counts(monitor);
    os_usage_read(&watch->usage);
    monitor->row->worker_threads = count_threads(OS_ROLE_WORKER);
    monitor->row->total_threads = count_threads(NULL);
}

void watch_measure(struct monitor *monitor, const struct watch *before, const struct watch *after)
{
    struct monitor_row *row = monitor->row;
    const struct counts *first = &before->counts, *last = &after->counts;
    const double elapsed_s = (double)(after->now_ns - before->now_ns) / OS_NS_PER_S;
    const uint64_t pixels = last->pixels - first->pixels;
    row->elapsed_ms = elapsed_s * 1000;
    row->updates = last->updates - first->updates;
    row->rectangles = last->rectangles - first->rectangles;
    row->bytes = last->bytes - first->bytes;
    if (elapsed_s > 0) {
        row->updates_per_s = (double)row->updates / elapsed_s;
        row->mbit_per_s = (double)row->bytes * 8 / 1e6 / elapsed_s;
    }
    if (pixels > 0)
        row->bits_per_pixel = (double)row->bytes * 8 / (double)pixels;
    monitor_row_usage(row, &before->usage, &after->usage);
}

static void measure_delays(struct monitor *monitor)
{
    const unsigned count = (unsigned)monitor->options->screens;
    struct delays *all = calloc(count, sizeof *all);
    if (all == NULL)
        return;
    for (unsigned i = 0; i < count; i++)
        all[i] = monitor->places[i].delays;
    monitor_row_decoded(monitor->row, delays_figures(all, count));
    free(all);
}

void measure_end(struct monitor *monitor)
{
    struct monitor_row *row = monitor->row;
    struct os_usage usage;
    os_usage_read(&usage);
    row->screens_connected = monitor->connected;
    row->screens_returned = monitor->returned;
    row->events_sent = monitor->events_sent;
    if (monitor->connected > 0)
        row->accept_ms = (double)(monitor->last_ready_ns - monitor->first_ns) / OS_NS_PER_MS;
    if (monitor->all_pictured)
        row->pictures_ms = (double)(monitor->last_picture_ns - monitor->first_ns) / OS_NS_PER_MS;
    if (usage.rss_peak_bytes > 0)
        row->peak_rss_kb = usage.rss_peak_bytes / 1024;
    row->paused_ms = (double)(os_paused_ns()) / OS_NS_PER_MS;
    if (!isnan(row->elapsed_ms))
        measure_delays(monitor);
}
