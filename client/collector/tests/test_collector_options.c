/* The collector's command line: wrong use is one line that names the option, and exit code 2. */
#include <math.h>

#include "client/collector/collector.h"
#include "client/collector/options.h"
#include "client/collector/request.h"
#include "base/os.h"
#include "client/collector/tests/command_line.h"
#include "client/collector/tests/results.h"

static struct collector_options options;

/* ---- wrong use ------------------------------------------------------------------------------- */

static const struct {
    const char *option, *named, *said;
} wrong_uses[] = {
    {"--frames=3", "--servers", "missing"},
    {"--servers=0", "--servers", "1 to"},
    {"--servers=1000001", "--servers", "1 to"},
    {"--servers=99999999999999999999", "--servers", "1 to"},
    {"--servers=", "--servers", "host:port"},
    {"--servers=nohost", "--servers", "host:port"},
    {"--servers=127.0.0.1:0", "--servers", "65535"},
    {"--servers=127.0.0.1:65536", "--servers", "65535"},
    {"--servers=127.0.0.1:80,,127.0.0.1:81", "--servers", "host:port"},
    {"--servers=,127.0.0.1:80", "--servers", "host:port"},
    {"--servers=::1:80", "--servers", "host:port"},
    {"--servers=@/no/such/file", "--servers", "/no/such/file"},
    {"--servers=50000", "--port", "65535"},
    {"--scheme=spiral", "--scheme", "chain"},
    {"--engine=steam", "--engine", "epoll"},
    {"--workers=5000", "--workers", "4096"},
    {"--size=10..20", "--size", "65"},
    {"--size=300..200", "--size", ""},
    {"--frames=0", "--frames", "--request or --for"},
    {"--for=ever", "--for", "a time"},
    {"--close-ends-frame", "--close-ends-frame", "--request"},
    {"--reconnect-delay=100", "--reconnect-delay", "MIN..MAX"},
    {"--reconnect-delay=..1s", "--reconnect-delay", "MIN..MAX"},
    {"--reconnect-delay=1s..100", "--reconnect-delay", "MIN..MAX"},
    {"--reconnect-delay=0..100", "--reconnect-delay", "at least 1"},
    {"--reconnect-delay=1..2h", "--reconnect-delay", "an hour"},
    {"--reconnect-tries=-1", "--reconnect-tries", "1000000"},
    {"--login-timeout=0", "--login-timeout", "from 1"},
    {"--rate=0.0019", "--rate", "from 0.002 to 2000000"},
    {"--frames=100000000", "--frames", "--tape-cap"},
    {"--idle=100", "--idle", "99"},
    {"--flood=10", "--flood", "--rate"},
    {"--frame-max=300", "--frame-max", "--size"},
    {"--end-marker=", "--end-marker", "1 to 16"},
    {"--end-marker=12345678901234567", "--end-marker", "1 to 16"},
    {"--login=nobody", "--login", "USER:PASSWORD"},
    {"--login=a b:c", "--login", "USER:PASSWORD"},
    {"--login=:c", "--login", "USER:PASSWORD"},
    {"--connect=maybe", "--connect", "sync"},
    {"--verify=most", "--verify", "header"},
    {"--blocks=17", "--blocks", "16"},
    {"--batch=0", "--batch", "1"},
    {"--address=no.such.host.invalid", "--address", "no.such.host.invalid"},
    {"--pool-cap=1000", "--pool-cap", "a cap of at least"},
    {"--work=touch", "--work", "touch:5ns/byte"},
    {"--work=touch:", "--work", "a number"},
    {"--work=touch:5", "--work", "ns, us, ms or s"},
    {"--work=touch:5ns", "--work", "per byte or per record"},
    {"--work=touch:5ns/frame", "--work", "per byte or per record"},
    {"--work=touch:-1ns/byte", "--work", "0 or more"},
    {"--work=touch:nans/byte", "--work", "0 or more"},
    {"--work=touch:1ns/byte+2ns/byte", "--work", "one cost per byte"},
    {"--work=touch:1ns/byte+", "--work", "a number"},
    {"--work=touch:1ns/byte,1us/record", "--work", "+ between them"},
    {"--work=touch:2ms/byte", "--work", "1ms/byte"},
    {"--work=spin:2s/record", "--work", "1s/record"},
    {"--work=5ns/byte", "--work", "touch:COST"},
    {"--work=", "--work", "touch:COST"},
    {"--look=every", "--look", "every:TIME"},
    {"--look=sometimes", "--look", "wake"},
    {"--look=every:", "--look", "us, ms or s"},
    {"--look=every:10", "--look", "us, ms or s"},
    {"--look=every:-10ms", "--look", "us, ms or s"},
    {"--look=every:0", "--look", "us, ms or s"},
    {"--look=every:0ms", "--look", "from 100us to 10s"},
    {"--look=every:11s", "--look", "from 100us to 10s"},
    {"--look=every:10ms:two", "--look", ":one or :all"},
    {"--look=every:10ms:", "--look", ":one or :all"},
    {"--colour=red", "--colour", ""},
};

TEST(wrong_use_is_one_line_that_names_it)
{
    for (unsigned i = 0; i < sizeof wrong_uses / sizeof wrong_uses[0]; i++) {
        results_take(collector_main, i == 0 ? "--workers=2" : "--servers=2", wrong_uses[i].option,
                     (char *)NULL);
        if (results.exit_code != 2)
            fail_msg("%s: exit code %d", wrong_uses[i].option, results.exit_code);
        if (strstr(results.errors, wrong_uses[i].named) == NULL ||
            strstr(results.errors, wrong_uses[i].said) == NULL)
            fail_msg("%s: %s", wrong_uses[i].option, results.errors);
        const char *newline = strchr(results.errors, '\n');
        if (newline == NULL || newline[1] != '\0')
            fail_msg("%s: not one line: %s", wrong_uses[i].option, results.errors);
        assert_string_equal(results.row, "");
    }
}

TEST(what_a_scheme_cannot_do_is_refused)
{
    static const struct {
        const char *scheme, *option, *said;
    } cases[] = {
        {"--scheme=fixed", "--look=every:10ms", "--look every:10ms:all: scheme fixed has no"},
        {"--scheme=slices", "--look=every:10ms:one", "take --scheme chain or --look wake"},
        {"--scheme=drain", "--work=spin:1us/record", "give a cost per byte only"},
        {"--scheme=drain", "--work=touch:1ns/byte+1us/record", "--work touch:1ns/byte+1us/record"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        results_take(collector_main, "--servers=2", cases[i].scheme, cases[i].option, (char *)NULL);
        assert_int_equal(results.exit_code, 2);
        if (strstr(results.errors, cases[i].said) == NULL)
            fail_msg("%s %s: %s", cases[i].scheme, cases[i].option, results.errors);
        assert_ptr_equal(strchr(results.errors, '\n'), results.errors + strlen(results.errors) - 1);
    }
}

/* All spellings of a value are one text in the row. */
TEST(work_and_look_are_read)
{
    static const struct {
        const char *work, *look, *work_text, *look_text;
        struct work_config cost;
        struct look_config when;
    } cases[] = {
        {"--work=none", "--look=wake", "none", "wake", {.kind = WORK_NONE}, {0}},
        {"--work=touch:5ns/byte",
         "--look=every:15.6ms:one",
         "touch:5ns/byte",
         "every:15.6ms:one",
         {.kind = WORK_TOUCH, .byte_ns = 5},
         {15600000, true}},
        {"--work=touch:20us/record+0.005us/byte",
         "--look=every:10000us",
         "touch:5ns/byte+20us/record",
         "every:10ms:all",
         {.kind = WORK_TOUCH, .byte_ns = 5, .record_ns = 20000},
         {10000000, false}},
        {"--work=spin:1500ns/record ",
         "--look= every:1s:all",
         "spin:1.5us/record",
         "every:1s:all",
         {.kind = WORK_SPIN, .record_ns = 1500},
         {1000000000, false}},
        {"--work=touch:0ns/byte",
         "--look=wake",
         "touch:0ns/byte",
         "wake",
         {.kind = WORK_TOUCH},
         {0}},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scheme_config config = {0};
        read_options(&options, "--servers=2", cases[i].work, cases[i].look);
        assert_string_equal(options.work, cases[i].work_text);
        assert_string_equal(options.look, cases[i].look_text);
        collector_options_process(&options, &config);
        assert_int_equal(config.process.work.kind, cases[i].cost.kind);
        assert_true(fabs(config.process.work.byte_ns - cases[i].cost.byte_ns) < 1e-6);
        assert_true(fabs(config.process.work.record_ns - cases[i].cost.record_ns) < 1e-6);
        assert_int_equal(config.look.every_ns, cases[i].when.every_ns);
        assert_int_equal(config.look.one, cases[i].when.one);
    }
}

TEST(a_row_that_cannot_be_written_is_reported_before_the_run)
{
    char *arguments[] = {(char *)"fanin-client", (char *)"--servers=1", (char *)"--json=/no/dir/x",
                         NULL};
    assert_int_equal(collector_main(3, arguments), EXIT_MACHINE_CANNOT);
}

TEST(a_dry_run_connects_to_no_server)
{
    results_take(collector_main, "--servers=127.0.0.1:1", "--dry-run", (char *)NULL);
    assert_int_equal(results.exit_code, EXIT_DONE);
    assert_string_equal(results.errors, "");
    assert_string_equal(results.row, "");
}

/* ---- what is left to the program ------------------------------------------------------------- */

TEST(defaults_are_resolved)
{
    unsigned cpus = (unsigned)os_cpu_count();
    read_options(&options, "--servers=2", NULL, NULL);
    assert_int_equal(options.workers, 2 * cpus + 2);
    assert_int_equal(options.concurrency, cpus);
    assert_int_equal(options.source, SOURCE_TAPE);
    assert_int_equal(options.verify, VERIFY_FULL);
    assert_int_equal(options.bind, BIND_LATE);
    assert_int_equal(options.frame_bytes_max, 100000);
    read_options(&options, "--servers=2", "--rate=500", NULL);
    assert_int_equal(options.source, SOURCE_LIVE);
    read_options(&options, "--servers=2", "--request=", NULL);
    assert_int_equal(options.verify, VERIFY_NONE);
    assert_int_equal(options.frame_bytes_max, FOREIGN_FRAME_BYTES);
    read_options(&options, "--servers=2", "--for=30s", NULL); /* as many as there are */
    assert_int_equal(options.for_ms, 30000);
    assert_int_equal(options.frames_per_server, 0);
    assert_int_equal(options.source, SOURCE_LIVE);
    read_options(&options, "--servers=2", "--for=30s", "--frames=100");
    assert_int_equal(options.frames_per_server, 100);
    assert_int_equal(options.source, SOURCE_TAPE);
    read_options(&options, "--servers=2", "--request=", "--verify=full");
    assert_int_equal(options.verify, VERIFY_FULL);
}

/* ---- requests -------------------------------------------------------------------------------- */

TEST(four_seeds_are_shared_and_sums_are_known)
{
    static struct request_set requests;
    struct protocol_request request;
    char why[256], line[PROTOCOL_LINE_BYTES_MAX];
    read_options(&options, "--servers=9", "--frames=50", "--rate=90");
    assert_int_equal(request_set_fill(&requests, &options, 9, why, sizeof why), 0);
    assert_ptr_equal(request_of(&requests, 1), request_of(&requests, 5));
    for (uint32_t i = 0; i < REQUEST_SEEDS; i++) {
        const struct request *ours = request_of(&requests, i);
        uint64_t sum = 0;
        snprintf(line, sizeof line, "%.*s", (int)ours->bytes - 2, ours->text);
        assert_null(protocol_read_request(line, &request));
        assert_int_equal(request.go.seed, options.seed + i);
        assert_int_equal(request.go.run, requests.run);
        assert_true(request.go.rate == 10);
        for (unsigned seq = 0; seq < 50; seq++)
            sum += protocol_frame_length(options.seed + i, seq, 256, 100000);
        assert_int_equal(ours->goal.bytes, sum);
        assert_int_equal(ours->goal.frames, 50);
    }
}

/* What the search for advice has found for whole ranges of traffic: docs/performance.md says for
 * which. Its scenario begins there. */
TEST(a_receive_is_large_and_handled_before_the_next)
{
    char *arguments[] = {"test", "--servers=2", NULL};
    const struct program_text text = {.name = "test", .about = "", .examples = ""};
    assert_int_equal(collector_options_read(&text, 2, arguments, &options), OPTIONS_OK);
    assert_int_equal(options.block_bytes, 16 << 10);
    assert_int_equal(options.blocks_per_receive, 8);
    assert_int_equal(options.batch, 1);
}
