/* Devices that go away and come back, clients that are stopped meanwhile, and every way in which a
 * login ends: the real fleet, on every engine. */
#include "mock_servers/tests/fleet_under_test.h"

#include "client/collector/collector.h"
#include <cport.h>
#include "client/buffers/scheme.h"
#include "client/collector/tests/results.h"
#include "base/tests/find.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

enum {
    COUNT = 4,
    FRAMES = 40,
    WORDS_MAX = 24,
    LEAST_MS = 250, /* a limit that is tried first, and the one that a slow machine may need */
    MOST_MS = 64000,
};

_Static_assert(COUNT == 4 && FRAMES == 40, "--servers=4, --count=4 and --frames=40 say so");

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

static char *address_option(const struct fleet_under_test *fleet)
{
    static char option[48];
    struct in_addr address = {htonl(fleet->host)};
    snprintf(option, sizeof option, "--address=%s", inet_ntoa(address));
    return option;
}

/* Runs the client with these options. */
#define collect(fleet, ...)                                                                        \
    results_take(collector_main, address_option(fleet), __VA_ARGS__, (char *)NULL)

#define RECONNECT "--reconnect", "--reconnect-delay=20..200"
#define TRIES(n)  "--reconnect-tries=" #n
#define REFUSED   "connect_errors.refused"
#define LOAD      "--frames=40", "--size=300..9000"

/* Every server's frames, each once and in order: the sequence check and the audit see to that. */
static void assert_recovered(unsigned servers)
{
    assert_results(0, "status=ok, audit=pass, connected=%u, connections_failed=0, blocks_lost=0",
                   servers);
    if (!results_is_null("frames"))
        assert_results(0, "frames=%u, frames_missed=0", servers * FRAMES);
}

/* ---- outages -------------------------------------------------------------------------------- */

TEST(every_scheme_continues_after_a_restart)
{
    const char *engine;
    struct fleet_under_test fleet = fleet_begin("--count=4", "--fault=restart:2:100");
    for (unsigned e = 0; (engine = engine_at(e)) != NULL; e++)
        for (unsigned i = 0; scheme_list(i) != NULL; i++) {
            char engine_option[48], scheme[48];
            snprintf(engine_option, sizeof engine_option, "--engine=%s", engine);
            snprintf(scheme, sizeof scheme, "--scheme=%s", scheme_list(i)->name);
            collect(&fleet, "--servers=4", engine_option, scheme,
                    i % 2 == 0 ? "--bind=late" : "--bind=early", LOAD, RECONNECT);
            assert_recovered(COUNT);
            assert_int_equal(results_count("reconnects"), 2);
            assert_true(results_count("reconnect_attempts") >= 2);
            /* Not the 100 ms of the device: a busy client hears late of what it lost. */
            assert_true(results_number("outage_ms_max") > 0);
        }
    fleet_end(&fleet);
}

TEST(reconnecting_recovers_from_every_loss)
{
    static const char *const faults[] = {"--fault=reset:2", "--fault=truncate:2",
                                         "--fault=stop-short:2", "--fault=stall:2"};
    for (unsigned i = 0; i < 4; i++) {
        unsigned limit_ms = i == 3 ? LEAST_MS : MOST_MS;
        struct fleet_under_test fleet = fleet_begin("--count=4", faults[i]);
        /* A busy machine makes good servers stall, too, where the limit is short. */
        for (;; limit_ms *= 4) {
            char stall[48];
            snprintf(stall, sizeof stall, "--stall-timeout=%u", limit_ms);
            collect(&fleet, "--servers=4", i % 2 == 0 ? "--scheme=chain" : "--scheme=ring", LOAD,
                    RECONNECT, stall);
            if (limit_ms >= MOST_MS || results_count("reconnects") == 2)
                break;
        }
        assert_recovered(COUNT);
        assert_results(0, "reconnects=2, undelivered_bytes=0");
        /* A frame is cut in its middle; stop-short ends between two. */
        assert_true((results_count("discarded_bytes") > 0) == (i != 2));
        fleet_end(&fleet);
    }
}

/* A restart without --reconnect; a bad frame, which is the server's fault and not the link's; the
 * fault at frame 0, which comes again at each try; a server that refuses. */
TEST(what_cannot_be_recovered_is_counted)
{
    static const struct {
        const char *fault, *options[4], *error;
        unsigned connected, attempts, missed; /* at least */
    } cases[] = {
        {"--fault=restart:1:10", {"--seed=1"}, "errors.reset", COUNT, 0, FRAMES / 2},
        {"--fault=corrupt:1", {RECONNECT}, "errors.bad-check", COUNT, 0, 1},
        {"--fault=reset:1:0", {RECONNECT, TRIES(3)}, "errors.reset", COUNT, 3, FRAMES},
        {"--fault=refuse:1", {RECONNECT, TRIES(2), "--connect=async"}, REFUSED, 3, 2, FRAMES},
        {"--fault=refuse:1", {RECONNECT, TRIES(2), "--connect=sync"}, REFUSED, 3, 2, FRAMES},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const *options = cases[i].options;
        struct fleet_under_test fleet = fleet_begin("--count=4", cases[i].fault);
        collect(&fleet, "--servers=4", LOAD, options[0], options[1], options[2], options[3]);
        assert_results(1, "connected=%u, connect_failed=%u, %s=1, reconnect_attempts=%u",
                       cases[i].connected, COUNT - cases[i].connected, cases[i].error,
                       cases[i].attempts);
        assert_int_equal(results_is_null("outage_ms_max"), cases[i].attempts == 0);
        assert_in_range(results_count("frames_missed"), cases[i].missed, FRAMES);
        assert_int_equal(results_count("frames") + results_count("frames_missed"), COUNT * FRAMES);
        fleet_end(&fleet);
    }
}

/* At a rate: what was due during the outage is late by its own clock, and none of it is missing. */
TEST(frames_due_during_an_outage_are_late)
{
    struct fleet_under_test fleet = fleet_begin("--count=4", "--fault=restart:1:600");
    collect(&fleet, "--servers=4", LOAD, RECONNECT, "--rate=160");
    assert_recovered(COUNT);
    assert_string_equal(results_text("source"), "live");
    const double outage_ms = results_number("outage_ms_max");
    assert_true(outage_ms > 0);
    assert_true(results_number("latency_us_max") >= outage_ms / 2 * 1000);
    fleet_end(&fleet);
}

/* Half of the answer, three times: from its start each time. */
TEST(foreign_servers_are_asked_from_the_start)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=stop-short:1");
    collect(&fleet, "--servers=1",
            "--request=FANIN/1 GO run=00000000000000ff frames=20 size=300..900 rate=0 seed=1 "
            "source=tape marker=0d0a\\r\\n",
            "--frames=30", RECONNECT, "--reconnect-tries=3");
    assert_results(0,
                   "frames=30, reconnects=2, audit=none: servers that are not ours do not tell*");
    assert_non_null(strstr(results_text("audit"), "were asked anew"));
    fleet_end(&fleet);
}

/* ---- the whole fleet ---------------------------------------------------------------------- */

enum { ESTABLISHED = 1, CLOSED = 6 };

/* A client beside the test: its process, and where its row goes. */
struct client {
    struct os_process process;
    char row[PATH_BYTES];
};

/* Starts `name` with --servers and these options; NULL ends them. */
static void client_start(struct client *client, const char *name,
                         const struct fleet_under_test *fleet, const char *const *options)
{
    char program[PATH_BYTES], json[PATH_BYTES + 16];
    char *argv[WORDS_MAX] = {program, address_option(fleet), json, (char *)"--quiet"};
    static unsigned rows;
    assert_true(find_upwards(program, sizeof program, name));
    snprintf(client->row, sizeof client->row, "%s/row-%u", fleet->directory, rows++);
    snprintf(json, sizeof json, "--json=%s", client->row);
    for (unsigned count = 4; *options != NULL; options++)
        argv[count++] = (char *)*options;
    assert_int_equal(os_process_start(&client->process, argv, NULL, fleet->errors), 0);
}

#define client_start_rated(client, fleet, frames)                                                  \
    client_start(client, "fanin-client", fleet,                                                    \
                 (const char *const[]){"--servers=4", "--size=300..900", "--rate=400", RECONNECT,  \
                                       frames, NULL})

static void client_finish(struct client *client)
{
    results.exit_code = process_end(&client->process);
    file_read(client->row, results.row, sizeof results.row);
    results.errors[0] = '\0'; /* they are with the fleet's */
    remove(client->row);
}

/* The fleet's first process is asked what it sent, on a connection that stays open, before frames
 * are asked for: they come for 3 seconds from then on. */
TEST(a_fleet_that_is_killed_and_started_again)
{
    struct client client;
    struct fleet_under_test fleet = fleet_begin("--count=4");
    client_start_rated(&client, &fleet, "--frames=300");
    fleet_await_connections(&fleet, ESTABLISHED, COUNT + 1);
    os_sleep_ns(100 * (uint64_t)OS_NS_PER_MS);
    fleet_kill(&fleet, SIGKILL);
    fleet_begin_again(&fleet, "--count=4");
    client_finish(&client);
    /* The new fleet has forgotten what the first one sent. */
    assert_results(0, "audit=pass, frames=%u, server_bytes=null", COUNT * 300);
    /* Once more for those that met the dying fleet. */
    assert_in_range(results_count("reconnects"), COUNT, 2 * COUNT);
    fleet_end(&fleet);
}

TEST(a_fleet_that_comes_late)
{
    struct client client;
    struct fleet_under_test fleet = fleet_begin("--count=4"); /* for its address, then away */
    fleet_kill(&fleet, SIGTERM);
    client_start_rated(&client, &fleet, "--frames=40");
    os_sleep_ns(400 * (uint64_t)OS_NS_PER_MS);
    fleet_begin_again(&fleet, "--count=4");
    client_finish(&client);
    assert_results(0, "connected=%u, frames=%u", COUNT, COUNT * 40);
    fleet_end(&fleet);
}

/* Two servers are done: their connections are closed. */
TEST(an_interrupted_client_ends_beside_servers_that_are_away)
{
    struct client client;
    struct fleet_under_test fleet = fleet_begin("--count=4", "--fault=refuse:2");
    client_start_rated(&client, &fleet, "--frames=2");
    fleet_await_connections(&fleet, CLOSED, 2);
    kill((pid_t)client.process.handle, SIGTERM);
    client_finish(&client);
    assert_results(1, "connected=2, frames=%u", 2 * 2);
    fleet_end(&fleet);
}

/* ---- refusals ---------------------------------------------------------------------------- */

/* Two tapes of four have room. */
TEST(the_fleets_own_reason_is_the_rows)
{
    struct fleet_under_test fleet = fleet_begin("--count=4", "--tape-cap=1500000");
    for (unsigned i = 0; i < 2; i++) {
        collect(&fleet, "--servers=4", "--frames=100", "--size=6000", "--rate=400", "--source=tape",
                i == 0 ? "--verify=full" : "--reconnect");
        assert_results(1, "connections_failed=2, errors.request-refused=2, frames=200");
        assert_non_null(strstr(results_text("reason"), "said NO room for this tape"));
        assert_non_null(strstr(results_text("reason"), "(--tape-cap)"));
    }
    fleet_end(&fleet);
}

/* ---- clients that are stopped -------------------------------------------------------------- */

/* Frames are due for 3 s, the limit is 1 s, and they are stopped for 3 s: nobody has stalled. */
TEST(a_stopped_client_accuses_nobody)
{
    static const struct {
        const char *program, *option;
    } cases[] = {
        {"fanin-client", "--engine=epoll"},    {"fanin-client", "--engine=uring"},
        {"fanin-peer-blocking", "--batch=16"}, {"fanin-peer-libuv", "--batch=16"},
        {"fanin-peer-libevent", "--batch=16"}, {"fanin-raw", "--batch=16"},
    };
    enum { CASES = sizeof cases / sizeof *cases, STOPPED_MS = 3000 };
    struct client clients[CASES];
    struct fleet_under_test fleet = fleet_begin("--count=4");
    for (unsigned i = 0; i < CASES; i++)
        client_start(&clients[i], cases[i].program, &fleet,
                     (const char *const[]){"--servers=4", "--rate=40", "--frames=30",
                                           "--size=300..900", "--stall-timeout=1000",
                                           cases[i].option, NULL});
    fleet_await_connections(&fleet, ESTABLISHED, 4 * COUNT);
    os_sleep_ns(500 * (uint64_t)OS_NS_PER_MS);
    for (unsigned i = 0; i < CASES; i++)
        kill((pid_t)clients[i].process.handle, SIGSTOP);
    os_sleep_ns(STOPPED_MS * (uint64_t)OS_NS_PER_MS);
    for (unsigned i = 0; i < CASES; i++)
        kill((pid_t)clients[i].process.handle, SIGCONT);
    for (unsigned i = 0; i < CASES; i++) {
        client_finish(&clients[i]);
        if (results.exit_code == 3) /* no such engine, no such library */
            continue;
        assert_results(0, "status=ok, audit=pass, connected=%u, interrupted_by=null", COUNT);
        assert_true(results_number("paused_ms") > 0);
    }
    fleet_end(&fleet);
}

/* Stops its main thread and no other. False: that is not allowed. */
static bool hold_main_thread(pid_t process, uint64_t for_ns)
{
    int status;
    if (ptrace(PTRACE_SEIZE, process, NULL, NULL) != 0)
        return false;
    assert_int_equal(ptrace(PTRACE_INTERRUPT, process, NULL, NULL), 0);
    assert_int_equal(waitpid(process, &status, __WALL), process);
    os_sleep_ns(for_ns);
    assert_int_equal(ptrace(PTRACE_DETACH, process, NULL, NULL), 0);
    return true;
}

/* As in a long loop over very many servers: the workers receive, and nobody counts ticks. */
TEST(a_late_main_thread_accuses_nobody)
{
    struct client client;
    struct fleet_under_test fleet = fleet_begin("--count=4");
    client_start(&client, "fanin-client", &fleet,
                 (const char *const[]){"--servers=4", "--rate=40", "--frames=40", "--size=300..900",
                                       "--stall-timeout=1000", NULL});
    fleet_await_connections(&fleet, ESTABLISHED, COUNT);
    os_sleep_ns(500 * (uint64_t)OS_NS_PER_MS);
    const bool held = hold_main_thread((pid_t)client.process.handle, (uint64_t)5 * OS_NS_PER_S / 2);
    const int error = errno;
    client_finish(&client);
    assert_results(0, "status=ok, audit=pass, connected=%u, frames=%u", COUNT, COUNT * 40);
    fleet_end(&fleet);
    if (!held) {
        printf("skip: a thread cannot be held: %s\n", strerror(error));
        skip();
    }
}

/* ---- logins ------------------------------------------------------------------------------- */

static const char *const login_names[] = {"refused", "closed", "reset", "timeout", "garbage"};
enum { LOGIN_NAMES = sizeof login_names / sizeof login_names[0] };

_Static_assert(LOGIN_NAMES + 1 == 6, "--servers=6 and --count=6 say so");

#define LOGIN_FAULTS                                                                               \
    "--fault=wrong-login:1,close-login:1,reset-login:1,silent-login:1,garbage-login:1"

static void assert_logins(void)
{
    assert_results(1, "connected=%u, logged_in=1, connections_failed=%u", LOGIN_NAMES + 1,
                   LOGIN_NAMES);
    for (unsigned i = 0; i < LOGIN_NAMES; i++)
        assert_results(1, "login_errors.%s=1, errors.login-%s=1", login_names[i], login_names[i]);
}

/* collect with a login. Its limit is short first and longer while another than the silent server
 * exceeds it or there are more than `tries` retries: a busy machine makes good servers slow. */
static void collect_logins(const struct fleet_under_test *fleet, unsigned tries,
                           const char *const options[4])
{
    for (unsigned limit_ms = LEAST_MS;; limit_ms *= 4) {
        char limit[48];
        snprintf(limit, sizeof limit, "--login-timeout=%u", limit_ms);
        collect(fleet, "--servers=6", "--login=a:b", limit, LOAD, options[0], options[1],
                options[2], options[3]);
        if (limit_ms >= MOST_MS || (results_count("login_errors.timeout") <= 1 &&
                                    results_count("reconnect_attempts") <= tries))
            return;
    }
}

TEST(every_login_error_has_its_name)
{
    static const char *const modes[] = {"--connect=async", "--connect=sync"};
    const char *engine;
    struct fleet_under_test fleet = fleet_begin("--count=6", "--login=a:b", LOGIN_FAULTS);
    for (unsigned e = 0; (engine = engine_at(e)) != NULL; e++)
        for (unsigned i = 0; i < 2; i++) {
            char option[48];
            snprintf(option, sizeof option, "--engine=%s", engine);
            collect_logins(&fleet, 0, (const char *const[4]){option, modes[i]});
            assert_logins();
        }
    fleet_end(&fleet);
}

TEST(the_raw_loop_counts_logins_the_same)
{
    struct client client;
    struct fleet_under_test fleet = fleet_begin("--count=6", "--login=a:b", LOGIN_FAULTS);
    client_start(&client, "fanin-raw", &fleet,
                 (const char *const[]){"--servers=6", "--login=a:b", "--login-timeout=1000",
                                       "--frames=2", NULL});
    client_finish(&client);
    assert_logins();
    fleet_end(&fleet);
}

/* A wrong password is final; the other failures are tried again as often as it is allowed. */
TEST(logins_are_retried_unless_refused)
{
    struct fleet_under_test fleet = fleet_begin("--count=6", "--login=a:b", LOGIN_FAULTS);
    collect_logins(&fleet, (LOGIN_NAMES - 1) * 2,
                   (const char *const[4]){RECONNECT, "--reconnect-tries=2"});
    assert_logins();
    assert_int_equal(results_count("reconnect_attempts"), (LOGIN_NAMES - 1) * 2);
    fleet_end(&fleet);
}

TEST(without_a_login_there_is_no_count)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    collect(&fleet, "--servers=1", LOAD);
    assert_recovered(1);
    assert_true(results_is_null("logged_in"));
    fleet_end(&fleet);
}
