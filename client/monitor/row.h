/* The row of a run of screens. Keys and units: row_keys.h. */
#ifndef FANIN_MONITOR_ROW_H
#define FANIN_MONITOR_ROW_H

#include <stdio.h>

#include "base/os.h"
#include "client/monitor/options.h"

struct monitor_row {
    const struct monitor_options *options;
#define ROW_OPTION(kind, key, unit, null, meaning) ROW_FIELD_##kind(key)
#define ROW_RESULT(kind, key, unit, null, meaning) ROW_FIELD_##kind(key)
#define ROW_EYE(kind, key, unit, null, meaning)    ROW_FIELD_##kind(key)
#include "client/monitor/row_keys.h"
};

/* monitor_row_init: the options; nothing is measured yet. */
void monitor_row_init(struct monitor_row *row, const struct monitor_options *options);
void monitor_row_skip(struct monitor_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* monitor_row_fail: the first reason stays. */
void monitor_row_fail(struct monitor_row *row, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* monitor_row_usage: CPU time and context switches between two readings; row->updates is set. */
void monitor_row_usage(struct monitor_row *row, const struct os_usage *before,
                       const struct os_usage *after);

/* monitor_row_finish: writes the row to --json, whole or not at all, and the summary to stdout.
 * Returns the exit code that the row asks for. */
int monitor_row_finish(const struct monitor_row *row);

/* ---- delays of stamps, for the viewers that decode themselves ---- */

/* One for each screen; zeroed is empty. Any thread may add to a screen of its own. It stays small
 * however long it is added to: then each `step`-th value is kept. */
struct delays {
    uint64_t *values_us;
    size_t count, capacity;
    uint64_t last_stamp, total, max_us, step;
};

/* delays_add: a stamp that was seen at `now_us`; the one seen before is not counted again. A stamp
 * of the future, or without memory: false. */
bool delays_add(struct delays *delays, uint64_t stamp_us, uint64_t now_us);

/* What the delays of all screens come to; NAN where there are none. Sorts each. */
struct delay_figures {
    uint64_t count;
    double p50_ms, p95_ms, p99_ms, max_ms, worst_p95_ms;
};
struct delay_figures delays_figures(struct delays *screens, unsigned count);
void monitor_row_decoded(struct monitor_row *row, struct delay_figures figures);
void delays_free(struct delays *delays);

#endif
