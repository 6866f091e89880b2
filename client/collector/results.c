/* Computes the row from the run's counters. */
#include "client/collector/run.h"

#include <assert.h>

/* Returns whether a server that had been asked was asked again. */
static bool sum_outages(const struct run *run)
{
    bool reasked = false;
    struct row *row = &run->program->row;
    row->reconnects = row->reconnect_attempts = row->discarded_bytes = 0;
    uint64_t longest_ns = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct reconnect *reconnect = &run->reconnects[i];
        row->reconnects += reconnect->returns;
        row->reconnect_attempts += reconnect->tries;
        row->discarded_bytes += reconnect->discarded_bytes;
        reasked = reasked || reconnect->reasked;
        if (reconnect->longest_ns > longest_ns)
            longest_ns = reconnect->longest_ns;
    }
    if (longest_ns > 0)
        row->outage_ms_max = (double)longest_ns / OS_NS_PER_MS;
    return reasked;
}

static void sum_logins(const struct run *run, struct row *row)
{
    row->logged_in = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct connection *connection = &run->connections[i];
        row->logged_in += connection->logged_in;
        if (!connection->logged_in && connection->login_reason != NULL)
            row_tally_add(row->login_errors, login_short_name(connection->login_reason));
    }
}

void results_sum(struct run *run)
{
    struct row *row = &run->program->row;
    row->bytes = row->receive_calls = row->receive_empty = row->connections_failed = 0;
    if (run->options->login.given)
        sum_logins(run, row);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct connection *connection = &run->connections[i];
        row->receive_calls += connection->receive_calls;
        row->receive_empty += connection->receive_empty;
        if (connection->stream != NULL)
            row->bytes += connection->stream->received_bytes;
        row->bytes += run->reconnects[i].discarded_bytes;
        if (connection->heard && connection->ended_ns > run->last_ns)
            run->last_ns = connection->ended_ns;
        if (run->attempts[i].result == 0 && connection->reason != NULL) {
            row->connections_failed++;
            row_tally_add(row->errors, connection->reason);
        }
    }
}

void results_measure(struct run *run)
{
    struct row *row = &run->program->row;
    if (run->options->reconnect)
        measure_connected(row, run->attempts, run->count);
    const uint64_t frame_bytes =
        run->options->request.given ? run->options->frame_bytes_max : run->options->size_max;
    row->buffer_predicted_bytes =
        scheme_memory(run->scheme, &run->scheme_config, row->connected, frame_bytes);
    const struct measured measured = {
        .figures = &run->figures,
        .first_ns = atomic_load(&run->first_byte_ns),
        .last_ns = run->last_ns,
        .before = &run->usage_begin,
        .after = &run->usage_end,
        .fleet = &run->fleet,
        .audit = {.reasked = sum_outages(run),
                  .expected_bytes =
                      measure_expected_bytes(run->requests, run->attempts, run->count),
                  .operations_lost = run->operations_lost},
    };
    measure_run(row, &measured, run->requests);
}
