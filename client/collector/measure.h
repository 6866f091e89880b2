/* From what was noted during a run to the figures of its row. No clock is read here. */
#ifndef FANIN_COLLECTOR_MEASURE_H
#define FANIN_COLLECTOR_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/buffers/process.h"
#include "client/collector/row.h"
#include "client/collector/stats.h"
#include "base/os.h"

/* One connect. */
struct attempt {
    uint64_t started_ns, done_ns;
    int result; /* 0, or a portable negative code */
};

/* measure_connects: counts, times and quantiles of all attempts. Returns 0, or -1 without
 * memory. */
int measure_connects(struct row *row, const struct attempt *attempts, uint32_t count);

/* measure_connected: counts alone, after connects that failed were tried again. */
void measure_connected(struct row *row, const struct attempt *attempts, uint32_t count);

/* measure_span: times and CPU between two usages; last_ns < first_ns: no frame ever came.
 * row->bytes and row->frames are known. */
void measure_span(struct row *row, uint64_t first_ns, uint64_t last_ns,
                  const struct os_usage *before, const struct os_usage *after);

/* measure_asked: frames that the servers were to send, all together. */
uint64_t measure_asked(const struct row *row);

/* measure_missed: asked for and never processed, of all servers, also of those that were never
 * there. row->frames is known. */
void measure_missed(struct row *row);

/* measure_kb: as a row counts memory; what could not be read, 0, is unknown. */
uint64_t measure_kb(uint64_t bytes);

/* measure_threads: of this process, now. */
void measure_threads(struct row *row);

/* measure_per_byte: what was copied and searched, and the receives that it took. row->bytes,
 * row->frames and row->receive_calls are known. */
void measure_per_byte(struct row *row, uint64_t copied_bytes, uint64_t scanned_bytes);

void measure_latency(struct row *row, const struct latency *latency);

/* measure_fleet: the servers' side. row->bytes is known. */
void measure_fleet(struct row *row, const struct fleet_stats *fleet);

/* What the audit compares. */
struct audit {
    bool foreign;             /* servers that are not ours: nobody to ask */
    bool reconnect;           /* lost connections are made again */
    bool reasked;             /* and some were: what was on its way is lost */
    uint64_t expected_bytes;  /* of the connected servers; UINT64_MAX: not known */
    uint64_t processed_bytes; /* sum of the lengths of processed frames */
    uint64_t operations_lost; /* posted, never completed */
};

/* measure_audit: the byte audit; the row's other figures are known. */
void measure_audit(struct row *row, const struct audit *audit);

/* measure_bottleneck: by measured CPU shares and the rate (the rule is in results/README.md).
 * `cpus` of this process. */
void measure_bottleneck(struct row *row, unsigned cpus);

/* measure_status: ok, or failed with the reasons. */
void measure_status(struct row *row);

#endif
