/* Several processes of servers: each is asked, counted once, corrected by its clock, started with
 * the others, and named where it fails. */
#include <math.h>
#include <pthread.h>
#include <stdarg.h>

#include "client/collector/collector.h"
#include "client/collector/tests/results.h"
#include "mock_servers/tests/fleet_under_test.h"

enum { FLEETS = 3, SERVERS = 4, ALL = FLEETS * SERVERS };

static struct fleet_under_test fleets[FLEETS];

static const char *host_of(const struct fleet_under_test *fleet)
{
    const struct in_addr address = {htonl(fleet->host)};
    return inet_ntoa(address);
}

static void begin_all(void)
{
    for (unsigned i = 0; i < FLEETS; i++)
        fleets[i] = fleet_begin("--count=4");
}

static void end_all(void)
{
    for (unsigned i = 0; i < FLEETS; i++)
        fleet_end(&fleets[i]);
}

/* "--servers=A:20000+4,B:20000+4,C:20000+4" */
static char *ranges(void)
{
    static char option[256];
    size_t used = (size_t)snprintf(option, sizeof option, "--servers=");
    for (unsigned i = 0; i < FLEETS; i++)
        used += (size_t)snprintf(option + used, sizeof option - used, "%s%s:%u+%u",
                                 i > 0 ? "," : "", host_of(&fleets[i]), PORT, SERVERS);
    return option;
}

/* Adds "A:20000,A:20001,..." */
static void list_add(char *option, size_t bytes, const char *host, unsigned port)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        const size_t used = strlen(option);
        snprintf(option + used, bytes - used, "%s%s:%u", used > strlen("--servers=") ? "," : "",
                 host, port + i);
    }
}

#define collect(...) results_take(collector_main, __VA_ARGS__, (char *)NULL)

static void assert_hosts(void)
{
    const double elapsed_us = results_number("elapsed_ms") * 1e3;
    double slowest_us = 0;
    for (unsigned i = 0; i < FLEETS; i++) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "\"%s\":", host_of(&fleets[i]));
        const char *at = strstr(strstr(results.row, "\"host_us\":"), quoted);
        assert_non_null(at);
        slowest_us = fmax(slowest_us, strtod(at + strlen(quoted), NULL));
    }
    assert_true(slowest_us > 0 && slowest_us <= elapsed_us + 1);
}

/* ---- sums ------------------------------------------------------------------------------------ */

TEST(what_processes_sent_is_summed_whatever_the_start)
{
    static const char *const modes[][2] = {
        {"each", "tape"}, {"each", "live"}, {"together", "tape"}, {"together", "live"}};
    begin_all();
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++) {
        char start[32], source[32];
        snprintf(start, sizeof start, "--start=%s", modes[i][0]);
        snprintf(source, sizeof source, "--source=%s", modes[i][1]);
        collect(ranges(), start, source, "--frames=5");
        assert_results(0, "status=ok, audit=pass, processes=3, servers=%u, frames=%u, start=%s",
                       ALL, 5 * ALL, modes[i][0]);
        assert_int_equal(results_count("server_bytes"), results_count("bytes"));
        assert_true(results_number("start_spread_us") > 0);
        assert_hosts();
    }
    end_all();
}

TEST(a_process_behind_several_ranges_counts_once)
{
    char option[128];
    fleets[0] = fleet_begin("--count=4");
    const char *host = host_of(&fleets[0]);
    snprintf(option, sizeof option, "--servers=%s:%u+2,%s:%u+2", host, PORT, host, PORT + 2);
    collect(option, "--frames=20", "--start=together");
    assert_results(0, "status=ok, audit=pass, processes=1");
    fleet_end(&fleets[0]);
}

/* Their list does not say which server is whose. */
TEST(processes_at_one_address_are_found)
{
    char listen[48], port[32], option[512] = "--servers=";
    fleets[0] = fleet_begin("--count=4");
    const char *host = host_of(&fleets[0]);
    snprintf(listen, sizeof listen, "--listen=%s", host);
    snprintf(port, sizeof port, "--port=%u", PORT + SERVERS);
    fleets[1] = fleet_begin(listen, port, "--count=4");
    host = host_of(&fleets[0]);
    list_add(option, sizeof option, host, PORT);
    list_add(option, sizeof option, host, PORT + SERVERS);
    for (unsigned i = 0; i < 2; i++) {
        collect(option, i == 0 ? "--start=each" : "--start=together", "--frames=20");
        assert_results(0, "status=ok, audit=pass, processes=2, frames=%u", 2 * SERVERS * 20);
        assert_true(results_number("start_spread_us") > 0);
    }
    fleet_end(&fleets[1]);
    fleet_end(&fleets[0]);
}

TEST(one_process_has_a_spread_and_no_hosts)
{
    char option[64];
    fleets[0] = fleet_begin("--count=4");
    snprintf(option, sizeof option, "--address=%s", host_of(&fleets[0]));
    collect(option, "--servers=4", "--frames=5");
    assert_results(0, "status=ok, audit=pass, processes=1, start=each");
    assert_true(results_number("start_spread_us") > 0);
    assert_non_null(strstr(results.row, "\"host_us\":{}"));
    fleet_end(&fleets[0]);
}

/* ---- one that fails -------------------------------------------------------------------------- */

static bool again;

/* Kills the second fleet in the middle of its frames, once its servers and the questions to it are
 * connected. */
static void *kill_one(void *none)
{
    struct fleet_under_test *fleet = &fleets[1];
    (void)none;
    fleet_await_connections(fleet, 1, SERVERS + 1);
    os_sleep_ns(OS_NS_PER_S);
    fleet_kill(fleet, SIGKILL);
    if (again)
        fleet_begin_again(fleet, "--count=4");
    return NULL;
}

static void end_two_of_three(void)
{
    fleet_end(&fleets[0]);
    fleet_end(&fleets[2]);
    if (again)
        fleet_end(&fleets[1]);
    else
        fleet_forget(&fleets[1]);
}

/* On a busy machine a run may be over before: then a longer one. */
static void run_and_kill(void)
{
    enum { LEAST_S = 3, MOST_S = 200 };
    for (unsigned seconds = LEAST_S;; seconds *= 4) {
        char limit[32];
        pthread_t killer;
        begin_all();
        snprintf(limit, sizeof limit, "--for=%us", seconds);
        assert_int_equal(pthread_create(&killer, NULL, kill_one, NULL), 0);
        collect(ranges(), "--rate=600", limit);
        pthread_join(killer, NULL);
        if (results_count("connections_failed") > 0 || seconds > MOST_S)
            return;
        end_two_of_three();
    }
}

static void lose_one(bool comes_back)
{
    char where[64], audit[128];
    again = comes_back;
    run_and_kill();
    assert_results(1, "status=failed, processes=2, connections_failed=%u", SERVERS);
    snprintf(where, sizeof where, ", all at %s", host_of(&fleets[1]));
    assert_non_null(strstr(results_text("reason"), where));
    snprintf(audit, sizeof audit, "fail: the servers do not say what they sent: %s:%u %s",
             host_of(&fleets[1]), PORT, comes_back ? "started anew" : "refused");
    assert_string_equal(results_text("audit"), audit);
    assert_true(results_is_null("server_bytes"));
    end_two_of_three();
}

TEST(a_process_that_is_killed_is_named)
{
    lose_one(false);
}

TEST(a_process_that_was_started_anew_is_named)
{
    lose_one(true);
}

TEST(servers_that_cannot_be_connected_are_at_an_address)
{
    char option[256], where[64];
    begin_all();
    snprintf(option, sizeof option, "%s,127.0.0.1:1+3", ranges());
    collect(option, "--frames=5");
    assert_results(1, "status=failed, audit=pass, processes=3, connect_failed=3");
    snprintf(where, sizeof where, "3 of %u servers not connected: 3 refused, all at 127.0.0.1",
             ALL + 3);
    assert_non_null(strstr(results_text("reason"), where));
    end_all();
}

/* ---- clocks ---------------------------------------------------------------------------------- */

#define FAKETIME_PATH "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"

TEST(the_clock_of_each_process_is_corrected)
{
    const double hour_us = 3600e6;
    if (access(FAKETIME_PATH, R_OK) != 0 || SANITIZED) {
        printf("skip: no libfaketime here, or a sanitizer that it does not go with\n");
        skip();
    }
    fleets[0] = fleet_begin("--count=4");
    fleets[2] = fleet_begin("--count=4");
    setenv("LD_PRELOAD", FAKETIME_PATH, 1);
    setenv("FAKETIME", "+3600s", 1);
    setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
    fleets[1] = fleet_begin("--count=4");
    unsetenv("LD_PRELOAD");
    collect(ranges(), "--rate=600", "--frames=20", "--start=together");
    assert_results(0, "status=ok, audit=pass, processes=3, latency_reason=");
    const double error_us = results_number("clock_error_us_max");
    assert_true(error_us > 0 && error_us < hour_us / 2);
    assert_true(fabs(results_number("clock_offset_us_max") - hour_us) <= error_us + 1);
    assert_true(results_number("latency_us_max") < hour_us / 2);
    assert_true(results_number("start_spread_us") < hour_us / 2);
    end_all();
}

/* ---- options --------------------------------------------------------------------------------- */

TEST(who_cannot_hold_says_so)
{
    collect("--servers=127.0.0.1:1", "--request=READ\\n", "--start=together");
    assert_int_equal(results.exit_code, 2);
    assert_non_null(strstr(results.errors, "--start together: excludes --request"));
}
