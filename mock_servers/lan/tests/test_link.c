/* Every kind of link: carries what is sent unharmed, shapes it as asked, and proves it by
 * --check. */
#include "mock_servers/lan/tests/lan_under_test.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/net.h"
#include "base/os.h"
#include "mock_servers/lan/check.h"

enum {
    PORT = 7000, /* of a namespace that is ours alone */
    ECHO_BYTES = 2 << 20,
    CHUNK_BYTES = 64 << 10,
    CHECK_TRIES = 5,
    BARE_TRIPS = 200,
    WORDS_MAX = 24,
};

static const uint64_t echo_timeout_ns = 120ULL * OS_NS_PER_S;

static const char *const links[] = {"kernel", "tun", "packet"};

enum { LINKS = sizeof links / sizeof *links };

static struct lan_run run;

/* ---- the commands, which are this program again --------------------------------------------- */

static struct net_address far_address(void)
{
    struct net_address address;
    if (!net_numeric(getenv("FANIN_FAR"), PORT, &address))
        abort();
    return address;
}

/* Sends back whatever comes. */
static int far_echo(void)
{
    static char chunk[CHUNK_BYTES];
    struct net_address address = far_address();
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ssize_t got;
    if (bind(listener, net_sockaddr(&address), address.bytes) != 0 || listen(listener, 1) != 0)
        return 1;
    int peer = accept(listener, NULL, NULL);
    while ((got = recv(peer, chunk, sizeof chunk, 0)) > 0)
        if (net_send_all(peer, chunk, (size_t)got, echo_timeout_ns) != 0)
            return 1;
    return got < 0;
}

/* Waits for the far side to listen. */
static int far_connect(void)
{
    struct net_address address = far_address();
    intptr_t handle = -1;

    for (int tries = 0; tries < 500; tries++) {
        if (net_connect(&address, echo_timeout_ns, &handle) == 0)
            break;
        os_sleep_ns(10 * OS_NS_PER_MS);
    }
    return (int)handle;
}

/* Sends in a child process and compares what comes back; 0 if all is as it was. */
static int near_compare(void)
{
    static uint8_t bytes[ECHO_BYTES];
    int handle = far_connect();
    size_t received = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 131 + i / 1448 + i / 65536);
    pid_t sender = fork();
    if (sender == 0)
        _exit(net_send_all(handle, bytes, sizeof bytes, echo_timeout_ns) != 0);
    while (received < sizeof bytes) {
        static uint8_t chunk[CHUNK_BYTES];
        ssize_t got = recv(handle, chunk, sizeof chunk, 0);
        if (got <= 0)
            return 3;
        if (memcmp(chunk, bytes + received, (size_t)got) != 0)
            return 4;
        received += (size_t)got;
    }
    return 0;
}

/* ---- carrying ------------------------------------------------------------------------------- */

static void echo_through(const char *const words[])
{
    const char *all[WORDS_MAX] = {"--rate=200mbit", "--rtt=0", "--far"};
    char far[LAN_PATH_BYTES + 128];
    int count = 3;
    snprintf(far, sizeof far, "exec %s far", lan_self);
    all[count++] = far;
    for (; *words != NULL; words++)
        all[count++] = *words;
    all[count++] = "--", all[count++] = lan_self, all[count++] = "near";
    lan_run_as(&run, NULL, all);
    if (run.exit_code != 0)
        fail_msg("exit code %d: %s", run.exit_code, run.error);
}

TEST(test_every_link_carries_all_bytes)
{
    lan_need(NULL, "auto");
    for (int i = 0; i < LINKS; i++) {
        if (lan_has(&run, NULL, links[i]))
            echo_through(LAN_WORDS("--link", links[i]));
        else
            print_message("without %s\n", run.error);
    }
}

/* What is split, partly lost, sent again and merged must still be what was sent. */
TEST(test_all_bytes_arrive_where_frames_are_lost)
{
    lan_need(NULL, "packet");
    echo_through(LAN_WORDS("--link=packet", "--rtt=2ms", "--loss=2%", "--jitter=0.5ms"));
    echo_through(LAN_WORDS("--link=packet", "--rtt=1ms", "--queue=20kB"));
}

/* ---- figures -------------------------------------------------------------------------------- */

/* The number behind "key": in the object behind "within":; -1 if it is not there. */
static double figure(const char *text, const char *within, const char *key)
{
    char name[64];
    if (within != NULL) {
        snprintf(name, sizeof name, "\"%s\":{", within);
        text = strstr(text, name);
    }
    snprintf(name, sizeof name, "\"%s\":", key);
    text = text == NULL ? NULL : strstr(text, name);
    return text == NULL ? -1 : atof(text + strlen(name));
}

TEST(test_stats_count_every_frame)
{
    lan_need(NULL, "packet");
    echo_through(LAN_WORDS("--link=packet", "--stats=-"));
    for (int i = 0; i < 2; i++) {
        const char *direction = i == 0 ? "up" : "down";
        /* Frames of 1448 bytes of payload, or fewer; acknowledgements come on top. */
        assert_true(figure(run.out, direction, "frames") >= ECHO_BYTES / 1448);
        assert_true(figure(run.out, direction, "bytes") >= ECHO_BYTES);
        assert_true(figure(run.out, direction, "bytes") / figure(run.out, direction, "frames") <=
                    1514);
        assert_true(figure(run.out, direction, "lost") == 0);
        assert_true(figure(run.out, direction, "cut") == 0);
    }
    assert_true(figure(run.out, NULL, "link_cpu_s") > 0);
    assert_true(figure(run.out, NULL, "wall_ms") >= 2 * ECHO_BYTES * 8 / 200e6 * 1000 / 2);
    assert_true(figure(run.out, NULL, "exit_code") == 0);
    echo_through(LAN_WORDS("--link=packet", "--stats=-", "--up-loss=5%", "--rtt=1ms"));
    assert_true(figure(run.out, "up", "lost") > 0);
    assert_true(figure(run.out, "down", "lost") == 0);
}

TEST(test_a_cut_link_carries_nothing_and_comes_back)
{
    static const char *const kinds[] = {"kernel", "packet"};
    lan_need(NULL, "packet");
    for (int i = 0; i < 2; i++) {
        if (!lan_has(&run, NULL, kinds[i]))
            continue;
        echo_through(
            LAN_WORDS("--link", kinds[i], "--rate=40mbit", "--cut=100ms:400ms", "--stats=-"));
        assert_non_null(strstr(run.error, "the link is cut\nfanin-lan: the link is up again\n"));
        assert_true(figure(run.out, NULL, "wall_ms") >= 500);
        if (i == 1)
            assert_true(figure(run.out, "up", "cut") + figure(run.out, "down", "cut") > 0);
    }
}

/* ---- a server's silence --------------------------------------------------------------------- */

/* One connect over a link, to one server with this fault. */
static void connect_to(const char *fault, const char *outcome)
{
    char ready[64], far[256];
    lan_need(NULL, "packet");
    snprintf(ready, sizeof ready, "--ready-file=/tmp/fanin-silence-%d", getpid());
    snprintf(far, sizeof far,
             "exec fanin-servers --count=1 --port=20000 --listen=$FANIN_FAR --fault=%s %s", fault,
             ready);
    LAN_RUN(&run, "--link=packet", "--rtt=1ms", "--stats=-", ready, "--far", far, "--",
            "fanin-client", "--servers=1", "--port=20000", "--address=198.19.0.1",
            "--connect-timeout=1200", "--quiet");
    unlink(strchr(ready, '/'));
    if (run.exit_code != 1 || strstr(run.error, outcome) == NULL)
        fail_msg("exit code %d: %s", run.exit_code, run.error);
}

/* Not one frame may come back to the client, or a time limit would not be what ends the connect. */
TEST(test_a_dropped_connect_hears_nothing)
{
    connect_to("small-backlog:1", "1 of 1 servers not connected: 1 timeout");
    assert_true(figure(run.out, "up", "frames") >= 2); /* the SYN is sent again after a second */
    assert_true(figure(run.out, "down", "frames") == 0);
}

TEST(test_a_refused_connect_is_answered)
{
    connect_to("refuse:1", "1 of 1 servers not connected: 1 refused");
    assert_true(figure(run.out, "down", "frames") >= 1);
}

/* ---- the check ------------------------------------------------------------------------------ */

/* The bare machine's round trip: a thread that holds each byte as long as a link would, twice, and
 * no link. */
struct hold {
    int from, to;
    uint64_t delay_ns;
};

static void *hold_run(void *argument)
{
    const struct hold *hold = argument;
    char byte;
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
    prctl(PR_SET_TIMERSLACK, 1);
    while (read(hold->from, &byte, 1) == 1) {
        os_sleep_ns(hold->delay_ns);
        if (write(hold->to, &byte, 1) != 1)
            break;
    }
    return NULL;
}

static int earlier(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The median; UINT64_MAX where a byte got lost. */
static uint64_t bare_round_trip_ns(uint64_t rtt_ns)
{
    int there[2], back[2];
    pthread_t thread;
    uint64_t took_ns[BARE_TRIPS];
    char byte = 0;
    assert_int_equal(pipe(there), 0);
    assert_int_equal(pipe(back), 0);
    struct hold hold = {there[0], back[1], rtt_ns / 2};
    assert_int_equal(pthread_create(&thread, NULL, hold_run, &hold), 0);
    for (int i = 0; i < BARE_TRIPS; i++) {
        bool whole = true;
        uint64_t sent_ns = os_now_ns();
        for (int way = 0; way < 2; way++)
            whole = whole && write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1;
        took_ns[i] = whole ? os_now_ns() - sent_ns : UINT64_MAX;
        os_sleep_ns(OS_NS_PER_MS);
    }
    close(there[1]);
    pthread_join(thread, NULL);
    close(there[0]);
    close(back[0]);
    close(back[1]);
    qsort(took_ns, BARE_TRIPS, sizeof *took_ns, earlier);
    return took_ns[BARE_TRIPS / 2];
}

/* The check's bounds are those of a machine that wakes threads fast. Here a link may be late by as
 * much as the same waits are without any link, and by what the bounds allow. */
static bool is_late_as_the_machine_is(double rtt_ns)
{
    const struct bounds bounds = bounds_round_trip(rtt_ns);
    const double measured_ns = figure(run.out, NULL, "rtt_us_p50") * 1e3;
    const double bare_ns = (double)bare_round_trip_ns((uint64_t)rtt_ns);
    print_message("a round trip of %.3f ms takes %.3f ms, and %.3f ms without a link\n",
                  rtt_ns / OS_NS_PER_MS, measured_ns / OS_NS_PER_MS, bare_ns / OS_NS_PER_MS);
    return strstr(run.out, "\"rate_ok\":false") == NULL &&
           strstr(run.out, "\"loss_ok\":false") == NULL && measured_ns >= bounds.min &&
           measured_ns - bare_ns <= bounds.max - rtt_ns;
}

/* The machine may be busy with something else: a link that is as asked for is found so at the fifth
 * attempt at the latest. */
static void check_passes(double rtt_ns, const char *const words[])
{
    bool passes = false;
    for (int tries = 0; tries < CHECK_TRIES && !passes; tries++) {
        lan_run_as(&run, NULL, words);
        assert_in_range(run.exit_code, 0, 1);
        passes = run.exit_code == 0 || is_late_as_the_machine_is(rtt_ns);
    }
    if (!passes)
        fail_msg("%s", run.error);
}

TEST(test_the_papers_lan_is_as_asked)
{
    lan_need(NULL, "auto");
    LAN_RUN(&run, "--", "true");
    lan_skip_if(run.exit_code == 3, run.error);
    check_passes(0.5 * OS_NS_PER_MS, LAN_WORDS("--check", "--json=-"));
    assert_true(figure(run.out, "up", "rate_asked_bits_per_s") == 100e6);
    assert_true(figure(run.out, "down", "loss_sent") >= 1000);
    assert_true(figure(run.out, NULL, "rtt_us_p50") >= 400);
    assert_non_null(strstr(run.error, "round trip, median         0.5 ms"));
}

TEST(test_a_lossy_long_link_is_as_asked)
{
    lan_need(NULL, "packet");
    check_passes(20.0 * OS_NS_PER_MS,
                 LAN_WORDS("--check", "--json=-", "--link=packet", "--rate=20mbit", "--rtt=20ms",
                           "--up-loss=3%", "--down-loss=2%"));
    assert_true(figure(run.out, "up", "loss_lost") > 0);
}

/* No machine sends a terabit in ten seconds: the check must say so. */
TEST(test_a_link_that_is_not_as_asked_is_found_out)
{
    lan_need(NULL, "packet");
    LAN_RUN(&run, "--check", "--json=-", "--link=packet", "--down-rate=100gbit", "--rtt=0.2ms",
            "--down-queue=1MB");
    assert_int_equal(run.exit_code, 1);
    assert_non_null(strstr(run.out, "\"status\":\"failed\""));
    assert_non_null(strstr(run.out, "\"rate_ok\":false"));
    assert_non_null(strstr(run.error, "NOT AS ASKED"));
    assert_non_null(strstr(run.error, "the link is not as asked for"));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return strcmp(argv[1], "far") == 0 ? far_echo() : near_compare();
    lan_find(argv[0]);
    return tests_run(NULL, NULL);
}
