/* Figures and verdicts of a row. */
#include <math.h>

#include "base/quantile.h"
#include "client/collector/measure.h"
#include <cport.h>
#include "client/collector/tests/results.h"

static struct collector_options options;
static struct row row;

static int fresh(void **state)
{
    memset(&options, 0, sizeof options);
    options.engine = "epoll";
    options.scheme = "chain";
    options.concurrency = 2;
    row_init(&row, &options);
    row.servers = 2;
    row.idle_servers = 0;
    return 0;
}

TEST(connects_are_counted_and_ranked, fresh)
{
    struct attempt attempts[101] = {[100] = {.result = CP_EREFUSED}};
    struct attempt_times times[101] = {[100] = {.started_ns = 500, .done_ns = 5000500}};
    for (unsigned i = 0; i < 100; i++)
        times[i] = (struct attempt_times){1000, 1000 + (100 - i) * 1000};
    times[40] = (struct attempt_times){60500, 60500 + 60000}; /* by then the last was posted */
    assert_int_equal(measure_connects(&row, attempts, times, 101, 3000000), 0);
    assert_int_equal(row.connected, 100);
    assert_int_equal(row.connect_failed, 1);
    assert_string_equal(row.connect_errors->items[0].name, "refused");
    assert_true(row.connect_ms == 5.0);
    assert_true(row.connect_posted_ms == 0.06);
    assert_true(row.connect_cpu_s == 0.003);
    assert_true(row.connect_us_min == 1);
    assert_true(row.connect_us_p50 == 50);
    assert_true(row.connect_us_p99 == 99);
    assert_true(row.connect_us_max == 100);
}

/* The least rank that reaches the share, for all numbers of connects and not only for full ones. */
TEST(a_rank_reaches_its_share_and_no_more)
{
    for (uint64_t count = 1; count <= 10000; count++)
        for (uint64_t percent = 0; percent <= 100; percent++) {
            const uint64_t rank = quantile_rank((double)percent / 100, count);
            assert_in_range(rank, 1, count);
            assert_true(rank * 100 >= percent * count);
            assert_true(rank == 1 || (rank - 1) * 100 < percent * count);
        }
}

TEST(a_span_gives_rates, fresh)
{
    const struct os_usage before = {.user_ns = 5}, after = {.user_ns = 5 + 500000000,
                                                            .system_ns = 500000000,
                                                            .rss_peak_bytes = 4096,
                                                            .switches_voluntary = 7};
    row.bytes = 2000000000;
    row.frames = 10;
    measure_span(&row, 1000, 1000 + 2000000000, &before, &after);
    assert_true(row.elapsed_ms == 2000);
    assert_true(row.bytes_per_s == 1e9);
    assert_true(row.frames_per_s == 5);
    assert_true(row.gb_per_cpu_s == 2);
    assert_int_equal(row.switches_voluntary, 7);
    assert_int_equal(row.peak_rss_kb, 4);
}

/* Over the time between the two readings, which may be longer than that of the frames. */
TEST(a_share_of_processors_is_cpu_time_over_wall_time, fresh)
{
    const struct os_usage none = {0}, used = {.user_ns = 2000000000, .system_ns = 1000000000};
    row.bytes = 1;
    measure_span(&row, 1000, 2000, &none, &used);
    measure_cpu_share(&row, 5000000000, 7000000000);
    assert_true(row.cpu_share_used == 1.5);

    fresh(NULL);
    measure_span(&row, 1000, 2000, &none, &none);
    measure_cpu_share(&row, 5000000000, 7000000000);
    assert_true(isnan(row.cpu_share_used)); /* too short for the clock */

    fresh(NULL);
    measure_span(&row, UINT64_MAX, 0, &none, &used);
    measure_cpu_share(&row, 5000000000, 7000000000);
    assert_true(isnan(row.cpu_share_used));
}

TEST(a_run_without_a_byte_has_no_rates, fresh)
{
    const struct os_usage usage = {.rss_peak_bytes = 4096};
    row.bytes = row.frames = 0;
    measure_span(&row, UINT64_MAX, 0, &usage, &usage);
    assert_true(isnan(row.elapsed_ms));
    assert_true(isnan(row.bytes_per_s));
    assert_true(isnan(row.gb_per_cpu_s));
}

TEST(committed_memory_is_the_systems_or_the_sum_of_what_is_known, fresh)
{
    const struct os_usage silent = {.rss_peak_bytes = 4096},
                          telling = {.committed_peak_bytes = 8192};
    row.base_rss_kb = 3000;
    row.buffer_peak_bytes = 2048000;
    measure_committed(&row, &silent);
    assert_int_equal(row.committed_kb, 5000);
    measure_committed(&row, &telling);
    assert_int_equal(row.committed_kb, 8);
    row.buffer_peak_bytes = ROW_UNKNOWN;
    measure_committed(&row, &silent);
    assert_true(row.committed_kb == ROW_UNKNOWN);
    row.buffer_peak_bytes = 0;
    row.base_rss_kb = ROW_UNKNOWN;
    measure_committed(&row, &silent);
    assert_true(row.committed_kb == ROW_UNKNOWN);
}

/* ---- the audit ------------------------------------------------------------------------------- */

/* A clean row of two servers, or one after outages: what was cut is taken off, and what was on its
 * way may be more. */
static struct audit row_begin(bool outages)
{
    fresh(NULL);
    row.connected = 2;
    row.connect_failed = row.connections_failed = row.blocks_lost = 0;
    row.bytes = outages ? 1100 : 1000;
    row.discarded_bytes = outages ? 100 : 0;
    row.ended_by_time = 0;
    row.server_bytes = outages ? 1150 : 1000;
    options.reconnect = outages;
    return (struct audit){.reasked = outages, .expected_bytes = 1000, .processed_bytes = 1000};
}

static void assert_audit(const struct audit *audit, const char *begin)
{
    measure_audit(&row, audit);
    if (strncmp(row.audit, begin, strlen(begin)) != 0)
        fail_msg("audit is \"%s\", not \"%s\"", row.audit, begin);
}

TEST(each_part_of_the_audit_can_fail)
{
    static struct audit audit;
    static const struct {
        bool outages;
        uint64_t *changed, value; /* NULL: nothing is */
        const char *verdict;
    } cases[] = {
        {false, NULL, 0, "pass"},
        {false, &row.blocks_lost, 1, "fail: 1 blocks lost"},
        {false, &audit.operations_lost, 3, "fail: 3 operations lost"},
        {false, &audit.expected_bytes, 999, "fail: received 1000 bytes, asked for 999"},
        {false, &audit.processed_bytes, 1, "fail: processed frames of 1 bytes, received 1000"},
        {false, &row.server_bytes, 1001, "fail: servers sent 1001 bytes, received 1000"},
        {false, &row.server_bytes, ROW_UNKNOWN, "fail: the servers do not say"},
        {false, &row.connected, 0, "none: no server connected"},
        {true, NULL, 0, "pass"},
        {true, &row.server_bytes, 1099, "fail: servers sent 1099 bytes, received 1100"},
        {true, &row.server_bytes, ROW_UNKNOWN, "pass"}, /* the fleet was restarted */
        {true, &row.discarded_bytes, 99, "fail: received 1001 bytes, asked for 1000"},
        {true, &audit.processed_bytes, 1001, "fail: processed frames of 1001 bytes, received 1000"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        audit = row_begin(cases[i].outages);
        if (cases[i].changed != NULL)
            *cases[i].changed = cases[i].value;
        assert_audit(&audit, cases[i].verdict);
    }
    audit = row_begin(false);
    row_tally_add(row.errors, "bad-check");
    assert_audit(&audit, "fail: 1 connections with bad frames");
    audit = row_begin(false);
    row.server_bytes = ROW_UNKNOWN;
    audit.unanswered = "no answer";
    assert_audit(&audit, "fail: the servers do not say what they sent: no answer");
    audit = row_begin(true);
    audit.reasked = false; /* nothing was cut: no byte may be missing */
    assert_audit(&audit, "fail: servers sent 1150 bytes, received 1100");
}

/* One of two servers was to send 600 bytes more; 150 of them were on their way. */
TEST(what_a_duration_cuts_is_not_lost)
{
    struct audit audit = row_begin(false);
    row.ended_by_time = 1;
    row.bytes = 1100;
    row.discarded_bytes = 100;
    row.server_bytes = 1250;
    audit.expected_bytes = 1600;
    audit.left_bytes = 600;
    assert_audit(&audit, "pass");
    row.server_bytes = 1099;
    assert_audit(&audit, "fail: servers sent 1099 bytes, received 1100");
    audit.left_bytes = 599; /* the other one owed a byte */
    assert_audit(&audit, "fail: received 1000 bytes, asked for 1001");
}

TEST(foreign_servers_have_no_audit)
{
    struct audit audit = row_begin(false);
    options.request.given = true;
    audit.expected_bytes = UINT64_MAX;
    row.server_bytes = ROW_UNKNOWN;
    assert_audit(&audit, "none: servers that are not ours");
    audit.processed_bytes = 1;
    assert_audit(&audit, "fail: processed");
    audit = row_begin(true);
    options.request.given = true;
    assert_audit(&audit, "none: servers that are not ours do not tell, and were asked anew");
}

TEST(missed_frames_are_counted_where_frames_are)
{
    fresh(NULL);
    options.frames_per_server = 50;
    row.frames = 70;
    row.ended_by_time = 0;
    measure_missed(&row);
    assert_int_equal(row.frames_missed, 30);
    row.frames_missed = ROW_UNKNOWN;
    row.ended_by_time = 1; /* nobody knows how many there would have been */
    measure_missed(&row);
    assert_true(row.frames_missed == ROW_UNKNOWN);
    fresh(NULL);
    options.frames_per_server = 50; /* drain: nobody looked */
    measure_missed(&row);
    assert_true(row.frames_missed == ROW_UNKNOWN);
}

TEST(a_failure_has_its_reason)
{
    struct audit audit = row_begin(false);
    measure_audit(&row, &audit);
    measure_status(&row, "", "");
    assert_int_equal(row.status, ROW_OK);
    row.connect_failed = 1;
    row_tally_add(row.connect_errors, "timeout");
    row.connections_failed = 2;
    row_tally_add(row.errors, "reset");
    row_tally_add(row.errors, "stalled");
    measure_status(&row, "", "");
    assert_int_equal(row.status, ROW_FAILED);
    assert_string_equal(row.reason, "1 of 2 servers not connected: 1 timeout; "
                                    "2 of 2 connections failed: 1 reset, 1 stalled");
}

/* ---- the bottleneck -------------------------------------------------------------------------- */

static const struct cpu_quota no_quota = {
    .cpus = INFINITY, .throttled_periods = UINT64_MAX, .throttled_ns = UINT64_MAX};

static const char *bottleneck(double client_cpu_s, double server_cpu_s, double rate, double reached)
{
    fresh(NULL);
    options.rate = rate;
    row.elapsed_ms = 1000;
    row.cpu_s = client_cpu_s;
    row.server_cpu_s = server_cpu_s;
    row.frames_per_s = reached;
    measure_bottleneck(&row, 4, &no_quota, row.server_cpu_s);
    return row.bottleneck;
}

TEST(the_bottleneck_is_where_time_goes)
{
    assert_string_equal(bottleneck(1.9, 0.2, 0, 0), "client");
    assert_string_equal(bottleneck(1.0, 0.9, 0, 0), "servers");
    assert_string_equal(bottleneck(1.8, 0.99, 0, 0), "servers");
    assert_string_equal(bottleneck(0.1, 0.1, 500, 499), "offered-load");
    assert_string_equal(bottleneck(0.1, 0.1, 500, 400), "unclear");
    assert_string_equal(bottleneck(0.1, NAN, 0, 0), "unclear");
    fresh(NULL);
    measure_bottleneck(&row, 4, &no_quota, row.server_cpu_s);
    assert_string_equal(row.bottleneck, "");
}

/* Of a client that its quota stopped for 5 s. */
static double paused_under_quota(double paused_ms, uint64_t throttled_before_ns)
{
    struct cpu_quota before = {.cpus = 0.06}, after = {.cpus = 0.06, .throttled_periods = 9};
    before.throttled_ns = throttled_before_ns;
    after.throttled_ns = throttled_before_ns + (uint64_t)5000 * OS_NS_PER_MS;
    fresh(NULL);
    row.paused_ms = paused_ms;
    measure_throttled(&row, &before, &after);
    assert_true(row.throttled_ms == 5000);
    return row.paused_ms;
}

TEST(what_a_quota_stopped_is_no_pause)
{
    assert_true(paused_under_quota(0, 0) == 0);
    assert_true(isnan(paused_under_quota(2950, (uint64_t)3000 * OS_NS_PER_MS)));
    assert_true(isnan(paused_under_quota(5000, 0)));
    assert_true(paused_under_quota(20000, 0) == 20000);
    row.paused_ms = 2950;
    measure_throttled(&row, &no_quota, &no_quota);
    assert_true(row.paused_ms == 2950);
}

/* A run of 1 s in periods of 100 ms, of which so many were cut. */
static const char *bottleneck_under(double cpus, double client_cpu_s, uint64_t throttled)
{
    const struct cpu_quota quota = {.cpus = cpus, .period_ns = 100 * OS_NS_PER_MS};
    fresh(NULL);
    options.rate = 0;
    row.elapsed_ms = 1000;
    row.cpu_s = client_cpu_s;
    row.throttled_periods = throttled;
    measure_bottleneck(&row, 4, &quota, row.server_cpu_s);
    return row.bottleneck;
}

TEST(a_used_up_quota_is_the_bottleneck)
{
    assert_string_equal(bottleneck_under(0.5, 0.49, 9), "cpu-quota");
    assert_string_equal(bottleneck_under(0.5, 0.49, UINT64_MAX), "cpu-quota"); /* not known */
    assert_string_equal(bottleneck_under(0.5, 0.49, 0), "unclear");
    assert_string_equal(bottleneck_under(0.5, 0.3, 2), "unclear");
    assert_string_equal(bottleneck_under(0.5, 0.1, 8), "cpu-quota"); /* others used it up */
    assert_string_equal(bottleneck_under(4, 1.9, 0), "client");
    assert_string_equal(bottleneck_under(INFINITY, 0.5, UINT64_MAX), "unclear");
}

/* 1448 bytes in a frame that takes 1538 of the wire. */
static const char *bottleneck_at(double share, double link_rate)
{
    fresh(NULL);
    options.link_rate_bits_per_s = link_rate;
    row.elapsed_ms = 1000;
    row.bytes = (uint64_t)(share * 1e8 / 8 * 1448 / 1538);
    row.cpu_s = 0.1;
    row.server_cpu_s = 0.1;
    measure_bottleneck(&row, 4, &no_quota, row.server_cpu_s);
    return row.bottleneck;
}

TEST(a_full_wire_is_the_bottleneck)
{
    assert_string_equal(bottleneck_at(0.99, 1e8), "link");
    assert_string_equal(bottleneck_at(0.91, 1e8), "link");
    assert_string_equal(bottleneck_at(0.89, 1e8), "unclear");
    assert_string_equal(bottleneck_at(0.99, 1e9), "unclear");
    assert_string_equal(bottleneck_at(0.99, 0), "unclear");
}
