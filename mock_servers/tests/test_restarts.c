/* Clients that reconnect: a GO that resumes an earlier one on the same schedule, and the fault that
 * restarts a device. */
#include "mock_servers/tests/fleet_under_test.h"

enum { FRAMES = 20, LENGTH_MIN = 300, LENGTH_MAX = 4000 };

TEST(test_resumes_from_any_frame)
{
    static const uint64_t froms[] = {1, 7, FRAMES - 1};
    struct fleet_under_test fleet = fleet_begin("--count=1");
    for (unsigned i = 0; i < 6; i++) {
        struct protocol_go go =
            go_of(sources[i % 2], FRAMES, LENGTH_MIN, i < 3 ? LENGTH_MAX : LENGTH_MIN);
        go.run = 1 + i;
        go.from = froms[i / 2];
        int handle = fleet_connect(&fleet, 0);
        frames_check(handle, &go);
        struct protocol_stats stats = stats_of(&fleet, go.run);
        assert_true(stats.frames == FRAMES - go.from);
        assert_true(stats.bytes == go_bytes(&go, FRAMES) - go_bytes(&go, go.from));
        close(handle);
    }
    fleet_end(&fleet);
}

/* Frames that were due meanwhile come at once, stamped with the time at which they were due. */
TEST(test_keeps_the_schedule)
{
    struct fleet_under_test fleet = fleet_begin("--count=1");
    struct protocol_go go = go_of(PROTOCOL_LIVE, FRAMES, LENGTH_MIN, LENGTH_MIN);
    const uint64_t interval_ns = OS_NS_PER_S;
    struct protocol_header header;
    go.rate = 1;
    go.from = 5;
    go.ago_ns = (FRAMES + 1) * interval_ns;
    const uint64_t asked_ns = os_now_ns(), asked_wall_ns = os_wall_ns();
    int handle = fleet_connect(&fleet, 0);
    ask_go(handle, &go);
    uint8_t *data = frames_take(handle, &go);
    assert_true(os_now_ns() - asked_ns < (FRAMES - 6) * interval_ns);
    for (uint64_t i = 0, first_ns = 0; i < FRAMES - 5; i++) {
        assert_int_equal(protocol_header_read(data + i * LENGTH_MIN, &go.marker, &header), 0);
        first_ns = i == 0 ? header.sent_ns : first_ns;
        assert_in_range(header.sent_ns - first_ns, i * interval_ns, i * interval_ns + 1);
        assert_true(header.sent_ns < asked_wall_ns);
    }
    free(data);
    close(handle);
    fleet_end(&fleet);
}

/* After a reconnect the fault is not committed again. */
TEST(test_a_cut_is_not_repeated)
{
    struct fleet_under_test fleet = fleet_begin("--count=1", "--fault=truncate:1:7");
    struct protocol_go go = go_of(PROTOCOL_TAPE, FRAMES, LENGTH_MIN, LENGTH_MAX);
    static uint8_t data[FRAMES * LENGTH_MAX];
    int end, handle = fleet_connect(&fleet, 0);
    ask_go(handle, &go);
    take(handle, data, sizeof data, &end);
    assert_int_equal(end, 0);
    close(handle);
    handle = fleet_connect(&fleet, 0);
    go.from = 7;
    frames_check(handle, &go);
    assert_true(stats_of(&fleet, go.run).faults == 1);
    close(handle);
    fleet_end(&fleet);
}

TEST(test_the_process_has_an_identity)
{
    struct fleet_under_test one = fleet_begin("--count=1"), other = fleet_begin("--count=1");
    const uint64_t process = stats_of(&one, 1).process;
    assert_true(process == stats_of(&one, 2).process);
    assert_true(process != stats_of(&other, 1).process);
    fleet_end(&one);
    fleet_end(&other);
}

static void assert_reset(int handle)
{
    static uint8_t rest[FRAMES * LENGTH_MAX];
    int end;
    take(handle, rest, sizeof rest, &end);
    assert_int_equal(end, ECONNRESET);
    close(handle);
}

/* All connections of this device only are reset; then it refuses new ones, then accepts again. */
TEST(test_a_device_restarts)
{
    struct fleet_under_test fleet =
        fleet_begin("--count=2", "--fault=restart:1:2000"); /* the second of two */
    for (unsigned i = 0; i < 2; i++) {
        struct protocol_go go = go_of(sources[i], FRAMES, LENGTH_MIN, LENGTH_MAX);
        go.run = 1 + i;
        int idle = fleet_connect(&fleet, 1), asking = fleet_connect(&fleet, 1);
        int neighbour = fleet_connect(&fleet, 0), again = socket_with_patience();
        ask_go(asking, &go);
        assert_reset(asking);
        assert_reset(idle);
        assert_int_equal(fleet_try(&fleet, again, 1), -ECONNREFUSED);
        go.run = 100;
        frames_check(neighbour, &go);
        close(neighbour);
        int result = -ECONNREFUSED;
        for (unsigned tries = 0; result != 0 && tries < PATIENCE_S * 50; tries++) {
            close(again);
            os_sleep_ns(20 * OS_NS_PER_MS);
            again = socket_with_patience();
            result = fleet_try(&fleet, again, 1);
        }
        assert_int_equal(result, 0);
        go.run = 1 + i;
        go.from = FRAMES / 2;
        frames_check(again, &go);
        assert_true(stats_of(&fleet, go.run).faults == 1);
        close(again);
    }
    fleet_end(&fleet);
}
