/* GO with hold, and START: streams that wait for each other, on the real program. */
#include "mock_servers/tests/fleet_under_test.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "base/tests/limit.h"
#include "mock_servers/connection.h"

enum { FRAMES = 20, LENGTH = 300, SILENT_MS = 100, LATER_MS = 300 };

static struct protocol_go held_go(enum protocol_source source, uint64_t run)
{
    struct protocol_go go = go_of(source, FRAMES, LENGTH, LENGTH);
    go.run = run;
    go.hold = true;
    return go;
}

static int hold(const struct fleet_under_test *fleet, unsigned server, const struct protocol_go *go)
{
    int handle = fleet_connect(fleet, server);
    ask_go(handle, go);
    return handle;
}

/* Waits until the process has taken so many GOs of the run. */
static void await_connections(const struct fleet_under_test *fleet, uint64_t run, uint64_t count)
{
    for (unsigned i = 0; i < PATIENCE_S * 100; i++) {
        if (stats_of(fleet, run).connections == count)
            return;
        os_sleep_ns(10 * OS_NS_PER_MS);
    }
    fail_msg("%" PRIu64 " of %" PRIu64 " connections asked", stats_of(fleet, run).connections,
             count);
}

static void start(int handle, uint64_t run, uint64_t in_ms)
{
    char line[PROTOCOL_LINE_BYTES_MAX];
    assert_true(protocol_write_start(run, in_ms * OS_NS_PER_MS, line, sizeof line) > 0);
    ask(handle, line);
    assert_ok(handle);
}

static uint64_t first_stamp_ns(const uint8_t *frame, const struct protocol_go *go)
{
    struct protocol_header header;
    assert_int_equal(protocol_header_read(frame, &go->marker, &header), 0);
    return header.sent_ns;
}

static void frames_follow(int handle, const struct protocol_go *go)
{
    free(frames_take(handle, go));
    close(handle);
}

/* ---- START ---- */

TEST(held_streams_send_nothing_before_start)
{
    struct fleet_under_test fleet = fleet_begin("--count=2");
    for (unsigned i = 0; i < 2; i++) {
        struct protocol_go go = held_go(sources[i], 1 + i), other = held_go(sources[i], 10);
        int one = hold(&fleet, 0, &go), two = hold(&fleet, 1, &go),
            asker = fleet_connect(&fleet, 0);
        int foreign = hold(&fleet, 1, &other);
        await_connections(&fleet, go.run, 2);
        assert_true(is_silent_for(one, SILENT_MS) && is_silent_for(two, SILENT_MS));
        struct protocol_stats stats = stats_of(&fleet, go.run);
        assert_true(stats.frames == 0 && stats.cpu_ns == 0);
        assert_true(stats.first_ns == 0 && stats.last_ns == 0);
        const uint64_t before_ns = os_wall_ns();
        start(asker, go.run, 0);
        frames_follow(one, &go);
        frames_follow(two, &go);
        stats = stats_of(&fleet, go.run);
        assert_true(stats.connections == 2 && stats.frames == 2 * FRAMES);
        assert_in_range(stats.first_ns, before_ns, stats.last_ns);
        assert_in_range(stats.last_ns, stats.first_ns, os_wall_ns());
        assert_true(is_silent_for(foreign, SILENT_MS)); /* another run's is held */
        close(foreign);
        close(asker);
    }
    fleet_end(&fleet);
}

/* However long they were held: the schedule counts from START's moment, the same one for all. */
TEST(schedules_begin_at_the_moment_of_start)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = held_go(PROTOCOL_LIVE, 7);
    const uint64_t later_ns = LATER_MS * (uint64_t)OS_NS_PER_MS;
    int asker = fleet_connect(&fleet, 0), handles[2];
    go.rate = 20;
    handles[0] = hold(&fleet, 0, &go);
    await_connections(&fleet, go.run, 1);
    const uint64_t asked_ns = os_wall_ns();
    start(asker, go.run, LATER_MS);
    const uint64_t answered_ns = os_wall_ns(), interval_ns = OS_NS_PER_S / 20;
    handles[1] = hold(&fleet, 0, &go); /* before that moment: it begins with the others */
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *data = frames_take(handles[i], &go);
        assert_in_range(first_stamp_ns(data, &go), asked_ns + later_ns,
                        answered_ns + later_ns + interval_ns);
        free(data);
        close(handles[i]);
    }
    assert_true(stats_of(&fleet, go.run).first_ns >= asked_ns + later_ns);
    close(asker);
    fleet_end(&fleet);
}

TEST(a_start_before_go_is_remembered_while_it_is_held)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    for (unsigned i = 0; i < 2; i++) {
        struct protocol_go go = held_go(sources[i], 1 + i);
        int asker = fleet_connect(&fleet, 0);
        start(asker, go.run, 0);
        frames_follow(hold(&fleet, 0, &go), &go);
        close(asker);
        go.run += 10;
        asker = fleet_connect(&fleet, 0);
        start(asker, go.run, 0);
        start(asker, 100, 0); /* it holds that one now, and the former is forgotten */
        int handle = hold(&fleet, 0, &go);
        assert_true(is_silent_for(handle, SILENT_MS));
        start(asker, go.run, 0);
        frames_follow(handle, &go);
        close(asker);
    }
    fleet_end(&fleet);
}

TEST(the_first_start_of_a_run_counts)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = held_go(PROTOCOL_TAPE, 7);
    int asker = fleet_connect(&fleet, 0), handle = hold(&fleet, 0, &go);
    start(asker, go.run, LATER_MS);
    start(asker, go.run, 60000);
    frames_follow(handle, &go);
    go.run = 8;
    handle = hold(&fleet, 0, &go);
    start(asker, go.run, 60000);
    start(asker, go.run, 0);
    assert_true(is_silent_for(handle, SILENT_MS));
    close(handle);
    close(asker);
    fleet_end(&fleet);
}

/* Those that do not hold go on as ever, and what goes on with a stream is no beginning of one. */
TEST(beginnings_are_of_first_frames)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = held_go(PROTOCOL_LIVE, 7);
    int asker = fleet_connect(&fleet, 0);
    go.hold = false;
    go.from = 5;
    server_check(&fleet, 0, &go);
    go.from = 0;
    go.ago_ns = OS_NS_PER_MS;
    server_check(&fleet, 0, &go);
    assert_true(stats_of(&fleet, go.run).first_ns == 0);
    go.ago_ns = 0;
    const uint64_t before_ns = os_wall_ns();
    server_check(&fleet, 0, &go);
    const uint64_t first_ns = stats_of(&fleet, go.run).first_ns;
    assert_in_range(first_ns, before_ns, os_wall_ns());
    server_check(&fleet, 0, &go);
    const struct protocol_stats stats = stats_of(&fleet, go.run);
    assert_true(stats.first_ns == first_ns && stats.last_ns > first_ns);
    go.hold = true;
    go.from = 5;
    int handle = hold(&fleet, 0, &go); /* hold goes with from: it waits, too */
    assert_true(is_silent_for(handle, SILENT_MS));
    start(asker, go.run, 0);
    frames_follow(handle, &go);
    close(asker);
    fleet_end(&fleet);
}

TEST(start_wants_a_login)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--login=user:word");
    const char line[] = "FANIN/1 START run=0000000000000007 in=0\r\n";
    const char wrong[] = "FANIN/1 START run=0000000000000007 in=60000000001\r\n";
    assert_refused(&fleet, line, strlen(line), "login");
    assert_refused(&fleet, wrong, strlen(wrong), "in wants");
    int asker = fleet_connect(&fleet, 0);
    login(asker, "user", "word");
    assert_ok(asker);
    start(asker, 7, 0);
    close(asker);
    fleet_end(&fleet);
}

TEST(a_thousand_begin_together)
{
    enum { HELD = 1000, SERVERS = 100 };
    static int handles[HELD];
    struct rlimit before, high;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    high = (struct rlimit){before.rlim_max, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &high);
    if (high.rlim_cur < 4 * HELD)
        skip(); /* the limit of descriptors is too low, for both ends */
    struct fleet_under_test fleet = fleet_begin("--count=1000");
    int asker = fleet_connect(&fleet, 0);
    for (unsigned source = 0; source < 2; source++) {
        struct protocol_go go = held_go(sources[source], 1 + source);
        for (unsigned i = 0; i < HELD; i++)
            handles[i] = hold(&fleet, i % SERVERS, &go);
        await_connections(&fleet, go.run, HELD);
        assert_true(stats_of(&fleet, go.run).first_ns == 0);
        const uint64_t before_ns = os_wall_ns();
        start(asker, go.run, 0);
        for (unsigned i = 0; i < HELD; i++)
            frames_follow(handles[i], &go);
        const struct protocol_stats stats = stats_of(&fleet, go.run);
        assert_true(stats.frames == HELD * FRAMES);
        assert_in_range(stats.first_ns, before_ns, stats.last_ns);
    }
    close(asker);
    fleet_end(&fleet);
    setrlimit(RLIMIT_NOFILE, &before);
}

/* ---- clients that leave ---- */

/* The end of a held connection shows at once, in whatever way it comes: a START need not. */
TEST(a_held_connection_ends_with_its_client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct fleet_under_test fleet = fleet_begin("--count=1");
    const unsigned idle = descriptors_of(&fleet);
    for (unsigned i = 0; i < 8; i++) {
        struct protocol_go go = held_go(PROTOCOL_LIVE, 1 + i);
        int handle = hold(&fleet, 0, &go);
        if (i & 1) /* else the end comes with the line */
            await_connections(&fleet, go.run, 1);
        if (i & 2)
            setsockopt(handle, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        if (i & 4)
            shutdown(handle, SHUT_WR);
        else
            close(handle);
        stats_of(&fleet, go.run); /* answered, so the connection before it was accepted */
        fleet_await_descriptors(&fleet, idle);
        if (i & 4)
            close(handle);
        int asker = fleet_connect(&fleet, 0);
        start(asker, go.run, 0);
        close(asker);
        assert_true(stats_of(&fleet, go.run).frames == 0);
    }
    fleet_end(&fleet);
}

/* ---- tapes that cannot be made ---- */

TEST(a_held_tape_that_has_no_room_is_refused_at_once)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--tape-cap=1000");
    struct protocol_go go = held_go(PROTOCOL_TAPE, 7);
    assert_go_refused(&fleet, &go, "--tape-cap");
    fleet_end(&fleet);
}

/* The room ends while the tape is made: the one who holds is told so, before START. */
TEST(a_held_tape_that_fails_is_refused_before_start)
{
    static const struct login no_login;
    const struct protocol_go go = held_go(PROTOCOL_TAPE, 7);
    struct loop loop;
    struct connections all = {0};
    struct endpoint endpoint = {.connections = &all};
    int ends[2];
    os_writes_fail();
    assert_int_equal(loop_open(&loop), 0);
    assert_int_equal(connections_init(&all, &loop, &no_login, 1 << 20), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    assert_int_equal(connection_open(&endpoint, ends[1]), 0);
    ask_go(ends[0], &go);
    loop_round(&loop, OS_NS_PER_S);
    const struct rlimit before = limit_lower(RLIMIT_FSIZE, 1);
    while (tapes_make(all.tapes))
        continue;
    setrlimit(RLIMIT_FSIZE, &before);
    connections_start(&all);
    loop_round(&loop, 0);
    assert_no(ends[0], "memory for this tape");
    close(ends[0]);
    connections_end(&all);
    loop_close(&loop);
}
