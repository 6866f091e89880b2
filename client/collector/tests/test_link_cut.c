/* The link is cut in the middle of a run, for a moment or for longer than the client waits: the
 * real client and the real fleet, a real link between them. */
#include "base/os.h"
#include "base/tests/find.h"
#include "client/collector/tests/results.h"

enum {
    COUNT = 4,
    FRAMES = 50,       /* of each server: 2 seconds at 100 a second of all together */
    CUT_MS = 500,      /* from the link's start to the cut: a quarter of that time */
    LATENESS_MAX = 64, /* both times this: for a machine on which the client starts late */
    PATH_BYTES = 512,
    LATE_US = 200 * 1000,
    PATIENCE_S = 600,
    CANNOT = 3, /* exit code of a machine that has no namespaces */
};

static unsigned lateness; /* of the last run */

/* Runs the client behind a link that is cut `lateness` times CUT_MS after its start, while frames
 * are sent `lateness` times as long. Skips the test where there is no link. */
static void collect_once(const char *cut_for, const char *options)
{
    char cut[48];
    char programs[PATH_BYTES - 64], directory[] = "/tmp/fanin-test-XXXXXX", lan[PATH_BYTES];
    char far[2 * PATH_BYTES], near[4 * PATH_BYTES], row[64], errors[64], ready[80];
    struct os_process process;
    assert_true(find_upwards(programs, sizeof programs, "fanin-lan"));
    *strrchr(programs, '/') = '\0';
    assert_non_null(mkdtemp(directory));
    snprintf(cut, sizeof cut, "%ums:%s", lateness * CUT_MS, cut_for);
    snprintf(row, sizeof row, "%s/row", directory);
    snprintf(errors, sizeof errors, "%s/errors", directory);
    snprintf(ready, sizeof ready, "--ready-file=%s/ready", directory);
    snprintf(lan, sizeof lan, "%s/fanin-lan", programs);
    snprintf(far, sizeof far, "exec %s/fanin-servers --count=%d --listen=$FANIN_FAR %s", programs,
             COUNT, ready);
    snprintf(near, sizeof near,
             "exec %s/fanin-client --servers=%d --address=$FANIN_FAR --frames=%d --rate=100 "
             "--size=300..3000 --quiet --json=%s %s",
             programs, COUNT, lateness * FRAMES, row, options);
    char *argv[] = {lan,
                    (char *)"--quiet",
                    (char *)"--rate=100mbit",
                    (char *)"--rtt=0.5ms",
                    (char *)"--cut",
                    cut,
                    ready,
                    (char *)"--far",
                    far,
                    (char *)"--",
                    (char *)"sh",
                    (char *)"-c",
                    near,
                    NULL};
    assert_int_equal(os_process_start(&process, argv, NULL, errors), 0);
    assert_int_equal(
        os_process_wait(&process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &results.exit_code), 1);
    file_read(row, results.row, sizeof results.row);
    file_read(errors, results.errors, sizeof results.errors);
    remove(row);
    remove(errors);
    snprintf(ready, sizeof ready, "%s/ready", directory);
    remove(ready);
    assert_int_equal(rmdir(directory), 0);
    if (results.exit_code == CANNOT && results.row[0] == '\0') {
        printf("skip: %s", results.errors);
        skip();
    }
}

/* Runs the client; again with a later cut if none of its frames were late, since then it had not
 * begun when the link was cut. */
static void collect(const char *cut_for, const char *options)
{
    for (lateness = 1;; lateness *= 4) {
        collect_once(cut_for, options);
        if (lateness == LATENESS_MAX || results.exit_code != 0 ||
            results_number("latency_us_max") >= LATE_US)
            return;
    }
}

static void assert_all_frames(void)
{
    assert_results(0, "audit=pass, frames=%u, frames_missed=0, connections_failed=0",
                   COUNT * lateness * FRAMES);
}

/* The kernel of the servers keeps what is due during the cut, and sends it late. */
TEST(tcp_recovers_from_a_short_cut)
{
    collect("300ms", "--stall-timeout=20s");
    assert_all_frames();
    assert_results(0, "reconnect_attempts=0, undelivered_bytes=0");
    assert_true(results_number("latency_us_max") >= LATE_US);
}

TEST(a_long_cut_is_a_failure)
{
    collect("3s", "--stall-timeout=600");
    assert_results(1, "status=failed, errors.stalled=%u", COUNT);
    assert_true(results_count("frames_missed") > 0);
}

/* The servers do not notice that the client has given up: they continue on both connections. */
TEST(reconnecting_recovers_from_a_long_cut)
{
    collect("1500ms", "--stall-timeout=400 --connect-timeout=400 --reconnect "
                      "--reconnect-delay=50..200");
    assert_all_frames();
    assert_in_range(results_count("reconnects"), COUNT, 8 * COUNT);
    assert_true(results_count("reconnect_attempts") >= COUNT);
    assert_true(results_number("outage_ms_max") >= 500);
    assert_true(results_number("latency_us_max") >= 1e6);
}
