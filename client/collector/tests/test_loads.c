/* Idle servers, and one that floods: the audit of the client and of its peers. */
#include "client/buffers/scheme.h"
#include "client/collector/request.h"
#include "client/collector/tests/program.h"

enum { FLEET = 8, ASKED = 2, FRAMES = 5, FLOOD = 300 };

static void assert_clean(unsigned frames)
{
    assert_results(EXIT_DONE, "audit=pass, connected=%u, connections_failed=0, server_frames=%u",
                   FLEET, frames);
    assert_int_equal(results_count("bytes"), results_count("server_bytes"));
    if (!results_is_null("frames"))
        assert_results(EXIT_DONE, "frames=%u, frames_missed=0", frames);
}

/* ---- idle servers ---------------------------------------------------------------------------- */

TEST(idle_servers_lie_between_the_others, NULL, devices_close)
{
    struct request_set requests = {0};
    for (uint32_t percent = 0; percent < 100; percent++) {
        uint32_t asked = 0, last = 0;
        requests.idle_percent = percent;
        assert_false(request_is_idle(&requests, 0));
        for (uint32_t i = 0; i < 1000; i++) {
            if (!request_is_idle(&requests, i)) {
                assert_true(i - last <= 100 / (100 - percent) + 1);
                asked++;
                last = i;
            }
            assert_int_equal(request_asked(&requests, i + 1), asked);
        }
        assert_int_equal(asked, 10 * (100 - percent));
    }
}

/* ---- the client ------------------------------------------------------------------------------ */

static void run_scheme(const char *name, const char *bind, const char *load, const char *rate)
{
    char scheme[64];
    snprintf(scheme, sizeof scheme, "--scheme=%s", name);
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run_patiently(
        "fanin-client",
        (const char *const[]){scheme, bind, load, rate, "--frames=5", "--json=-", NULL}, 0);
    devices_close(NULL);
}

TEST(idle_servers_are_connected_and_owe_nothing, NULL, devices_close)
{
    for (unsigned i = 0; scheme_list(i) != NULL; i++) {
        run_scheme(scheme_list(i)->name, "--bind=late", "--idle=75", "--rate=20");
        assert_clean(ASKED * FRAMES);
        run_scheme(scheme_list(i)->name, "--bind=early", "--idle=75", "--rate=0");
        assert_clean(ASKED * FRAMES);
        assert_int_equal(results_count("idle_servers"), FLEET - ASKED);
        assert_true(results_count("ready_rss_kb") > 0);
    }
}

/* The servers that are asked are mute and fail; the idle ones do not. */
TEST(idle_servers_do_not_delay_the_end, NULL, devices_close)
{
    devices_open(0, FLEET, DEVICE_MUTE);
    program_run_patiently(
        "fanin-client", (const char *const[]){"--idle=75", "--frames=5", "--json=-", NULL}, ASKED);
    assert_results(EXIT_MEASURED_FAILURE, "connections_failed=%u, errors.stalled=%u", ASKED, ASKED);
}

TEST(a_flood_is_counted_and_has_no_latency, NULL, devices_close)
{
    char flood[32];
    snprintf(flood, sizeof flood, "--flood=%d", FLOOD);
    for (unsigned i = 0; scheme_list(i) != NULL; i++) {
        run_scheme(scheme_list(i)->name, "--bind=late", flood, "--rate=500");
        assert_clean((FLEET - 1) * FRAMES + FLOOD);
        if (!results_is_null("frames"))
            assert_true(results_number("latency_us_max") < 60e6);
    }
}

/* The first server, which floods, has a fault. */
static void open_faulty_flooder(enum device_fault fault)
{
    devices_reset();
    devices_add(&devices, fault);
    devices_add(&devices, DEVICE_GOOD);
    devices_start(&devices);
}

/* Nobody waits for its first byte, and without --frames only the others' frames are uncounted. */
TEST(a_flood_that_is_lost_or_that_time_ends_holds_nobody_up, NULL, devices_close)
{
    open_faulty_flooder(DEVICE_REFUSES);
    program_run("fanin-client", (const char *const[]){"--flood=300", "--rate=500", "--frames=5",
                                                      "--reconnect", "--reconnect-tries=1",
                                                      "--reconnect-delay=1..2", "--json=-", NULL});
    devices_close(NULL);
    assert_results(EXIT_MEASURED_FAILURE, "audit=pass, connected=1, frames=%u", FRAMES);
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_run("fanin-client",
                (const char *const[]){"--flood=300", "--rate=500", "--for=200", "--json=-", NULL});
    assert_results(EXIT_DONE, "audit=pass, connections_failed=0, frames_per_server=0");
}

/* The others are asked after the server that floods, which is mute here: until it has stalled. */
TEST(the_time_of_a_collection_begins_when_all_are_asked, NULL, devices_close)
{
    open_faulty_flooder(DEVICE_MUTE);
    program_run("fanin-client", (const char *const[]){"--flood=300", "--rate=500", "--for=100",
                                                      "--stall-timeout=500", "--json=-", NULL});
    assert_results(EXIT_MEASURED_FAILURE, "errors.stalled=1, ended_by_time=1");
}

/* ---- the peers ------------------------------------------------------------------------------- */

TEST(peers_leave_idle_servers_alone, NULL, devices_close)
{
    static const char *const peers[] = {"fanin-raw", "fanin-peer-blocking", "fanin-peer-libuv",
                                        "fanin-peer-libevent"};
    for (unsigned i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        devices_open(FLEET, 0, DEVICE_GOOD);
        program_run_patiently(
            peers[i],
            (const char *const[]){"--idle=75", "--frames=5", "--rate=20", "--json=-", NULL}, 0);
        devices_close(NULL);
        if (results.exit_code == EXIT_MACHINE_CANNOT && results.row[0] == '\0')
            printf("without %s: %s", peers[i], results.errors);
        else
            assert_clean(ASKED * FRAMES);
    }
}
