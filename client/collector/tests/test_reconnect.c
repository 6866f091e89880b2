/* Devices that go away and come back, and logins that end in every way: the real fleet, on every
 * engine. */
#include "mock_servers/tests/fleet_under_test.h"

#include "client/collector/collector.h"
#include "cport/cport.h"
#include "client/buffers/scheme.h"
#include "client/collector/tests/outcome.h"
#include "base/tests/find.h"

enum { COUNT = 4, FRAMES = 40, WORDS_MAX = 24 };

static struct outcome outcome;

/* Engines that run here; NULL after the last. */
static const char *engine_at(unsigned index)
{
    const char *summary, *name;
    for (unsigned i = 0; (name = cp_engine_list(i, &summary)) != NULL; i++) {
        struct cport *port = NULL;
        if (cp_open(&(struct cp_config){.engine = name}, &port, NULL, 0) != 0)
            continue;
        cp_free(port);
        if (index-- == 0)
            return name;
    }
    return NULL;
}

static const char *fleet_address_text(const struct fleet_under_test *fleet, char text[48])
{
    struct in_addr address = {htonl(fleet->host)};
    snprintf(text, 48, "--address=%s", inet_ntoa(address));
    return text;
}

/* Ends with NULL. */
static void collect(const struct fleet_under_test *fleet, unsigned servers, const char *first, ...)
{
    char address[48], count[32];
    char *arguments[WORDS_MAX] = {(char *)"fanin-client", address, count};
    int words = 3;
    va_list rest;
    fleet_address_text(fleet, address);
    snprintf(count, sizeof count, "--servers=%u", servers);
    va_start(rest, first);
    for (const char *word = first; word != NULL; word = va_arg(rest, const char *)) {
        assert_true(words < WORDS_MAX - 4);
        arguments[words++] = (char *)word;
    }
    va_end(rest);
    outcome_take(&outcome, collector_main, words, arguments);
}

#define RECONNECT "--reconnect", "--reconnect-delay=20..200"
#define LOAD      "--frames=40", "--size=300..9000"

/* Every server's frames, each once and in order: the sequence check and the audit see to that. */
static void assert_recovered(unsigned servers)
{
    if (outcome.exit_code != 0)
        fail_msg("exit code %d: %s %s", outcome.exit_code, outcome_text(&outcome, "reason"),
                 outcome.errors);
    assert_string_equal(outcome_text(&outcome, "status"), "ok");
    assert_string_equal(outcome_text(&outcome, "audit"), "pass");
    assert_int_equal(outcome_count(&outcome, "connected"), servers);
    assert_int_equal(outcome_count(&outcome, "connections_failed"), 0);
    assert_int_equal(outcome_count(&outcome, "blocks_lost"), 0);
    if (!outcome_is_null(&outcome, "frames")) {
        assert_int_equal(outcome_count(&outcome, "frames"), servers * FRAMES);
        assert_int_equal(outcome_count(&outcome, "frames_missed"), 0);
    }
}

/* ---- outages -------------------------------------------------------------------------------- */

static void every_scheme_goes_on_after_a_restart(void **state)
{
    struct fleet_under_test fleet;
    const char *engine;
    fleet = fleet_begin("--count=4", "--fault=restart:2:100");
    for (unsigned e = 0; (engine = engine_at(e)) != NULL; e++)
        for (unsigned i = 0; scheme_list(i) != NULL; i++) {
            char engine_option[48], scheme[48];
            snprintf(engine_option, sizeof engine_option, "--engine=%s", engine);
            snprintf(scheme, sizeof scheme, "--scheme=%s", scheme_list(i)->name);
            collect(&fleet, COUNT, engine_option, scheme,
                    i % 2 == 0 ? "--bind=late" : "--bind=early", LOAD, RECONNECT, NULL);
            assert_recovered(COUNT);
            assert_int_equal(outcome_count(&outcome, "reconnects"), 2);
            assert_true(outcome_count(&outcome, "reconnect_attempts") >= 2);
            /* Not the 100 ms of the device: a busy client hears late of what it lost. */
            assert_true(outcome_number(&outcome, "outage_ms_max") > 0);
        }
    fleet_end(&fleet);
}

static void without_reconnect_a_restart_is_a_failure(void **state)
{
    struct fleet_under_test fleet;
    fleet = fleet_begin("--count=4", "--fault=restart:1:10");
    collect(&fleet, COUNT, LOAD, NULL);
    assert_int_equal(outcome.exit_code, 1);
    assert_int_equal(outcome_member_count(&outcome, "errors", "reset"), 1);
    assert_int_equal(outcome_count(&outcome, "reconnect_attempts"), 0);
    assert_true(outcome_count(&outcome, "frames_missed") >= FRAMES / 2);
    assert_true(outcome_is_null(&outcome, "outage_ms_max"));
    fleet_end(&fleet);
}

static void every_kind_of_loss_is_made_good(void **state)
{
    static const char *const faults[] = {"--fault=reset:2", "--fault=truncate:2",
                                         "--fault=stop-short:2", "--fault=stall:2"};
    for (unsigned i = 0; i < 4; i++) {
        struct fleet_under_test fleet;
        fleet = fleet_begin("--count=4", faults[i]);
        collect(&fleet, COUNT, i % 2 == 0 ? "--scheme=chain" : "--scheme=ring", LOAD, RECONNECT,
                i == 3 ? "--stall-timeout=2s" : "--stall-timeout=60s", NULL);
        assert_recovered(COUNT);
        assert_int_equal(outcome_count(&outcome, "reconnects"), 2);
        /* A frame is cut in its middle, but for stop-short, which ends at a border. */
        assert_true((outcome_count(&outcome, "discarded_bytes") > 0) == (i != 2));
        assert_int_equal(outcome_count(&outcome, "undelivered_bytes"), 0);
        fleet_end(&fleet);
    }
}

/* A bad frame is the server's word, not the network's: nothing is asked again. */
static void a_bad_frame_is_final(void **state)
{
    struct fleet_under_test fleet;
    fleet = fleet_begin("--count=4", "--fault=corrupt:1");
    collect(&fleet, COUNT, LOAD, RECONNECT, NULL);
    assert_int_equal(outcome.exit_code, 1);
    assert_int_equal(outcome_member_count(&outcome, "errors", "bad-check"), 1);
    assert_int_equal(outcome_count(&outcome, "reconnect_attempts"), 0);
    fleet_end(&fleet);
}

/* The fault at frame 0 is committed again and again: no try brings a frame. */
static void a_server_that_never_delivers_is_given_up(void **state)
{
    struct fleet_under_test fleet;
    fleet = fleet_begin("--count=4", "--fault=reset:1:0");
    collect(&fleet, COUNT, LOAD, RECONNECT, "--reconnect-tries=3", NULL);
    assert_int_equal(outcome.exit_code, 1);
    assert_int_equal(outcome_member_count(&outcome, "errors", "reset"), 1);
    assert_int_equal(outcome_count(&outcome, "reconnect_attempts"), 3);
    assert_int_equal(outcome_count(&outcome, "frames_missed"), FRAMES);
    assert_int_equal(outcome_count(&outcome, "connect_failed"), 0);
    fleet_end(&fleet);
}

static void a_server_that_is_never_there_is_given_up(void **state)
{
    struct fleet_under_test fleet;
    static const char *const modes[] = {"--connect=async", "--connect=sync"};
    fleet = fleet_begin("--count=4", "--fault=refuse:1");
    for (unsigned i = 0; i < 2; i++) {
        collect(&fleet, COUNT, modes[i], LOAD, RECONNECT, "--reconnect-tries=2", NULL);
        assert_int_equal(outcome.exit_code, 1);
        assert_int_equal(outcome_count(&outcome, "connected"), COUNT - 1);
        assert_int_equal(outcome_member_count(&outcome, "connect_errors", "refused"), 1);
        assert_int_equal(outcome_count(&outcome, "reconnect_attempts"), 2);
        assert_int_equal(outcome_count(&outcome, "frames"), (COUNT - 1) * FRAMES);
        assert_int_equal(outcome_count(&outcome, "frames_missed"), FRAMES);
    }
    fleet_end(&fleet);
}

/* At a rate: what was due during the outage is late by its own clock, and none of it is missing. */
static void what_was_due_meanwhile_is_late(void **state)
{
    struct fleet_under_test fleet;
    fleet = fleet_begin("--count=4", "--fault=restart:1:600");
    collect(&fleet, COUNT, LOAD, RECONNECT, "--rate=160", NULL);
    assert_recovered(COUNT);
    assert_string_equal(outcome_text(&outcome, "source"), "live");
    const double outage_ms = outcome_number(&outcome, "outage_ms_max");
    assert_true(outage_ms > 0);
    assert_true(outcome_number(&outcome, "latency_us_max") >= outage_ms / 2 * 1000);
    fleet_end(&fleet);
}

/* Half of the answer, three times: from its start each time. */
static void servers_that_are_not_ours_are_asked_anew(void **state)
{
    struct fleet_under_test fleet;
    fleet = fleet_begin("--count=1", "--fault=stop-short:1");
    collect(&fleet, 1,
            "--request=FANIN/1 GO run=00000000000000ff frames=20 size=300..900 rate=0 seed=1 "
            "source=tape marker=0d0a\\r\\n",
            "--frames=30", RECONNECT, "--reconnect-tries=3", NULL);
    assert_int_equal(outcome.exit_code, 0);
    assert_int_equal(outcome_count(&outcome, "frames"), 30);
    assert_int_equal(outcome_count(&outcome, "reconnects"), 2);
    assert_memory_equal(outcome_text(&outcome, "audit"),
                        "none: servers that are not ours do not tell, "
                        "and were asked anew",
                        62);
    fleet_end(&fleet);
}

/* ---- the whole fleet ---------------------------------------------------------------------- */

/* A client beside the test: its process, and where its row goes. */
struct client {
    struct os_process process;
    char row[PATH_BYTES];
};

static void client_start(struct client *client, const struct fleet_under_test *fleet,
                         const char *frames)
{
    char program[PATH_BYTES], address[48], json[PATH_BYTES + 16];
    assert_true(find_upwards(program, sizeof program, "fanin-client"));
    snprintf(client->row, sizeof client->row, "%s/row", fleet->directory);
    snprintf(json, sizeof json, "--json=%s", client->row);
    char *argv[] = {program,
                    (char *)fleet_address_text(fleet, address),
                    (char *)"--servers=4",
                    (char *)frames,
                    (char *)"--size=300..900",
                    (char *)"--rate=400",
                    (char *)"--reconnect",
                    (char *)"--reconnect-delay=20..200",
                    (char *)"--quiet",
                    json,
                    NULL};
    assert_int_equal(os_process_start(&client->process, argv, NULL, NULL), 0);
}

static void client_finish(struct client *client)
{
    assert_int_equal(
        os_process_wait(&client->process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &outcome.exit_code),
        1);
    file_read(client->row, outcome.row, sizeof outcome.row);
    remove(client->row);
}

/* The same address again, for as long as nobody else can have it: it is this process's own. */
static void fleet_begin_again(struct fleet_under_test *fleet)
{
    char program[PATH_BYTES], listen[64], ready[PATH_BYTES + 16];
    struct in_addr address = {htonl(fleet->host)};
    program_path(program);
    snprintf(listen, sizeof listen, "--listen=%s", inet_ntoa(address));
    snprintf(ready, sizeof ready, "--ready-file=%s", fleet->ready);
    char *argv[] = {program, listen, ready, (char *)"--count=4", NULL};
    assert_int_equal(os_process_start(&fleet->process, argv, NULL, fleet->errors), 0);
}

static void a_fleet_that_is_killed_and_started_again(void **state)
{
    struct fleet_under_test fleet;
    struct client client;
    int code;
    fleet = fleet_begin("--count=4");
    client_start(&client, &fleet, "--frames=400");
    os_sleep_ns(1500 * (uint64_t)OS_NS_PER_MS);
    kill((pid_t)fleet.process.handle, SIGKILL);
    os_process_wait(&fleet.process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code);
    remove(fleet.ready);
    os_sleep_ns(300 * (uint64_t)OS_NS_PER_MS);
    fleet_begin_again(&fleet);
    client_finish(&client);
    assert_int_equal(outcome.exit_code, 0);
    assert_string_equal(outcome_text(&outcome, "audit"), "pass");
    assert_int_equal(outcome_count(&outcome, "frames"), COUNT * 400);
    assert_int_equal(outcome_count(&outcome, "reconnects"), COUNT);
    assert_true(outcome_is_null(&outcome, "server_bytes")); /* the new one has forgotten */
    fleet_end(&fleet);
}

static void a_fleet_that_comes_late(void **state)
{
    struct fleet_under_test fleet;
    struct client client;
    int code;
    fleet = fleet_begin("--count=4"); /* for its address, then away */
    kill((pid_t)fleet.process.handle, SIGTERM);
    os_process_wait(&fleet.process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &code);
    client_start(&client, &fleet, "--frames=40");
    os_sleep_ns(400 * (uint64_t)OS_NS_PER_MS);
    fleet_begin_again(&fleet);
    client_finish(&client);
    assert_int_equal(outcome.exit_code, 0);
    assert_int_equal(outcome_count(&outcome, "connected"), COUNT);
    assert_int_equal(outcome_count(&outcome, "frames"), COUNT * 40);
    fleet_end(&fleet);
}

static void an_interrupted_client_ends_beside_servers_that_are_away(void **state)
{
    struct fleet_under_test fleet;
    struct client client;
    fleet = fleet_begin("--count=4", "--fault=refuse:2");
    client_start(&client, &fleet, "--frames=2");
    os_sleep_ns(3000 * (uint64_t)OS_NS_PER_MS);
    kill((pid_t)client.process.handle, SIGTERM);
    client_finish(&client);
    assert_int_equal(outcome.exit_code, 1);
    assert_int_equal(outcome_count(&outcome, "connected"), 2);
    assert_int_equal(outcome_count(&outcome, "frames"), 2 * 2);
    fleet_end(&fleet);
}

/* ---- logins ------------------------------------------------------------------------------- */

static const char *const login_names[] = {"refused", "closed", "reset", "timeout", "garbage"};
enum { LOGIN_NAMES = sizeof login_names / sizeof login_names[0] };

#define LOGIN_FAULTS                                                                               \
    "--fault=wrong-login:1,close-login:1,reset-login:1,silent-login:1,garbage-login:1"

static void assert_logins(void)
{
    assert_int_equal(outcome.exit_code, 1);
    assert_int_equal(outcome_count(&outcome, "connected"), LOGIN_NAMES + 1);
    assert_int_equal(outcome_count(&outcome, "logged_in"), 1);
    for (unsigned i = 0; i < LOGIN_NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "login-%s", login_names[i]);
        assert_int_equal(outcome_member_count(&outcome, "login_errors", login_names[i]), 1);
        assert_int_equal(outcome_member_count(&outcome, "errors", name), 1);
    }
    assert_int_equal(outcome_count(&outcome, "connections_failed"), LOGIN_NAMES);
}

static void every_end_of_a_login_has_its_name(void **state)
{
    static const char *const modes[] = {"--connect=async", "--connect=sync"};
    struct fleet_under_test fleet;
    const char *engine;
    fleet = fleet_begin("--count=6", "--login=a:b", LOGIN_FAULTS);
    for (unsigned e = 0; (engine = engine_at(e)) != NULL; e++)
        for (unsigned i = 0; i < 2; i++) {
            char option[48];
            snprintf(option, sizeof option, "--engine=%s", engine);
            collect(&fleet, LOGIN_NAMES + 1, option, modes[i], "--login=a:b",
                    "--login-timeout=1000", LOAD, NULL);
            assert_logins();
        }
    fleet_end(&fleet);
}

static void the_raw_loop_counts_logins_alike(void **state)
{
    struct fleet_under_test fleet;
    char program[PATH_BYTES], address[48], row[PATH_BYTES], json[PATH_BYTES + 16];
    struct os_process process;
    fleet = fleet_begin("--count=6", "--login=a:b", LOGIN_FAULTS);
    assert_true(find_upwards(program, sizeof program, "fanin-raw"));
    snprintf(row, sizeof row, "%s/row", fleet.directory);
    snprintf(json, sizeof json, "--json=%s", row);
    char *argv[] = {program,
                    (char *)fleet_address_text(&fleet, address),
                    (char *)"--servers=6",
                    (char *)"--login=a:b",
                    (char *)"--login-timeout=1000",
                    (char *)"--frames=2",
                    (char *)"--quiet",
                    json,
                    NULL};
    assert_int_equal(os_process_start(&process, argv, NULL, fleet.errors), 0);
    os_process_wait(&process, PATIENCE_S * (uint64_t)OS_NS_PER_S, &outcome.exit_code);
    file_read(row, outcome.row, sizeof outcome.row);
    remove(row);
    assert_logins();
    fleet_end(&fleet);
}

/* A wrong password is final; what may pass is tried as often as it may be. */
static void logins_are_tried_again_but_for_a_refusal(void **state)
{
    struct fleet_under_test fleet;
    fleet = fleet_begin("--count=6", "--login=a:b", LOGIN_FAULTS);
    collect(&fleet, LOGIN_NAMES + 1, "--login=a:b", "--login-timeout=1000", LOAD, RECONNECT,
            "--reconnect-tries=2", NULL);
    assert_logins();
    assert_int_equal(outcome_count(&outcome, "reconnect_attempts"), (LOGIN_NAMES - 1) * 2);
    fleet_end(&fleet);
}

static void without_a_login_none_is_counted(void **state)
{
    struct fleet_under_test fleet;
    fleet = fleet_begin("--count=1");
    collect(&fleet, 1, LOAD, NULL);
    assert_recovered(1);
    assert_true(outcome_is_null(&outcome, "logged_in"));
    fleet_end(&fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme_goes_on_after_a_restart),
        cmocka_unit_test(without_reconnect_a_restart_is_a_failure),
        cmocka_unit_test(every_kind_of_loss_is_made_good),
        cmocka_unit_test(a_bad_frame_is_final),
        cmocka_unit_test(a_server_that_never_delivers_is_given_up),
        cmocka_unit_test(a_server_that_is_never_there_is_given_up),
        cmocka_unit_test(what_was_due_meanwhile_is_late),
        cmocka_unit_test(servers_that_are_not_ours_are_asked_anew),
        cmocka_unit_test(a_fleet_that_is_killed_and_started_again),
        cmocka_unit_test(a_fleet_that_comes_late),
        cmocka_unit_test(an_interrupted_client_ends_beside_servers_that_are_away),
        cmocka_unit_test(every_end_of_a_login_has_its_name),
        cmocka_unit_test(the_raw_loop_counts_logins_alike),
        cmocka_unit_test(logins_are_tried_again_but_for_a_refusal),
        cmocka_unit_test(without_a_login_none_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
