/* Computes the figures of a row from what a run has noted, for fanin-client and its peers. */
#ifndef FANIN_COLLECTOR_MEASURE_H
#define FANIN_COLLECTOR_MEASURE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/collector/clocks.h"
#include "client/collector/hints.h"
#include "client/collector/request.h"
#include "client/collector/row.h"
#include "base/cgroup.h"
#include "base/os.h"

#define ATTEMPT_UNRESOLVED INT_MIN /* the server's name has no address */

/* One server's connect: to all of its addresses in turn until one answers. */
struct attempt {
    int result; /* 0, a portable negative code: the last address's, or ATTEMPT_UNRESOLVED */
};

/* Of the first connect; kept until they are measured. */
struct attempt_times {
    uint64_t started_ns, done_ns;
};

/* attempt_error_name: as the row counts a negative result, and other portable codes: what we took
 * back ourselves is MEASURE_INTERRUPTED, not the port's `canceled`. */
#define MEASURE_INTERRUPTED "interrupted"
const char *attempt_error_name(int result);

/* measure_connects: counts, times and quantiles of all attempts, which took `cpu_ns` of CPU time.
 * 0, or -1: there is no memory, and the row is skipped. measure_connected: the counts only, when
 * failed ones were tried again. */
int measure_connects(struct row *row, const struct attempt *attempts,
                     const struct attempt_times *times, uint32_t count, uint64_t cpu_ns);
void measure_connected(struct row *row, const struct attempt *attempts, uint32_t count);

/* Of this process now: its resident memory, and the numbers of its threads. */
uint64_t measure_rss_kb(void);
void measure_threads(struct row *row);

/* measure_first: lowers *first_ns, when the first byte came (UINT64_MAX: none), to `now_ns`. */
void measure_first(_Atomic uint64_t *first_ns, uint64_t now_ns);

/* measure_stall_ns: how long one of `servers` servers may be silent: --stall-timeout, or three
 * times the interval between two of its frames at --rate if that is longer. */
uint64_t measure_stall_ns(const struct collector_options *options, uint32_t servers);

/* measure_stop_ns: when --for ends a collection whose servers were asked now, by os_active_ns;
 * UINT64_MAX: never. */
uint64_t measure_stop_ns(const struct collector_options *options, uint64_t now_ns);

/* measure_expected_bytes: what the connected servers owe together; UINT64_MAX: not known. */
uint64_t measure_expected_bytes(const struct request_set *requests, const struct attempt *attempts,
                                uint32_t count);

/* What the process has used so far, and what its control groups allow it. */
struct resources {
    uint64_t now_ns; /* when it was read */
    struct os_usage usage;
    struct cpu_quota quota;
};

/* resources_begin, resources_end: read where what is measured begins and ends; the files of control
 * groups, which take longer, outside of it. measure_throttled: what happened in between; a pause
 * that a quota can account for is not known to be one. row->paused_ms is known. */
void resources_begin(struct resources *resources);
void resources_end(struct resources *resources);
void measure_throttled(struct row *row, const struct cpu_quota *before,
                       const struct cpu_quota *after);

/* measure_span: times and CPU between two usages; last_ns < first_ns: no frame came.
 * row->bytes and row->frames are known. */
void measure_span(struct row *row, uint64_t first_ns, uint64_t last_ns,
                  const struct os_usage *before, const struct os_usage *after);

/* measure_cpu_share: row->cpu_s, which measure_span sets, over the wall time. */
void measure_cpu_share(struct row *row, uint64_t before_ns, uint64_t after_ns);

/* measure_figures: what a scheme reports; row->bytes and row->receive_calls are known. With bytes
 * but no frame the number of frames is unknown: the scheme does not look for them. */
void measure_figures(struct row *row, const struct scheme_figures *figures);

/* measure_committed: the memory that was asked for at most; row->base_rss_kb and
 * row->buffer_peak_bytes are known. */
void measure_committed(struct row *row, const struct os_usage *after);

/* measure_latencies: of frames that carry their send time: their quantiles, or why the clocks do
 * not allow them. */
void measure_latencies(struct row *row, const struct latency *latency, const struct clocks *clocks);

/* measure_missed: frames that were asked for and not processed, of all servers. row->frames is
 * known. */
void measure_missed(struct row *row);

/* What the audit compares. */
struct audit {
    bool reasked; /* servers were asked again after outages: what was on its way is lost */
    uint64_t expected_bytes;  /* of the connected servers; UINT64_MAX: not known */
    uint64_t left_bytes;      /* of them: left with the servers, as --for ended the collection */
    uint64_t processed_bytes; /* sum of the lengths of processed frames */
    uint64_t operations_lost; /* posted, never completed */
    const char *unanswered;   /* why the fleet has not said what it sent; NULL: it has */
};

/* measure_audit: the byte audit; the row's other figures are known. */
void measure_audit(struct row *row, const struct audit *audit);

/* measure_bottleneck: by measured CPU shares and the rate (the rule is in results/README.md).
 * `cpus` and `quota` of this process; `busiest_cpu_s` of the servers' process that took the most
 * CPU time, NAN where that is not known. */
void measure_bottleneck(struct row *row, unsigned cpus, const struct cpu_quota *quota,
                        double busiest_cpu_s);

/* measure_limit_error: the negative errno value that os_limit_met takes, for a portable code that a
 * limit of the system can cause; else 0. */
int measure_limit_error(int code);

/* measure_status: ok, or failed with the reasons and the limits that were met. Behind the numbers
 * of servers that were not connected, and of connections that failed, it says where they are
 * (processes_where). */
void measure_status(struct row *row, const char *where_missing, const char *where_failed);

#endif
