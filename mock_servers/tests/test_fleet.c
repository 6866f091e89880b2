/* fanin-servers as a client meets it: what it serves, what it counts, what it survives. */
#include "mock_servers/tests/fleet_under_test.h"

/* ---- frames ---- */

TEST(test_serves_what_was_asked)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    for (unsigned i = 0; i < 2; i++) {
        struct protocol_go go = go_of(sources[i], 300, 256, 9000);
        int handle = fleet_connect(&fleet, 0);
        for (go.seed = 1; go.seed <= 3; go.seed++) { /* one GO after the other on one connection */
            go.run = 10 * (i + 1) + go.seed;
            frames_check(handle, &go);
            struct protocol_stats stats = stats_of(&fleet, go.run);
            assert_true(stats.connections == 1 && stats.frames == 300 && stats.faults == 0);
            assert_true(stats.bytes == go_bytes(&go, 300) && stats.cpu_ns > 0);
        }
        assert_true(is_silent_for(handle, 50));
        close(handle);
    }
    fleet_end(&fleet);
}

TEST(test_tapes_of_one_key_are_one)
{
    struct fleet_under_test fleet =
        fleet_begin("--count=2", "--tape-cap=700000"); /* room for one, not for two */
    struct protocol_go go = go_of(PROTOCOL_TAPE, 100, 5000, 5000);
    int one = fleet_connect(&fleet, 0), other = fleet_connect(&fleet, 1);
    ask_go(one, &go);
    ask_go(other, &go);
    uint8_t *data = frames_take(one, &go), *same = frames_take(other, &go);
    assert_memory_equal(data, same, go_bytes(&go, go.frames));
    struct protocol_header header;
    assert_int_equal(protocol_header_read(data, &go.marker, &header), 0);
    assert_true(header.sent_ns == 0);
    free(data);
    free(same);
    close(one);
    close(other);
    fleet_end(&fleet);
}

TEST(test_other_markers_and_big_frames)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--send-buffer=64k");
    const struct protocol_marker markers[] = {
        {"\0", 1}, {"abab", 4}, {"0123456789abcdef", 16}, {"\r\r\n", 3}, {"\r\n", 2}};
    for (unsigned i = 0; i < 10; i++) {
        bool is_big = i >= 8;
        struct protocol_go go = is_big ? go_of(sources[i % 2], 3, 1250000, 2500000)
                                       : go_of(sources[i % 2], 50, 65, 4000);
        go.marker = markers[i / 2];
        server_check(&fleet, 0, &go);
    }
    fleet_end(&fleet);
}

TEST(test_many_at_once)
{
    enum { SERVERS = 200 };
    struct fleet_under_test fleet = fleet_begin("--count=200");
    struct protocol_go go = go_of(PROTOCOL_TAPE, 20, 256, 10000);
    int handles[SERVERS];
    uint64_t bytes = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        handles[i] = fleet_connect(&fleet, i);
    for (unsigned i = 0; i < SERVERS; i++) {
        go.seed = i % 7;
        go.source = sources[i % 2];
        ask_go(handles[i], &go);
    }
    for (unsigned i = 0; i < SERVERS; i++) {
        go.seed = i % 7;
        free(frames_take(handles[i], &go));
        bytes += go_bytes(&go, go.frames);
        close(handles[i]);
    }
    struct protocol_stats stats = stats_of(&fleet, 1);
    assert_true(stats.connections == SERVERS && stats.frames == 20 * SERVERS);
    assert_true(stats.bytes == bytes);
    fleet_end(&fleet);
}

/* ---- schedule ---- */

/* The stamps of `frames` frames are one interval apart, to the rounding of a nanosecond. Returns
 * the first. */
static uint64_t assert_even_stamps(const uint8_t *data, const struct protocol_go *go)
{
    struct protocol_header header;
    uint64_t first_ns = 0;
    size_t at = 0;
    for (uint64_t seq = 0; seq < go->frames; seq++) {
        assert_int_equal(protocol_header_read(data + at, &go->marker, &header), 0);
        if (seq == 0)
            first_ns = header.sent_ns;
        double off_ns = (double)(header.sent_ns - first_ns) - (double)seq * 1e9 / go->rate;
        assert_true(off_ns > -2 && off_ns < 2);
        at += header.length;
    }
    return first_ns;
}

TEST(test_live_keeps_its_schedule)
{
    struct fleet_under_test fleet = fleet_begin("--count=2");
    uint64_t first_ns[2];
    for (unsigned i = 0; i < 2; i++) {
        struct protocol_go go = go_of(PROTOCOL_LIVE, 31, 256, 1000);
        go.rate = 100;
        int handle = fleet_connect(&fleet, i);
        uint64_t asked_ns = os_wall_ns();
        ask_go(handle, &go);
        uint8_t *data = frames_take(handle, &go);
        uint64_t first = assert_even_stamps(data, &go);
        assert_true(first >= asked_ns);
        assert_true(os_wall_ns() >= first + 300 * (uint64_t)OS_NS_PER_MS); /* none came early */
        first_ns[i] = first - asked_ns;
        free(data);
        close(handle);
    }
    assert_true(first_ns[0] != first_ns[1]);
    fleet_end(&fleet);
}

/* The reader sleeps while many frames are due: they come late, with the stamps they were due at. */
TEST(test_live_does_not_omit_for_a_slow_reader)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--send-buffer=16k");
    struct protocol_go go = go_of(PROTOCOL_LIVE, 400, 20000, 20000);
    int handle = socket_with_patience(), small = 16384;
    setsockopt(handle, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(fleet_try(&fleet, handle, 0), 0);
    go.rate = 1000;
    ask_go(handle, &go);
    os_sleep_ns(300 * OS_NS_PER_MS);
    assert_true(stats_of(&fleet, 1).frames < 200); /* held back by the reader */
    uint8_t *data = frames_take(handle, &go);
    assert_even_stamps(data, &go);
    free(data);
    close(handle);
    fleet_end(&fleet);
}

TEST(test_tape_at_a_rate)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = go_of(PROTOCOL_TAPE, 41, 256, 5000);
    int handle = fleet_connect(&fleet, 0);
    uint64_t start_ns = os_now_ns();
    go.rate = 200;
    frames_check(handle, &go);
    assert_true(os_now_ns() - start_ns >= 195 * (uint64_t)OS_NS_PER_MS);
    close(handle);
    fleet_end(&fleet);
}

/* ---- lines ---- */

TEST(test_lines_in_pieces_and_together)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = go_of(PROTOCOL_TAPE, 10, 256, 1000);
    char line[PROTOCOL_LINE_BYTES_MAX], answer[PROTOCOL_LINE_BYTES_MAX];
    int handle = fleet_connect(&fleet, 0);
    ask(handle, "FANIN/1 LOGIN anybody any");
    os_sleep_ns(20 * OS_NS_PER_MS);
    protocol_write_go(&go, line, sizeof line);
    ask(handle, "thing\r\nFANIN/1 STATS run=00000000000000ff\r\n");
    ask(handle, line);
    ask(handle, line);
    assert_ok(handle);
    take_line(handle, answer);
    assert_non_null(strstr(answer, "run=00000000000000ff process="));
    assert_non_null(strstr(answer, " connections=0 frames=0 bytes=0 faults=0 "));
    free(frames_take(handle, &go));
    free(frames_take(handle, &go));
    close(handle);
    assert_true(stats_of(&fleet, 1).connections == 1); /* one connection, two GOs */
    fleet_end(&fleet);
}

TEST(test_the_time_is_the_stamps_clock)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    char answer[PROTOCOL_LINE_BYTES_MAX];
    uint64_t there_ns, asked_ns = os_wall_ns();
    int handle = fleet_connect(&fleet, 0);
    for (unsigned i = 0; i < 3; i++) {
        ask(handle, "FANIN/1 TIME\r\n");
        take_line(handle, answer);
        assert_null(protocol_read_time(answer, &there_ns));
        assert_in_range(there_ns, asked_ns, os_wall_ns());
        asked_ns = there_ns;
    }
    close(handle);
    fleet_end(&fleet);
}

TEST(test_bad_lines)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    char long_line[PROTOCOL_LINE_BYTES_MAX + 100];
    memset(long_line, 'x', sizeof long_line);
    assert_refused(&fleet, "GET / HTTP/1.1\r\n\r\n", 18, "FANIN/1");
    assert_refused(&fleet, long_line, sizeof long_line, "too long");
    assert_refused(&fleet, "FANIN/1\0GO\r\n", 12, "NUL");
    fleet_end(&fleet);
}

TEST(test_login)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--login=user:pass:word");
    struct protocol_go go = go_of(PROTOCOL_TAPE, 2, 256, 256);
    const char *wrong[] = {"FANIN/1 LOGIN user pass\r\n", "FANIN/1 LOGIN use pass:word\r\n"};
    assert_go_refused(&fleet, &go, "login");
    for (unsigned i = 0; i < 2; i++)
        assert_refused(&fleet, wrong[i], strlen(wrong[i]), "wrong user or password");
    int handle = fleet_connect(&fleet, 0);
    login(handle, "user", "pass:word");
    assert_ok(handle);
    frames_check(handle, &go);
    close(handle);
    assert_true(stats_of(&fleet, 1).connections == 1);
    fleet_end(&fleet);
}

/* ---- clients that leave ---- */

TEST(test_half_close_still_gets_frames)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    for (unsigned i = 0; i < 2; i++) {
        struct protocol_go go = go_of(sources[i], 20, 256, 1000);
        go.rate = 200;
        int handle = fleet_connect(&fleet, 0);
        ask_go(handle, &go);
        shutdown(handle, SHUT_WR);
        free(frames_take(handle, &go));
        assert_ends(handle);
        close(handle);
    }
    fleet_end(&fleet);
}

static void leave(int handle, bool with_reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (with_reset)
        setsockopt(handle, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(handle);
}

TEST(test_survives_clients_that_leave)
{
    struct fleet_under_test fleet = fleet_begin("--count=3", "--fault=stall:1");
    char some[1000];
    int end;
    for (unsigned i = 0; i < 30; i++) {
        struct protocol_go go = go_of(sources[i % 2], 100000, 256, 10000);
        go.frames = i % 3 == 0 ? 2000 : go.frames;
        go.rate = i % 5 == 0 ? 50 : 0;
        go.source = go.frames > 2000 ? PROTOCOL_LIVE : go.source;
        int handle = fleet_connect(&fleet, i % 3);
        if (i % 7 == 0)
            ask(handle, "FANIN/1 G");
        else
            ask_go(handle, &go);
        if (i % 2 == 0 && i % 7 != 0)
            take(handle, some, sizeof some, &end);
        leave(handle, i % 4 == 0);
    }
    struct protocol_go go = go_of(PROTOCOL_TAPE, 10, 256, 1000);
    server_check(&fleet, 0, &go);
    fleet_end(&fleet);
}

/* ---- limits ---- */

TEST(test_tape_cap)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--tape-cap=1000000");
    struct protocol_go go = go_of(PROTOCOL_TAPE, 1001, 1000, 1000);
    assert_go_refused(&fleet, &go, "--tape-cap");
    go.frames = PROTOCOL_FRAMES_MAX;
    assert_go_refused(&fleet, &go, "--tape-cap");

    int one = fleet_connect(&fleet, 0);
    go.frames = 600;
    for (go.seed = 0; go.seed < 5; go.seed++) /* each makes room for the next */
        frames_check(one, &go);
    go.rate = 1; /* keeps its tape in use */
    ask_go(one, &go);
    while (stats_of(&fleet, 1).frames < 5 * 600 + 1)
        os_sleep_ns(10 * OS_NS_PER_MS);
    go.seed++;
    assert_go_refused(&fleet, &go, "--tape-cap");
    close(one);
    fleet_end(&fleet);
}

/* ---- runs ---- */

static void runs_serve(const struct fleet_under_test *fleet, uint64_t first, unsigned count)
{
    struct protocol_go go = go_of(PROTOCOL_LIVE, 1, 256, 256);
    int handle = fleet_connect(fleet, 0);
    for (go.run = first; go.run < first + count; go.run++)
        frames_check(handle, &go);
    close(handle);
}

TEST(a_run_is_known_until_it_has_ended)
{
    struct fleet_under_test fleet = fleet_begin("--count=2");
    struct protocol_go go = go_of(PROTOCOL_LIVE, 1, 256, 256);
    int lasting = fleet_connect(&fleet, 1);
    go.run = 7;
    frames_check(lasting, &go);
    runs_serve(&fleet, 100, 200);
    assert_true(stats_of(&fleet, 7).frames == 1);
    close(lasting);
    for (uint64_t first = 1000; stats_of(&fleet, 7).connections > 0; first += 100)
        runs_serve(&fleet, first, 100);
    fleet_end(&fleet);
}

TEST(asking_about_a_run_keeps_it)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = go_of(PROTOCOL_LIVE, 1, 256, 256);
    char line[PROTOCOL_LINE_BYTES_MAX];
    go.run = 7;
    int auditor = fleet_connect(&fleet, 0);
    assert_true(protocol_write_stats_request(go.run, line, sizeof line) > 0);
    ask(auditor, line);
    take_line(auditor, line);
    server_check(&fleet, 0, &go);
    runs_serve(&fleet, 100, 200);
    assert_true(stats_of(&fleet, go.run).frames == 1);
    close(auditor);
    fleet_end(&fleet);
}

/* Nothing but sending counts: neither what comes before nor what comes after it. */
TEST(cpu_time_of_a_run_is_that_of_sending)
{
    enum { OTHERS = 500 };
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = go_of(PROTOCOL_LIVE, 200, 10000, 20000);
    int auditor = fleet_connect(&fleet, 0);
    char line[PROTOCOL_LINE_BYTES_MAX];
    struct protocol_stats stats;
    go.run = 7;
    assert_true(protocol_write_stats_request(go.run, line, sizeof line) > 0);
    ask(auditor, line); /* keeps the run */
    take_line(auditor, line);
    assert_null(protocol_read_stats(line, &stats));
    assert_true(stats.cpu_ns == 0);
    server_check(&fleet, 0, &go);
    const uint64_t cpu_ns = stats_of(&fleet, go.run).cpu_ns;
    assert_true(cpu_ns > 0);
    for (unsigned i = 0; i < OTHERS; i++)
        close(fleet_connect(&fleet, 0));
    runs_serve(&fleet, 100, 20);
    assert_true(stats_of(&fleet, go.run).cpu_ns == cpu_ns);
    close(auditor);
    fleet_end(&fleet);
}

/* Which timer the kernel runs for the fleet's end of a connection, from /proc/net/tcp. */
static unsigned timer_of(const struct fleet_under_test *fleet, uint16_t peer_port)
{
    char line[256], from[32], to[32];
    unsigned timer = 0, found = 0;
    FILE *file = fopen("/proc/net/tcp", "r");
    snprintf(from, sizeof from, "%08X:%04X", htonl(fleet->host), PORT);
    snprintf(to, sizeof to, ":%04X 01", peer_port); /* established */
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strstr(line, from) != NULL && strstr(line, to) != NULL)
            found += sscanf(strstr(line, to) + strlen(to), " %*x:%*x %x:", &timer) == 1;
    fclose(file);
    assert_int_equal(found, 1);
    return timer;
}

/* A run whose client's machine has died ends too, though no end of its connections ever comes. */
TEST(the_system_looks_after_silent_clients)
{
    enum { KEEPALIVE = 2 };
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = go_of(PROTOCOL_LIVE, 1, 256, 256);
    struct sockaddr_in local;
    socklen_t bytes = sizeof local;
    int handle = fleet_connect(&fleet, 0);
    frames_check(handle, &go);
    assert_int_equal(getsockname(handle, (struct sockaddr *)&local, &bytes), 0);
    for (unsigned i = 0; i < PATIENCE_S * 100; i++) { /* its last frame may not be confirmed yet */
        if (timer_of(&fleet, ntohs(local.sin_port)) == KEEPALIVE)
            break;
        os_sleep_ns(10 * OS_NS_PER_MS);
    }
    assert_int_equal(timer_of(&fleet, ntohs(local.sin_port)), KEEPALIVE);
    close(handle);
    fleet_end(&fleet);
}
