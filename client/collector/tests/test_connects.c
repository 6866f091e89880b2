/* Failed connects are counted the same way on every engine and in both modes. A connect that is not
 * answered ends at its time limit and at no other time. */
#include <signal.h>
#include <sys/time.h>

#include "client/collector/collector.h"
#include <cport.h>
#include "client/collector/tests/program.h"

enum { GOOD = 4, REFUSING = 3, SILENT = 2, LIMIT_MS = 1000 };

_Static_assert(LIMIT_MS == 1000, "--connect-timeout=1000 says so");

static int fleet_begin(void **state)
{
    memset(&devices, 0, sizeof devices);
    for (unsigned i = 0; i < REFUSING; i++)
        devices_add(&devices, DEVICE_REFUSES);
    for (unsigned i = 0; i < SILENT; i++)
        devices_add(&devices, DEVICE_FULL);
    for (unsigned i = 0; i < GOOD; i++)
        devices_add(&devices, DEVICE_GOOD);
    devices_start(&devices);
    return 0;
}

/* The lower bounds are the law; upper ones would depend on the machine. One after the other each
 * silent server takes the limit; at the same time they share it. */
static void failures_are_counted(const char *engine, const char *mode)
{
    unsigned in_turn = strcmp(mode, "--connect=sync") == 0 ? SILENT : 1;
    char by[64];
    snprintf(by, sizeof by, "--engine=%s", engine);
    results_take(collector_main, devices_option(&devices), by, mode, "--connect-timeout=1000",
                 "--frames=2", (char *)NULL);
    if (strcmp(results_text("status"), "skipped") == 0) {
        printf("skip: %s\n", results_text("reason"));
        skip();
    }
    assert_results(1,
                   "engine=%s, connected=%u, connect_failed=%u, connect_errors.refused=%u, "
                   "connect_errors.timeout=%u, connections_failed=0, audit=pass",
                   engine, GOOD, REFUSING + SILENT, REFUSING, SILENT);
    assert_true(results_number("connect_ms") >= (double)in_turn * LIMIT_MS);
    assert_true(results_number("connect_us_max") < LIMIT_MS * 1e3);
    /* The last server, a good one, waits its turn: one after the other until the silent ones are
     * given up. */
    assert_true(results_number("connect_posted_ms") <= results_number("connect_ms"));
    if (in_turn == SILENT)
        assert_true(results_number("connect_posted_ms") >= (double)in_turn * LIMIT_MS);
    assert_true(results_number("connect_cpu_s") > 0);
}

static void add_for_every_engine(const char *name, CMUnitTestFunction test)
{
    const char *engine;
    for (unsigned i = 0; (engine = cp_engine_list(i, NULL)) != NULL; i++)
        test_add_variant(
            (struct CMUnitTest){name, test, fleet_begin, devices_close, (void *)(uintptr_t)engine},
            engine);
}

#define EVERY_ENGINE(name) TEST_ADDED_BY(add_for_every_engine(#name, name), name, void **state)

EVERY_ENGINE(connects_that_fail_at_the_same_time)
{
    failures_are_counted(*state, "--connect=async");
}

static void do_nothing(int number)
{
}

/* Signals interrupt the blocking connects, and change nothing. */
EVERY_ENGINE(connects_that_fail_one_after_the_other)
{
    enum { EVERY_US = 20000 };
    const struct itimerval often = {{0, EVERY_US}, {0, EVERY_US}}, never = {{0, 0}, {0, 0}};
    signal(SIGALRM, do_nothing);
    setitimer(ITIMER_REAL, &often, NULL);
    failures_are_counted(*state, "--connect=sync");
    setitimer(ITIMER_REAL, &never, NULL);
}
