/* Clocks that differ, jump, or cannot be asked: what the row says of latencies. */
#include <limits.h>
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/collector/clocks.h"
#include "client/collector/collector.h"
#include "client/collector/tests/program.h"

enum { FLEET = 5, FRAMES = 10 };

static const int64_t hour_ns = 3600 * (int64_t)OS_NS_PER_S;

/* ---- this program's wall clock --------------------------------------------------------------- */

/* The Makefile links this program so that every reading of the wall clock, and every comparison of
 * clocks, passes here. */
static int64_t wall_ahead_ns;
static atomic_int wall_true_reads; /* so many readings come before the clock is set */
static int wall_true_reads_after;  /* those of a comparison aside: how often it asks is not known */

uint64_t __real_os_wall_ns(void);
uint64_t __wrap_os_wall_ns(void);

uint64_t __wrap_os_wall_ns(void)
{
    const bool is_set = atomic_fetch_sub(&wall_true_reads, 1) <= 0;
    return __real_os_wall_ns() + (is_set ? (uint64_t)wall_ahead_ns : 0);
}

int __real_clock_offset_ask(struct clock_offset *offset, intptr_t handle, uint64_t timeout_ns);
int __wrap_clock_offset_ask(struct clock_offset *offset, intptr_t handle, uint64_t timeout_ns);

int __wrap_clock_offset_ask(struct clock_offset *offset, intptr_t handle, uint64_t timeout_ns)
{
    const int error = __real_clock_offset_ask(offset, handle, timeout_ns);
    if (wall_true_reads_after > 0)
        atomic_store(&wall_true_reads, wall_true_reads_after);
    wall_true_reads_after = 0;
    return error;
}

/* Collects in a child with this clock, from devices of the test's own with the right one. */
static void collect_with_clock(int64_t ahead_ns, int true_reads_after)
{
    FILE *row = tmpfile();
    char json[64],
        *words[] = {
            (char *)"test", json, (char *)"--quiet", (char *)"--rate=50", (char *)"--frames=10",
            NULL,           NULL};
    int status;
    snprintf(json, sizeof json, "--json=/proc/self/fd/%d", fileno(row));
    devices_reset();
    for (unsigned i = 0; i < FLEET; i++)
        devices_add(&devices, DEVICE_GOOD);
    words[5] = devices_option(&devices);
    fflush(NULL);
    pid_t child = fork(); /* while there is no other thread */
    if (child == 0) {
        wall_ahead_ns = ahead_ns;
        wall_true_reads_after = true_reads_after;
        atomic_store(&wall_true_reads, true_reads_after > 0 ? INT_MAX : 0);
        _exit(collector_main(6, words));
    }
    devices_start(&devices);
    assert_int_equal(waitpid(child, &status, 0), child);
    file_slurp(row, results.row);
    assert_true(WIFEXITED(status));
    results.exit_code = WEXITSTATUS(status);
}

/* ---- what a row says ------------------------------------------------------------------------- */

static const char *const quantiles[] = {"latency_us_min", "latency_us_p50",  "latency_us_p90",
                                        "latency_us_p99", "latency_us_p999", "latency_us_max"};

enum { QUANTILES = sizeof quantiles / sizeof *quantiles };

static void assert_latencies(void)
{
    assert_results(EXIT_DONE, "status=ok, audit=pass, negative_latencies=0, latency_reason=");
    for (unsigned i = 1; i < QUANTILES; i++)
        assert_true(results_number(quantiles[i - 1]) <= results_number(quantiles[i]));
    assert_true(results_number("latency_us_min") > 0);
}

/* Latencies that are corrected by an hour say something all the same. */
static void assert_corrected(void)
{
    assert_results(EXIT_DONE, "status=ok, audit=pass, latency_reason=");
    for (unsigned i = 1; i < QUANTILES; i++)
        assert_true(results_number(quantiles[i - 1]) <= results_number(quantiles[i]));
    assert_true(results_number("latency_us_max") < (double)hour_ns / 1e3 / 2);
    assert_true(results_number("clock_error_us_max") > 0);
    assert_true(fabs(results_number("clock_offset_us_max") - (double)hour_ns / 1e3) <=
                results_number("clock_error_us_max") + 1);
    /* Negative ones within the error are said, and limit what the others say. */
    if (results_count("negative_latencies") > 0)
        assert_results(EXIT_DONE, "clock_limited=true");
}

static void assert_none(const char *reason)
{
    assert_results(EXIT_DONE, "status=ok, audit=pass, frames=%u", FLEET * FRAMES);
    for (unsigned i = 0; i < QUANTILES; i++)
        assert_true(results_is_null(quantiles[i]));
    if (strstr(results_text("latency_reason"), reason) == NULL)
        fail_msg("\"%s\" does not say: %s", results_text("latency_reason"), reason);
}

/* Within the error that the row states. */
static void assert_offset(const char *key, int64_t wanted_ns)
{
    const double error_ns = results_number("clock_offset_ns_error");
    assert_true(results_number(key) >= (double)wanted_ns - error_ns - 1);
    assert_true(results_number(key) <= (double)wanted_ns + error_ns + 1);
}

static void run(const char *program)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run(program, (const char *const[]){"--rate=50", "--frames=10", "--json=-", NULL});
}

/* ---- runs ------------------------------------------------------------------------------------ */

TEST(one_clock_gives_latencies, NULL, devices_close)
{
    run("fanin-client");
    assert_latencies();
    assert_results(EXIT_DONE, "clock_offset_us_max=0, clock_error_us_max=0, clock_limited=false");
    assert_offset("clock_offset_ns_before", 0);
    assert_offset("clock_offset_ns_after", 0);
    assert_int_equal(results_count("clock_step_ns"), 0);
}

TEST(a_client_that_is_an_hour_ahead_corrects_latencies, NULL, devices_close)
{
    collect_with_clock(hour_ns, 0);
    assert_corrected();
    assert_offset("clock_offset_ns_before", -hour_ns);
    assert_offset("clock_offset_ns_after", -hour_ns);
    assert_results(EXIT_DONE, "clock_step_ns=0");
}

TEST(a_client_that_is_an_hour_behind_corrects_latencies, NULL, devices_close)
{
    collect_with_clock(-hour_ns, 0);
    assert_corrected();
    assert_offset("clock_offset_ns_before", hour_ns);
}

/* 34 readings are fewer than the 50 that the frames need. */
TEST(a_clock_that_is_set_during_the_run_gives_none, NULL, devices_close)
{
    collect_with_clock(-2 * (int64_t)OS_NS_PER_S, 34);
    assert_none("this computer's clock jumped by ");
    assert_in_range(results_count("clock_step_ns"), OS_NS_PER_S, 2 * (uint64_t)OS_NS_PER_S);
    assert_in_range(results_count("negative_latencies"), 1, FLEET * FRAMES);
}

TEST(a_fleet_whose_clock_is_set_gives_none, NULL, devices_close)
{
    devices.clock_step_ns = hour_ns;
    run("fanin-client");
    assert_none("the clocks of this computer and the fleet moved apart by 3");
    assert_offset("clock_offset_ns_before", 0);
    assert_offset("clock_offset_ns_after", hour_ns);
}

TEST(a_fleet_that_cannot_say_the_time_leaves_it_unknown, NULL, devices_close)
{
    devices.timeless = true;
    run("fanin-client");
    assert_latencies();
    assert_true(results_is_null("clock_offset_ns_before"));
    assert_true(results_is_null("clock_offset_ns_after"));
    assert_true(results_is_null("clock_offset_ns_error"));
    assert_true(results_is_null("clock_offset_us_max"));
    assert_true(results_is_null("clock_error_us_max"));
    devices_close(NULL);
    devices.timeless = true; /* then a negative one is all there is to see */
    devices.clock_ahead_ns = hour_ns;
    run("fanin-client");
    assert_none("by the clocks, 50 frames came before they were sent");
}

TEST(peers_say_the_same, NULL, devices_close)
{
    static const char *const peers[] = {"fanin-peer-blocking", "fanin-peer-libuv",
                                        "fanin-peer-libevent"};
    for (unsigned i = 0; i < sizeof peers / sizeof *peers; i++) {
        run(peers[i]);
        devices_close(NULL);
        if (results.exit_code == EXIT_MACHINE_CANNOT && results.row[0] == '\0') {
            printf("without %s: %s", peers[i], results.errors);
            continue;
        }
        assert_latencies();
        devices.clock_ahead_ns = hour_ns;
        run(peers[i]);
        devices_close(NULL);
        assert_corrected();
    }
}

TEST(without_send_times_no_clock_is_asked, NULL, devices_close)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client", (const char *const[]){"--frames=10", "--json=-", NULL});
    assert_none("");
    assert_string_equal(results_text("latency_reason"), "");
    assert_true(results_is_null("negative_latencies"));
    assert_true(results_is_null("clock_step_ns"));
    devices_close(NULL);
    devices_open(0, 1, DEVICE_FOREIGN);
    program_run("fanin-client",
                (const char *const[]){"--request=READ\\n", "--end-marker=\\x03", "--frames=7",
                                      "--source=live", "--json=-", NULL});
    assert_results(EXIT_DONE, "status=ok, latency_reason=");
    assert_true(results_is_null("negative_latencies"));
    assert_true(results_is_null("clock_offset_ns_before"));
}

TEST(the_summary_says_why, NULL, devices_close)
{
    const char *const options[] = {"--rate=50", "--frames=10", NULL};
    devices.clock_step_ns = hour_ns;
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client", options);
    assert_non_null(strstr(results.row, "latency     none: the clocks of this computer and"));
    devices_close(NULL);
    devices.clock_ahead_ns = hour_ns;
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client", options);
    assert_non_null(strstr(results.row, "clocks      corrected by up to 3600 s, which may be off"));
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void assert_distance(struct os_distance distance, int64_t min_ns, int64_t max_ns)
{
    assert_true(distance.min_ns == min_ns && distance.max_ns == max_ns);
}

TEST(the_narrowest_answer_counts)
{
    struct clock_offset offset = {.known = false};
    clock_offset_take(&offset, 1000, 1500, 2000);
    assert_true(offset.known);
    assert_distance(offset.fleet, -500, 500);
    clock_offset_take(&offset, 3000, 9000, 5000);
    assert_distance(offset.fleet, -500, 500);
    clock_offset_take(&offset, 6000, 6300, 6400);
    assert_distance(offset.fleet, -100, 300);
    clock_offset_take(&offset, 6000, 5000, 4000); /* set back in between */
    assert_distance(offset.fleet, -100, 300);
}

static void look(struct clock_watch *watch, unsigned tick, int64_t ahead_ns, int64_t error_ns)
{
    clock_watch_look(watch, (uint64_t)tick * 100 * OS_NS_PER_MS,
                     (struct os_distance){ahead_ns, ahead_ns + error_ns});
}

TEST(a_jump_is_seen_and_slewing_is_not)
{
    struct clock_watch watch = {.looked_ns = 0};
    look(&watch, 1, 5000, 40);
    assert_int_equal(watch.step_ns, 0);
    look(&watch, 2, 5000 + 50000, 40); /* 500 us a second */
    assert_int_equal(watch.step_ns, 0);
    look(&watch, 3, -40000, 200000); /* as well as the same */
    assert_int_equal(watch.step_ns, 0);
    look(&watch, 4, -1000000, 40);
    assert_int_equal(watch.step_ns, 1000000 - 40000 - 40);
    look(&watch, 5, -900000, 40); /* the largest stays */
    assert_int_equal(watch.step_ns, 1000000 - 40000 - 40);
}

static struct clock_offset offset_of(uint64_t asked_ns, int64_t min_ns, int64_t max_ns)
{
    return (struct clock_offset){.known = true, .asked_ns = asked_ns, .fleet = {min_ns, max_ns}};
}

/* Times in microseconds: a row of this process and another one, which has no fault. */
static struct row row_of(struct clock_pair pair, double median, uint64_t negative_ns)
{
    static const struct collector_options options = {.engine = "auto"};
    struct clocks clocks = {.any = false};
    const struct clock_pair own = {.before = offset_of(0, -5000, 5000),
                                   .after = offset_of(OS_NS_PER_S, -5000, 5000),
                                   .is_here = true};
    struct row row = {.options = &options,
                      .latency_us_p50 = median,
                      .clock_error_us_max = NAN,
                      .negative_latencies = negative_ns > 0};
    clocks_take(&clocks, &own);
    clocks_take(&clocks, &pair);
    clocks_measure(&row, &clocks, negative_ns);
    clocks_limit(&row, &clocks);
    return row;
}

TEST(what_a_clock_moved_widens_the_error, NULL, devices_close)
{
    struct clock_pair pair = {.before = offset_of(0, 90000, 110000),
                              .after = offset_of(OS_NS_PER_S, 100000, 160000)};
    struct row row = row_of(pair, 601, 0);
    assert_string_equal(row.latency_reason, "");
    assert_true(row.clock_offset_us_max == 100 && row.clock_error_us_max == 60);
    assert_false(row.clock_limited);
    assert_true(row_of(pair, 599, 0).clock_limited);
    pair.after = offset_of(OS_NS_PER_S, 400000, 420000); /* 300 us in a second: slewed */
    row = row_of(pair, 599, 0);
    assert_true(row.clock_error_us_max == 320 && row.clock_limited);
    assert_string_equal(row.latency_reason, "");
    pair.after = offset_of(OS_NS_PER_S, 700000, 720000);
    assert_non_null(strstr(row_of(pair, 599, 0).latency_reason, "moved apart by 0.610 ms"));
}

TEST(negative_latencies_within_the_error_are_said)
{
    struct clock_pair pair = {.before = offset_of(0, 90000, 110000),
                              .after = offset_of(OS_NS_PER_S, 90000, 110000)};
    struct row row = row_of(pair, 1000, 9000);
    assert_string_equal(row.latency_reason, "");
    assert_true(row.clock_limited);
    assert_non_null(strstr(row_of(pair, 1000, 11000).latency_reason, "came before"));
    pair.before.known = false; /* nothing was corrected, and it is off */
    assert_non_null(strstr(row_of(pair, 1000, 0).latency_reason, "not known before the run"));
    pair.after.known = false;
    row = row_of(pair, 1000, 0);
    assert_true(isnan(row.clock_error_us_max) && row.clock_limited);
}

TEST(a_clock_that_may_be_this_computers_own_is_it)
{
    struct clock_pair pair = {.before = offset_of(0, -20000, 30000),
                              .after = offset_of(OS_NS_PER_S, -20000, 30000)};
    assert_int_equal(clock_correction_ns(&pair), 5000);
    assert_true(row_of(pair, 100, 0).clock_error_us_max == 25);
    pair.is_here = true;
    assert_int_equal(clock_correction_ns(&pair), 0);
    assert_true(row_of(pair, 100, 0).clock_error_us_max == 0);
    pair.before = offset_of(0, 20000, 30000);
    assert_int_equal(clock_correction_ns(&pair), 25000);
}
