/* The wire goes away in the middle of a run, for a moment or for longer than a client waits: the
 * real client and the real fleet, a real link between them. */
#include "base/os.h"
#include "base/tests/find.h"
#include "client/collector/tests/outcome.h"

enum {
    COUNT = 4,
    FRAMES = 50, /* of each server: 2 seconds at 100 a second of all together */
    PATH_BYTES = 512,
    PATIENCE_S = 60,
    CANNOT = 3, /* exit code of a machine that has no namespaces */
};

static struct outcome outcome;

static void file_read(const char *path, char *text, size_t text_bytes)
{
    FILE *file = fopen(path, "r");
    size_t bytes = file == NULL ? 0 : fread(text, 1, text_bytes - 1, file);
    text[bytes] = '\0';
    if (file != NULL)
        fclose(file);
    remove(path);
}

/* The client behind a link that is cut; skips the test where no link can be had. */
static void collect(const char *cut, const char *options)
{
    char programs[PATH_BYTES - 64], directory[] = "/tmp/fanin-test-XXXXXX", lan[PATH_BYTES];
    char far[2 * PATH_BYTES], near[4 * PATH_BYTES], row[64], errors[64], ready[80];
    struct os_process process;
    assert_true(find_upwards(programs, sizeof programs, "fanin-lan"));
    *strrchr(programs, '/') = '\0';
    assert_non_null(mkdtemp(directory));
    snprintf(row, sizeof row, "%s/row", directory);
    snprintf(errors, sizeof errors, "%s/errors", directory);
    snprintf(ready, sizeof ready, "--ready-file=%s/ready", directory);
    snprintf(lan, sizeof lan, "%s/fanin-lan", programs);
    snprintf(far, sizeof far, "exec %s/fanin-servers --count=%d --listen=$FANIN_FAR %s", programs,
             COUNT, ready);
    snprintf(near, sizeof near,
             "exec %s/fanin-client --servers=%d --address=$FANIN_FAR --frames=%d --rate=100 "
             "--size=300..3000 --quiet --json=%s %s",
             programs, COUNT, FRAMES, row, options);
    char *argv[] = {lan,
                    (char *)"--quiet",
                    (char *)"--rate=100mbit",
                    (char *)"--rtt=0.5ms",
                    (char *)"--cut",
                    (char *)cut,
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
        os_process_wait(&process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &outcome.exit_code), 1);
    file_read(row, outcome.row, sizeof outcome.row);
    file_read(errors, outcome.errors, sizeof outcome.errors);
    snprintf(ready, sizeof ready, "%s/ready", directory);
    remove(ready);
    assert_int_equal(rmdir(directory), 0);
    if (outcome.exit_code == CANNOT && outcome.row[0] == '\0') {
        printf("skip: %s", outcome.errors);
        skip();
    }
}

static void assert_all_frames(void)
{
    if (outcome.exit_code != 0)
        fail_msg("exit code %d: %s%s", outcome.exit_code, outcome.row, outcome.errors);
    assert_string_equal(outcome_text(&outcome, "audit"), "pass");
    assert_int_equal(outcome_count(&outcome, "frames"), COUNT * FRAMES);
    assert_int_equal(outcome_count(&outcome, "frames_missed"), 0);
    assert_int_equal(outcome_count(&outcome, "connections_failed"), 0);
}

/* What is due meanwhile waits in the servers' kernel, and comes late. */
static void a_short_cut_is_the_kernels_to_mend(void **state)
{
    collect("500ms:300ms", "--stall-timeout=20s");
    assert_all_frames();
    assert_int_equal(outcome_count(&outcome, "reconnect_attempts"), 0);
    assert_int_equal(outcome_count(&outcome, "undelivered_bytes"), 0);
    assert_true(outcome_number(&outcome, "latency_us_max") >= 200e3);
}

static void a_long_cut_is_a_failure(void **state)
{
    collect("500ms:3s", "--stall-timeout=600");
    assert_int_equal(outcome.exit_code, 1);
    assert_string_equal(outcome_text(&outcome, "status"), "failed");
    assert_int_equal(outcome_member_count(&outcome, "errors", "stalled"), COUNT);
    assert_true(outcome_count(&outcome, "frames_missed") > 0);
}

/* The servers do not hear that they were given up, and go on with both connections. */
static void a_long_cut_is_made_good_by_reconnecting(void **state)
{
    collect("500ms:1500ms", "--stall-timeout=400 --connect-timeout=400 --reconnect "
                            "--reconnect-delay=50..200");
    assert_all_frames();
    assert_true(outcome_count(&outcome, "reconnects") >= COUNT);
    assert_true(outcome_count(&outcome, "reconnect_attempts") >= COUNT);
    assert_true(outcome_number(&outcome, "outage_ms_max") >= 500);
    assert_true(outcome_number(&outcome, "latency_us_max") >= 1e6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_cut_is_the_kernels_to_mend),
        cmocka_unit_test(a_long_cut_is_a_failure),
        cmocka_unit_test(a_long_cut_is_made_good_by_reconnecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
