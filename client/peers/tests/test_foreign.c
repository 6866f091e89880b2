/* Servers that are not ours, and collections that end by time: every scheme of the client and every
 * peer says the same of the same bytes, however TCP cuts them. */
#include "client/collector/tests/program.h"

enum { FLEET = 6, WORDS_MAX = 4 };

static const struct collector {
    const char *name, *program;
    const char *words[WORDS_MAX];
    bool finds_frames;
} collectors[] = {
    {"fixed", "fanin-client", {"--scheme=fixed"}, true},
    {"ring", "fanin-client", {"--scheme=ring"}, true},
    {"chain", "fanin-client", {"--scheme=chain"}, true},
    {"chain-early", "fanin-client", {"--scheme=chain", "--bind=early"}, true},
    {"slices", "fanin-client", {"--scheme=slices"}, true},
    {"slices-threads", "fanin-client", {"--scheme=slices", "--processors=2"}, true},
    {"slices-early", "fanin-client", {"--scheme=slices", "--bind=early"}, true},
    {"mirror", "fanin-client", {"--scheme=mirror"}, true},
    {"drain", "fanin-client", {"--scheme=drain"}, false},
    {"raw", "fanin-raw", {NULL}, false},
    {"blocking", "fanin-peer-blocking", {NULL}, true},
    {"blocking-slices", "fanin-peer-blocking", {"--scheme=slices"}, true},
    {"libuv", "fanin-peer-libuv", {NULL}, true},
    {"libuv-slices", "fanin-peer-libuv", {"--scheme=slices"}, true},
    {"libevent", "fanin-peer-libevent", {NULL}, true},
    {"libevent-slices", "fanin-peer-libevent", {"--scheme=slices"}, true},
};

static void add(const char *name, CMUnitTestFunction test, const struct collector *collector)
{
    test_add_variant((struct CMUnitTest){name, test, NULL, devices_close, (void *)collector},
                     collector->name);
}

static void add_for_each_collector(const char *name, CMUnitTestFunction test)
{
    for (size_t i = 0; i < sizeof collectors / sizeof *collectors; i++)
        add(name, test, &collectors[i]);
}

/* Where it is the program that matters, with whatever scheme. */
static void add_for_each_program(const char *name, CMUnitTestFunction test)
{
    for (size_t i = 0; i < sizeof collectors / sizeof *collectors; i++)
        if (i == 0 || strcmp(collectors[i].program, collectors[i - 1].program) != 0)
            add(name, test, &collectors[i]);
}

/* The `state` of a test is its collector. */
#define EACH_COLLECTOR(name) TEST_ADDED_BY(add_for_each_collector(#name, name), name, void **state)
#define EACH_PROGRAM(name)   TEST_ADDED_BY(add_for_each_program(#name, name), name, void **state)

static void collect(void **state, const char *const *options)
{
    const struct collector *collector = *state;
    const char *all[ARGUMENTS_MAX] = {"--json=-"};
    unsigned count = 1;
    for (unsigned i = 0; collector->words[i] != NULL; i++)
        all[count++] = collector->words[i];
    while (*options != NULL)
        all[count++] = *options++;
    assert_true(count < ARGUMENTS_MAX);
    program_run(collector->program, all);
    if (results.exit_code == EXIT_MACHINE_CANNOT && results.row[0] == '\0') {
        printf("skip: %s", results.errors);
        skip();
    }
}

static bool finds_frames(void **state)
{
    return ((const struct collector *)*state)->finds_frames;
}

/* ---- surplus --------------------------------------------------------------------------------- */

struct surplus_case {
    struct device_script script;
    const char *marker, *frames;
    unsigned found, bytes; /* of each server */
};

static void check_surplus(void **state, const struct surplus_case *one)
{
    devices_script(FLEET, &one->script);
    collect(state, (const char *const[]){"--request=x\\n", one->marker, one->frames,
                                         "--stall-timeout=60s", NULL});
    assert_results(EXIT_DONE, "status=ok, reason=, frames=%u, bytes=%u, connections_failed=0",
                   FLEET * one->found, FLEET * one->bytes);
    devices_close(NULL);
    assert_in_range(results_count("surplus_bytes"), 0,
                    atomic_load(&devices.bytes) - FLEET * one->bytes);
}

EACH_COLLECTOR(n_frames_are_n_frames_whatever_follows)
{
    enum { RUNS = 2 };
    static const struct surplus_case cases[] = {
        {{.answer = "a\nb\n"}, "--end-marker=\\n", "--frames=1", 1, 2},
        {{.answer = "a\nb\nhalf", .stays = true}, "--end-marker=\\n", "--frames=1", 1, 2},
        {{.banner = "hello\n", .answer = "a\nb\n"}, "--end-marker=\\n", "--frames=1", 1, 6},
        {{.banner = "hello\n", .answer = "a\nb\n"}, "--end-marker=\\n", "--frames=2", 2, 8},
        {{.answer = "one\r\ntwo\r\nthree\r\n"}, "--end-marker=\\r\\n", "--frames=2", 2, 10},
    };
    if (!finds_frames(state))
        return;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (unsigned run = 0; run < RUNS; run++)
            check_surplus(state, &cases[i]);
}

/* What comes in one piece with the last frame is counted. */
EACH_COLLECTOR(surplus_is_counted)
{
    const struct device_script script = {.answer = "a\nsurplus", .stays = true};
    if (!finds_frames(state))
        return;
    devices_script(1, &script);
    collect(state, (const char *const[]){"--request=x\\n", "--end-marker=\\n", "--frames=1", NULL});
    assert_results(EXIT_DONE, "status=ok, frames=1, bytes=2, surplus_bytes=7");
}

/* Idle servers are asked for no frames: their banners are surplus. */
EACH_COLLECTOR(an_idle_server_may_have_a_banner)
{
    const struct device_script script = {
        .banner = "hello\n", .answer = "a\nb\n", .repeats = true, .stays = true};
    const char *until = finds_frames(state) ? "--for=10min" : "--for=300ms"; /* the frames end it */
    devices_script(FLEET, &script);
    collect(state, (const char *const[]){"--request=x\\n", "--end-marker=\\n", "--frames=3",
                                         "--idle=50", until, NULL});
    assert_results(EXIT_DONE, "status=ok, idle_servers=%u, connections_failed=0", FLEET / 2);
    if (finds_frames(state))
        assert_results(EXIT_DONE, "frames=%u, bytes=%u, ended_by_time=0", FLEET / 2 * 3,
                       FLEET / 2 * 10);
    assert_true(results_count("surplus_bytes") >= FLEET / 2); /* as far as it was received */
}

/* Of our own servers surplus is the error that it is. */
EACH_COLLECTOR(surplus_of_our_own_servers_is_an_error)
{
    devices_open(0, FLEET, DEVICE_ADDS);
    collect(state, (const char *const[]){"--frames=3", "--size=256..300", NULL});
    assert_results(EXIT_MEASURED_FAILURE, "status=failed, audit=fail: *");
}

/* ---- a last record without its marker -------------------------------------------------------- */

static const struct close_case {
    const char *answer, *marker, *frames;
    unsigned found; /* of each server, all of its bytes in them */
} close_cases[] = {
    {"a\nbc", "--end-marker=\\n", "--frames=0", 2},
    {"a\nbc", "--end-marker=\\n", "--frames=2", 2},
    {"a\r\nbc\r", "--end-marker=\\r\\n", "--frames=0", 2},
    {"abc", "--end-marker=\\n", "--frames=1", 1},
    {"abc\n", "--end-marker=\\n", "--frames=0", 1},
};

static void collect_closed(void **state, const struct close_case *one, const char *option)
{
    const struct device_script script = {.answer = one->answer};
    devices_script(FLEET, &script);
    collect(state, (const char *const[]){"--request=x\\n", one->marker, one->frames, option, NULL});
    devices_close(NULL);
}

EACH_COLLECTOR(a_close_may_end_the_last_frame)
{
    for (unsigned i = 0; i < sizeof close_cases / sizeof close_cases[0]; i++) {
        const struct close_case *one = &close_cases[i];
        collect_closed(state, one, "--close-ends-frame");
        assert_results(EXIT_DONE, "status=ok, reason=, bytes=%zu, close_ends_frame=true",
                       FLEET * strlen(one->answer));
        if (finds_frames(state))
            assert_results(EXIT_DONE, "frames=%u", FLEET * one->found);
    }
}

EACH_COLLECTOR(a_close_ends_no_frame_unless_told_to)
{
    collect_closed(state, &close_cases[0], NULL);
    if (finds_frames(state))
        assert_results(EXIT_MEASURED_FAILURE, "errors.truncated=%u, frames=%u", FLEET, FLEET);
}

EACH_COLLECTOR(a_close_after_too_few_frames_is_early)
{
    const struct close_case one = {"a\nbc", "--end-marker=\\n", "--frames=3", 2};
    collect_closed(state, &one, "--close-ends-frame");
    if (finds_frames(state))
        assert_results(EXIT_MEASURED_FAILURE, "errors.closed-early=%u, frames=%u", FLEET,
                       FLEET * 2);
}

/* ---- hints ----------------------------------------------------------------------------------- */

static const char tls_alert[] = "\x15\x03\x03\0\x02\x02\x46";
static const char http_answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

static void assert_hint(const char *hint)
{
    assert_results(EXIT_MEASURED_FAILURE, "status=failed");
    if (strstr(results_text("reason"), hint) == NULL)
        fail_msg("no \"%s\" in: %s", hint, results_text("reason"));
}

static void check_hint(void **state, const struct device_script *script, const char *hint,
                       const char *const *options)
{
    devices_script(FLEET, script);
    collect(state, options);
    devices_close(NULL);
    assert_hint(hint);
}

static const struct device_script tls_server = {.answer = tls_alert,
                                                .answer_bytes = sizeof tls_alert - 1};
static const struct device_script http_server = {.answer = http_answer};
static const struct device_script headless_server = {.answer =
                                                         "<HTML><head>400</head></HTML>\r\n<"};

/* Whether it was to be one of ours, wanted a login, or was sent a request of the user's. */
EACH_PROGRAM(a_tls_or_http_server_behind_the_port_gets_a_hint)
{
    static const struct {
        const struct device_script *script;
        const char *hint, *options[3];
    } cases[] = {
        {&tls_server, "6 answered with a TLS record", {"--frames=1"}},
        {&tls_server, "6 answered with a TLS record", {"--login=operator:secret"}},
        {&http_server, "6 answered as HTTP servers do", {"--login=operator:secret"}},
        {&tls_server, "6 answered with a TLS record", {"--request=x\\n", "--frames=9"}},
        {&http_server, "6 answered as HTTP servers do", {"--request=x\\n", "--frames=9"}},
        {&headless_server, "6 answered as HTTP servers do", {"--request=x\\n", "--frames=9"}},
    };
    const unsigned count = sizeof cases / sizeof cases[0];
    for (unsigned i = 0; i < (finds_frames(state) ? count : 3); i++)
        check_hint(state, cases[i].script, cases[i].hint, cases[i].options);
}

EACH_PROGRAM(a_server_that_closes_without_a_byte_may_want_tls)
{
    const struct device_script script = {.answer = ""};
    check_hint(state, &script, "6 closed without a byte, as servers that expect TLS may",
               (const char *const[]){"--request=x\\n", NULL});
}

EACH_PROGRAM(overlong_says_the_limit_and_its_option)
{
    const struct device_script script = {.answer = "0123456789012345678901234567890123456789\n"};
    if (finds_frames(state))
        check_hint(state, &script, "no end marker within 20 bytes, the limit of --frame-max",
                   (const char *const[]){"--request=x\\n", "--frame-max=20", NULL});
}

EACH_COLLECTOR(truncated_says_the_option_that_takes_it)
{
    const struct device_script script = {.answer = "a\nbc"};
    if (finds_frames(state))
        check_hint(state, &script, "which --close-ends-frame takes for whole",
                   (const char *const[]){"--request=x\\n", "--end-marker=\\n", "--frames=0", NULL});
}

EACH_PROGRAM(a_failure_of_another_kind_has_no_hint)
{
    devices_open(FLEET, 1, DEVICE_CLOSES_EARLY);
    collect(state, (const char *const[]){"--frames=5", NULL});
    assert_hint("1 closed-early; audit: ");
}

/* Who counts bytes cannot know that the frames have come, and says so. */
EACH_COLLECTOR(frames_that_nobody_looks_for_end_by_time)
{
    const struct device_script script = {.answer = "a\nb\n", .stays = true};
    if (!finds_frames(state))
        check_hint(state, &script, "bytes alone do not show that 2 frames have come",
                   (const char *const[]){"--request=x\\n", "--frames=2", "--end-marker=\\n",
                                         "--stall-timeout=300ms", NULL});
}

/* ---- the end by time ------------------------------------------------------------------------- */

/* For a moment, or on a busy machine for as long as it takes until all servers have sent something.
 * The options are `options` and --for. */
static void collect_for_a_while(void **state, const char *const *options, uint64_t bytes_min)
{
    enum { LEAST_MS = 40, MOST_MS = 60000 };
    for (unsigned for_ms = LEAST_MS; for_ms <= MOST_MS; for_ms *= 3) {
        char duration[32];
        const char *all[ARGUMENTS_MAX] = {duration};
        snprintf(duration, sizeof duration, "--for=%u", for_ms);
        for (unsigned i = 0; options[i] != NULL; i++)
            all[1 + i] = options[i];
        collect(state, all);
        assert_int_equal(results_count("for_ms"), for_ms);
        if (results_count("bytes") >= bytes_min)
            return;
    }
}

static void check_stopped(void)
{
    assert_results(EXIT_DONE,
                   "status=ok, reason=, connections_failed=0, ended_by_time=%u, "
                   "frames_missed=null, blocks_lost=0",
                   FLEET);
    assert_true(results_number("elapsed_ms") > 0);
}

/* An endless stream, cut in whatever place. */
EACH_COLLECTOR(a_duration_ends_an_endless_stream_in_good_order)
{
    enum { RECORD_BYTES = 1000 };
    static char record[RECORD_BYTES + 1];
    const struct device_script script = {.answer = record, .repeats = true};
    memset(record, 'r', RECORD_BYTES);
    record[RECORD_BYTES - 1] = '\n';
    devices_script(FLEET, &script);
    collect_for_a_while(state, (const char *const[]){"--request=x\\n", "--end-marker=\\n", NULL},
                        FLEET * RECORD_BYTES);
    check_stopped();
    assert_int_equal(results_count("frames_per_server"), 0);
    if (finds_frames(state))
        assert_int_equal(results_count("bytes") - results_count("discarded_bytes"),
                         RECORD_BYTES * results_count("frames"));
}

/* What our own servers have sent and what never came are counted apart; nothing is lost. */
EACH_COLLECTOR(the_audit_holds_after_a_duration)
{
    static const char *const frames[] = {"--frames=0", "--frames=100000"};
    for (unsigned i = 0; i < 2; i++) {
        devices_open(FLEET, 0, DEVICE_GOOD);
        collect_for_a_while(state, (const char *const[]){"--size=2kB..200kB", frames[i], NULL},
                            FLEET * 200000);
        check_stopped();
        assert_results(EXIT_DONE, "audit=pass");
        /* The counts of all runs on these devices are in server_bytes. */
        assert_int_equal(results_count("server_bytes"),
                         results_count("bytes") + results_count("undelivered_bytes"));
        devices_close(NULL);
    }
}

EACH_PROGRAM(frames_may_end_it_before_the_time)
{
    devices_open(FLEET, 0, DEVICE_GOOD);
    collect(state, (const char *const[]){"--for=10min", "--frames=5", NULL});
    assert_results(EXIT_DONE, "audit=pass, status=ok, ended_by_time=0, frames_missed=%s",
                   finds_frames(state) ? "0" : "null");
}

/* One that is lost and not back yet when the time is up has failed, the others have not. */
TEST(a_server_that_is_away_at_the_end_has_failed, NULL, devices_close)
{
    devices_open(FLEET, 1, DEVICE_CLOSES_EARLY);
    program_run("fanin-client", (const char *const[]){"--json=-", "--for=300ms", "--reconnect",
                                                      "--reconnect-delay=60min..60min", NULL});
    assert_results(EXIT_MEASURED_FAILURE,
                   "errors.closed-early=1, connections_failed=1, ended_by_time=%u", FLEET);
}

/* A server that closes before the time is up has failed as ever. */
EACH_PROGRAM(a_server_that_fails_before_the_time_has_failed)
{
    devices_open(0, FLEET, DEVICE_CLOSES_EARLY);
    collect(state, (const char *const[]){"--for=10min", NULL});
    assert_results(EXIT_MEASURED_FAILURE, "errors.closed-early=%u, ended_by_time=0", FLEET);
}
