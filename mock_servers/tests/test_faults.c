/* Each fault shows its symptom, on the servers that have it and on no other. */
#include "mock_servers/tests/fleet_under_test.h"

#include <fcntl.h>
#include <poll.h>

#include "mock_servers/faults.h"

enum { FRAMES = 20, LENGTH_MIN = 300, LENGTH_MAX = 4000, DATA_BYTES = FRAMES * LENGTH_MAX };

/* The result of one GO. */
struct symptom {
    uint8_t data[DATA_BYTES];
    size_t bytes, good_bytes;
    uint64_t good; /* correct frames at the head */
    int end;       /* 0: in good order; an errno value; -1: all bytes of the frames came */
};

/* Waits for `bytes`, and then for the end; a stalled server has none but EAGAIN. */
static void ask_faulty(const struct fleet_under_test *fleet, const struct protocol_go *go,
                       size_t bytes, bool stalls, struct symptom *symptom)
{
    int handle = fleet_connect(fleet, 0);
    ask_go(handle, go);
    symptom->bytes = take(handle, symptom->data, bytes, &symptom->end);
    if (symptom->end == -1 && bytes < go_bytes(go, go->frames)) {
        if (stalls)
            symptom->end = is_silent_for(handle, 100) ? EAGAIN : 0;
        else
            symptom->bytes += take(handle, symptom->data + bytes, 1, &symptom->end);
    }
    symptom->good = frames_good(symptom->data, symptom->bytes, go, &symptom->good_bytes);
    close(handle);
}

static struct protocol_go faulty_go(unsigned source)
{
    struct protocol_go go = go_of(sources[source], FRAMES, LENGTH_MIN, LENGTH_MAX);
    go.run = 1 + source;
    return go;
}

static void assert_counted(const struct fleet_under_test *fleet, const struct protocol_go *go,
                           uint64_t frames, uint64_t bytes)
{
    struct protocol_stats stats = stats_of(fleet, go->run);
    assert_true(stats.faults == 1);
    assert_true(stats.frames == frames);
    assert_true(stats.bytes == bytes);
}

/* ---- faults that cut ---- */

static const struct {
    const char *option;
    uint64_t good;
    bool in_frame;
    int end;
} cuts[] = {
    {"--fault=reset:1", FRAMES / 2, true, ECONNRESET},
    {"--fault=reset:1:0", 0, true, ECONNRESET},
    {"--fault=reset:1:1000", FRAMES - 1, true, ECONNRESET},
    {"--fault=truncate:1:3", 3, true, 0},
    {"--fault=stall:1:19", 19, true, EAGAIN},
    {"--fault=stop-short:1:7", 7, false, 0},
    {"--fault=stop-short:1:0", 0, false, 0},
};

TEST(test_cuts)
{
    static struct symptom symptom;
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct fleet_under_test fleet = fleet_begin("--count=1", cuts[i].option);
        for (unsigned source = 0; source < 2; source++) {
            struct protocol_go go = faulty_go(source);
            uint64_t good_bytes = go_bytes(&go, cuts[i].good);
            uint32_t length = protocol_frame_length(go.seed, cuts[i].good, LENGTH_MIN, LENGTH_MAX);
            size_t bytes = good_bytes + (cuts[i].in_frame ? length / 2 : 0);
            ask_faulty(&fleet, &go, bytes, cuts[i].end == EAGAIN, &symptom);
            assert_int_equal(symptom.end, cuts[i].end);
            assert_true(symptom.good == cuts[i].good && symptom.good_bytes == good_bytes);
            assert_int_equal(symptom.bytes, bytes);
            assert_counted(&fleet, &go, cuts[i].good, symptom.bytes);
        }
        fleet_end(&fleet);
    }
}

/* A slow reader still gets everything that was sent before the reset. */
TEST(test_reset_waits_for_a_slow_reader)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=reset:1");
    struct protocol_go go = go_of(PROTOCOL_TAPE, 20, 20000, 20000);
    static uint8_t data[20 * 20000];
    int end, small = 8192, handle = socket_with_patience();
    setsockopt(handle, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(fleet_try(&fleet, handle, 0), 0);
    ask_go(handle, &go);
    os_sleep_ns(100 * OS_NS_PER_MS);
    assert_int_equal(take(handle, data, sizeof data, &end), 10 * 20000 + 10000);
    assert_int_equal(end, ECONNRESET);
    close(handle);
    fleet_end(&fleet);
}

/* A server that neither sends nor receives still notices that its peer has left. */
TEST(test_silent_connections_are_closed)
{
    struct fleet_under_test fleet = fleet_begin("--count=2", "--fault=no-answer:1,stall:1:0");
    unsigned idle = descriptors_of(&fleet);
    struct protocol_go go = go_of(PROTOCOL_LIVE, 1, 256, 256);
    uint8_t half[128];
    int end, handles[2] = {fleet_connect(&fleet, 0), fleet_connect(&fleet, 1)};
    for (unsigned i = 0; i < 2; i++)
        ask_go(handles[i], &go);
    assert_int_equal(take(handles[0], half, sizeof half, &end), sizeof half);
    fleet_await_descriptors(&fleet, idle + 2); /* both are accepted */
    for (unsigned i = 0; i < 2; i++)
        close(handles[i]);
    fleet_await_descriptors(&fleet, idle);
    fleet_end(&fleet);
}

TEST(test_stalled_server_ignores_requests)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=stall:100%:0");
    struct protocol_go go = faulty_go(0);
    uint8_t half[LENGTH_MAX];
    int end, handle = fleet_connect(&fleet, 0);
    ask_go(handle, &go);
    size_t bytes = protocol_frame_length(go.seed, 0, LENGTH_MIN, LENGTH_MAX) / 2;
    assert_int_equal(take(handle, half, bytes, &end), bytes);
    ask_go(handle, &go);
    assert_true(is_silent_for(handle, 100));
    close(handle);
    fleet_end(&fleet);
}

/* ---- faults within a frame ---- */

/* What is wrong with a frame that is in its place otherwise. */
static const struct {
    const char *option;
    uint64_t at;
    uint32_t seq; /* which it carries */
    bool check_fits;
} damages[] = {
    {"--fault=corrupt:1", FRAMES / 2, FRAMES / 2, false},
    {"--fault=disorder:1:4", 4, 5, true},
};

TEST(test_damaged_frames)
{
    static struct symptom symptom;
    for (unsigned i = 0; i < 4; i++) {
        struct fleet_under_test fleet = fleet_begin("--count=1", damages[i / 2].option);
        struct protocol_go go = faulty_go(i % 2);
        struct protocol_header header;
        ask_faulty(&fleet, &go, go_bytes(&go, FRAMES), false, &symptom);
        assert_int_equal(symptom.bytes, go_bytes(&go, FRAMES)); /* and goes on after it */
        assert_true(symptom.good == damages[i / 2].at);
        const uint8_t *frame = symptom.data + symptom.good_bytes;
        uint32_t length = protocol_frame_length(go.seed, symptom.good, LENGTH_MIN, LENGTH_MAX);
        assert_int_equal(protocol_header_read(frame, &go.marker, &header), 0);
        assert_true(header.seq == damages[i / 2].seq && header.length == length);
        bool fits = header.check == protocol_frame_check(frame, length, &go.marker);
        assert_true(fits == damages[i / 2].check_fits);
        assert_ptr_equal(memmem(frame, length, "\r\n", 2), frame + length - 2);
        assert_counted(&fleet, &go, FRAMES, symptom.bytes);
        fleet_end(&fleet);
    }
}

/* Past the longest frame that the protocol knows, without a marker; then silence. */
TEST(test_overlong)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=overlong:1:2");
    struct protocol_go go = faulty_go(0);
    size_t head = go_bytes(&go, 2), bytes = head + PROTOCOL_FRAME_BYTES_MAX + 1, used;
    uint8_t *data = malloc(bytes);
    char rest[65536];
    int end, handle = fleet_connect(&fleet, 0);
    struct timeval soon = {.tv_usec = 300 * 1000};
    ask_go(handle, &go);
    assert_non_null(data);
    assert_int_equal(take(handle, data, bytes, &end), bytes);
    assert_true(frames_good(data, bytes, &go, &used) == 2);
    assert_null(memmem(data + head, bytes - head, "\r\n", 2));
    setsockopt(handle, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    do {
        size_t more = take(handle, rest, sizeof rest, &end);
        assert_null(memmem(rest, more, "\r\n", 2));
    } while (end == -1);
    assert_int_equal(end, EAGAIN);
    assert_true(stats_of(&fleet, 1).frames == 2 && stats_of(&fleet, 1).faults == 1);
    free(data);
    close(handle);
    fleet_end(&fleet);
}

TEST(test_drip)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=drip:1:500");
    for (unsigned source = 0; source < 2; source++) {
        struct protocol_go go = go_of(sources[source], 2, 100, 100);
        int handle = fleet_connect(&fleet, 0);
        go.run = 1 + source;
        uint64_t start_ns = os_now_ns();
        frames_check(handle, &go);
        assert_true(os_now_ns() - start_ns >= 199 * 500 * (uint64_t)1000);
        assert_counted(&fleet, &go, 2, 200);
        close(handle);
    }
    fleet_end(&fleet);
}

/* ---- faults before any frame ---- */

TEST(test_refuse_spread_evenly)
{
    struct fleet_under_test fleet = fleet_begin("--count=10", "--fault=refuse:20%");
    for (unsigned server = 0; server < 10; server++) {
        int handle = socket_with_patience();
        int result = fleet_try(&fleet, handle, server);
        assert_int_equal(result, server % 5 == 4 ? -ECONNREFUSED : 0);
        close(handle);
    }
    fleet_end(&fleet);
}

TEST(test_no_answer)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=no-answer:1");
    struct protocol_go go = faulty_go(0);
    int handle = fleet_connect(&fleet, 0);
    ask_go(handle, &go);
    assert_true(is_silent_for(handle, 200));
    close(handle);
    fleet_end(&fleet);
}

TEST(test_accept_late)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=accept-late:1:300");
    struct protocol_go go = faulty_go(0);
    uint64_t start_ns = os_now_ns();
    int handle = fleet_connect(&fleet, 0);
    frames_check(handle, &go);
    assert_true(os_now_ns() - start_ns >= 299 * (uint64_t)OS_NS_PER_MS);
    close(handle);
    fleet_end(&fleet);
}

/* Starts a connect and says whether it is through within `millis`. */
static bool connects_within(const struct fleet_under_test *fleet, int handle, int millis)
{
    assert_int_equal(fcntl(handle, F_SETFL, O_NONBLOCK), 0);
    int result = fleet_try(fleet, handle, 0);
    struct pollfd writable = {.fd = handle, .events = POLLOUT};
    assert_true(result == 0 || result == -EINPROGRESS);
    return poll(&writable, 1, millis) == 1;
}

TEST(test_small_backlog_hangs_connects_and_opens_in_time)
{
    for (unsigned i = 0; i < 2; i++) {
        bool opens = i == 1;
        struct fleet_under_test fleet = fleet_begin(
            "--count=1", opens ? "--fault=small-backlog:1:700" : "--fault=small-backlog:1");
        int handle = socket_with_patience();
        /* By its second SYN. */
        assert_true(connects_within(&fleet, handle, opens ? PATIENCE_S * 1000 : 300) == opens);
        assert_int_equal(fcntl(handle, F_SETFL, 0), 0);
        struct protocol_go go = faulty_go(0);
        if (opens)
            frames_check(handle, &go);
        close(handle);
        fleet_end(&fleet);
    }
}

/* The last three need no --login. */
TEST(test_login_faults)
{
    static const char *const faults[] = {"wrong-login:1", "close-login:1", "reset-login:1",
                                         "silent-login:1", "garbage-login:1"};
    enum { WRONG, CLOSE, RESET, SILENT, GARBAGE };
    for (unsigned i = WRONG; i <= GARBAGE; i++) {
        struct fleet_under_test fleet =
            fleet_begin("--count=1", "--fault", faults[i], i <= CLOSE ? "--login=a:b" : NULL);
        char line[PROTOCOL_LINE_BYTES_MAX];
        int handle = fleet_connect(&fleet, 0);
        login(handle, "a", "b");
        if (i == WRONG) {
            assert_no(handle, "wrong user");
        } else if (i == CLOSE) {
            assert_ends(handle);
        } else if (i == RESET) {
            assert_int_equal(recv(handle, line, 1, 0), -1);
            assert_int_equal(errno, ECONNRESET);
        } else if (i == GARBAGE) {
            take_line(handle, line);
            assert_true(strcmp(line, "OK") != 0 && strncmp(line, "NO", 2) != 0);
        }
        if (i >= SILENT)
            assert_true(is_silent_for(handle, 100));
        close(handle);
        fleet_end(&fleet);
    }
}

/* ---- which servers ---- */

static struct fault_list faults_of(const char *text)
{
    struct fault_list list = {0};
    char why[256];
    assert_int_equal(faults_option(NULL, text, &list, why, sizeof why), 0);
    return list;
}

TEST(test_spread)
{
    enum { COUNT = 200 };
    struct fault_list list = faults_of("reset:2%,stall:10,refuse:0.1%,drip:0,corrupt:0%");
    const struct fault *by_server[COUNT];
    unsigned counts[5] = {0}, gap = 0;
    char why[256];
    assert_int_equal(faults_spread(&list, COUNT, by_server, why, sizeof why), 0);
    for (unsigned i = 0; i < COUNT; i++) {
        if (by_server[i] != NULL)
            counts[by_server[i] - list.items]++;
        gap = by_server[i] != NULL && by_server[i] == &list.items[0] ? 0 : gap + 1;
        assert_true(gap <= 50);
    }
    assert_true(counts[0] == 4 && counts[1] == 10 && counts[2] == 1);
    assert_true(counts[3] == 0 && counts[4] == 0);
    list = faults_of("reset:60%,stall:60%");
    assert_int_equal(faults_spread(&list, COUNT, by_server, why, sizeof why), -1);
    assert_non_null(strstr(why, "stall"));
    list = faults_of("reset:100%");
    assert_int_equal(faults_spread(&list, COUNT, by_server, why, sizeof why), 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_non_null(by_server[i]);
}

TEST(test_bad_fault_options)
{
    const char *bad[] = {"",
                         "reset",
                         "reset:",
                         "reset:x",
                         "reset:101%",
                         "reset:%",
                         "reset:-1",
                         "reset:1:",
                         "reset:1:x",
                         "rest:1",
                         "reset:1:-",
                         "refuse:1:1",
                         "drip:1:60000001",
                         "reset:1.5",
                         "reset:1,",
                         "reset:1:1:1",
                         "reset:1.2.3%",
                         "reset:99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault_list list = {0};
        char why[256] = "";
        if (faults_option(NULL, bad[i], &list, why, sizeof why) != -1)
            fail_msg("taken for a good fault: %s", bad[i]);
        assert_true(why[0] != '\0' && strchr(why, '\n') == NULL);
    }
}

TEST(test_help_names_every_kind)
{
    const char *kinds[] = {
        "refuse:",      "no-answer:",    "accept-late:",  "small-backlog:", "reset:",
        "stall:",       "drip:",         "truncate:",     "corrupt:",       "overlong:",
        "disorder:",    "wrong-login:",  "close-login:",  "stop-short:",    "restart:",
        "reset-login:", "silent-login:", "garbage-login:"};
    char help[4096];
    faults_help(help, sizeof help);
    assert_true(strlen(help) < sizeof help - 1); /* not cut */
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_non_null(strstr(help, kinds[i]));
}
