/* The collector end to end, against devices in this process: every scheme, both bindings, both ways
 * to connect, and every fault of a server. Checks the row and the exit code. */
#include "client/buffers/scheme.h"
#include "client/collector/collector.h"
#include <cport.h>
#include "client/collector/tests/program.h"

enum { FLEET = 6 };

/* Runs the client on the devices with these options. */
#define collect(...)                                                                               \
    results_take(collector_main, devices_option(&devices), __VA_ARGS__, (char *)NULL)

static void assert_clean(unsigned servers, unsigned frames)
{
    assert_results(0,
                   "audit=pass, status=ok, reason=, connected=%u, connections_failed=0, "
                   "server_frames=%u, blocks_lost=0",
                   servers, servers * frames);
    assert_int_equal(results_count("bytes"), results_count("server_bytes"));
    assert_true(results_number("elapsed_ms") > 0);
}

/* ---- all is well ----------------------------------------------------------------------------- */

TEST(every_scheme_collects_under_both_bindings, NULL, devices_close)
{
    static const char *const bindings[] = {"--bind=early", "--bind=late"};
    for (unsigned i = 0; scheme_list(i) != NULL; i++)
        for (unsigned k = 0; k < 2; k++) {
            char scheme[64];
            snprintf(scheme, sizeof scheme, "--scheme=%s", scheme_list(i)->name);
            devices_open(FLEET, 0, DEVICE_GOOD);
            collect(scheme, bindings[k], "--frames=20", "--size=256..60kB");
            assert_clean(FLEET, 20);
            assert_results(0, "scheme=%s, bind=%s", scheme_list(i)->name,
                           bindings[k] + strlen("--bind="));
            devices_close(NULL);
        }
}

TEST(connects_one_after_the_other_too, NULL, devices_close)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    collect("--connect=sync", "--frames=5", "--workers=3", "--concurrency=2");
    assert_clean(FLEET, 5);
    assert_results(0, "connect=sync, worker_threads=3, workers=3, concurrency=2");
}

TEST(one_worker_one_packet_is_enough, NULL, devices_close)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    collect("--workers=1", "--concurrency=1", "--batch=1", "--frames=30");
    assert_clean(FLEET, 30);
}

TEST(markers_may_be_of_any_length, NULL, devices_close)
{
    static const char *const markers[] = {"--end-marker=\\x00", "--end-marker=0123456789abcdef"};
    for (unsigned i = 0; i < 2; i++) {
        devices_open(2, 0, DEVICE_GOOD);
        collect(markers[i], "--frames=20", "--size=256..5000", "--block=256", "--blocks=3");
        assert_clean(2, 20);
        devices_close(NULL);
    }
}

/* A few frames fill the cap: the client stops receiving, and nothing is lost. */
TEST(a_cap_holds_servers_back_and_loses_nothing, NULL, devices_close)
{
    static const struct {
        const char *scheme, *bind, *cap;
        uint64_t cap_bytes;
    } cases[] = {
        {"--scheme=chain", "--bind=early", "--pool-cap=150000", 150000},
        {"--scheme=chain", "--bind=late", "--pool-cap=150000", 150000},
        {"--scheme=fixed", "--bind=late", "--pool-cap=150000", 150000},
        {"--scheme=ring", "--bind=late", "--pool-cap=150000", 150000},
        {"--scheme=drain", "--bind=late", "--pool-cap=4200", 4200},
    };
    uint64_t waits = 0;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        devices_open(FLEET, 0, DEVICE_GOOD);
        collect(cases[i].scheme, cases[i].bind, cases[i].cap, "--block=4096", "--blocks=1",
                "--frames=60", "--size=20000..30000", "--workers=4");
        assert_clean(FLEET, 60);
        assert_true(results_count("buffer_peak_bytes") <= cases[i].cap_bytes);
        waits += results_count("buffer_cap_waits");
        devices_close(NULL);
    }
    /* In all cases together: a fast machine may never reach one of the caps. */
    assert_true(waits > 0);
}

TEST(logs_in_first, NULL, devices_close)
{
    static const char *const modes[] = {"--connect=async", "--connect=sync"};
    for (unsigned i = 0; i < 2; i++) {
        devices.user = "operator";
        devices.password = "secret";
        devices_open(FLEET, 0, DEVICE_GOOD);
        collect("--login=operator:secret", modes[i], "--frames=3");
        assert_clean(FLEET, 3);
        assert_string_equal(results_text("login"), "operator");
        devices_close(NULL);
    }
}

/* ---- servers that are not ours --------------------------------------------------------------- */

static void assert_foreign(unsigned frames)
{
    assert_results(0,
                   "status=ok, audit=none: servers that are not ours do not tell, frames=%u, "
                   "server_bytes=null, verify=none",
                   frames);
}

TEST(collects_from_foreign_servers, NULL, devices_close)
{
    devices_open(0, 2, DEVICE_FOREIGN);
    collect("--request=READ\\n", "--end-marker=\\x03", "--frames=7");
    assert_foreign(2 * FOREIGN_RECORDS);
    assert_results(0, "request=READ\\u000a");
}

TEST(collects_until_a_server_closes, NULL, devices_close)
{
    devices_open(0, 2, DEVICE_SENDS_FIRST);
    collect("--request=", "--end-marker=\\x03", "--frames=0");
    assert_foreign(2 * FOREIGN_RECORDS);
    assert_int_equal(results_count("bytes"), 2 * FOREIGN_RECORDS * FOREIGN_RECORD_BYTES);
    assert_true(results_number("elapsed_ms") > 0);
}

TEST(a_foreign_server_may_fail, NULL, devices_close)
{
    devices_open(0, 1, DEVICE_SENDS_FIRST);
    collect("--request=", "--end-marker=\\x03", "--frames=8");
    assert_results(1, "errors.closed-early=1");
    devices_close(NULL);
    devices_open(0, 1, DEVICE_SENDS_FIRST);
    collect("--request=", "--end-marker=\\x03", "--frames=8", "--frame-max=100");
    assert_results(1, "errors.overlong=1");
}

/* ---- one bad server -------------------------------------------------------------------------- */

TEST(a_bad_server_fails_alone, NULL, devices_close)
{
    static const struct {
        enum device_fault fault;
        const char *name;
    } cases[] = {
        {DEVICE_RESETS, "reset"},
        {DEVICE_TRUNCATES, "truncated"},
        {DEVICE_CORRUPTS, "bad-check"},
        {DEVICE_SKIPS, "bad-order"},
        {DEVICE_NEVER_ENDS, "overlong"},
        {DEVICE_STALLS, "stalled"},
        {DEVICE_CLOSES_EARLY, "closed-early"},
        {DEVICE_MUTE, "stalled"},
    };
    static const char *const schemes[] = {"--scheme=chain", "--scheme=fixed", "--scheme=ring"};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        devices_open(FLEET, 1, cases[i].fault);
        collect(schemes[i % 3], i % 2 == 0 ? "--bind=early" : "--bind=late", "--frames=10",
                "--size=1000..9000",
                strcmp(cases[i].name, "stalled") == 0 ? "--stall-timeout=2s"
                                                      : "--stall-timeout=60s");
        assert_results(1,
                       "status=failed, connected=%u, connections_failed=1, errors.%s=1, "
                       "blocks_lost=0, audit=fail*",
                       FLEET + 1, cases[i].name);
        assert_true(results_number("frames") >= FLEET * 10);
        devices_close(NULL);
    }
}

TEST(a_refused_request_is_told_in_the_servers_words, NULL, devices_close)
{
    static const char *const bindings[] = {"--bind=early", "--bind=late"};
    for (unsigned i = 0; scheme_list(i) != NULL; i++) {
        char scheme[64];
        snprintf(scheme, sizeof scheme, "--scheme=%s", scheme_list(i)->name);
        devices_open(FLEET, 1, DEVICE_SAYS_NO);
        collect(scheme, bindings[i % 2], "--frames=10", "--size=1000..9000",
                i % 3 == 0 ? "--reconnect" : "--end-marker=\\x03");
        assert_results(1,
                       "status=failed, connected=%u, connections_failed=1, "
                       "errors.request-refused=1, blocks_lost=0, audit=fail: received*",
                       FLEET + 1);
        assert_non_null(strstr(results_text("refusal"), " said NO such frames: x"));
        assert_non_null(strstr(results_text("reason"), "1 request-refused; 127.0.0.1:"));
        assert_non_null(strstr(results_text("reason"), " said NO such frames: x; audit"));
        assert_int_equal(results_count("bytes"), results_count("server_bytes"));
        devices_close(NULL);
    }
}

/* A fleet that accepts or closes very many connections comes late to a question. */
TEST(a_late_answer_is_waited_for, NULL, devices_close)
{
    devices_open(0, FLEET, DEVICE_ANSWERS_LATE);
    collect("--frames=10", "--size=256..9000", "--stall-timeout=1s");
    assert_clean(FLEET, 10);
}

TEST(surplus_frames_fail_the_audit, NULL, devices_close)
{
    devices_open(FLEET, 1, DEVICE_ADDS);
    collect("--frames=2", "--size=256..300");
    assert_results(1, "status=failed, audit=fail*");
}

TEST(nothing_listening_is_a_failed_row, NULL, devices_close)
{
    devices_open(0, 2, DEVICE_REFUSES);
    collect("--frames=4");
    assert_results(1, "connected=0, audit=none: no server connected, elapsed_ms=null, "
                      "connect_us_p50=null, bottleneck=");
}

TEST(a_wrong_login_is_refused, NULL, devices_close)
{
    devices.user = "operator";
    devices.password = "secret";
    devices_open(2, 0, DEVICE_GOOD);
    collect("--login=operator:guess", "--frames=3");
    assert_results(1, "connected=2, errors.login-refused=2");
    assert_non_null(strstr(results_text("refusal"), " said NO wrong"));
}

TEST(a_login_that_is_not_answered_has_a_time_limit, NULL, devices_close)
{
    devices_open(0, 1, DEVICE_MUTE);
    collect("--login=a:b", "--frames=3", "--login-timeout=1000");
    assert_results(1, "errors.login-timeout=1");
    assert_true(results_number("connect_cpu_s") > 0);
}

/* Of two ranges: two processes, as far as one can tell. */
TEST(a_process_that_does_not_say_what_it_sent_is_named, NULL, devices_close)
{
    char list[64], audit[96];
    devices_open(1, 1, DEVICE_TELLS_NOTHING);
    snprintf(list, sizeof list, "--servers=127.0.0.1:%u+1,127.0.0.1:%u+1", devices.ports[0],
             devices.ports[1]);
    results_take(collector_main, list, "--frames=5", (char *)NULL);
    snprintf(audit, sizeof audit, "fail: the servers do not say what they sent: 127.0.0.1:%u *",
             devices.ports[1]);
    assert_results(1, "connected=2, frames=10, processes=1, audit=%s", audit);
}
