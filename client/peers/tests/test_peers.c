/* The built peers of fanin-client: each does the same job, writes the same row, fails as the client
 * fails, and a bad server does not disturb the others. */

int absent_main(int argc, char **argv);
#define main absent_main
#include "client/peers/absent.c"
#undef main
#include <signal.h>

#include "client/collector/tests/program.h"

enum { FLEET = 5, FRAMES = 20, DESCRIPTORS_FEW = 50 };

static const struct peer {
    const char *program, *scheme;
    bool finds_frames;
    unsigned workers;   /* threads of that role */
    const char *option; /* NULL: none */
} peers[] = {
    {"fanin-raw", "raw", false, 0, NULL},
    {"fanin-raw", "raw-copy", false, 0, "--processors=1"},
    {"fanin-peer-blocking", "blocking", true, FLEET, NULL},
    {"fanin-peer-blocking", "blocking-slices", true, FLEET, "--scheme=slices"},
    {"fanin-peer-libuv", "libuv", true, 0, NULL},
    {"fanin-peer-libuv", "libuv-slices", true, 0, "--scheme=slices"},
    {"fanin-peer-libevent", "libevent", true, 0, NULL},
    {"fanin-peer-libevent", "libevent-slices", true, 0, "--scheme=slices"},
};

static void add_for_each_peer(const char *name, CMUnitTestFunction test)
{
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        const struct peer *peer = &peers[i];
        test_add_variant((struct CMUnitTest){name, test, NULL, devices_close, (void *)peer},
                         peer->scheme);
    }
}

/* The `state` of a test is its peer. */
#define EACH_PEER(name) TEST_ADDED_BY(add_for_each_peer(#name, name), name, void **state)

static const struct peer *peer_of(void **state)
{
    return *state;
}

/* `late`: how many servers will stall or not connect in time. */
static void run_peer_with(void **state, const char *const *options, unsigned late)
{
    const char *all[ARGUMENTS_MAX] = {"--json=-"};
    unsigned count = 1;
    while (*options != NULL)
        all[count++] = *options++;
    all[count] = peer_of(state)->option;
    program_run_patiently(peer_of(state)->program, all, late);
    if (results.exit_code == EXIT_MACHINE_CANNOT && results.row[0] == '\0') {
        printf("skip: %s", results.errors);
        skip();
    }
}

static void run_peer(void **state, const char *const *options)
{
    run_peer_with(state, options, 0);
}

/* ---- the same job ---------------------------------------------------------------------------- */

static void assert_clean(const struct peer *peer, unsigned frames)
{
    assert_results(EXIT_DONE, "audit=pass, status=ok");
    assert_int_equal(results_count("bytes"), results_count("server_bytes"));
    if (peer->finds_frames)
        assert_int_equal(results_count("frames"), frames);
    else
        assert_true(results_is_null("frames"));
}

EACH_PEER(it_writes_the_same_row)
{
    const struct peer *peer = peer_of(state);
    devices_open(FLEET, 0, DEVICE_GOOD);
    run_peer(state, (const char *const[]){"--frames=20", "--scheme=fixed", "--workers=4", NULL});
    assert_clean(peer, FLEET * FRAMES);
    assert_string_equal(results_text("scheme"), peer->scheme);
    assert_string_equal(results_text("gate"), "none");
    assert_string_equal(results_text("connect"), "sync");
    assert_int_equal(results_count("workers"), peer->workers > 0 ? peer->workers : 1);
    assert_int_equal(results_count("worker_threads"), peer->workers);
    assert_true(results_count("total_threads") >= 1 + peer->workers);
    assert_true(results_number("connect_posted_ms") > 0);
    assert_true(results_number("connect_posted_ms") <= results_number("connect_ms"));
    assert_true(results_number("connect_cpu_s") > 0);
    if (results_is_null("buffer_peak_bytes"))
        assert_true(results_is_null("committed_kb"));
    else
        assert_true(results_count("committed_kb") >= results_count("base_rss_kb"));
    assert_true(results_is_null("latency_us_p50"));
}

/* Frames that fit the shared buffer, a buffer of the connection, or neither. */
EACH_PEER(frames_of_any_size_arrive)
{
    static const char *const sizes[] = {"--size=128..300", "--size=4096", "--size=20kB..40kB",
                                        "--size=100000", "--size=128..250kB"};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        devices_open(FLEET, 0, DEVICE_GOOD);
        run_peer(state, (const char *const[]){sizes[i], "--frames=60", NULL});
        assert_clean(peer_of(state), FLEET * 60);
        devices_close(NULL);
    }
}

EACH_PEER(a_marker_may_be_of_any_length_and_a_frame_unverified)
{
    static const char *const cases[][2] = {
        {"--verify=full", "--end-marker=\\x03"},
        {"--verify=header", "--end-marker=\\r\\n--end--\\r\\n."},
        {"--verify=none", "--end-marker=\\x03\\x03\\x04"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        devices_open(FLEET, 0, DEVICE_GOOD);
        run_peer(state, (const char *const[]){cases[i][0], cases[i][1], "--frames=20", NULL});
        assert_clean(peer_of(state), FLEET * FRAMES);
        devices_close(NULL);
    }
}

EACH_PEER(live_frames_have_latencies)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    run_peer(state, (const char *const[]){"--source=live", "--frames=20", NULL});
    assert_clean(peer_of(state), FLEET * FRAMES);
    assert_int_equal(results_is_null("latency_us_p99"), !peer_of(state)->finds_frames);
}

/* By its own CPU time, which a busy machine may stretch a little at the end of a payment. */
EACH_PEER(it_works_with_what_it_receives)
{
    enum { TRIES = 10, BYTE_NS = 20, RECORD_US = 10 };
    const bool finds = peer_of(state)->finds_frames;
    double asked_s, work_s = 0;
    unsigned tries = 0;
    do {
        devices_open(FLEET, 0, DEVICE_GOOD);
        run_peer(state, (const char *const[]){
                            finds ? "--work=touch:20ns/byte+10us/record" : "--work=touch:20ns/byte",
                            "--size=4096", "--frames=20",
                            tries % 2 == 0 ? "--verify=header" : "--verify=full", NULL});
        assert_clean(peer_of(state), FLEET * FRAMES);
        devices_close(NULL);
        asked_s = results_number("bytes") * BYTE_NS / 1e9 +
                  (finds ? FLEET * FRAMES * RECORD_US / 1e6 : 0);
        work_s = results_number("work_s");
        assert_true(work_s >= 0.999 * asked_s);
        assert_true(results_number("cpu_s") >= 0.9 * asked_s);
    } while (++tries < 2 || (work_s > 1.05 * asked_s && tries < TRIES));
    assert_true(work_s <= 1.05 * asked_s);
    assert_string_equal(results_text("look"), "wake");
    assert_true(results_is_null("looks"));
}

EACH_PEER(it_has_no_common_buffer_to_look_at)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    run_peer(state, (const char *const[]){"--look=every:10ms", NULL});
    assert_int_equal(results.exit_code, EXIT_WRONG_USE);
    assert_non_null(strstr(results.errors, "--look"));
    run_peer(state, (const char *const[]){"--work=spin:1us/record", "--frames=1", NULL});
    assert_int_equal(results.exit_code, peer_of(state)->finds_frames ? EXIT_DONE : EXIT_WRONG_USE);
}

EACH_PEER(it_logs_in_first)
{
    devices.user = "operator";
    devices.password = "secret";
    devices_open(FLEET, 0, DEVICE_GOOD);
    run_peer(state, (const char *const[]){"--login=operator:secret", "--frames=20", NULL});
    assert_clean(peer_of(state), FLEET * FRAMES);
    run_peer(state, (const char *const[]){"--login=operator:guess", "--frames=20", NULL});
    assert_results(EXIT_MEASURED_FAILURE, "errors.login-refused=%u", FLEET);
    assert_non_null(strstr(results_text("refusal"), " said NO wrong"));
}

/* Servers that are asked and ones that send at once; until they close, or by number of frames. */
EACH_PEER(it_collects_from_foreign_servers)
{
    const char *frames = peer_of(state)->finds_frames ? "--frames=7" : "--frames=0";
    devices_open(0, FLEET, DEVICE_FOREIGN);
    run_peer(state,
             (const char *const[]){"--request=READ\\n", "--end-marker=\\x03", "--frames=0", NULL});
    assert_results(EXIT_DONE, "bytes=%u", FLEET * FOREIGN_RECORDS * FOREIGN_RECORD_BYTES);
    devices_close(NULL);
    devices_open(0, FLEET, DEVICE_SENDS_FIRST);
    run_peer(state, (const char *const[]){"--request=", "--end-marker=\\x03", frames, NULL});
    assert_results(EXIT_DONE, "bytes=%u", FLEET * FOREIGN_RECORDS * FOREIGN_RECORD_BYTES);
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* The good servers' frames arrive, all of them; the raw loop does not look at what it gets. libuv
 * takes a reset for an end of the stream when both come with the same event. */
EACH_PEER(a_bad_server_fails_alone)
{
    static const struct {
        enum device_fault fault;
        const char *name, *raw_name; /* NULL: the raw loop cannot know */
        unsigned frames;             /* that the bad one has processed */
    } cases[] = {
        {DEVICE_RESETS, "reset", "reset", 1},
        {DEVICE_TRUNCATES, "truncated", "closed-early", 1},
        {DEVICE_CLOSES_EARLY, "closed-early", "closed-early", 1},
        {DEVICE_STALLS, "stalled", "stalled", 1},
        {DEVICE_MUTE, "stalled", "stalled", 0},
        {DEVICE_CORRUPTS, "bad-check", NULL, 1},
        {DEVICE_SKIPS, "bad-order", NULL, 1},
        {DEVICE_NEVER_ENDS, "overlong", NULL, 1},
    };
    const struct peer *peer = peer_of(state);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = peer->finds_frames ? cases[i].name : cases[i].raw_name;
        if (name == NULL)
            continue;
        devices_open(FLEET, 1, cases[i].fault);
        run_peer_with(state, (const char *const[]){"--frames=20", NULL},
                      strcmp(name, "stalled") == 0);
        assert_results(EXIT_MEASURED_FAILURE, "connections_failed=1");
        if (cases[i].fault != DEVICE_RESETS || strstr(peer->scheme, "libuv") == NULL)
            assert_results(EXIT_MEASURED_FAILURE, "errors.%s=1", name);
        if (peer->finds_frames && cases[i].fault != DEVICE_RESETS)
            assert_int_equal(results_count("frames"), FLEET * FRAMES + cases[i].frames);
        devices_close(NULL);
    }
}

EACH_PEER(a_refused_request_is_told_in_the_servers_words)
{
    devices_open(FLEET, 1, DEVICE_SAYS_NO);
    run_peer(state, (const char *const[]){"--frames=20", NULL});
    assert_results(EXIT_MEASURED_FAILURE,
                   "connections_failed=1, errors.request-refused=1, audit=fail: received*");
    assert_non_null(strstr(results_text("refusal"), " said NO such frames: x"));
    assert_int_equal(results_count("bytes"), results_count("server_bytes"));
}

/* The surplus comes with the last frame in one receive, or after it: one of five is noticed. */
EACH_PEER(a_surplus_frame_fails_the_audit)
{
    devices_open(0, FLEET, DEVICE_ADDS);
    run_peer(state, (const char *const[]){"--frames=3", "--size=256..300", NULL});
    assert_results(EXIT_MEASURED_FAILURE, "audit=fail: *");
}

EACH_PEER(failed_connects_are_counted_by_name)
{
    static const struct {
        enum device_fault fault;
        const char *name;
    } cases[] = {{DEVICE_REFUSES, "refused"}, {DEVICE_FULL, "timeout"}};
    for (unsigned i = 0; i < 2; i++) {
        devices_open(FLEET, 1, cases[i].fault);
        run_peer_with(state, (const char *const[]){"--frames=20", NULL},
                      cases[i].fault == DEVICE_FULL);
        assert_results(EXIT_MEASURED_FAILURE, "connected=%u, connect_errors.%s=1, audit=pass",
                       FLEET, cases[i].name);
        devices_close(NULL);
    }
    devices_open(0, FLEET, DEVICE_REFUSES);
    run_peer(state, (const char *const[]){"--frames=20", NULL});
    assert_results(EXIT_MEASURED_FAILURE, "audit=none: no server connected");
}

EACH_PEER(a_signal_ends_it_with_a_row)
{
    struct running running;
    devices_open(0, FLEET, DEVICE_MUTE);
    program_start(&running, peer_of(state)->program, (const char *const[]){"--json=-", NULL});
    await_unanswered(FLEET);
    kill(running.child, SIGHUP);
    program_finish(&running);
    if (results.exit_code == EXIT_MACHINE_CANNOT)
        skip();
    assert_results(EXIT_MEASURED_FAILURE, "errors.interrupted=%u, interrupted_by=SIGHUP", FLEET);
}

/* 4 s of work for each frame, and nobody waits for it. */
EACH_PEER(a_signal_ends_its_work)
{
    struct running running;
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_start(&running, peer_of(state)->program,
                  (const char *const[]){"--json=-", "--work=spin:1ms/byte", "--size=4096", NULL});
    os_sleep_ns(300 * OS_NS_PER_MS);
    kill(running.child, SIGHUP);
    program_finish(&running);
    if (results.exit_code == EXIT_MACHINE_CANNOT)
        skip();
    assert_results(EXIT_MEASURED_FAILURE, "interrupted_by=SIGHUP");
    assert_true(results_number("work_s") < 4.0 * FLEET);
    devices_close(NULL);
}

EACH_PEER(too_few_descriptors_are_reported_with_advice)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    program_limits[0].most = DESCRIPTORS_FEW;
    run_peer(state, (const char *const[]){"--servers=200", NULL});
    assert_results(EXIT_MACHINE_CANNOT, "status=skipped");
    assert_non_null(strstr(results_text("reason"), "hard limit is 50"));
}

/* However little memory there is, the program ends with a row. */
EACH_PEER(memory_may_run_out_anywhere)
{
    enum { LEAST_MB = 8, STEP_MB = 4, MOST_MB = 128, LOADER_FAILED = 127 };
    const struct peer *peer = peer_of(state);
    rlim_t limit_mb = LEAST_MB;
    if (SANITIZED) {
        puts("skip: a sanitizer's shadow is larger than any limit that would bite");
        skip();
    }
    if (strstr(peer->scheme, "libuv") != NULL) {
        puts("skip: libuv aborts where it has no memory for its own table of watchers");
        skip();
    }
    do {
        assert_true(limit_mb < MOST_MB);
        devices_open(DEVICES_MAX, 0, DEVICE_GOOD);
        program_limits[1].most = limit_mb << 20;
        run_peer(state, (const char *const[]){"--frames=2", NULL});
        devices_close(NULL);
        limit_mb += STEP_MB;
        if (results.exit_code == LOADER_FAILED || results.row[0] == '\0')
            continue;
        bool skipped = results.exit_code == EXIT_MACHINE_CANNOT;
        if (results.exit_code != EXIT_DONE)
            assert_string_equal(results_text("status"), skipped ? "skipped" : "failed");
    } while (results.exit_code != EXIT_DONE);
    assert_string_equal(results_text("audit"), "pass");
}

/* ---- without the library --------------------------------------------------------------------- */

TEST(a_peer_built_without_its_library_says_so)
{
    FILE *errors = tmpfile();
    char name[] = "/somewhere/fanin-peer-x", *arguments[] = {name, NULL};
    int kept = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(errors), STDERR_FILENO);
    int code = absent_main(1, arguments);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    file_slurp(errors, results.errors);
    assert_int_equal(code, EXIT_MACHINE_CANNOT);
    assert_ptr_equal(strstr(results.errors, "fanin-peer-x: built without its libraries"),
                     results.errors);
}
